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

    Where steps reach the PEs ``late``, a cycle after they are taken, captures come as much later,
    and folds are two steps longer than their rows: the step that captures is taken once all rows
    have left. So no path leads from ``room`` to ``blocked``, which is two flags.

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

    def __init__(self, rows: int, *, late: bool = False) -> None:
        self._rows, self._late = rows, late
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
        return self._captured_late() if self._late else self._captured()

    def _captured(self) -> Module:
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

    def _captured_late(self) -> Module:
        m = Module()
        bits = range(self._rows + 1)
        waiting, left, captured = Signal(bits), Signal(bits), Signal(bits)
        captures, any_wait, several = Signal(), Signal(), Signal()
        m.d.comb += [
            self.empty.eq(~any_wait & ~captures),
            self.leave.eq(any_wait & self.room),
            self.blocked.eq(self.last & any_wait),
            left.eq(Mux(captures, captured, waiting - 1)),
        ]
        m.d.sync += [captures.eq(self.advance & self.last), captured.eq(self.fold_rows)]
        with m.If(captures | self.leave):
            m.d.sync += [waiting.eq(left), any_wait.eq(left != 0), several.eq(left > 1)]
        with m.If(self.leave):
            m.d.sync += self.row.eq(Mux(several, self.row + 1, 0))
        return m
