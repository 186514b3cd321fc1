"""The weight- and the input-stationary array in hardware: PEs, skew, bank, sequencing.

One design: an operand is *stationary*, the other is *streamed*. In ws B is stationary; in is A is,
and the array computes ``C^T = B^T A^T``, so that ``m`` and ``n`` of the command change places.

One `advance` enable moves everything left of the result queue, so that a missing operand or a full
queue freezes the array and cannot tear a wavefront apart.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.systolic.beats import ports
from archsim.engines.systolic.spec import SystolicSpec
from archsim.hdl.emit import place
from archsim.hdl.gemm import array_members, delayed
from archsim.hdl.mac import Arithmetic, multiply_add
from archsim.hdl.stationary import StationaryShape, WindowSequencer, add_control


class StationaryElement(wiring.Component):
    """Multiply-accumulate cell that holds an operand, and the next one in a shadow register.

    Members
    -------
    advance : in
        Enable of every register.
    streamed : in; streamed_next : out
        Operand, and the same one step later for the neighbour on the right.
    sum : in; sum_next : out
        Partial sum from above, and with this cell's product, one step later, for below: a number or
        a pair, as the PE has it.
    above : in; shadow : out
        Shadow registers of the neighbour above and of this cell.
    shift, swap : in; shift_next, swap_next : out
        Whether the shadow register takes the one above over; whether the held operand takes the
        shadow register over, from the next step on. They travel right.
    """

    def __init__(self, spec: SystolicSpec) -> None:
        self._spec = spec
        streamed, stationary = operand_bits(spec)
        total = Arithmetic.of(spec).sum_shape(spec.acc_bits)
        super().__init__(
            {
                "advance": In(1),
                "streamed": In(signed(streamed)),
                "streamed_next": Out(signed(streamed)),
                "sum": In(total),
                "sum_next": Out(total),
                "above": In(signed(stationary)),
                "shadow": Out(signed(stationary)),
                **{name: In(1) for name in ("shift", "swap")},
                **{name: Out(1) for name in ("shift_next", "swap_next")},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        def register(member: str) -> Signal:
            # data needs no reset: rows count from when they are fed, tiles from when they are in
            held = Signal.like(getattr(self, member), name=f"{member}_held", reset_less=True)
            m.d.comb += getattr(self, member).eq(held)
            return held

        # outside the If: gated by `advance`, outputs would put it before the next multiplier
        streamed_next, sum_next = register("streamed_next"), register("sum_next")
        shadow = register("shadow")
        held, total = Signal.like(self.shadow, reset_less=True), Signal.like(self.sum)
        how = Arithmetic.of(self._spec)
        m.d.comb += total.eq(multiply_add(m, platform, how, self.sum, self.streamed, held))
        with m.If(self.advance):
            m.d.sync += [
                streamed_next.eq(self.streamed),
                sum_next.eq(total),
                self.shift_next.eq(self.shift),
                self.swap_next.eq(self.swap),
            ]
            with m.If(self.swap):
                m.d.sync += held.eq(shadow)
            with m.If(self.shift):
                m.d.sync += shadow.eq(self.above)
            if how.numbers != "int":
                # below a ragged tile's rows zeros are streamed; times infinity they would be NaN
                # (a job's first window swaps as well, so that nothing is left of the job before)
                with m.Elif(self.swap):
                    m.d.sync += shadow.eq(0)
        return m


class StationaryRow(wiring.Component):
    """A row of PEs.

    Members
    -------
    advance, streamed, shift, swap : in
        As of its leftmost PE.
    sums, above : in, lanes ``cols``; sums_next, shadows : out, lanes ``cols``
        From the row above and to the row below.
    """

    def __init__(self, spec: SystolicSpec) -> None:
        self._spec = spec
        streamed, stationary = operand_bits(spec)
        sums = data.ArrayLayout(Arithmetic.of(spec).sum_shape(spec.acc_bits), spec.cols)
        tile = data.ArrayLayout(signed(stationary), spec.cols)
        super().__init__(
            {
                **{name: In(1) for name in ("advance", "shift", "swap")},
                "streamed": In(signed(streamed)),
                "sums": In(sums),
                "sums_next": Out(sums),
                "above": In(tile),
                "shadows": Out(tile),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        streamed, shift, swap = self.streamed, self.shift, self.swap
        for j in range(self._spec.cols):
            pe = place(m, platform, "pe", f"pe_{j}", StationaryElement, self._spec)
            m.d.comb += [
                pe.advance.eq(self.advance),
                pe.streamed.eq(streamed),
                pe.shift.eq(shift),
                pe.swap.eq(swap),
                pe.sum.eq(self.sums[j]),
                pe.above.eq(self.above[j]),
                self.sums_next[j].eq(pe.sum_next),
                self.shadows[j].eq(pe.shadow),
            ]
            streamed, shift, swap = pe.streamed_next, pe.shift_next, pe.swap_next
        return m


class StationaryArray(wiring.Component):
    """Array with a stationary operand: takes a command, beats of A and B, and returns C.

    Operands arrive unskewed; `archsim.engines.systolic.beats` has beats and their order. Extents of
    zero are not a command.

    Parameters
    ----------
    spec
        Rows, columns, bank and widths; dataflow ws or is.

    Members
    -------
    cmd : in, stream of m, n, k, accumulate
    a, b : in, streams: the streamed operand of ``rows`` lanes, the stationary one of ``cols``
    c : in, stream of ``cols`` lanes
        Partial sums; read only by commands that accumulate.
    result : out, stream of ``cols`` lanes
    counters : out
        Cycles of the command by what they were, from the cycle that takes it to the one that gives
        the last result. They stay until the next command.
    """

    def __init__(self, spec: SystolicSpec) -> None:
        self.spec = spec
        # the extent of the result that lies across the lanes of a beat
        self.across = "n" if spec.dataflow == "ws" else "m"
        super().__init__(array_members(ports(spec)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec, dataflow = self.spec, self.spec.dataflow
        streamed, stationary = STREAMED[dataflow], STATIONARY[dataflow]
        shape = StationaryShape(spec.rows, spec.cols, spec.acc_rows, skewed=True)
        control = add_control(
            m, platform, self, shape, Arithmetic.of(spec),
            stationary=stationary, streamed=streamed, early=spec.pe == "opt1",
        )  # fmt: skip
        operands = getattr(self, streamed).p, getattr(self, stationary).p
        sums = self._grid(m, platform, control.windows, control.advance, *operands)
        m.d.comb += Value.cast(control.bank.sums).eq(Cat(sums))
        return m

    def _grid(
        self,
        m: Module,
        platform: Any,
        windows: WindowSequencer,
        advance: Value,
        streamed: Any,
        stationary: Any,
    ) -> list[Value]:
        """Add skew registers and PEs; return the sums of a row of C, brought level."""
        spec = self.spec
        shift, swap = Signal(spec.rows), Signal(spec.rows)  # bit a row, in its leftmost PE
        shifts, swaps = Signal(spec.rows - 1), Signal(spec.rows - 1)
        # a beat more goes one row further down; a new tile begins at the top
        further = (windows.loading & ~windows.begins).replicate(spec.rows - 1)
        m.d.comb += [
            shift.eq(Cat(windows.loading, shifts & further)),
            swap.eq(Cat(windows.begins, swaps)),
        ]
        with m.If(advance):
            m.d.sync += [shifts.eq(shift), swaps.eq(swap)]

        above = Cat(
            delayed(m, advance, Cat(lane), j, f"skew_tile_{j}") for j, lane in enumerate(stationary)
        )
        sum_bits = Arithmetic.of(spec).sum_shape(spec.acc_bits).width
        sums: Value = Const(0, spec.cols * sum_bits)
        for i, lane in enumerate(streamed):
            row = place(m, platform, "row", f"row_{i}", StationaryRow, spec)
            # bubbles enter as zeros, so that they switch nothing
            fed = Cat(Mux(windows.feeding, lane, 0))
            m.d.comb += [
                row.advance.eq(advance),
                row.streamed.eq(delayed(m, advance, fed, i + 1, f"skew_streamed_{i}")),
                row.shift.eq(shift[i]),
                row.swap.eq(swap[i]),
                Value.cast(row.sums).eq(sums),
                Value.cast(row.above).eq(above),
            ]
            sums, above = Value.cast(row.sums_next), Value.cast(row.shadows)
        return [
            delayed(m, advance, sums.word_select(j, sum_bits), spec.cols - 1 - j, f"level_{j}")
            for j in range(spec.cols)
        ]


STREAMED = {"ws": "a", "is": "b"}
STATIONARY = {"ws": "b", "is": "a"}


def operand_bits(spec: SystolicSpec) -> tuple[int, int]:
    """Return the bits of a streamed and of a stationary element."""
    bits = {"a": spec.a_bits, "b": spec.b_bits}
    return bits[STREAMED[spec.dataflow]], bits[STATIONARY[spec.dataflow]]
