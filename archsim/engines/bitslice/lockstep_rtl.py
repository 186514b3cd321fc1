"""Arrays in lockstep in hardware: operands by broadcast, steps as long as the slowest PE needs.

A beat is a group of k-slices. Cells at the edges take it, and hand out terms, or picks of bits,
until the last PE has had all of its own; in that cycle the next beat is taken. What was handed out
passes the PEs' stages without a stop. A fold may end once the rows of the fold before are out of
their drain registers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring

from archsim.engines.bitslice.lockstep_beats import ports
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.hdl import interleave, term_pairs
from archsim.hdl.accounts import charges, tally
from archsim.hdl.digit_terms import TermSerialiser
from archsim.hdl.emit import place
from archsim.hdl.gemm import COUNTERS, FoldSequencer, array_members, pick
from archsim.hdl.interleave import InterleavedElement, Interleaver
from archsim.hdl.result_port import ResultPort
from archsim.hdl.term_pairs import TermPairElement
from archsim.hdl.tile_drain import TileDrain

STAGES = {"laconic": term_pairs.STAGES, "bitlet": interleave.STAGES}


@dataclass(frozen=True, slots=True)
class Step:
    """What the cells of an array are told: take a beat; hand out; a sum begins, or ends."""

    load: Signal
    run: Signal
    first: Signal
    last: Signal


class Lockstep(wiring.Component):
    """Array in lockstep with the port protocol of GEMM engines.

    Members
    -------
    cmd, a, b, c : in, streams
    result : out, stream
    counters : out
        Cycles of the last job by what they were; from ``cmd`` on, until the next ``cmd``.
    """

    def __init__(self, spec: BitsliceSpec) -> None:
        self.spec = spec
        self.across = "n" if spec.encoded == "a" else "m"
        super().__init__(array_members(ports(spec)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self.spec
        m.submodules.folds = folds = FoldSequencer(
            spec.cols, spec.rows, skewed=False, slices=spec.group, gaps=False
        )
        m.submodules.drain = drain = TileDrain(spec.cols)
        m.submodules.port = port = ResultPort(spec.rows, spec.acc_bits)
        wiring.connect(m, wiring.flipped(self.c), port.c)
        wiring.connect(m, port.result, wiring.flipped(self.result))
        start = Signal()
        extents = (self.cmd.p.m, self.cmd.p.n)[:: 1 if spec.encoded == "a" else -1]
        m.d.comb += [
            start.eq(self.cmd.valid & folds.idle),
            self.cmd.ready.eq(folds.idle),
            folds.start.eq(start),
            folds.m.eq(extents[0]),
            folds.n.eq(extents[1]),
            folds.k.eq(self.cmd.p.k),
        ]

        # the beat that is worked on, and where it stands in its fold
        holds, begun, first, last = Signal(), Signal(), Signal(), Signal()
        fold_rows = Signal.like(folds.fold_rows)
        step = Step(*(Signal(name=name) for name in ("load", "run", "sum_begins", "sum_ends")))
        ends, sums = self._cells(m, platform, step)
        stages = STAGES[spec.pe]
        coming = Signal(stages)  # a fold's last terms, on their way through the stages
        waits, done = Signal(), Signal()
        m.d.comb += [
            waits.eq(holds & ends & last & (coming.any() | drain.blocked)),
            step.run.eq(holds & ~waits),
            done.eq(step.run & ends),
            step.load.eq(folds.feeding & (~holds | done) & self.a.valid & self.b.valid),
            self.a.ready.eq(step.load),
            self.b.ready.eq(step.load),
            folds.advance.eq(step.load),
        ]
        m.d.sync += [
            holds.eq(step.load | (holds & ~done)),
            begun.eq(~step.load & (begun | step.run)),
            coming.eq(Cat(done & last, coming)),
        ]
        with m.If(step.load):
            m.d.sync += [first.eq(folds.first), last.eq(folds.last), fold_rows.eq(folds.fold_rows)]
        beginnings = Signal(stages)
        m.d.sync += beginnings.eq(Cat(step.run & first & ~begun, beginnings))
        with m.If(done & last):
            m.d.sync += drain.fold_rows.eq(fold_rows)

        m.d.comb += [
            step.first.eq(beginnings[-1]),
            step.last.eq(coming[-1]),
            drain.advance.eq(coming[-1]),
            drain.last.eq(1),
            drain.room.eq(port.row.ready),
            port.start.eq(start),
            port.accumulate.eq(self.cmd.p.accumulate),
            port.row.valid.eq(drain.leave),
            Value.cast(port.row.p).eq(pick(sums, drain.row)),
            folds.finish.eq(~holds & ~coming.any() & drain.empty & port.emptied),
        ]
        self._account(m, folds, port, start, step, holds)
        return m

    def _account(
        self, m: Module, folds: Any, port: Any, start: Value, step: Step, holds: Value
    ) -> None:
        """Charge each occupied cycle; one without work, to what its beat was waiting for."""
        lacks_a, lacks_b = Signal(), Signal()
        charge = charges(COUNTERS)
        missing = folds.feeding & ~step.load & ~start
        m.d.sync += [
            lacks_b.eq(missing & ~self.b.valid),
            lacks_a.eq(missing & self.b.valid),
        ]
        with m.If(step.run):
            m.d.comb += charge["busy"].eq(1)
        with m.Elif(folds.feeding & ~holds):
            m.d.comb += [
                charge["stall_a"].eq(lacks_a),
                charge["stall_b"].eq(lacks_b),
                charge["fill"].eq(~lacks_a & ~lacks_b),
            ]
        with m.Elif(~folds.idle):  # a fold waits for drain registers, or all have ended
            m.d.comb += [
                charge["stall_result"].eq(port.refused),
                charge["stall_c"].eq(port.lacks_c),
                charge["drain"].eq(~port.refused & ~port.lacks_c),
            ]
        tally(m, start, self.counters, charge)

    # ------------------------------------------------------------------------------------- cells

    def _cells(self, m: Module, platform: Any, step: Step) -> tuple[Value, list[Value]]:
        """Add edges and PEs; return whether a step ends, and each row's finished sums."""
        if self.spec.pe == "laconic":
            return self._term_pairs(m, platform, step)
        return self._interleaved(m, platform, step)

    def _operands(self) -> tuple[list[list[Value]], list[list[Value]]]:
        """Return the group of each lane, of the encoded operand and of the other."""
        ports = (self.a.p, self.b.p) if self.spec.encoded == "a" else (self.b.p, self.a.p)
        encoded, others = (
            [[port[i + s * lanes] for s in range(self.spec.group)] for i in range(lanes)]
            for port, lanes in zip(ports, (self.spec.cols, self.spec.rows), strict=True)
        )
        return encoded, others

    def _term_pairs(self, m: Module, platform: Any, step: Step) -> tuple[Value, list[Value]]:
        """Pair each term of an encoded operand, in turn, with all terms of the other.

        All serialisers of one slice go on together: the slice takes as many cycles as the longest
        list of terms in the rows times the longest in the columns.
        """
        spec = self.spec
        outer, inner = (
            self._serialisers(m, platform, step, lanes, name)
            for lanes, name in zip(self._operands(), ("outer", "inner"), strict=True)
        )
        finals = Signal(spec.group)
        for i in range(spec.group):
            of_slice, others = [lane[i] for lane in outer], [lane[i] for lane in inner]
            more, others_more = (Cat(cell.more for cell in c).any() for c in (of_slice, others))
            some, others_some = (Cat(cell.some for cell in c).any() for c in (of_slice, others))
            round_ends = Signal(name=f"round_ends_{i}")  # all pairs with the outer terms were had
            m.d.comb += [
                round_ends.eq(~others_more),
                finals[i].eq((round_ends & ~more) | ~some | ~others_some),
                *(cell.step.eq(step.run & round_ends) for cell in of_slice),
                *(cell.step.eq(step.run) for cell in others),
                *(cell.again.eq(round_ends) for cell in others),
            ]
        part = (TermPairElement, spec.group, spec.encoded_bits, spec.other_bits)
        grid = self._grid(m, platform, step, part)
        for i, row in enumerate(grid):
            for j, pe in enumerate(row):
                m.d.comb += [x.eq(cell.term) for x, cell in zip(pe.x, outer[i], strict=True)]
                m.d.comb += [y.eq(cell.term) for y, cell in zip(pe.y, inner[j], strict=True)]
        return finals.all(), [Cat(pe.sum for pe in row) for row in grid]

    def _serialisers(
        self, m: Module, platform: Any, step: Step, lanes: list[list[Value]], name: str
    ) -> list[list[Any]]:
        """Add a cell for each lane and slice."""
        cells = []
        for i, lane in enumerate(lanes):
            row = []
            for slice_, value in enumerate(lane):
                cell = place(
                    m, platform, f"{name}_terms", f"{name}_{i}_{slice_}",
                    TermSerialiser, len(value), self.spec.encoding, name == "inner",
                )  # fmt: skip
                m.d.comb += [cell.value.eq(value), cell.load.eq(step.load), cell.run.eq(step.run)]
                row.append(cell)
            cells.append(row)
        return cells

    def _interleaved(self, m: Module, platform: Any, step: Step) -> tuple[Value, list[Value]]:
        """Pick set bits of every significance of the encoded operand's groups."""
        spec = self.spec
        encoded, others = self._operands()
        more = Signal(spec.cols)
        pickers = []
        for i, lane in enumerate(encoded):
            cell = place(
                m, platform, "interleaver", f"interleaver_{i}",
                Interleaver, spec.group, spec.encoded_bits, spec.encoding,
            )  # fmt: skip
            m.d.comb += [
                value.eq(operand) for value, operand in zip(cell.values, lane, strict=True)
            ]
            m.d.comb += [cell.load.eq(step.load), cell.run.eq(step.run), more[i].eq(cell.more)]
            pickers.append(cell)
        part = (InterleavedElement, spec.group, spec.encoded_bits, spec.other_bits)
        grid = self._grid(m, platform, step, part)
        for j, lane in enumerate(others):
            # of the beat, and of what was picked in the cycle before
            taken = Signal(len(lane) * spec.other_bits, name=f"taken_{j}", reset_less=True)
            picked_from = Signal.like(taken, name=f"picked_from_{j}")
            with m.If(step.load):
                m.d.sync += taken.eq(Cat(*lane))
            with m.If(step.run):
                m.d.sync += picked_from.eq(taken)
            for i, row in enumerate(grid):
                m.d.comb += Cat(*row[j].operands).eq(picked_from)
                m.d.comb += [p.eq(q) for p, q in zip(row[j].picks, pickers[i].picks, strict=True)]
        return ~more.any(), [Cat(pe.sum for pe in row) for row in grid]

    def _grid(self, m: Module, platform: Any, step: Step, part: tuple[Any, ...]) -> list[list[Any]]:
        """Add the PEs: a row for each lane of the encoded operand."""
        spec, grid = self.spec, []
        for i in range(spec.cols):
            row = []
            for j in range(spec.rows):
                pe = place(m, platform, "pe", f"pe_{i}_{j}", *part, spec.acc_bits, spec.adder)
                m.d.comb += [pe.first.eq(step.first), pe.last.eq(step.last)]
                row.append(pe)
            grid.append(row)
        return grid
