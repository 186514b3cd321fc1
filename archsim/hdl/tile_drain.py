"""Drain of arrays whose PEs finish their sums together, a whole tile in one step."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class TileDrain(wiring.Component):
    """Keeps account of the rows in the drain registers and says which one leaves.

    The step that feeds a fold's last beat captures all its rows. They leave in order, one a cycle;
    the last one may do so in the cycle in which the next fold is captured.

    Members
    -------
    advance : in
    last, fold_rows : in
        Of the step that is next: it feeds a fold's last beat; rows of that fold.
    room : in
        A row may leave in this cycle.
    blocked : out
        The step that is next captures, but a row before it stays this cycle.
    leave : out
        Row ``row`` leaves in this cycle.
    row : out
    empty : out
        No row is waiting.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        super().__init__(
            {
                "advance": In(1),
                "last": In(1),
                "fold_rows": In(range(rows + 1)),
                "room": In(1),
                "blocked": Out(1),
                "leave": Out(1),
                "row": Out(range(rows)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        waiting = Signal(range(self._rows + 1))
        m.d.comb += [
            self.empty.eq(waiting == 0),
            self.leave.eq(~self.empty & self.room),
            self.blocked.eq(self.last & (waiting > self.leave)),
        ]
        m.d.sync += [
            waiting.eq(waiting - self.leave),
            self.row.eq(Mux(waiting > 1, self.row + self.leave, Mux(self.leave, 0, self.row))),
        ]
        with m.If(self.advance & self.last):
            m.d.sync += waiting.eq(self.fold_rows)
        return m
