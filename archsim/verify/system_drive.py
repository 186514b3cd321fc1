"""Run one program on a system's ports, cycle by cycle; knows no model and no simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archsim.verify.drive import Pins
from archsim.verify.memory import Memory, MemoryTiming, ProtocolError

OUTPUTS = ("ar", "aw", "w")
INPUTS = ("r", "b")


@dataclass(frozen=True, slots=True)
class SystemPlan:
    """A program to run, in plain numbers.

    Parameters
    ----------
    words
        Table, word address and word of everything that is written before.
    memory
        Content at the start, in hexadecimal.
    stalls
        By channel: stall bits by cycle, "0" and "1"; past the end nothing stalls.
    limit
        Cycles after which the program counts as hung.
    """

    words: Sequence[tuple[int, int, int]]
    transfers: int
    jobs: int
    memory: str
    word_bytes: int
    timing: Mapping[str, int]
    limit: int
    stalls: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class SystemRecord:
    """What came of it: cycles from the start to the end, None if it hung; the memory's content."""

    cycles: int | None
    memory: str
    words_read: int
    words_written: int
    faults: list[str]


async def run_program(pins: Pins, plan: SystemPlan) -> SystemRecord:
    """Write a program, start it, and be its memory until it is done."""
    await pins.reset()
    pins.set("program__enable", 1)
    for table, address, word in plan.words:
        pins.set("program__table", table)
        pins.set("program__address", address)
        pins.set("program__word", word)
        await pins.settle()
        await pins.tick()
    pins.set("program__enable", 0)
    pins.set("transfers", plan.transfers)
    pins.set("jobs", plan.jobs)
    pins.set("start", 1)
    await pins.settle()
    await pins.tick()
    pins.set("start", 0)

    def stalled(channel: str, cycle: int) -> bool:
        return plan.stalls.get(channel, "")[cycle : cycle + 1] == "1"

    timing = MemoryTiming(**plan.timing)
    memory = Memory(bytearray.fromhex(plan.memory), plan.word_bytes, timing, stalled)
    cycles, faults = await _serve(pins, memory, plan.limit)
    return SystemRecord(
        cycles, memory.content.hex(), memory.words_read, memory.words_written, faults
    )


async def _serve(pins: Pins, memory: Memory, limit: int) -> tuple[int | None, list[str]]:
    faults: list[str] = []
    held: dict[str, int] = {}
    for cycle in range(limit):
        driven = memory.offers(cycle)
        for name, value in driven.items():
            pins.set(name, int(value))
        await pins.settle()
        if not pins.get("busy"):
            return cycle, faults
        seen: dict[str, Any] = {f"{x}__valid": pins.get(f"{x}__valid") for x in OUTPUTS}
        for x in OUTPUTS:
            seen[f"{x}__payload"] = pins.get(f"{x}__payload") if seen[f"{x}__valid"] else None
            if x in held and seen[f"{x}__payload"] != held[x]:
                faults.append(f"cycle {cycle}: the waiting beat of {x} changed")
            held.pop(x, None)
            if seen[f"{x}__valid"] and not driven[f"{x}__ready"]:
                held[x] = seen[f"{x}__payload"]
        for x in INPUTS:
            seen[f"{x}__ready"] = pins.get(f"{x}__ready")
        try:
            memory.take(cycle, driven, seen)
        except ProtocolError as fault:
            return None, [*faults, f"cycle {cycle}: {fault}"]
        await pins.tick()
    return None, [*faults, f"hung: not done after {limit} cycles"]
