"""Products for a bench: random jobs, the beats that they take, the results that they must give."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

MANIFEST: dict[str, Any] = json.loads((Path(__file__).parents[1] / "manifest.json").read_text())
PORTS: dict[str, Any] = MANIFEST["streams"]
SEED = int(os.environ.get("SEED", "1"))
Matrix = list[list[int]]


def pack(values: list[int], bits: int) -> int:
    """Return a beat: lane 0 lowest, two's complement."""
    return sum((value % (1 << bits)) << bits * lane for lane, value in enumerate(values))


def wrap(value: int, bits: int) -> int:
    half = 1 << bits - 1
    return (value + half) % (2 * half) - half


class Job:
    """``C[m,n] = A[m,k] B[k,n]``, plus partial sums if ``accumulate``."""

    def __init__(self, m: int, n: int, k: int, accumulate: bool, rng: random.Random) -> None:
        self.m, self.n, self.k, self.accumulate = m, n, k, accumulate

        def draw(rows: int, cols: int, port: str) -> Matrix:
            half = 1 << PORTS[port]["bits"] - 1
            edge = rng.random() < 0.2  # now and then the extremes only
            value = (lambda: rng.choice((-half, half - 1))) if edge else (
                lambda: rng.randrange(-half, half)
            )  # fmt: skip
            return [[value() for _ in range(cols)] for _ in range(rows)]

        self.a, self.b, self.c = draw(m, k, "a"), draw(k, n, "b"), draw(m, n, "c")

    def __repr__(self) -> str:
        return f"{self.m}x{self.n}x{self.k}{' accumulating' if self.accumulate else ''}"

    def command(self) -> int:
        """Return the payload of the engine's command stream."""
        payload = shift = 0
        for field in MANIFEST["command"]:
            payload |= int(getattr(self, field["name"])) << shift
            shift += field["bits"]
        return payload

    def folds(self) -> list[tuple[range, range]]:
        """Return each fold's rows and columns of C, in order: m outer, n inner."""
        rows, cols = PORTS["a"]["lanes"], PORTS["b"]["lanes"]
        return [
            (range(i, min(i + rows, self.m)), range(j, min(j + cols, self.n)))
            for i in range(0, self.m, rows)
            for j in range(0, self.n, cols)
        ]

    def beats(self, port: str) -> list[int]:
        """Return the beats that an input port takes: a k-slice each, or a row of C."""
        bits = PORTS[port]["bits"]
        if port == "c":
            if not self.accumulate:
                return []
            return [pack([self.c[i][j] for j in cols], bits)
                    for rows, cols in self.folds() for i in rows]  # fmt: skip
        return [
            pack(
                [self.a[i][t] for i in rows] if port == "a" else [self.b[t][j] for j in cols], bits
            )
            for rows, cols in self.folds()
            for t in range(self.k)
        ]

    def results(self) -> list[tuple[int, int]]:
        """Return the result beats, and masks of their lanes inside C."""
        bits = PORTS["result"]["bits"]
        return [
            (pack([self._element(i, j) for j in cols], bits), (1 << bits * len(cols)) - 1)
            for rows, cols in self.folds()
            for i in rows
        ]

    def _element(self, i: int, j: int) -> int:
        total = sum(self.a[i][t] * self.b[t][j] for t in range(self.k))
        return wrap(total + (self.c[i][j] if self.accumulate else 0), PORTS["result"]["bits"])


def jobs(rng: random.Random, count: int) -> list[Job]:
    """Return jobs of every kind of raggedness: single lanes, full folds, several folds, long k."""
    rows, cols = PORTS["a"]["lanes"], PORTS["b"]["lanes"]
    directed = [
        (1, 1, 1), (rows, cols, 1), (1, 2 * cols + 1, 2), (2 * rows + 1, 1, 3),
        (rows + 1, cols + 1, max(rows, cols)), (2 * rows, 2 * cols, 2 * max(rows, cols) + 1),
    ]  # fmt: skip
    random_ones = [
        (rng.randint(1, 3 * rows), rng.randint(1, 3 * cols), rng.randint(1, 3 * (rows + cols)))
        for _ in range(count)
    ]
    return [Job(*extents, rng.random() < 0.5, rng) for extents in directed + random_ones]


def check(job: Job, got: list[tuple[int, bool]], *, marked: bool) -> None:
    """Raise AssertionError unless the beats are the job's results, the last one ``marked``."""
    wanted = job.results()
    for number, ((beat, mask), (value, last)) in enumerate(zip(wanted, got, strict=True)):
        assert value & mask == beat, (
            f"{job}: result {number} is {value & mask:#x}, not {beat:#x}; repeat with SEED={SEED}"
        )
        if marked:
            expected = number == len(wanted) - 1
            assert last == expected, f"{job}: tlast of result {number} is {last}; SEED={SEED}"
