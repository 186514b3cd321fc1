"""The scratchpad's memories: a bank a lane for activations, rows of words for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.hdl.descriptors import SLOT_BITS


def rotated(values: Sequence[Any], amount: Value) -> list[Any]:
    """Return values moved up by ``amount`` places, round; their number is a power of two."""
    for stage, bit in enumerate(amount):
        far = 1 << stage
        values = [Mux(bit, values[i - far], values[i]) for i in range(len(values))]
    return list(values)


class LaneBanks(wiring.Component):
    """Words in as many banks as the array has rows: slot ``s`` is in bank ``s mod rows``.

    All banks are read in one cycle, each at an address of its own. Whoever lays out what the lanes
    read so that lane i's slot is i beyond lane 0's, modulo ``rows``, reads every lane every cycle.

    Members
    -------
    write, slot, word : in
    read : in
        Take ``entries``, the address in each bank; ``words`` holds from the next cycle on.
    """

    def __init__(self, rows: int, depth: int, word_bits: int) -> None:
        self._rows, self._depth, self._word_bits = rows, depth, word_bits
        super().__init__(
            {
                "write": In(1),
                "slot": In(SLOT_BITS),
                "word": In(word_bits),
                "read": In(1),
                "entries": In(data.ArrayLayout(SLOT_BITS, rows)),
                "words": Out(data.ArrayLayout(word_bits, rows)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lane_bits = (self._rows - 1).bit_length()
        for i in range(self._rows):
            m.submodules[f"bank_{i}"] = bank = Memory(
                shape=self._word_bits, depth=self._depth, init=[]
            )
            write, read = bank.write_port(), bank.read_port()
            m.d.comb += [
                write.en.eq(self.write & (self.slot[:lane_bits] == i)),
                write.addr.eq(self.slot[lane_bits:]),
                write.data.eq(self.word),
                read.en.eq(self.read),
                read.addr.eq(self.entries[i]),
                self.words[i].eq(read.data),
            ]
        return m


class RowMemory(wiring.Component):
    """Rows of ``parts`` words with one write port, by row or by word, and some read ports.

    Members
    -------
    write, address, row : in
        ``write`` has a bit a part.
    read_N, address_N : in; row_N : out
        Port N: the row holds from the cycle after ``read_N`` until the next.
    """

    def __init__(self, depth: int, word_bits: int, parts: int = 1, ports: int = 1) -> None:
        self._depth, self._word_bits, self._parts, self._ports = depth, word_bits, parts, ports
        members = {"write": In(parts), "address": In(SLOT_BITS), "row": In(word_bits * parts)}
        for port in range(ports):
            members[f"read_{port}"] = In(1)
            members[f"address_{port}"] = In(SLOT_BITS)
            members[f"row_{port}"] = Out(word_bits * parts)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self._word_bits * self._parts, depth=self._depth, init=[]
        )
        write = memory.write_port(granularity=self._word_bits)
        m.d.comb += [
            write.en.eq(self.write), write.addr.eq(self.address), write.data.eq(self.row),
        ]  # fmt: skip
        for port in range(self._ports):
            read = memory.read_port()
            m.d.comb += [
                read.en.eq(getattr(self, f"read_{port}")),
                read.addr.eq(getattr(self, f"address_{port}")),
                getattr(self, f"row_{port}").eq(read.data),
            ]
        return m
