"""Drivers, monitors and rule checks of AXI interfaces under Amaranth's simulator."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

OKAY, SLVERR = 0, 2


@dataclass
class Bus:
    """AXI4-Lite manager; ``gaps`` makes every channel wait a random time."""

    dut: Any
    ctx: Any
    rng: random.Random
    gaps: bool = True
    prefix: str = "s_axi"

    def port(self, name: str) -> Any:
        return getattr(self.dut, f"{self.prefix}_{name}")

    async def _wait(self) -> None:
        for _ in range(self.rng.choice((0, 0, 1, 3)) if self.gaps else 0):
            await self.ctx.tick()

    async def _give(self, channel: str, **payload: int) -> None:
        for name, value in payload.items():
            self.ctx.set(self.port(name), value)
        self.ctx.set(self.port(f"{channel}valid"), 1)
        await self.ctx.tick().until(self.port(f"{channel}ready"))
        self.ctx.set(self.port(f"{channel}valid"), 0)

    async def _take(self, channel: str, *names: str) -> tuple[int, ...]:
        await self._wait()
        self.ctx.set(self.port(f"{channel}ready"), 1)
        values = (
            await self.ctx.tick().sample(*map(self.port, names)).until(self.port(f"{channel}valid"))
        )
        self.ctx.set(self.port(f"{channel}ready"), 0)
        return values

    async def write(
        self, address: int, data: int, strobe: int = 0b1111, order: str = "address"
    ) -> int:
        """Write and return the response; ``order``: which of address and data comes first."""
        channels = [
            ("aw", {"awaddr": address, "awprot": 0}),
            ("w", {"wdata": data, "wstrb": strobe}),
        ]
        if order == "data":
            channels.reverse()
        if order == "together":
            await self._together(channels)
        else:
            for channel, payload in channels:
                await self._wait()
                await self._give(channel, **payload)
        return (await self._take("b", "bresp"))[0]

    async def _together(self, channels: list[tuple[str, dict[str, int]]]) -> None:
        waiting = set()
        for channel, payload in channels:
            for name, value in payload.items():
                self.ctx.set(self.port(name), value)
            self.ctx.set(self.port(f"{channel}valid"), 1)
            waiting.add(channel)
        while waiting:
            taken = [c for c in waiting if self.ctx.get(self.port(f"{c}ready"))]
            await self.ctx.tick()
            for channel in taken:
                self.ctx.set(self.port(f"{channel}valid"), 0)
                waiting.remove(channel)

    async def read(self, address: int) -> tuple[int, int]:
        """Read and return data and response."""
        await self._wait()
        await self._give("ar", araddr=address, arprot=0)
        return await self._take("r", "rdata", "rresp")


async def send(ctx: Any, dut: Any, stem: str, beats: Iterable[int], stalls: Any) -> None:
    """Offer beats on an AXI4-Stream; ``stalls()`` says how many cycles to wait before each."""
    data, valid, ready = (getattr(dut, f"{stem}_{x}") for x in ("tdata", "tvalid", "tready"))
    for beat in beats:
        for _ in range(stalls()):
            await ctx.tick()
        ctx.set(data, beat)
        ctx.set(valid, 1)
        await ctx.tick().until(ready)
        ctx.set(valid, 0)
        ctx.set(data, 0)


async def receive(ctx: Any, dut: Any, stem: str, count: int, stalls: Any) -> list[tuple[int, int]]:
    """Take beats of an AXI4-Stream: (data, last)."""
    names = ("tdata", "tlast", "tvalid", "tready")
    data, last, valid, ready = (getattr(dut, f"{stem}_{x}") for x in names)
    beats = []
    while len(beats) < count:
        for _ in range(stalls()):
            await ctx.tick()
        ctx.set(ready, 1)
        beats.append(await ctx.tick().sample(data, last).until(valid))
        ctx.set(ready, 0)
    return beats


@dataclass
class Rules:
    """Checks that an offered beat stays, unchanged, until it is taken; outputs only.

    Also ends a test that hangs, after ``patience`` cycles.
    """

    dut: Any
    channels: dict[str, tuple[str, str, tuple[str, ...]]]  # name: valid, ready, payload
    patience: int = 20_000
    cycles: int = 0
    held: int = 0  # cycles in which a beat had to wait: the rule was at stake
    _waiting: dict[str, tuple[int, ...]] = field(default_factory=dict)

    async def watch(self, ctx: Any) -> None:
        signals = []
        for valid, ready, payload in self.channels.values():
            signals += [getattr(self.dut, n) for n in (valid, ready, *payload)]
        async for _, _, *values in ctx.tick().sample(*signals):
            self.cycles += 1
            assert self.cycles < self.patience, "the bus hangs"
            sampled = iter(values)
            for name, (_, _, payload) in self.channels.items():
                valid, ready, *data = (next(sampled) for _ in range(2 + len(payload)))
                if name in self._waiting:
                    assert valid, f"{name}: an offer was withdrawn"
                    assert tuple(data) == self._waiting[name], f"{name}: an offer changed"
                self._waiting.pop(name, None)
                if valid and not ready:
                    self.held += 1
                    self._waiting[name] = tuple(data)


LITE_OUTPUTS = {
    "b": ("s_axi_bvalid", "s_axi_bready", ("s_axi_bresp",)),
    "r": ("s_axi_rvalid", "s_axi_rready", ("s_axi_rdata", "s_axi_rresp")),
}
RESULT_OUTPUT = {
    "result": (
        "m_axis_result_tvalid", "m_axis_result_tready",
        ("m_axis_result_tdata", "m_axis_result_tlast"),
    )
}  # fmt: skip
