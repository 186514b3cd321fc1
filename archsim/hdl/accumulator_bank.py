"""Bank in which arrays with a stationary operand add up rows of sums over folds."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.emit import place
from archsim.hdl.mac import Arithmetic, add_sums
from archsim.hdl.row_memory import RowMemory

ROW_TAG = data.StructLayout({"valid": 1, "top": 1, "first": 1, "last": 1})


class AccumulatorBank(wiring.Component):
    """Adds up rows over folds along k: a memory, one read and one write a step.

    A row is read one step before it lands; one that is being written gives its new value. A bank
    that reads ``early`` does so two steps before, and a register takes what comes: the memory and
    the adder then have a cycle each, and a row that is written meanwhile gives its new value too.

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
    ahead : in
        With ``early``: tag of the row that lands in the step after the next.
    coming, landing : in
        Tags of the row that lands in the next step, and of the one that lands in this.
    sums : in
        Row that lands.
    total : out
        What it amounts to, with what the bank holds for it unless it is the first.
    """

    def __init__(
        self, depth: int, row: data.ArrayLayout, how: Arithmetic, *, early: bool = False
    ) -> None:
        self._depth, self._row, self._how, self._early = depth, row, how, early
        super().__init__(
            {
                "advance": In(1),
                **({"ahead": In(ROW_TAG)} if early else {}),
                "coming": In(ROW_TAG),
                "landing": In(ROW_TAG),
                "sums": In(row),
                "total": Out(row),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = place(m, platform, "memory", "memory", RowMemory, self._depth, self._row)
        row = Signal(range(self._depth))  # that lands
        m.d.comb += [
            rows.write_row.eq(row),
            rows.write_data.eq(self.total),
            rows.write.eq(self.advance & self.landing.valid & ~self.landing.last),
        ]
        held = (self._read_early if self._early else self._read)(m, rows, row)
        for j in range(self._row.length):
            so_far = Mux(self.landing.first, 0, held[j])
            total = add_sums(m, platform, self._how, so_far, self.sums[j], f"adder_{j}")
            m.d.comb += self.total[j].eq(total)
        return m

    def _read(self, m: Module, rows: Any, row: Signal) -> list[Value]:
        """Read the row that comes; return what the bank holds for the one that lands."""
        row_coming = Signal(range(self._depth))
        # the row that was written in the cycle that read it
        passed, passes = Signal(self._row, reset_less=True), Signal()
        m.d.comb += [
            row_coming.eq(Mux(self.coming.top, 0, row + 1)),
            rows.read_row.eq(row_coming),
            rows.read.eq(self.advance & self.coming.valid & ~self.coming.first),
        ]
        with m.If(self.advance & self.coming.valid):
            m.d.sync += row.eq(row_coming)
        with m.If(rows.read):
            m.d.sync += [passes.eq(rows.write & (row_coming == row)), passed.eq(self.total)]
        return [Mux(passes, passed[j], rows.read_data[j]) for j in range(self._row.length)]

    def _read_early(self, m: Module, rows: Any, row: Signal) -> list[Value]:
        """Read the row after the one that comes; return what the bank holds for this one."""
        m.submodules.fetched = fetched = FetchedRow(self._row)
        row_ahead, row_coming, newest = (Signal(range(self._depth)) for _ in range(3))
        # what landed a step ago, and whether that is the row that lands, or the one that comes
        passed = Signal(self._row, reset_less=True)
        lands_again, comes_again = Signal(), Signal()
        m.d.comb += [
            row_ahead.eq(Mux(self.ahead.top, 0, newest + 1)),
            rows.read_row.eq(row_ahead),
            rows.read.eq(self.advance & self.ahead.valid & ~self.ahead.first),
            fetched.take.eq(self.advance),
            fetched.passes.eq(comes_again),
            fetched.passed.eq(passed),
            fetched.read.eq(rows.read_data),
        ]
        with m.If(self.advance):
            m.d.sync += [
                row_coming.eq(row_ahead),
                row.eq(row_coming),
                passed.eq(self.total),
                lands_again.eq(self.landing.valid & (row == row_coming)),
                comes_again.eq(self.landing.valid & (row == row_ahead)),
            ]
            with m.If(self.ahead.valid):
                m.d.sync += newest.eq(row_ahead)
        return [Mux(lands_again, passed[j], fetched.row[j]) for j in range(self._row.length)]


class FetchedRow(wiring.Component):
    """Register of what a bank read, or of what was written since.

    Members
    -------
    take : in
    passes, passed : in
        Whether the row has been written since it was read, and what it is then.
    read : in
    row : out
    """

    def __init__(self, row: data.ArrayLayout) -> None:
        self._row = row
        super().__init__(
            {
                **{name: In(1) for name in ("take", "passes")},
                **{name: In(row) for name in ("passed", "read")},
                "row": Out(row),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        held = Signal(self._row, reset_less=True)
        m.d.comb += self.row.eq(held)
        with m.If(self.take):
            m.d.sync += held.eq(Mux(self.passes, self.passed, self.read))
        return m
