"""Bank in which arrays with a stationary operand add up rows of sums over folds."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.emit import place
from archsim.hdl.mac import Arithmetic, add_sums
from archsim.hdl.row_memory import RowMemory

ROW_TAG = data.StructLayout({"valid": 1, "top": 1, "first": 1, "last": 1})


class AccumulatorBank(wiring.Component):
    """Adds up rows over folds along k: a memory, one read and one write a step.

    A row is read one step before it lands; one that is being written gives its new value.

    Parameters
    ----------
    depth
        Rows that the bank holds.
    row
        Layout of a row: sums as ``how`` has them.

    Members
    -------
    advance : in
        A step is taken.
    coming, landing : in
        Tags of the row that lands in the next step, and of the one that lands in this.
    sums : in
        Row that lands.
    total : out
        What it amounts to, with what the bank holds for it unless it is the first.
    """

    def __init__(self, depth: int, row: data.ArrayLayout, how: Arithmetic) -> None:
        self._depth, self._row, self._how = depth, row, how
        super().__init__(
            {
                "advance": In(1),
                "coming": In(ROW_TAG),
                "landing": In(ROW_TAG),
                "sums": In(row),
                "total": Out(row),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = place(m, platform, "memory", "memory", RowMemory, self._depth, self._row)
        row, row_coming = Signal(range(self._depth)), Signal(range(self._depth))
        # the row that was written in the cycle that read it
        passed, passes = Signal(self._row, reset_less=True), Signal()
        m.d.comb += [
            row_coming.eq(Mux(self.coming.top, 0, row + 1)),
            rows.read_row.eq(row_coming),
            rows.read.eq(self.advance & self.coming.valid & ~self.coming.first),
            rows.write_row.eq(row),
            rows.write_data.eq(self.total),
            rows.write.eq(self.advance & self.landing.valid & ~self.landing.last),
        ]
        with m.If(self.advance & self.coming.valid):
            m.d.sync += row.eq(row_coming)
        with m.If(rows.read):
            m.d.sync += [passes.eq(rows.write & (row_coming == row)), passed.eq(self.total)]
        for j in range(self._row.length):
            held = Mux(passes, passed[j], rows.read_data[j])
            so_far = Mux(self.landing.first, 0, held)
            total = add_sums(m, platform, self._how, so_far, self.sums[j], f"adder_{j}")
            m.d.comb += self.total[j].eq(total)
        return m
