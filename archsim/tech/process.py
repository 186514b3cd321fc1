"""Processes that chips are made in, and what a chip becomes in another: spans, never one number.

``processes.yaml`` has the factors, each with its sources and how far they can be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Self

import yaml


@dataclass(frozen=True, slots=True)
class Span:
    """All that lies between two positive numbers."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise ValueError(f"a span needs 0 < low <= high, not {self.low} and {self.high}")

    def __mul__(self, factor: float | Span) -> Span:
        other = factor if isinstance(factor, Span) else Span(factor, factor)
        return Span(self.low * other.low, self.high * other.high)

    def __truediv__(self, divisor: float | Span) -> Span:
        other = divisor if isinstance(divisor, Span) else Span(divisor, divisor)
        return Span(self.low / other.high, self.high / other.low)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def with_one(self) -> Span:
        """Return the least span that also holds 1."""
        return Span(min(self.low, 1.0), max(self.high, 1.0))


SAME = Span(1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Process:
    """What a chip's area, energy and delay are in a process, against asap7.

    Parameters
    ----------
    name, title, nm
        As designs and data sheets name it, in words, and the figure in its name.
    area, energy, delay
        Of the same chip, over those in asap7.
    sources
        Where each of the three comes from and how far it can be trusted.
    """

    name: str
    title: str
    nm: float
    area: Span
    energy: Span
    delay: Span
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Move:
    """What a chip's figures are multiplied by when it is made in another process instead."""

    area: Span = SAME
    energy: Span = SAME
    delay: Span = SAME

    @classmethod
    def between(cls, source: str, target: str) -> Self | None:
        """Return the move from a process to another; None where factors of one are not known.

        The two ends are taken as independent, so that the span errs on the wide side. Within one
        process nothing changes, whether or not it is known.
        """
        if source == target:
            return cls()
        known = processes()
        if source not in known or target not in known:
            return None
        here, there = known[source], known[target]
        return cls(
            there.area / here.area, there.energy / here.energy, there.delay / here.delay
        )  # fmt: skip


@cache
def processes() -> Mapping[str, Process]:
    """Return the processes whose factors are known, by name."""
    text = (resources.files("archsim.tech") / "processes.yaml").read_text("utf-8")
    found = {}
    for name, row in yaml.safe_load(text).items():
        parts = {key: row[key] for key in ("area", "energy", "delay")}
        spans = {key: Span(part["low"], part["high"]) for key, part in parts.items()}
        sources = MappingProxyType({key: part["source"] for key, part in parts.items()})
        found[name] = Process(name, row["title"], row["nm"], **spans, sources=sources)
    return MappingProxyType(found)
