"""The DMA: transfers in their order, as bursts on a memory port with AXI4's five channels.

Transfers are asked for in order; loads come back in order, stores are acknowledged in order. The
next transfer is asked for while the data of the one before it are still on their way, so a
memory's latency is paid once and not once a transfer.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from archsim.hdl.descriptors import (
    COUNT_BITS,
    LOAD_A,
    LOAD_B,
    LOAD_BIAS,
    SLOT_BITS,
    STORE,
    TRANSFER,
    Geometry,
)
from archsim.hdl.walk import PixelWalk, walk_of

TRANSFER_LAYOUT = data.StructLayout(TRANSFER)
BURST_WORDS = 256  # AXI4's limits
PAGE_BYTES = 4096
ADDRESS_BITS = 32
LOADS_AHEAD = 8  # asked for and not here; the memory has more than enough to do with them
BURSTS_AHEAD = 16

BURST = data.StructLayout({"address": ADDRESS_BITS, "words": 9})


def memory_port(geometry: Geometry) -> dict[str, wiring.Member]:
    """Return the streams of a memory port: addresses, data and acknowledgements."""
    word = geometry.word_bits
    return {
        "ar": Out(stream.Signature(BURST)),
        "r": In(stream.Signature(word)),
        "aw": Out(stream.Signature(BURST)),
        "w": Out(stream.Signature(data.StructLayout({"word": word, "last": 1}))),
        "b": In(stream.Signature(1)),
    }


class BurstCutter(wiring.Component):
    """Cuts rows of words into bursts: no longer than 256 words, none across 4 KiB.

    Members
    -------
    start, address, rows, row_words, row_stride : in
    bursts : out, stream
    last : out
        The burst is the block's last.
    busy : out
    """

    def __init__(self, word_bytes: int) -> None:
        self._word_bytes = word_bytes
        super().__init__(
            {
                "start": In(1),
                "address": In(ADDRESS_BITS),
                "rows": In(16),
                "row_words": In(16),
                "row_stride": In(32),
                "bursts": Out(stream.Signature(BURST)),
                "last": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        shift = (self._word_bytes - 1).bit_length()
        row, address, stride = (Signal(32, name=x) for x in ("row", "address", "stride"))
        words, left, rows_left = Signal(16), Signal(16), Signal(16)
        page_left = Signal(range(PAGE_BYTES + 1))  # words to the next page
        m.d.comb += [
            page_left.eq((PAGE_BYTES - address[:12]) >> shift),
            self.bursts.valid.eq(self.busy),
            self.bursts.p.address.eq(address),
            self.last.eq((left == self.bursts.p.words) & (rows_left == 1)),
        ]
        within = Signal(9)
        m.d.comb += within.eq(Mux(left < BURST_WORDS, left, BURST_WORDS))
        m.d.comb += self.bursts.p.words.eq(Mux(page_left < within, page_left, within))
        with m.If(self.bursts.valid & self.bursts.ready):
            m.d.sync += [
                address.eq(address + (self.bursts.p.words << shift)),
                left.eq(left - self.bursts.p.words),
            ]
            with m.If(left == self.bursts.p.words):
                following = row + stride
                m.d.sync += [row.eq(following), address.eq(following), left.eq(words)]
                m.d.sync += [rows_left.eq(rows_left - 1), self.busy.eq(rows_left != 1)]
        with m.If(self.start):
            m.d.sync += [
                row.eq(self.address), address.eq(self.address), stride.eq(self.row_stride),
                words.eq(self.row_words), left.eq(self.row_words), rows_left.eq(self.rows),
                self.busy.eq(1),
            ]  # fmt: skip
        return m


class Dma(wiring.Component):
    """Runs transfer descriptors between memory and scratchpad.

    Members
    -------
    clear : in
        Count from 0 again.
    transfers : in, stream of descriptors
    jobs : in
        Jobs of the engine that have ended.
    loads, stores : out
        Transfers that are done: loaded into the scratchpad, acknowledged by the memory.
    ar, r, aw, w, b : memory port
    write_a, write_b, write_bias, slot, word : out
        A word for the scratchpad; bias has a bit a word of its row, and ``slot`` is the row.
    read, address : out; row : in
        Rows of C.
    idle : out
        Nothing is asked for or on its way.
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = g = geometry
        super().__init__(
            {
                "clear": In(1),
                "transfers": In(stream.Signature(TRANSFER_LAYOUT)),
                "jobs": In(COUNT_BITS),
                "loads": Out(COUNT_BITS),
                "stores": Out(COUNT_BITS),
                **memory_port(g),
                "write_a": Out(1),
                "write_b": Out(1),
                "write_bias": Out(g.sum_words),
                "slot": Out(SLOT_BITS),
                "word": Out(g.word_bits),
                "read": Out(1),
                "address": Out(SLOT_BITS),
                "row": In(g.cols * g.acc_bits),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.cutter = cutter = BurstCutter(self._geometry.word_bytes)
        m.submodules.loads = loads = SyncFIFO(width=TRANSFER_LAYOUT.size, depth=LOADS_AHEAD)
        m.submodules.stores = stores = SyncFIFO(width=TRANSFER_LAYOUT.size, depth=2)
        # by burst: its words; whether it ends its transfer
        m.submodules.lengths = lengths = SyncFIFO(width=9, depth=BURSTS_AHEAD)
        m.submodules.ends = ends = SyncFIFO(width=1, depth=BURSTS_AHEAD)

        asked = self.transfers.p
        is_store, begin = Signal(), Signal()
        m.d.comb += [
            is_store.eq(asked.action == STORE),
            begin.eq(
                self.transfers.valid & ~cutter.busy & (self.jobs >= asked.jobs)
                & (self.stores >= asked.stores) & Mux(is_store, stores.w_rdy, loads.w_rdy)
            ),
            self.transfers.ready.eq(begin),
            cutter.start.eq(begin),
            *(getattr(cutter, x).eq(asked[x]) for x in ("address", "rows")),
            *(getattr(cutter, x).eq(asked[x]) for x in ("row_words", "row_stride")),
            loads.w_data.eq(asked),
            loads.w_en.eq(begin & ~is_store),
            stores.w_data.eq(asked),
            stores.w_en.eq(begin & is_store),
        ]  # fmt: skip
        writing, room = Signal(), Signal()
        with m.If(begin):
            m.d.sync += writing.eq(is_store)
        m.d.comb += [
            room.eq(lengths.w_rdy & ends.w_rdy),
            self.ar.p.eq(cutter.bursts.p),
            self.ar.valid.eq(cutter.bursts.valid & ~writing),
            self.aw.p.eq(cutter.bursts.p),
            self.aw.valid.eq(cutter.bursts.valid & writing & room),
            cutter.bursts.ready.eq(Mux(writing, self.aw.ready & room, self.ar.ready)),
            lengths.w_data.eq(cutter.bursts.p.words),
            ends.w_data.eq(cutter.last),
            lengths.w_en.eq(self.aw.valid & self.aw.ready),
            ends.w_en.eq(self.aw.valid & self.aw.ready),
        ]
        with m.If(self.b.valid & self.b.ready):
            m.d.sync += self.stores.eq(self.stores + ends.r_data)
        m.d.comb += [self.b.ready.eq(ends.r_rdy), ends.r_en.eq(self.b.valid)]
        loading = self._receive(m, loads)
        storing = self._send(m, stores, lengths)
        with m.If(self.clear):
            m.d.sync += [self.loads.eq(0), self.stores.eq(0)]
        m.d.comb += self.idle.eq(~(cutter.busy | loading | storing | ends.r_rdy))
        return m

    def _receive(self, m: Module, loads: SyncFIFO) -> Any:
        """Put words that come into the scratchpad; return: there are loads under way."""
        g = self._geometry
        m.submodules.pixels = pixels = PixelWalk()
        following = data.View(TRANSFER_LAYOUT, loads.r_data)
        action, group_words, group_step = Signal(2), Signal(16), Signal(SLOT_BITS)
        left, groups_left, group = Signal(32), Signal(16), Signal(SLOT_BITS)
        part = Signal(range(max(g.sum_words, 2)))
        busy, taken, last = Signal(), Signal(), Signal()
        m.d.comb += [
            self.r.ready.eq(busy),
            taken.eq(busy & self.r.valid),
            last.eq(taken & (left == 1)),
            loads.r_en.eq(loads.r_rdy & (~busy | last)),
            pixels.start.eq(loads.r_en),
            pixels.walk.eq(walk_of(following)),
            pixels.step.eq(taken & (groups_left == 1)),
            self.word.eq(self.r.payload),
            self.slot.eq(pixels.pixel + group),
            self.write_a.eq(taken & (action == LOAD_A)),
            self.write_b.eq(taken & (action == LOAD_B)),
            self.write_bias.eq(Mux(taken & (action == LOAD_BIAS), 1 << part, 0)),
        ]
        with m.If(taken):
            m.d.sync += [left.eq(left - 1), part.eq(Mux(part == g.sum_words - 1, 0, part + 1))]
            m.d.sync += [groups_left.eq(groups_left - 1), group.eq(group + group_step)]
            with m.If(groups_left == 1):
                m.d.sync += [groups_left.eq(group_words), group.eq(0)]
        with m.If(last):
            m.d.sync += [self.loads.eq(self.loads + 1), busy.eq(0)]
        with m.If(loads.r_en):
            m.d.sync += [
                busy.eq(1), action.eq(following.action), group.eq(0), part.eq(0),
                group_words.eq(following.group_words), groups_left.eq(following.group_words),
                group_step.eq(following.group_step),
                left.eq(following.rows * following.row_words),
            ]  # fmt: skip
        return busy | loads.r_rdy

    def _send(self, m: Module, stores: SyncFIFO, lengths: SyncFIFO) -> Any:
        """Send rows of C as words, cut where the bursts are; return: there are stores under way."""
        g = self._geometry
        following = data.View(TRANSFER_LAYOUT, stores.r_data)
        valid, narrow = Signal(), Signal()  # of the row that goes out
        left, address, wide = Signal(SLOT_BITS), Signal(SLOT_BITS), Signal()  # of those to be read
        part = Signal(range(max(g.sum_words, 2)))
        accepted, last_part = Signal(), Signal()
        m.d.comb += [
            last_part.eq(narrow | (part == g.sum_words - 1)),
            accepted.eq(self.w.valid & self.w.ready),
            self.read.eq((left != 0) & (~valid | (accepted & last_part))),
            self.address.eq(address),
            self.w.p.word.eq(self.row.word_select(part, g.word_bits)),
            # the next store's rows follow those of this one without a gap
            stores.r_en.eq(stores.r_rdy & ((left == 0) | (self.read & (left == 1)))),
        ]
        with m.If(accepted):
            m.d.sync += part.eq(Mux(last_part, 0, part + 1))
        with m.If(self.read):
            m.d.sync += [valid.eq(1), address.eq(address + 1), left.eq(left - 1), narrow.eq(~wide)]
        with m.Elif(accepted & last_part):
            m.d.sync += valid.eq(0)
        with m.If(stores.r_en):
            m.d.sync += [
                wide.eq(following.wide),
                left.eq(following.entries),
                address.eq(following.walk_pixel),
            ]

        within, burst_left = Signal(), Signal(9)  # a burst is begun; its words still to go
        words = Mux(within, burst_left, lengths.r_data)
        m.d.comb += [
            self.w.valid.eq(valid & (within | lengths.r_rdy)),
            self.w.p.last.eq(words == 1),
            lengths.r_en.eq(accepted & ~within),
        ]
        with m.If(accepted):
            m.d.sync += [burst_left.eq(words - 1), within.eq(words != 1)]
        return valid | (left != 0) | stores.r_rdy


class DescriptorReader(wiring.Component):
    """Reads a table's rows one after another, the next one ahead of its use.

    Members
    -------
    start, count : in
        Read rows from 0 on, so many.
    read, address : out; row : in
        Of the table's memory.
    rows : out, stream
    done : out
        All rows have been taken.
    """

    def __init__(self, layout: data.StructLayout) -> None:
        self._layout = layout
        super().__init__(
            {
                "start": In(1),
                "count": In(COUNT_BITS),
                "read": Out(1),
                "address": Out(COUNT_BITS),
                "row": In(layout.size),
                "rows": Out(stream.Signature(layout)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        valid, left = Signal(), Signal(COUNT_BITS)
        m.d.comb += [
            self.read.eq((left != 0) & (~valid | self.rows.ready)),
            self.rows.valid.eq(valid),
            self.rows.p.eq(self.row),
            self.done.eq(~valid & (left == 0)),
        ]
        with m.If(self.read):
            m.d.sync += [valid.eq(1), left.eq(left - 1), self.address.eq(self.address + 1)]
        with m.Elif(self.rows.ready):
            m.d.sync += valid.eq(0)
        with m.If(self.start):
            m.d.sync += [left.eq(self.count), self.address.eq(0), valid.eq(0)]
        return m
