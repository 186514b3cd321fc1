"""Streams and registers as a cocotb bench sees them.

Inputs change on the falling edge of the clock; outputs are read a quarter period later and hold
until the rising edge, where transfers happen. So no driver depends on a simulator's event order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

PERIOD_NS = 4
PATIENCE_CYCLES = 100_000  # without one transfer: the design hangs


async def start(dut: Any, clock: str, reset: str, *, active: int) -> None:
    """Start the clock and reset the design; inputs have been put to rest."""
    cocotb.start_soon(Clock(getattr(dut, clock), PERIOD_NS, unit="ns").start())
    await pulse(dut, clock, reset, active=active)


async def pulse(dut: Any, clock: str, reset: str, *, active: int) -> None:
    """Hold the reset for a few cycles."""
    getattr(dut, reset).value = active
    for _ in range(4):
        await FallingEdge(getattr(dut, clock))
    getattr(dut, reset).value = 1 - active
    await FallingEdge(getattr(dut, clock))


def stalls(rng: random.Random, gaps: bool) -> Callable[[], int]:
    """Return a source of waiting times in cycles."""
    return lambda: rng.choice((0, 0, 0, 1, 1, 5)) if gaps else 0


class Stream:
    """A stream of the design by its signals; ``last`` where there is one."""

    def __init__(self, clock: Any, data: Any, valid: Any, ready: Any, last: Any = None) -> None:
        self.clock, self.data, self.valid, self.ready, self.last = clock, data, valid, ready, last

    async def _until(self, flag: Any) -> None:
        """Wait until a transfer is sure to happen on the next rising edge."""
        for _ in range(PATIENCE_CYCLES):
            await Timer(PERIOD_NS / 4, unit="ns")
            if flag.value == 1:
                return
            await FallingEdge(self.clock)
        raise AssertionError(f"{flag._path} stayed low for {PATIENCE_CYCLES} cycles")

    async def send(self, beats: Iterable[int], wait: Callable[[], int]) -> None:
        for beat in beats:
            for _ in range(wait()):
                await FallingEdge(self.clock)
            self.data.value, self.valid.value = beat, 1
            await self._until(self.ready)
            await FallingEdge(self.clock)
            self.valid.value = 0

    async def receive(self, count: int, wait: Callable[[], int]) -> list[tuple[int, bool]]:
        """Take beats: data, and whether they were marked as last."""
        beats: list[tuple[int, bool]] = []
        while len(beats) < count:
            for _ in range(wait()):
                await FallingEdge(self.clock)
            self.ready.value = 1
            await self._until(self.valid)
            last = self.last is not None and self.last.value == 1
            beats.append((self.data.value.to_unsigned(), last))
            await FallingEdge(self.clock)
            self.ready.value = 0
        return beats


class Registers:
    """AXI4-Lite manager."""

    def __init__(self, dut: Any, clock: Any, wait: Callable[[], int]) -> None:
        self._wait, self._clock = wait, clock

        def channel(name: str, *data: str) -> tuple[Stream, list[Any]]:
            signals = [getattr(dut, f"s_axi_{d}") for d in data]
            valid, ready = (getattr(dut, f"s_axi_{name}{x}") for x in ("valid", "ready"))
            return Stream(clock, signals[0], valid, ready), signals

        self._aw, _ = channel("aw", "awaddr")
        self._w, (_, self._strobe) = channel("w", "wdata", "wstrb")
        self._b, _ = channel("b", "bresp")
        self._ar, _ = channel("ar", "araddr")
        self._r, (_, self._response) = channel("r", "rdata", "rresp")

    async def write(self, address: int, value: int) -> int:
        """Write a word and return the response code."""
        self._strobe.value = 0b1111
        address_sent = cocotb.start_soon(self._aw.send([address], self._wait))
        await self._w.send([value], self._wait)
        await address_sent
        ((response, _),) = await self._b.receive(1, self._wait)
        return response

    async def read(self, address: int) -> tuple[int, int]:
        """Return a word and the response code."""
        await self._ar.send([address], self._wait)
        ((value, _),) = await self._r.receive(1, self._wait)
        return value, self._response.value.to_unsigned()
