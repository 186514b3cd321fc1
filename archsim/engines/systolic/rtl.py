"""The output-stationary array in hardware: PEs, skew, fold sequencer, row drain, cycle accounts.

One `advance` enable moves everything left of the drain registers, so that a missing operand or a
full drain register freezes the array and cannot tear a wavefront apart. Right of the drain
registers, rows leave through a two-row queue under their own handshake; in an array of carry-save
PEs its exit has the lanes that make numbers of pairs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.systolic.beats import ports
from archsim.engines.systolic.spec import SystolicSpec
from archsim.hdl.emit import place
from archsim.hdl.folded import FoldControl, FoldShape, add_control, begin_rows
from archsim.hdl.gemm import array_members, delayed
from archsim.hdl.mac import Arithmetic, multiply_add


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
        super().__init__(array_members(ports(spec)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self.spec
        # a carry-save PE is faster than what decides on a step
        faster = spec.pe == "opt1"
        shape = FoldShape(spec.rows, spec.cols, ahead=faster, late=faster)
        grid = partial(self._grid, m, platform)
        add_control(m, self, shape, Arithmetic.of(spec), grid)
        return m

    def _grid(self, m: Module, platform: Any, control: FoldControl) -> list[Value]:
        """Add skew registers and PEs; return each row's finished sums."""
        advance = control.advance

        def skew(lanes: Any, name: str) -> list[Value]:
            return [
                delayed(m, advance, Cat(control.entering(lane)), i, f"skew_{name}_{i}")
                for i, lane in enumerate(lanes)
            ]

        begins = control.feeding & control.first
        first = begin_rows(m, advance, begins, self.spec.rows)
        a, b = skew(control.a, "a"), Cat(skew(control.b, "b"))
        sums = []
        for i in range(self.spec.rows):
            row = place(m, platform, "row", f"row_{i}", PeRow, self.spec)
            m.d.comb += [
                row.advance.eq(advance),
                row.a.eq(a[i]),
                row.first.eq(first[i]),
                row.last.eq(control.capture[i]),
                row.b.eq(b),
            ]
            b = Value.cast(row.b_next)
            sums.append(Value.cast(row.sums))
        return sums
