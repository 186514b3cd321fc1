"""Memories as the timing model sees them: what a transfer costs, what ports can carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from math import gcd
from typing import Any

import numpy as np

from archsim.design import MAX_DENOMINATOR, Design, Sram
from archsim.engines import NO_STALLS, Env, Ints, Port, Rate

PS_PER_NS = 1000
BYTES_PER_PS_OF_GB_PER_S = Fraction(1, 1000)


def _exact(value: float) -> Fraction:
    return Fraction(str(value))  # the decimal that was typed


@dataclass(frozen=True, slots=True)
class DramTiming:
    """Closed form of one transfer between DRAM and buffer.

    A transfer is cut into bursts dealt out over all channels, so it lasts as long as the fullest
    channel, or as the link if that is slower; each page that it opens may add a miss. Latency is
    pipelined: it delays the data, not the next transfer.
    """

    channels: int
    burst_bytes: int
    page_bytes: int
    burst_ps: Fraction
    link_ps_per_byte: Fraction
    page_miss_ps: int
    latency_ps: int

    @classmethod
    def of(cls, design: Design) -> DramTiming:
        dram = design.memories.dram
        channel = _exact(dram.channel_gb_per_s) * BYTES_PER_PS_OF_GB_PER_S
        link = _exact(design.link.gb_per_s) * BYTES_PER_PS_OF_GB_PER_S
        return cls(
            channels=dram.channels,
            burst_bytes=dram.burst_bytes,
            page_bytes=dram.page_bytes,
            burst_ps=(dram.burst_bytes / channel).limit_denominator(MAX_DENOMINATOR),
            link_ps_per_byte=(1 / link).limit_denominator(MAX_DENOMINATOR),
            page_miss_ps=round(dram.page_miss_ns * PS_PER_NS),
            latency_ps=round(dram.latency_ns * PS_PER_NS),
        )

    @property
    def ps_per_byte(self) -> Fraction:
        """Cost of a byte in a long transfer, page misses included: what mapping reckons with."""
        burst = self.burst_ps / self.burst_bytes / self.channels
        miss = Fraction(self.page_miss_ps, self.page_bytes * self.channels)
        return max(burst, self.link_ps_per_byte) + miss

    def transfer_ps(self, size_bytes: Ints) -> Ints:
        """Return how long transfers hold the bus, [n] bytes to [n] ps; nothing takes no time."""
        return _transfer_ps(self, size_bytes)


@dataclass(frozen=True, slots=True)
class Fractions:
    """Exact fractions, an array each for numerators and denominators."""

    numerator: Ints
    denominator: Ints

    @classmethod
    def of(cls, values: Sequence[Fraction]) -> Fractions:
        """Raise `OverflowError` unless every part fits 64 bits."""
        parts = np.array([(x.numerator, x.denominator) for x in values], np.int64)
        return cls(*parts.reshape(-1, 2).T.copy())

    def take(self, rows: Ints) -> Fractions:
        return Fractions(self.numerator[rows], self.denominator[rows])


@dataclass(frozen=True, slots=True)
class DramBatch:
    """Many `DramTiming` at once: the same fields, each an array with one row a design."""

    channels: Ints
    burst_bytes: Ints
    page_bytes: Ints
    burst_ps: Fractions
    link_ps_per_byte: Fractions
    page_miss_ps: Ints
    latency_ps: Ints

    @classmethod
    def of(cls, timings: Sequence[DramTiming]) -> DramBatch:
        def column(name: str) -> Any:
            values = [getattr(t, name) for t in timings]
            exact = isinstance(values[0], Fraction)
            return Fractions.of(values) if exact else np.array(values, np.int64)

        return cls(**{f.name: column(f.name) for f in fields(cls)})

    def transfer_ps(self, size_bytes: Ints, rows: Ints) -> Ints:
        """Return how long transfers hold the bus, each of them on the design of its row."""
        moved = np.flatnonzero(size_bytes)
        rows, size_bytes, found = rows[moved], size_bytes[moved], np.zeros_like(size_bytes)
        taken = DramBatch(**{f.name: getattr(self, f.name).take(rows) for f in fields(self)})
        found[moved] = _transfer_ps(taken, size_bytes)
        return found


def _transfer_ps(dram: DramTiming | DramBatch, size_bytes: Ints) -> Ints:
    rounds = -(-size_bytes // (dram.burst_bytes * dram.channels))
    channel = -(-rounds * dram.burst_ps.numerator // dram.burst_ps.denominator)
    speed = dram.link_ps_per_byte
    link = -(-size_bytes * speed.numerator // speed.denominator)
    pages = -(-size_bytes // (dram.page_bytes * dram.channels))
    return np.asarray(np.maximum(channel, link) + pages * dram.page_miss_ps)


def port_env(buffer: Sram, ports: Mapping[str, Port]) -> Env:
    """Return the pace that the buffer's banks can keep on an engine's ports.

    Ports of one direction share its bandwidth in proportion to what they want; one that does not
    share (`Port.shares`) is held to it by itself.
    """
    available = buffer.port_bytes * 8
    sharing = [
        [name for name, port in ports.items() if port.shares and port.direction == direction]
        for direction in ("in", "out")
    ]
    alone = [[name] for name, port in ports.items() if not port.shares]
    env: dict[str, Rate] = {}
    for group in (*sharing, *alone):
        wanted = sum(ports[name].beat_bits for name in group)
        if wanted > available:
            common = gcd(wanted, available)
            env.update(dict.fromkeys(group, Rate(0, available // common, wanted // common)))
    return env or NO_STALLS
