"""A memory with one read and one write a cycle: a module of its own, to swap for a macro."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class RowMemory(wiring.Component):
    """Rows, one of which can be read and one written in a cycle.

    Parameters
    ----------
    depth
        Number of rows.
    row
        Shape of a row.
    parts
        Parts that a row is written in, each by a bit of ``write``; the row is an array of them.

    Members
    -------
    write, write_row, write_data : in
        Put a row, or parts of it, into its place at the end of this cycle.
    read, read_row : in; read_data : out
        Give a row from the next cycle on, until the next read. Of a row that is written in the
        same cycle, expect nothing: memories differ there.
    """

    def __init__(self, depth: int, row: ShapeLike, parts: int = 1) -> None:
        self._depth, self._row, self._parts = depth, row, parts
        place = In(range(depth))
        super().__init__(
            {
                **{"write": In(parts), "write_row": place, "write_data": In(row)},
                **{"read": In(1), "read_row": place, "read_data": Out(row)},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rows = rows = Memory(shape=self._row, depth=self._depth, init=[])
        write = rows.write_port(granularity=None if self._parts == 1 else 1)
        read = rows.read_port()
        m.d.comb += [
            write.en.eq(self.write),
            write.addr.eq(self.write_row),
            write.data.eq(self.write_data),
            read.en.eq(self.read),
            read.addr.eq(self.read_row),
            self.read_data.eq(read.data),
        ]
        return m
