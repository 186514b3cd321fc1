"""Jobs of an engine with a port to memory, and a memory behind it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

import cocotb
from bus import PATIENCE_CYCLES, PERIOD_NS, Stream
from cocotb.triggers import FallingEdge, Timer
from jobs import FOLDER, MANIFEST, SEED, Job

((PORT, SHAPE),) = MANIFEST["memories"].items()


class StoredJob(Job):
    """A command with what is in memory before it, and what has to be there after."""

    def words(self) -> list[int]:
        """Return the words of memory from address 0 on."""
        return self.beats(PORT)

    def runs(self) -> list[tuple[int, list[int]]]:
        """Return first addresses, and words that lie from there on, in any order."""
        return [(at, [int(word, 16) for word in words]) for at, words in self._results[PORT]]


def jobs() -> list[StoredJob]:
    return [StoredJob(written) for written in json.loads((FOLDER / "jobs.json").read_text())]


class Memory:
    """Words by address; requests are answered in order, ``wait`` cycles late now and then."""

    def __init__(self, dut: Any, wait: Callable[[], int]) -> None:
        self._dut, self._wait = dut, wait
        self._requests, self._responses = (
            Stream(dut.clk, *(getattr(dut, f"{PORT}_{side}__{x}") for x in _SIGNALS))
            for side in ("req", "rsp")
        )
        self._read: deque[int] = deque()
        self.words: dict[int, int] = {}
        self.written: list[int] = []
        self._requests.ready.value = 0
        self._responses.valid.value, self._responses.data.value = 0, 0

    def start(self) -> None:
        cocotb.start_soon(self._take())
        cocotb.start_soon(self._answer())

    async def _take(self) -> None:
        bits = SHAPE["address_bits"]
        while True:
            for _ in range(self._wait()):
                await FallingEdge(self._dut.clk)
            self._requests.ready.value = 1
            await self._requests_offered()
            request = self._requests.data.value.to_unsigned()
            address = request >> 1 & (1 << bits) - 1
            if request & 1:
                self.words[address] = request >> 1 + bits
                self.written.append(address)
            else:
                self._read.append(self.words.get(address, 0))
            await FallingEdge(self._dut.clk)
            self._requests.ready.value = 0

    async def _requests_offered(self) -> None:
        """Wait for a request, however long the engine takes to its next."""
        while True:
            await Timer(PERIOD_NS / 4, unit="ns")
            if self._requests.valid.value == 1:
                return
            await FallingEdge(self._dut.clk)

    async def _answer(self) -> None:
        while True:
            if self._read:
                await self._responses.send([self._read.popleft()], self._wait)
            else:
                await FallingEdge(self._dut.clk)

    async def run(self, job: StoredJob, commands: Stream, wait: Callable[[], int]) -> None:
        """Run a job, and raise AssertionError unless memory holds its results then."""
        self.words, self.written = dict(enumerate(job.words())), []
        await commands.send([job.command()], wait)
        count = sum(len(words) for _, words in job.runs())
        for _ in range(PATIENCE_CYCLES):
            await Timer(PERIOD_NS / 4, unit="ns")
            if self._dut.cmd__ready.value == 1 and len(self.written) >= count:
                break
            await FallingEdge(self._dut.clk)
        else:
            raise AssertionError(
                f"{job}: {len(self.written)} of {count} words written in {PATIENCE_CYCLES} cycles"
            )
        await FallingEdge(self._dut.clk)
        self._check(job)

    def _check(self, job: StoredJob) -> None:
        allowed: list[int] = []
        for at, words in job.runs():
            places = range(at, at + len(words))
            found = sorted(self.words.get(place, 0) for place in places)
            assert found == sorted(words), (
                f"{job}: words from {at} on are {_hex(found)}, not {_hex(sorted(words))}; "
                f"repeat with SEED={SEED}"
            )
            allowed += places
        assert sorted(self.written) == sorted(allowed), (
            f"{job}: writes go to {sorted(self.written)}, not {sorted(allowed)}; SEED={SEED}"
        )


_SIGNALS = ("payload", "valid", "ready")


def _hex(words: list[int]) -> str:
    return " ".join(f"{word:x}" for word in words)
