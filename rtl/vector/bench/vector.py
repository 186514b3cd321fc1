"""Integer work for a bench: random jobs, the beats that they take, the results they must give."""

from __future__ import annotations

import json
import math
import os
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

MANIFEST: dict[str, Any] = json.loads((Path(__file__).parents[1] / "manifest.json").read_text())
PORTS: dict[str, Any] = MANIFEST["streams"]
SPEC: dict[str, Any] = MANIFEST["spec"]
LANES, BITS, SCALE_BITS = SPEC["lanes"], SPEC["lane_bits"], SPEC["scale_bits"]
SHIFTS = 64
SEED = int(os.environ.get("SEED", "1"))


def pack(values: list[int], bits: int) -> int:
    """Return a beat: lane 0 lowest, two's complement."""
    return sum((value % (1 << bits)) << bits * lane for lane, value in enumerate(values))


def wrap(value: int, bits: int) -> int:
    half = 1 << bits - 1
    return (value + half) % (2 * half) - half


class Job:
    """``beats`` beats of results of ``taps`` operands each; a set of parameters for ``hold``."""

    def __init__(self, beats: int, taps: int, hold: int, rng: random.Random) -> None:
        self.beats, self.taps, self.hold = beats, taps, hold
        self.alternate, self.maximum = rng.random() < 0.5, rng.random() < 0.3
        small = rng.choice([bits for bits in (4, 8, 16, BITS) if bits <= BITS])
        self.bias, self.zero_point = _value(rng, small), _value(rng, small)
        self.multiplier = _value(rng, SCALE_BITS)
        self.low, self.high = -(1 << small - 1), (1 << small - 1) - 1
        self.x = [[[_value(rng, BITS) for _ in range(LANES)] for _ in range(taps)]
                  for _ in range(beats)]  # fmt: skip
        self.sets = [
            [(_value(rng, BITS), _value(rng, SCALE_BITS), rng.randrange(SHIFTS))
             for _ in range(LANES)]
            for _ in range(-(-beats // hold))
        ]  # fmt: skip

    def __repr__(self) -> str:
        return f"{self.beats} x {self.taps} by {self.hold}"

    def command(self) -> int:
        """Return the payload of the command stream."""
        payload = shift = 0
        for field in MANIFEST["command"]:
            value = int(getattr(self, field["name"]))
            payload |= (value % (1 << field["bits"])) << shift
            shift += field["bits"]
        return payload

    def operands(self) -> list[int]:
        """Return the beats of ``x``."""
        return [pack(tap, BITS) for beat in self.x for tap in beat]

    def parameters(self) -> list[int]:
        """Return the beats of ``parameters``: bias lowest in a lane, then multiplier, shift."""
        width = PORTS["parameters"]["bits"]
        return [
            pack(
                [
                    bias % (1 << BITS)
                    | multiplier % (1 << SCALE_BITS) << BITS
                    | shift << BITS + SCALE_BITS
                    for bias, multiplier, shift in lanes
                ],
                width,
            )
            for lanes in self.sets
        ]

    def results(self) -> list[int]:
        """Return the beats of ``y``."""
        return [
            pack([self._result(i, lane) for lane in range(LANES)], BITS) for i in range(self.beats)
        ]

    def _result(self, beat: int, lane: int) -> int:
        own_bias, own_multiplier, shift = self.sets[beat // self.hold][lane]
        products = []
        for tap in range(self.taps):
            odd = self.alternate and tap % 2 == 1
            bias = self.bias if odd else own_bias
            multiplier = self.multiplier if odd else own_multiplier
            products.append(wrap(self.x[beat][tap][lane] + bias, BITS) * multiplier)
        total = max(products) if self.maximum else wrap(sum(products), BITS + SCALE_BITS)
        value = Fraction(total, 1 << shift)
        even = SPEC["rounding"] == "half_even"
        rounded = round(value) if even else math.floor(value + Fraction(1, 2))
        most = (1 << BITS - 1) - 1
        shifted = min(max(rounded, -most - 1), most) + self.zero_point
        return min(max(shifted, self.low), self.high)


def _value(rng: random.Random, bits: int) -> int:
    """Return a value of any magnitude, now and then the least or the greatest."""
    half = 1 << bits - 1
    if rng.random() < 0.1:
        return rng.choice((-half, half - 1))
    return rng.randrange(-half, half) >> rng.randrange(bits)


def jobs(rng: random.Random, count: int) -> list[Job]:
    """Return copies, additions, windows and channels of every kind."""
    directed = [(1, 1, 1), (20, 1, 20), (12, 2, 12), (3, 9, 3), (1, 30, 1), (10, 1, 1), (10, 1, 3)]
    random_ones = [(rng.randint(1, 20), rng.randint(1, 6), rng.randint(1, 6)) for _ in range(count)]
    return [Job(*extents, rng) for extents in directed + random_ones]


def check(job: Job, got: list[tuple[int, bool]]) -> None:
    """Raise AssertionError unless the beats are the job's results."""
    for number, (beat, (value, _)) in enumerate(zip(job.results(), got, strict=True)):
        assert value == beat, (
            f"{job}: result {number} is {value:#x}, not {beat:#x}; repeat with SEED={SEED}"
        )
