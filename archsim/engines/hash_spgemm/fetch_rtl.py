"""Fetch: rows of a window, their nonzeros of A and the rows of B that these meet, as tokens."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from archsim.engines.hash_spgemm.parts_rtl import (
    BOUNDS_WORD,
    COMMAND,
    ENTRY_WORD,
    ROW_WORD,
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
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = self._ahead(m, "rows", self.command.rows, self.command.rows_at)
        nonzeros = self._ahead(m, "nonzeros", self.command.entries, self.command.a_at)
        left, place, lane = self._row(m, rows)

        # a nonzero whose bounds are asked for waits beside them
        depth, width = self._spec.queue, place_layout(self._spec).size
        m.submodules.met = met = SyncFIFO(width=width + len(lane), depth=depth)
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
            met.w_data.eq(Cat(entry.value, place.as_value()[len(entry.value) :], lane)),
            bounds.w_en.eq(self.comes[READERS.index("bounds")]),
            bounds.w_data.eq(self.word),
            self.token.valid.eq(bounds.r_rdy),
            self.token.p.place.eq(met_place),
            self.token.p.bounds.eq(BOUNDS_WORD(bounds.r_data)),
            self.token.p.lane.eq(met.r_data[width:]),
            bounds.r_en.eq(self.token.ready),
            met.r_en.eq(self.token.ready & self.token.valid),
            self.idle.eq((left == 0) & (self._rows_to_join == 0) & ~met.r_rdy),
        ]
        return m

    def _ahead(self, m: Module, name: str, count: Any, start_at: Any) -> SyncFIFO:
        """Read ``count`` words one after another, as far ahead as there is room."""
        number, depth = READERS.index(name), self._spec.queue
        m.submodules[name] = words = SyncFIFO(width=WORD_BITS, depth=depth)
        left, address = Signal(32, name=f"{name}_left"), Signal(ADDRESS_BITS, name=f"{name}_at")
        room = Signal(range(depth + 1), init=depth, name=f"{name}_room")
        m.d.comb += [
            self.asks[number].eq((left != 0) & (room != 0)),
            getattr(self, f"{name}_address").eq(address),
            words.w_en.eq(self.comes[number]),
            words.w_data.eq(self.word),
        ]
        m.d.sync += room.eq(room - self.read[number] + (words.r_en & words.r_rdy))
        with m.If(self.start):
            m.d.sync += [left.eq(count), address.eq(start_at)]
        with m.Elif(self.read[number]):
            m.d.sync += [left.eq(left - 1), address.eq(address + 1)]
        return words

    def _row(self, m: Module, rows: SyncFIFO) -> tuple[Signal, Signal, Signal]:
        """Take one row after another: nonzeros left in it, its place, and its lane if static."""
        spec, word = self._spec, ROW_WORD(rows.r_data)
        left, lane = Signal(32), Signal(2)
        place = Signal(place_layout(spec))
        self._rows_to_join = to_join = Signal(32)
        m.d.comb += rows.r_en.eq((left == 0) & rows.r_rdy)
        with m.If(self.start):
            m.d.sync += [to_join.eq(self.command.rows), place.row.eq(-1), lane.eq(spec.lanes - 1)]
        with m.Elif(rows.r_en):
            m.d.sync += [
                to_join.eq(to_join - 1),
                left.eq(word.count),
                place.row.eq(place.row + 1),
                place.base.eq(word.base),
                place.size_log2.eq(word.size_log2),
                lane.eq(Mux(lane == spec.lanes - 1, 0, lane + 1)),
            ]
        with m.Elif(self.read[READERS.index("bounds")]):
            m.d.sync += left.eq(left - 1)
        return left, place, lane
