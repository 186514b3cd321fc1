"""Cycle accounts in hardware: each occupied cycle of a command is charged to one counter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

COUNTER_BITS = 32


def counters_signature(names: Iterable[str]) -> wiring.Signature:
    """Return the outputs of an engine's counters."""
    return wiring.Signature({name: Out(COUNTER_BITS) for name in names})


def charges(names: Iterable[str]) -> dict[str, Signal]:
    """Return a flag for each counter: this cycle is charged to it."""
    return {name: Signal(name=f"charge_{name}") for name in names}


def tally(m: Module, start: Value, counters: Any, charge: Mapping[str, Value]) -> None:
    """Count charges from ``start`` on, a cycle that is ``fill``."""
    for name, charged in charge.items():
        counter = getattr(counters, name)
        with m.If(start):
            m.d.sync += counter.eq(int(name == "fill"))
        with m.Else():
            m.d.sync += counter.eq(counter + charged)
