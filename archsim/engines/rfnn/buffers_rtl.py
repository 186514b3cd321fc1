"""Words between stages: the two buffers, and the registers of amplitudes that they fill."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.rfnn.readout_rtl import rounded, saturated
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.stages_rtl import SHIFT_BITS
from archsim.hdl.emit import place
from archsim.hdl.row_memory import RowMemory


def word_layout(spec: RfnnSpec) -> data.ArrayLayout:
    """Return a word of the buffers: both quadratures, or a magnitude."""
    return data.ArrayLayout(signed(spec.result_bits), spec.lanes)


class PingPong(wiring.Component):
    """Two memories: words are read in front, and stored behind, alone or in addition.

    Members
    -------
    turn : in
        What is behind comes to the front at the end of this cycle.
    write, write_address, write_word : in
        Put a word in front.
    read, read_address : in; word : out
        Give a word of the front from the next cycle on, until the next read or turn.
    store, store_address, adds : in; average : in
        Store the word that ``average`` is in the next cycle; add it to what is there. The same
        word can be added to again three cycles later.
    """

    def __init__(self, spec: RfnnSpec) -> None:
        self._spec = spec
        self._word = word_layout(spec)
        address = In(range(spec.buffer_words))
        flags = ("turn", "write", "read", "store", "adds")
        super().__init__(
            {
                **dict.fromkeys(flags, In(1)),
                **dict.fromkeys(("write_address", "read_address", "store_address"), address),
                "write_word": In(self._word),
                "word": Out(self._word),
                "average": In(data.ArrayLayout(signed(spec.adc_bits), spec.lanes)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth, bits = self._spec.buffer_words, self._spec.result_bits
        front = Signal()  # which memory it is
        stores, adds = Signal(), Signal()
        address = Signal(range(depth))
        behind, total = Signal(self._word), Signal(self._word)
        m.d.sync += [
            front.eq(front ^ self.turn),
            stores.eq(self.store), adds.eq(self.adds), address.eq(self.store_address),
        ]  # fmt: skip
        for lane in range(self._spec.lanes):
            so_far = Mux(adds, behind[lane], 0)
            m.d.comb += total[lane].eq(saturated(self.average[lane] + so_far, bits))
        for side in range(2):
            memory = place(m, platform, "buffer", f"buffer_{side}", RowMemory, depth, self._word)
            with m.If(front == side):
                m.d.comb += [
                    memory.write.eq(self.write),
                    memory.write_row.eq(self.write_address),
                    memory.write_data.eq(self.write_word),
                    memory.read.eq(self.read),
                    memory.read_row.eq(self.read_address),
                    self.word.eq(memory.read_data),
                ]
            with m.Else():
                m.d.comb += [
                    memory.write.eq(stores),
                    memory.write_row.eq(address),
                    memory.write_data.eq(total),
                    memory.read.eq(self.store & self.adds),
                    memory.read_row.eq(self.store_address),
                    behind.eq(memory.read_data),
                ]
        return m


class Converters(wiring.Component):
    """Registers of the amplitudes: words from the buffer, moved down and cut to their bits.

    Members
    -------
    load, lane, opens : in
        A word was asked for; it is there in the next cycle, for this port. The vector's first one:
        the other ports are set to zero.
    word, shift : in
    dac : out
    """

    def __init__(self, spec: RfnnSpec) -> None:
        self._spec = spec
        dac = data.ArrayLayout(signed(spec.dac_bits), spec.lanes)
        super().__init__(
            {
                **dict.fromkeys(("load", "opens"), In(1)),
                "lane": In(range(spec.modes)),
                "word": In(word_layout(spec)),
                "shift": In(SHIFT_BITS),
                "dac": Out(data.ArrayLayout(dac, spec.modes)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        comes, lane = Signal(), Signal.like(self.lane)
        m.d.sync += [comes.eq(self.load), lane.eq(self.lane)]
        amplitude = Signal(data.ArrayLayout(signed(self._spec.dac_bits), self._spec.lanes))
        for i in range(self._spec.lanes):
            moved = rounded(self.word[i], self.shift)
            m.d.comb += amplitude[i].eq(saturated(moved, self._spec.dac_bits))
        for port in range(self._spec.modes):
            with m.If(self.load & self.opens):
                m.d.sync += self.dac[port].eq(0)
            with m.Elif(comes & (lane == port)):
                m.d.sync += self.dac[port].eq(amplitude)
        return m
