"""Fetch: rows of a window, their nonzeros of A and the rows of B that these meet, as tokens."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from archsim.engines.hash_spgemm.distributor_rtl import WindowDistributor
from archsim.engines.hash_spgemm.parts_rtl import (
    BOUNDS_WORD,
    COMMAND,
    ENTRY_WORD,
    aim_layout,
    laid_layout,
    place_layout,
    token_layout,
)
from archsim.engines.hash_spgemm.spec import ADDRESS_BITS, WORD_BITS, HashSpgemmSpec

READERS = ("bounds", "nonzeros", "rows")  # of fetch, by precedence at the memory port


class Fetch(wiring.Component):
    """Reads ahead along rows and nonzeros, and pairs each nonzero with the bounds of its row of B.

    Members
    -------
    start, command : in
    asks, address : out; read : in
        By reader, of `READERS`: a word, and that the read goes out.
    comes, word : in
        By reader: the oldest word that it asked for.
    token : out, stream
    idle : out
    rows : out
        Rows that the window has.
    """

    def __init__(self, spec: HashSpgemmSpec) -> None:
        self._spec = spec
        readers = len(READERS)
        super().__init__(
            {
                **{"start": In(1), "command": In(COMMAND)},
                **{"asks": Out(readers), "read": In(readers), "comes": In(readers)},
                **{f"{name}_address": Out(ADDRESS_BITS) for name in READERS},
                "word": In(WORD_BITS),
                "token": Out(stream.Signature(token_layout(spec))),
                **{"idle": Out(1), "rows": Out(32)},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth, width = self._spec.queue, place_layout(self._spec).size
        m.submodules.rows = rows = SyncFIFO(width=laid_layout(self._spec).size, depth=depth)
        m.submodules.nonzeros = nonzeros = SyncFIFO(width=WORD_BITS, depth=depth)
        all_rows = self._rows_ahead(m, rows)
        self._nonzeros_ahead(m, nonzeros)
        left, place, aim = self._row(m, rows)

        # a nonzero whose bounds are asked for waits beside them
        m.submodules.met = met = SyncFIFO(width=width + aim.shape().size, depth=depth)
        m.submodules.bounds = bounds = SyncFIFO(width=WORD_BITS, depth=depth)
        entry = ENTRY_WORD(nonzeros.r_data)
        met_place = place_layout(self._spec)(met.r_data[:width])
        bounds_read = self.read[READERS.index("bounds")]
        at = Signal(ADDRESS_BITS)
        with m.If(self.start):
            m.d.sync += at.eq(self.command.bounds_at)
        m.d.comb += [
            self.asks[READERS.index("bounds")].eq((left != 0) & nonzeros.r_rdy & met.w_rdy),
            self.bounds_address.eq(at + entry.column),
            nonzeros.r_en.eq(bounds_read),
            met.w_en.eq(bounds_read),
            met.w_data.eq(Cat(entry.value, place.as_value()[len(entry.value) :], aim)),
            bounds.w_en.eq(self.comes[READERS.index("bounds")]),
            bounds.w_data.eq(self.word),
            self.token.valid.eq(bounds.r_rdy),
            self.token.p.place.eq(met_place),
            self.token.p.bounds.eq(BOUNDS_WORD(bounds.r_data)),
            self.token.p.aim.eq(met.r_data[width:]),
            bounds.r_en.eq(self.token.ready),
            met.r_en.eq(self.token.ready & self.token.valid),
            self.idle.eq((left == 0) & all_rows & ~met.r_rdy),
        ]
        return m

    def _rows_ahead(self, m: Module, rows: SyncFIFO) -> Value:
        """Read rows until one is not in the window; return whether all that were asked for left."""
        number = READERS.index("rows")
        m.submodules.distributor = distributor = WindowDistributor(self._spec)
        comes, takes = self.comes[number], distributor.takes
        self._more, self.distributor = Mux(takes, distributor.laid.count, 0), distributor
        m.d.comb += [
            distributor.start.eq(self.start),
            distributor.comes.eq(comes),
            distributor.word.eq(self.word),
            rows.w_en.eq(takes),
            rows.w_data.eq(distributor.laid.as_value()),
            self.rows.eq(distributor.rows),
        ]
        gone = (rows.r_en & rows.r_rdy) + (comes & ~takes)
        left, room = self._ahead(m, "rows", self.command.rows, self.command.rows_at, 0, gone)
        ends = (left == 0) | distributor.closed
        m.d.comb += self.asks[number].eq(~ends & (room != 0))
        return ends & (room == self._spec.queue)

    def _nonzeros_ahead(self, m: Module, nonzeros: SyncFIFO) -> None:
        """Read the nonzeros of rows that are in the window."""
        number = READERS.index("nonzeros")
        m.d.comb += [nonzeros.w_en.eq(self.comes[number]), nonzeros.w_data.eq(self.word)]
        gone = nonzeros.r_en & nonzeros.r_rdy
        left, room = self._ahead(m, "nonzeros", 0, self.command.a_at, self._more, gone)
        m.d.comb += self.asks[number].eq((left != 0) & (room != 0))

    def _ahead(
        self, m: Module, name: str, count: Any, start_at: Any, more: Any, gone: Any
    ) -> tuple[Signal, Signal]:
        """Walk along words; return how many are left to ask for, and room for these.

        Parameters
        ----------
        count, start_at
            Words at the start, and the first one's address.
        more, gone
            Words that come to these in this cycle, and that leave their queue.
        """
        read, depth = self.read[READERS.index(name)], self._spec.queue
        left, address = Signal(32, name=f"{name}_left"), Signal(ADDRESS_BITS, name=f"{name}_at")
        room = Signal(range(depth + 1), init=depth, name=f"{name}_room")
        m.d.comb += getattr(self, f"{name}_address").eq(address)
        m.d.sync += [room.eq(room - read + gone), left.eq(left - read + more)]
        with m.If(self.start):
            m.d.sync += [left.eq(count), address.eq(start_at)]
        with m.Elif(read):
            m.d.sync += address.eq(address + 1)
        return left, room

    def _row(self, m: Module, rows: SyncFIFO) -> tuple[Signal, Any, Any]:
        """Take one row after another: nonzeros left in it, its place, where its tokens go."""
        spec, row = self._spec, laid_layout(self._spec)(rows.r_data)
        left, place, aim = Signal(32), Signal(place_layout(spec)), Signal(aim_layout(spec))
        m.d.comb += rows.r_en.eq((left == 0) & rows.r_rdy)
        with m.If(self.start):
            m.d.sync += [place.row.eq(-1), aim.lane.eq(spec.lanes - 1)]
        with m.Elif(rows.r_en):
            m.d.sync += [
                left.eq(row.count),
                place.row.eq(place.row + 1),
                place.base.eq(row.base),
                place.size_log2.eq(row.size_log2),
                aim.lane.eq(Mux(aim.lane == spec.lanes - 1, 0, aim.lane + 1)),
                aim.first.eq(1),
            ]
        with m.Elif(self.read[READERS.index("bounds")]):
            m.d.sync += [left.eq(left - 1), aim.first.eq(0)]
        return left, place, aim
