"""The vector unit in hardware: beat sequencer, parameter register, lanes, cycle accounts."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.vector.spec import VectorSpec
from archsim.hdl.accounts import charges, counters_signature, tally
from archsim.hdl.requantise import Requantise, Scaling

EXTENT_BITS = 24  # of a command's beats, taps and hold
COUNTERS = ("busy", "fill", "drain", "stall_x", "stall_parameters", "stall_y")
COUNTERS_SIGNATURE = counters_signature(COUNTERS)


def scaling_of(spec: VectorSpec) -> Scaling:
    return Scaling(spec.lane_bits, spec.scale_bits, spec.lane_bits, spec.rounding, reduce=True)


def command_layout(spec: VectorSpec) -> data.StructLayout:
    """Return what a command says; `VectorUnit` explains it."""
    value = signed(spec.lane_bits)
    return data.StructLayout(
        {
            "beats": EXTENT_BITS,
            "taps": EXTENT_BITS,
            "hold": EXTENT_BITS,
            "alternate": 1,
            "maximum": 1,
            "bias": value,
            "multiplier": signed(spec.scale_bits),
            "zero_point": value,
            "low": value,
            "high": value,
        }
    )


class BeatSequencer(wiring.Component):
    """Counts a command's operand beats: taps of a result, results of a set of parameters.

    Members
    -------
    start : in
        Take the command in this cycle; only when ``idle``.
    beats, taps, hold : in
        Of the command, at ``start``.
    step : in
        An operand beat enters in this cycle.
    finish : in
        The last result leaves in this cycle; only when ``draining``.
    idle, feeding, draining : out
        No command; an operand beat is next; all of them are in.
    first, last, odd : out
        The beat that is next begins or ends its result's taps; is an odd tap.
    ends_set, ends_job : out
        ... is the last one of its set of parameters; of all.
    """

    def __init__(self) -> None:
        extent = unsigned(EXTENT_BITS)
        ins = dict.fromkeys(("start", "step", "finish"), In(1))
        flags = ("idle", "feeding", "draining", "first", "last", "odd", "ends_set", "ends_job")
        super().__init__(
            {
                **ins,
                **dict.fromkeys(("beats", "taps", "hold"), In(extent)),
                **dict.fromkeys(flags, Out(1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        extent = unsigned(EXTENT_BITS)
        taps, hold = Signal(extent), Signal(extent)
        beats_left, taps_left, hold_left = Signal(extent), Signal(extent), Signal(extent)
        m.d.comb += [
            self.last.eq(taps_left == 1),
            self.ends_job.eq(self.last & (beats_left == 1)),
            self.ends_set.eq(self.last & (hold_left == 1)),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                m.d.sync += [
                    taps.eq(self.taps),
                    taps_left.eq(self.taps),
                    hold.eq(self.hold),
                    hold_left.eq(self.hold),
                    beats_left.eq(self.beats),
                    self.first.eq(1),
                    self.odd.eq(0),
                ]
                with m.If(self.start):
                    m.next = "FEED"
            with m.State("FEED"):
                m.d.comb += self.feeding.eq(1)
                with m.If(self.step):
                    m.d.sync += [
                        taps_left.eq(Mux(self.last, taps, taps_left - 1)),
                        self.first.eq(self.last),
                        self.odd.eq(~self.odd & ~self.last),
                    ]
                    with m.If(self.last):
                        m.d.sync += [
                            beats_left.eq(beats_left - 1),
                            hold_left.eq(Mux(self.ends_set, hold, hold_left - 1)),
                        ]
                    with m.If(self.ends_job):
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += self.draining.eq(1)
                with m.If(self.finish):
                    m.next = "IDLE"
        return m


class CycleAccounts(wiring.Component):
    """Charges each occupied cycle to one counter.

    Members
    -------
    start : in
        A command is taken: counters restart, and this cycle is ``fill``.
    feeding, step, room, holding, loads : in
        Operands are to come; one enters; the first stage could take it; a set of parameters is
        held; one is being taken.
    draining, refused : in
        All operands are in; a result waits for ``y``.
    counters : out
    """

    def __init__(self) -> None:
        flags = ("start", "feeding", "step", "room", "holding", "loads", "draining", "refused")
        super().__init__({**dict.fromkeys(flags, In(1)), "counters": Out(COUNTERS_SIGNATURE)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        charge = charges(COUNTERS)
        with m.If(self.draining):
            m.d.comb += [charge["stall_y"].eq(self.refused), charge["drain"].eq(~self.refused)]
        with m.Elif(self.feeding & ~self.room):
            m.d.comb += charge["stall_y"].eq(1)
        with m.Elif(self.feeding & ~self.holding):
            m.d.comb += [
                charge["fill"].eq(self.loads),
                charge["stall_parameters"].eq(~self.loads),
            ]
        with m.Elif(self.feeding):
            m.d.comb += [charge["busy"].eq(self.step), charge["stall_x"].eq(~self.step)]
        tally(m, self.start, self.counters, charge)
        return m


class VectorUnit(wiring.Component):
    """A row of integer lanes: takes a command, parameters and operands, and returns results.

    A command is for ``beats`` beats of results, each of ``taps`` beats of operands that are added
    or, with ``maximum``, compared. A set of parameters serves ``hold`` beats of results. With
    ``alternate``, odd taps have the command's ``bias`` and ``multiplier`` and not the set's. None
    of the three extents may be zero.

    Parameters
    ----------
    spec
        Lanes, widths, rounding.

    Members
    -------
    cmd : in, stream of `command_layout`
    x : in, stream of ``lanes`` operands
    parameters : in, stream of ``lanes`` words
        `Scaling.parameters` of each lane.
    y : out, stream of ``lanes`` results
    counters : out
        Cycles of the command by what they were, from the cycle that takes it to the one that gives
        the last result. They stay until the next command.
    """

    def __init__(self, spec: VectorSpec) -> None:
        self.spec = spec
        self._scaling = scaling_of(spec)
        word = unsigned(self._scaling.parameters.size)
        row = stream.Signature(data.ArrayLayout(signed(spec.lane_bits), spec.lanes))
        super().__init__(
            {
                "cmd": In(stream.Signature(command_layout(spec))),
                "x": In(row),
                "parameters": In(stream.Signature(data.ArrayLayout(word, spec.lanes))),
                "y": Out(row),
                "counters": Out(COUNTERS_SIGNATURE),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = BeatSequencer()
        m.submodules.row = row = Requantise(self.spec.lanes, self._scaling)
        m.submodules.accounts = accounts = CycleAccounts()
        wiring.connect(m, row.o, wiring.flipped(self.y))
        wiring.connect(m, accounts.counters, wiring.flipped(self.counters))

        start, step = Signal(), Signal()
        command = Signal(command_layout(self.spec), reset_less=True)
        m.d.comb += [
            self.cmd.ready.eq(sequencer.idle),
            start.eq(self.cmd.valid & sequencer.idle),
            sequencer.start.eq(start),
            sequencer.beats.eq(self.cmd.p.beats),
            sequencer.taps.eq(self.cmd.p.taps),
            sequencer.hold.eq(self.cmd.p.hold),
            sequencer.step.eq(step),
            sequencer.finish.eq(row.emptied),
        ]
        with m.If(start):
            m.d.sync += command.eq(self.cmd.payload)

        # a set is replaced in the cycle of its last operand, or when it comes
        holding, loads, held = Signal(), Signal(), Signal.like(self.parameters.payload)
        released = step & sequencer.ends_set
        m.d.comb += [
            self.parameters.ready.eq(
                sequencer.feeding & (~holding | (released & ~sequencer.ends_job))
            ),
            loads.eq(self.parameters.valid & self.parameters.ready),
        ]
        with m.If(loads):
            m.d.sync += [held.eq(self.parameters.payload), holding.eq(1)]
        with m.Elif(released | (step & sequencer.ends_job)):
            m.d.sync += holding.eq(0)

        m.d.comb += [
            row.i.valid.eq(self.x.valid & sequencer.feeding & holding),
            self.x.ready.eq(row.i.ready & sequencer.feeding & holding),
            step.eq(self.x.valid & self.x.ready),
            row.i.p.x.eq(self.x.payload),
            row.i.p.first.eq(sequencer.first),
            row.i.p.last.eq(sequencer.last),
            row.i.p.maximum.eq(command.maximum),
            row.zero_point.eq(command.zero_point),
            row.low.eq(command.low),
            row.high.eq(command.high),
        ]
        other = sequencer.odd & command.alternate
        for j in range(self.spec.lanes):
            mine = data.View(self._scaling.parameters, held[j])
            m.d.comb += [
                row.i.p.parameters[j].bias.eq(Mux(other, command.bias, mine.bias)),
                row.i.p.parameters[j].multiplier.eq(
                    Mux(other, command.multiplier, mine.multiplier)
                ),
                row.i.p.parameters[j].shift.eq(mine.shift),
            ]
        m.d.comb += [
            accounts.start.eq(start),
            accounts.feeding.eq(sequencer.feeding),
            accounts.step.eq(step),
            accounts.room.eq(row.i.ready),
            accounts.holding.eq(holding),
            accounts.loads.eq(loads),
            accounts.draining.eq(sequencer.draining),
            accounts.refused.eq(self.y.valid & ~self.y.ready),
        ]
        return m
