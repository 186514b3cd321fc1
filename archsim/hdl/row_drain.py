"""Drain of arrays whose PEs work one step behind each other: sums are finished row by row."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class RowDrain(wiring.Component):
    """Keeps account of the rows in the drain registers and says which one leaves.

    The token of a fold's last beat walks down column 0, a row a step, and marks each of the fold's
    rows: captured. ``cols - 1`` steps later the row is complete and may leave, in order. There is
    one token at a time, because folds begin ``rows`` or more steps apart. Where steps reach the PEs
    ``late``, a cycle after they are taken, rows are complete as much later; a register is free to
    be captured in once its sum has left, and no path leads from ``room`` to ``blocked``.

    Members
    -------
    advance : in
    last, fold_rows : in
        Of the step that is next: it feeds a fold's last beat; rows of that fold.
    room : in
        A row may leave in this cycle.
    capture : out, bit a row
        The step that is next finishes the sum in column 0 of this row, for the row to leave.
    blocked : out
        ... but the sum before it is still there and stays this cycle.
    leave : out
        Row ``row`` leaves in this cycle.
    row : out
    empty : out
        No complete row is waiting.
    """

    def __init__(self, rows: int, cols: int, *, late: bool = False) -> None:
        self._rows, self._cols, self._late = rows, cols, late
        super().__init__(
            {
                "advance": In(1),
                "last": In(1),
                "fold_rows": In(range(rows + 1)),
                "room": In(1),
                "capture": Out(rows),
                "blocked": Out(1),
                "leave": Out(1),
                "row": Out(range(rows)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows, cols = self._rows, self._cols
        below = Signal(rows)  # the token in rows 1 and further down, at bits 1 and up
        rows_left, rows_now = Signal(range(rows + 1)), Signal(range(rows + 1))
        bottom = Signal()  # the token is in its fold's bottom row
        m.d.comb += [
            self.capture.eq(below | self.last),
            rows_now.eq(Mux(self.last, self.fold_rows, rows_left)),
            bottom.eq(rows_now == 1),
        ]
        with m.If(self.advance & self.capture.any()):
            m.d.sync += [rows_left.eq(rows_now - 1), below.eq(Mux(bottom, 0, self.capture << 1))]

        complete = Signal()
        line = Signal(cols)  # captures of the last steps; bit 0 is the step that is next
        m.d.comb += [line[0].eq(self.capture.any()), complete.eq(self.advance & line[-1])]
        with m.If(self.advance):
            m.d.sync += line[1:].eq(line[:-1])

        waiting = Signal(range(rows + 1))  # complete rows
        if self._late:
            later, some = Signal(), Signal()  # one becomes complete; there are some
            m.d.comb += [self.empty.eq(~some & ~later), self.leave.eq(some & self.room)]
            m.d.sync += [later.eq(complete), some.eq(later | (waiting > 1) | (some & ~self.leave))]
            complete = later
        else:
            m.d.comb += [self.empty.eq(waiting == 0), self.leave.eq(~self.empty & self.room)]
        m.d.sync += waiting.eq(waiting + complete - self.leave)

        # row holds a sum to leave; row is its fold's bottom one (rows of two folds may be waiting)
        full, bottoms = Signal(rows), Signal(rows)
        leaving = Signal(rows)
        meets = self.capture & full
        m.d.comb += [
            leaving.eq(self.leave << self.row),
            self.blocked.eq((meets if self._late else meets & ~leaving).any()),
        ]
        captured = Mux(self.advance, self.capture, 0)
        m.d.sync += [
            full.eq((full & ~leaving) | captured),
            bottoms.eq(Mux(bottom, bottoms | captured, bottoms & ~captured)),
        ]
        with m.If(self.leave):
            m.d.sync += self.row.eq(Mux((bottoms & leaving).any(), 0, self.row + 1))
        return m
