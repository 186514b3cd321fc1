"""An AXI4 memory that holds the design to the protocol, and matrices in it.

It answers bursts in order, now and then late where the bench wants gaps, and checks what every
manager must keep to: aligned incrementing bursts of whole words, none across 4 KiB, ``wlast`` where
the address channel promised it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cocotb
from bus import PERIOD_NS
from cocotb.triggers import FallingEdge, Timer

PAGE_BYTES = 4096
INCREMENTING = 0b01
Matrix = list[list[int]]


class Memory:
    """``size`` bytes at ``base``; ``wait`` says how many cycles to let pass before a transfer."""

    def __init__(self, dut: Any, base: int, size: int, wait: Callable[[], int]) -> None:
        self._dut, self._base, self._wait = dut, base, wait
        self._word_bytes = len(dut.m_axi_wstrb)
        self.content = bytearray(size)
        self.response = 0
        self.bursts = 0
        for name in ("awready", "wready", "arready", "rvalid", "bvalid"):
            getattr(dut, f"m_axi_{name}").value = 0

    def start(self) -> list[Any]:
        """Begin to answer; the tasks go on until they are cancelled."""
        return [cocotb.start_soon(self._reads()), cocotb.start_soon(self._writes())]

    async def _taken(self, flag: Any) -> None:
        """Wait until a transfer is sure to happen on the next rising edge."""
        while True:
            await Timer(PERIOD_NS / 4, unit="ns")
            if flag.value == 1:
                return
            await FallingEdge(self._dut.aclk)

    async def _burst(self, channel: str) -> tuple[int, int]:
        """Take an address and return where it begins in the memory, and its words."""
        pins = {
            name: getattr(self._dut, f"m_axi_{channel}{name}")
            for name in ("addr", "len", "size", "burst", "valid", "ready")
        }
        await self._pause()
        pins["ready"].value = 1
        await self._taken(pins["valid"])
        address, words = pins["addr"].value.to_unsigned(), pins["len"].value.to_unsigned() + 1
        assert 1 << pins["size"].value.to_unsigned() == self._word_bytes
        assert pins["burst"].value.to_unsigned() == INCREMENTING
        assert address % self._word_bytes == 0
        last = address + words * self._word_bytes - 1
        assert address // PAGE_BYTES == last // PAGE_BYTES, (
            f"a burst at {address:#x} leaves its page"
        )
        assert self._base <= address and last < self._base + len(self.content)
        await FallingEdge(self._dut.aclk)
        pins["ready"].value = 0
        self.bursts += 1
        return address - self._base, words

    async def _pause(self) -> None:
        for _ in range(self._wait()):
            await FallingEdge(self._dut.aclk)

    async def _reads(self) -> None:
        dut, size = self._dut, self._word_bytes
        while True:
            place, words = await self._burst("ar")
            for i in range(words):
                await self._pause()
                word = self.content[place + i * size : place + (i + 1) * size]
                dut.m_axi_rdata.value = int.from_bytes(word, "little")
                dut.m_axi_rresp.value, dut.m_axi_rlast.value = self.response, i == words - 1
                dut.m_axi_rvalid.value = 1
                await self._taken(dut.m_axi_rready)
                await FallingEdge(dut.aclk)
                dut.m_axi_rvalid.value = 0

    async def _writes(self) -> None:
        dut, size = self._dut, self._word_bytes
        while True:
            place, words = await self._burst("aw")
            for i in range(words):
                await self._pause()
                dut.m_axi_wready.value = 1
                await self._taken(dut.m_axi_wvalid)
                assert dut.m_axi_wlast.value == (i == words - 1), "wlast is not at the burst's end"
                assert dut.m_axi_wstrb.value.to_unsigned() == (1 << size) - 1
                word = dut.m_axi_wdata.value.to_unsigned().to_bytes(size, "little")
                self.content[place + i * size : place + (i + 1) * size] = word
                await FallingEdge(dut.aclk)
                dut.m_axi_wready.value = 0
            await self._pause()
            dut.m_axi_bresp.value, dut.m_axi_bvalid.value = self.response, 1
            await self._taken(dut.m_axi_bready)
            await FallingEdge(dut.aclk)
            dut.m_axi_bvalid.value = 0

    def put(self, place: dict[str, Any], matrix: Matrix) -> None:
        """Write a matrix where a tensor lies, zeros in the padding of its rows."""
        size = place["bits"] // 8
        for i, row in enumerate(matrix):
            start = place["address"] + i * place["stride_bytes"]
            packed = b"".join(value.to_bytes(size, "little", signed=True) for value in row)
            self.content[start : start + place["stride_bytes"]] = packed.ljust(
                place["stride_bytes"], b"\0"
            )

    def get(self, place: dict[str, Any]) -> Matrix:
        """Return the matrix that lies where a tensor does."""
        size = place["bits"] // 8
        matrix = []
        for i in range(place["rows"]):
            start = place["address"] + i * place["stride_bytes"]
            piece = self.content[start : start + size * place["columns"]]
            matrix.append([
                int.from_bytes(piece[j : j + size], "little", signed=True)
                for j in range(0, len(piece), size)
            ])  # fmt: skip
        return matrix
