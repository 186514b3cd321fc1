"""The output-stationary array in hardware: PEs, skew, fold sequencer, row drain, cycle accounts.

One `advance` enable moves everything left of the drain registers, so that a missing operand or a
full drain register freezes the array and cannot tear a wavefront apart. Right of the drain
registers, rows leave through a two-row queue under their own handshake; in an array of carry-save
PEs its exit has the lanes that make numbers of pairs.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.systolic.spec import SystolicSpec
from archsim.hdl.emit import place
from archsim.hdl.gemm import (
    COMMAND,
    COUNTERS_SIGNATURE,
    CycleAccounts,
    FoldSequencer,
    ResultPort,
    delayed,
    pick,
)
from archsim.hdl.mac import Arithmetic, multiply_add
from archsim.hdl.row_drain import RowDrain


class ProcessingElement(wiring.Component):
    """Multiply-accumulate cell with a drain register.

    Members
    -------
    advance : in
        Enable of every register.
    a, b : in; a_next, b_next : out
        Operands, and the same one step later for the neighbours right and below.
    first, last : in; first_next, last_next : out
        Whether the operands begin or end a sum; they travel right with ``a``.
    sum : out
        The last finished sum, until the next one finishes: a number, or the bits of a pair.
    """

    def __init__(self, spec: SystolicSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "advance": In(1),
                "a": In(signed(spec.a_bits)),
                "b": In(signed(spec.b_bits)),
                "first": In(1),
                "last": In(1),
                "a_next": Out(signed(spec.a_bits)),
                "b_next": Out(signed(spec.b_bits)),
                "first_next": Out(1),
                "last_next": Out(1),
                "sum": Out(Arithmetic.of(spec).sum_shape(spec.acc_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        def register(member: str) -> Signal:
            # data needs no reset: no sum is read before its fold's first beat began it
            held = Signal.like(getattr(self, member), name=f"{member}_held", reset_less=True)
            m.d.comb += getattr(self, member).eq(held)
            return held

        # outside the If: gated by `advance`, outputs would put it before the next multiplier
        a_next, b_next, finished = register("a_next"), register("b_next"), register("sum")
        total = Signal.like(self.sum)
        accumulator = Signal.like(self.sum, reset_less=True)
        sum_so_far = Mux(self.first, 0, accumulator)
        how = Arithmetic.of(self._spec)
        m.d.comb += total.eq(multiply_add(m, platform, how, sum_so_far, self.a, self.b))
        with m.If(self.advance):
            m.d.sync += [
                a_next.eq(self.a),
                b_next.eq(self.b),
                self.first_next.eq(self.first),
                self.last_next.eq(self.last),
                accumulator.eq(total),
            ]
            with m.If(self.last):
                m.d.sync += finished.eq(total)
        return m


class PeRow(wiring.Component):
    """A row of PEs.

    Members
    -------
    advance, a, first, last : in
        As of its leftmost PE.
    b : in; b_next : out, lanes ``cols``
        Operands from the row above and to the row below.
    sums : out, lanes ``cols``
        The PEs' finished sums.
    """

    def __init__(self, spec: SystolicSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "advance": In(1),
                "a": In(signed(spec.a_bits)),
                "first": In(1),
                "last": In(1),
                "b": In(data.ArrayLayout(signed(spec.b_bits), spec.cols)),
                "b_next": Out(data.ArrayLayout(signed(spec.b_bits), spec.cols)),
                "sums": Out(
                    data.ArrayLayout(Arithmetic.of(spec).sum_shape(spec.acc_bits), spec.cols)
                ),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        a, first, last = self.a, self.first, self.last
        for j in range(self._spec.cols):
            pe = place(m, platform, "pe", f"pe_{j}", ProcessingElement, self._spec)
            m.d.comb += [
                pe.advance.eq(self.advance),
                pe.a.eq(a),
                pe.first.eq(first),
                pe.last.eq(last),
                pe.b.eq(self.b[j]),
                self.b_next[j].eq(pe.b_next),
                self.sums[j].eq(pe.sum),
            ]
            a, first, last = pe.a_next, pe.first_next, pe.last_next
        return m


class SystolicArray(wiring.Component):
    """Output-stationary array: takes a command, beats of A and B, and returns rows of C.

    Operands arrive unskewed, one k-slice a beat; see the engine contract for folds, beats and
    their order. Extents of zero are not a command.

    Parameters
    ----------
    spec
        Rows, columns and widths.

    Members
    -------
    cmd : in, stream of m, n, k, accumulate
    a : in, stream of ``rows`` lanes
    b : in, stream of ``cols`` lanes
    c : in, stream of ``cols`` lanes
        Partial sums; read only by commands that accumulate.
    result : out, stream of ``cols`` lanes
    counters : out
        Cycles of the command by what they were, from the cycle that takes it to the one that gives
        the last result. They stay until the next command.
    """

    across = "n"  # the extent that lies across the lanes of a result

    def __init__(self, spec: SystolicSpec) -> None:
        self.spec = spec
        row = stream.Signature(data.ArrayLayout(signed(spec.acc_bits), spec.cols))
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a": In(stream.Signature(data.ArrayLayout(signed(spec.a_bits), spec.rows))),
                "b": In(stream.Signature(data.ArrayLayout(signed(spec.b_bits), spec.cols))),
                "c": In(row),
                "result": Out(row),
                "counters": Out(COUNTERS_SIGNATURE),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows, cols = self.spec.rows, self.spec.cols
        m.submodules.folds = folds = FoldSequencer(rows, cols, ahead=self.spec.pe == "opt1")
        m.submodules.drain = drain = RowDrain(rows, cols)
        m.submodules.port = port = ResultPort(
            cols, self.spec.acc_bits, self.spec.numbers, Arithmetic.of(self.spec).resolve
        )
        wiring.connect(m, wiring.flipped(self.c), port.c)
        wiring.connect(m, port.result, wiring.flipped(self.result))
        operands, advance, start = Signal(), Signal(), Signal()
        m.d.comb += [
            operands.eq(~folds.feeding | (self.a.valid & self.b.valid)),
            advance.eq(folds.stepping & operands & ~drain.blocked),
            start.eq(self.cmd.valid & folds.idle),
            self.cmd.ready.eq(folds.idle),
            self.a.ready.eq(advance & folds.feeding),
            self.b.ready.eq(advance & folds.feeding),
            folds.start.eq(start),
            folds.m.eq(self.cmd.p.m),
            folds.n.eq(self.cmd.p.n),
            folds.k.eq(self.cmd.p.k),
            folds.advance.eq(advance),
            folds.finish.eq(drain.empty & port.emptied),
            drain.advance.eq(advance),
            drain.last.eq(folds.last),
            drain.fold_rows.eq(folds.fold_rows),
            drain.room.eq(port.row.ready),
            port.start.eq(start),
            port.accumulate.eq(self.cmd.p.accumulate),
            port.row.valid.eq(drain.leave),
        ]
        sums = self._grid(m, platform, folds, drain.capture, advance)
        m.d.comb += Value.cast(port.row.p).eq(pick(sums, drain.row))

        m.submodules.accounts = accounts = CycleAccounts(rows, cols, ahead=self.spec.pe == "opt1")
        wiring.connect(m, accounts.counters, wiring.flipped(self.counters))
        m.d.comb += [
            accounts.start.eq(start),
            accounts.advance.eq(advance),
            accounts.feeding.eq(folds.feeding),
            accounts.fold_rows.eq(folds.fold_rows),
            accounts.fold_cols.eq(folds.fold_cols),
            accounts.stepping.eq(folds.stepping),
            accounts.blocked.eq(drain.blocked),
            accounts.has_b.eq(self.b.valid),
            accounts.draining.eq(folds.draining),
            accounts.refused.eq(port.refused),
            accounts.lacks_c.eq(port.lacks_c),
        ]
        return m

    def _grid(
        self, m: Module, platform: Any, folds: FoldSequencer, capture: Value, advance: Value
    ) -> list[Value]:
        """Add skew registers and PEs; return each row's finished sums."""

        def skew(lanes: Any, name: str) -> list[Value]:
            # bubbles enter as zeros, so that they switch nothing
            return [
                delayed(m, advance, Cat(Mux(folds.feeding, lane, 0)), i, f"skew_{name}_{i}")
                for i, lane in enumerate(lanes)
            ]

        first = Signal(self.spec.rows)  # bit a row, as `capture`
        begins = Signal(self.spec.rows - 1)
        m.d.comb += first.eq(Cat(folds.feeding & folds.first, begins))
        with m.If(advance):
            m.d.sync += begins.eq(first)

        a, b = skew(self.a.p, "a"), Cat(skew(self.b.p, "b"))
        sums = []
        for i in range(self.spec.rows):
            row = place(m, platform, "row", f"row_{i}", PeRow, self.spec)
            m.d.comb += [
                row.advance.eq(advance),
                row.a.eq(a[i]),
                row.first.eq(first[i]),
                row.last.eq(capture[i]),
                row.b.eq(b),
            ]
            b = Value.cast(row.b_next)
            sums.append(Value.cast(row.sums))
        return sums
