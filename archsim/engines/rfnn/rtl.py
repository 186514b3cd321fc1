"""The control of RF meshes in hardware: buffers, sequencer, phase loader, readout, accounts."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.rfnn.beats import EXTENT_BITS, STAGE_LANES
from archsim.engines.rfnn.buffers_rtl import Converters, PingPong
from archsim.engines.rfnn.jobs import MAX_STAGES
from archsim.engines.rfnn.phases_rtl import PhaseLoader
from archsim.engines.rfnn.readout_rtl import Activation, AdcAccum
from archsim.engines.rfnn.spec import PHASE_BITS, RfnnSpec
from archsim.engines.rfnn.stages_rtl import CYCLE_BITS, TensorSequencer, stage_layout
from archsim.engines.rfnn.switches_rtl import SwitchMatrix
from archsim.hdl.accounts import charges, counters_signature, tally
from archsim.hdl.emit import place
from archsim.hdl.row_memory import RowMemory

COUNTERS = (
    *("busy", "fill", "drain", "stall_stage", "stall_phase", "stall_x", "stall_c", "stall_result"),
    *("passes", "reloads"),
)
COUNTERS_SIGNATURE = counters_signature(COUNTERS)
STEPS = ("STAGES", "TABLE", "FILL", "RUN", "FETCH", "DRAIN")
FIELDS = ("outputs", "inputs", "before", "after", "out_block", "in_block", "shift", "route")

COMMAND = data.StructLayout(
    {
        **dict.fromkeys(("m", "n", "k", "vectors"), EXTENT_BITS),
        "stages": unsigned(MAX_STAGES.bit_length()),
        **dict.fromkeys(("accumulate", "program", "again", "refetch", "calibrate"), 1),
        "activation": 2,
        "analog_cycles": CYCLE_BITS,
    }
)


def pins_signature(spec: RfnnSpec) -> wiring.Signature:
    """Return the pins to the analog parts.

    Members
    -------
    dac : out
        Amplitudes, of which ``apply`` says that they are set from the next cycle on.
    convert : out; adc : in
        A sample begins; all outputs' samples, to be there in the last cycle of its time.
    si, sclk, le : out
        Serial chains of phase shifters.
    mesh : out
        Which mesh the converters and ``le`` are for, where there are several.
    switch : out
        The word of the switch matrix, where there is one.
    """
    dac = data.ArrayLayout(signed(spec.dac_bits), spec.lanes)
    adc = data.ArrayLayout(signed(spec.adc_bits), spec.lanes)
    return wiring.Signature(
        {
            "dac": Out(data.ArrayLayout(dac, spec.modes)),
            **dict.fromkeys(("apply", "convert", "sclk", "le"), Out(1)),
            "adc": In(data.ArrayLayout(adc, spec.modes)),
            "si": Out(spec.chains),
            **({"mesh": Out(EXTENT_BITS)} if spec.cores == "instance" else {}),
            **({"switch": Out(SwitchMatrix.word_bits(spec.modes))} if spec.switches else {}),
        }
    )


def streams(spec: RfnnSpec) -> dict[str, Any]:
    """Return the members towards the buffer: command, streams, counters."""
    stage = data.ArrayLayout(unsigned(EXTENT_BITS), STAGE_LANES)
    number = data.ArrayLayout(signed(spec.result_bits), 1)
    return {
        "cmd": In(stream.Signature(COMMAND)),
        "stage": In(stream.Signature(stage)),
        "x": In(stream.Signature(data.ArrayLayout(signed(spec.dac_bits), 1))),
        "phase": In(stream.Signature(data.ArrayLayout(unsigned(PHASE_BITS), 1))),
        "c": In(stream.Signature(number)),
        "result": Out(stream.Signature(number)),
        "counters": Out(COUNTERS_SIGNATURE),
    }


class RfnnControl(wiring.Component):
    """The digital control of RF meshes: takes a command, stages, phases, A, and returns results.

    One thing happens after the other. The stages of the command come in, and the table of a
    command that calibrates. Then, as many vectors at a time as the buffers hold: A comes in, the
    sequencer takes it through the stages, and results go out.

    Members
    -------
    cmd, stage, x, phase, c, result
        Streams; `archsim.engines.rfnn.beats.ports` says what beats hold.
    pins : to the analog parts, `pins_signature`
    counters : out
        Cycles of the command by what they were, passes through a mesh, programmings of one. They
        stay until the next command.
    """

    def __init__(self, spec: RfnnSpec) -> None:
        self.spec = spec
        super().__init__({**streams(spec), "pins": Out(pins_signature(spec))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec, pins = self.spec, self.pins
        m.submodules.sequencer = sequencer = TensorSequencer(spec)
        m.submodules.loader = loader = PhaseLoader(spec)
        m.submodules.buffers = buffers = PingPong(spec)
        m.submodules.converters = converters = Converters(spec)
        m.submodules.readout = readout = AdcAccum(
            spec.modes, spec.lanes, spec.adc_bits, spec.samples_log2
        )
        m.submodules.results = activation = Activation(spec.lanes, spec.result_bits)
        entry = stage_layout(spec.buffer_words)
        stages = place(m, platform, "stages", "stages", RowMemory, MAX_STAGES, entry)

        start = Signal()
        command = Signal(COMMAND, reset_less=True)
        m.d.comb += start.eq(self.cmd.valid & self.cmd.ready)
        with m.If(start):
            m.d.sync += command.eq(self.cmd.payload)

        first = Signal()  # of the command's chunks of vectors
        left, vectors = Signal(EXTENT_BITS), Signal(range(spec.buffer_words + 1))
        word, vector = Signal(EXTENT_BITS), Signal.like(vectors)
        address = Signal(range(spec.buffer_words))
        length, moves, last = Signal(EXTENT_BITS), Signal(), Signal()
        number = Signal(range(MAX_STAGES))
        step = {name: Signal(name=f"is_{name.lower()}") for name in STEPS}
        m.d.comb += [
            vectors.eq(Mux(left < command.vectors, left, command.vectors)),
            length.eq(Mux(step["FILL"], command.k, command.n)),
            last.eq((word + 1 == length) & (vector + 1 == vectors)),
        ]
        with m.If(moves):
            m.d.sync += [word.eq(word + 1), address.eq(address + 1)]
            with m.If(word + 1 == length):
                m.d.sync += [word.eq(0), vector.eq(vector + 1)]
            with m.If(last):
                m.d.sync += [vector.eq(0), address.eq(0)]

        takes = self.result.valid & self.result.ready
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.cmd.ready.eq(1)
                m.d.sync += [left.eq(self.cmd.p.m), first.eq(1), number.eq(0)]
                with m.If(start):
                    m.next = "STAGES"
            with m.State("STAGES"):
                m.d.comb += [step["STAGES"].eq(1), self.stage.ready.eq(1)]
                with m.If(self.stage.valid):
                    m.d.sync += number.eq(number + 1)
                    with m.If(number + 1 == command.stages):
                        m.next = "FILL"
                        if spec.calibrated:
                            with m.If(command.calibrate):
                                m.next = "TABLE"
            if spec.calibrated:
                with m.State("TABLE"):
                    m.d.comb += step["TABLE"].eq(1)
                    with m.If(loader.calibrated):
                        m.next = "FILL"
            with m.State("FILL"):
                m.d.comb += [
                    step["FILL"].eq(1),
                    self.x.ready.eq(1),
                    moves.eq(self.x.valid),
                    buffers.write.eq(self.x.valid),
                ]
                with m.If(moves & last):
                    m.d.comb += sequencer.start.eq(1)
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += step["RUN"].eq(1)
                with m.If(sequencer.done):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += step["FETCH"].eq(1)
                m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += [step["DRAIN"].eq(1), moves.eq(takes)]
                with m.If(moves & last):
                    m.d.sync += [left.eq(left - vectors), first.eq(0)]
                    m.next = "FILL"
                    with m.If(left == vectors):
                        m.next = "IDLE"

        row = data.View(entry, stages.write_data)
        fields = dict(zip(FIELDS, self.stage.payload, strict=True))
        m.d.comb += [
            stages.write.eq(step["STAGES"] & self.stage.valid),
            stages.write_row.eq(number),
            *(getattr(row, name).eq(value) for name, value in fields.items()),
            stages.read.eq(sequencer.fetch),
            stages.read_row.eq(sequencer.stage),
            sequencer.entry.eq(stages.read_data),
            sequencer.vectors.eq(vectors),
            sequencer.stages.eq(command.stages),
            sequencer.analog_cycles.eq(command.analog_cycles),
            sequencer.program.eq(Mux(first, command.program, command.again)),
            sequencer.programmed.eq(loader.programmed),
        ]
        m.d.comb += [
            loader.phase.payload.eq(self.phase.payload[0]),
            loader.phase.valid.eq(self.phase.valid),
            self.phase.ready.eq(loader.phase.ready),
            loader.calibrates.eq(step["TABLE"]),
            loader.programs.eq(sequencer.programs),
            loader.fetches.eq(first | command.refetch),
            loader.profile.eq(Mux(command.refetch, 0, sequencer.tile)),
            *(getattr(pins, pin).eq(getattr(loader, pin)) for pin in ("si", "sclk", "le")),
        ]
        # in the last cycle of a drain there is nothing to read
        m.d.comb += [
            buffers.turn.eq(sequencer.turn),
            buffers.write_address.eq(address),
            buffers.write_word[0].eq(self.x.payload[0]),
            buffers.read.eq(sequencer.load | step["FETCH"] | takes),
            buffers.read_address.eq(
                Mux(sequencer.load, sequencer.load_address, address + step["DRAIN"])
            ),
            buffers.store.eq(sequencer.store),
            buffers.store_address.eq(sequencer.store_address),
            buffers.adds.eq(sequencer.adds),
            buffers.average.eq(readout.average),
            converters.load.eq(sequencer.load),
            converters.lane.eq(sequencer.lane),
            converters.opens.eq(sequencer.opens),
            converters.word.eq(buffers.word),
            converters.shift.eq(sequencer.entry.shift),
            pins.dac.eq(converters.dac),
            pins.apply.eq(sequencer.apply),
            pins.convert.eq(sequencer.convert),
            readout.clear.eq(sequencer.apply),
            readout.take.eq(sequencer.take),
            readout.shift.eq(sequencer.store),
            readout.samples.eq(pins.adc),
        ]
        m.d.comb += [
            activation.word.eq(buffers.word),
            activation.c.eq(Mux(command.accumulate, self.c.payload[0], 0)),
            activation.activation.eq(command.activation),
            self.result.payload[0].eq(activation.result),
            self.result.valid.eq(step["DRAIN"] & (self.c.valid | ~command.accumulate)),
            self.c.ready.eq(step["DRAIN"] & command.accumulate & self.result.ready),
        ]
        self._select(m, sequencer)
        self._account(m, start, step, sequencer, loader)
        return m

    def _select(self, m: Module, sequencer: TensorSequencer) -> None:
        """Say which mesh it is, and set the switch matrix."""
        if self.spec.cores == "instance":
            with m.If(sequencer.switch):
                m.d.sync += self.pins.mesh.eq(sequencer.tile)
        if self.spec.switches:
            m.submodules.switches = switches = SwitchMatrix(self.spec.modes)
            m.d.comb += [
                switches.set.eq(sequencer.switch),
                switches.route.eq(sequencer.entry.route),
                self.pins.switch.eq(switches.word),
            ]

    def _account(
        self,
        m: Module,
        start: Signal,
        step: dict[str, Signal],
        sequencer: TensorSequencer,
        loader: PhaseLoader,
    ) -> None:
        """Charge each cycle; what comes in is ``fill``, and so is all that prepares a mesh."""
        charge = charges(COUNTERS)
        waits = {
            name: port.ready & ~port.valid
            for name, port in (("stage", self.stage), ("phase", self.phase), ("x", self.x))
        }
        for name, waiting in waits.items():
            m.d.comb += charge[f"stall_{name}"].eq(waiting)
        fills = step["STAGES"] | step["TABLE"] | step["FILL"] | step["RUN"]
        any_wait = waits["stage"] | waits["phase"] | waits["x"]
        refused = step["DRAIN"] & ~self.result.ready
        missing = step["DRAIN"] & self.result.ready & ~self.result.valid
        m.d.comb += [
            charge["busy"].eq(sequencer.passing),
            charge["drain"].eq(
                (step["RUN"] & sequencer.done) | step["FETCH"]
                | (step["DRAIN"] & ~refused & ~missing)
            ),
            charge["fill"].eq(fills & ~any_wait & ~sequencer.passing & ~sequencer.done),
            charge["stall_c"].eq(missing),
            charge["stall_result"].eq(refused),
            charge["passes"].eq(sequencer.apply),
            charge["reloads"].eq(loader.programmed),
        ]  # fmt: skip
        tally(m, start, self.counters, charge)
