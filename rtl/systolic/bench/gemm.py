"""Products for a bench: random jobs, the beats that they take, the results that they must give."""

from __future__ import annotations

import json
import math
import os
import random
import struct
from pathlib import Path
from typing import Any

MANIFEST: dict[str, Any] = json.loads((Path(__file__).parents[1] / "manifest.json").read_text())
PORTS: dict[str, Any] = MANIFEST["streams"]
SPEC: dict[str, Any] = MANIFEST["spec"]
DATAFLOW: str = SPEC.get("dataflow", "os")
FLOATS = SPEC.get("numbers") == "bf16"  # values are bit patterns, of bf16 or fp32
LARGE_BANK = 512  # rows; jobs do not fill larger ones
SEED = int(os.environ.get("SEED", "1"))
Matrix = list[list[int]]


def pack(values: list[int], bits: int) -> int:
    """Return a beat: lane 0 lowest, two's complement."""
    return sum((value % (1 << bits)) << bits * lane for lane, value in enumerate(values))


def wrap(value: int, bits: int) -> int:
    half = 1 << bits - 1
    return (value + half) % (2 * half) - half


def to_float(pattern: int, bits: int) -> float:
    value: float = struct.unpack("<f", struct.pack("<I", pattern << 32 - bits))[0]
    return value


def to_pattern(value: float) -> int:
    """Return the fp32 pattern nearest to a number, ties to even; there is one NaN."""
    if math.isnan(value):
        return 0x7FC0_0000
    try:
        pattern: int = struct.unpack("<I", struct.pack("<f", value))[0]
    except OverflowError:
        return 0x7F80_0000 | (value < 0) << 31
    return pattern


def single(value: float) -> float:
    """Return the fp32 number nearest to one, ties to even."""
    return to_float(to_pattern(value), 32)


class Job:
    """``C[m,n] = A[m,k] B[k,n]``, plus partial sums if ``accumulate``."""

    def __init__(self, m: int, n: int, k: int, accumulate: bool, rng: random.Random) -> None:
        self.m, self.n, self.k, self.accumulate = m, n, k, accumulate

        def draw(rows: int, cols: int, port: str) -> Matrix:
            if FLOATS:
                return draw_floats(rows, cols, PORTS[port]["bits"], rng)
            half = 1 << PORTS[port]["bits"] - 1
            edge = rng.random() < 0.2  # now and then the extremes only
            value = (lambda: rng.choice((-half, half - 1))) if edge else (
                lambda: rng.randrange(-half, half)
            )  # fmt: skip
            return [[value() for _ in range(cols)] for _ in range(rows)]

        self.a, self.b, self.c = draw(m, k, "a"), draw(k, n, "b"), draw(m, n, "c")
        self.result = [[self._element(i, j) for j in range(n)] for i in range(m)]

    def __repr__(self) -> str:
        return f"{self.m}x{self.n}x{self.k}{' accumulating' if self.accumulate else ''}"

    def command(self) -> int:
        """Return the payload of the engine's command stream."""
        payload = shift = 0
        for field in MANIFEST["command"]:
            payload |= int(getattr(self, field["name"])) << shift
            shift += field["bits"]
        return payload

    def _element(self, i: int, j: int) -> int:
        if FLOATS:
            return self._float_element(i, j)
        total = sum(self.a[i][t] * self.b[t][j] for t in range(self.k))
        return wrap(total + (self.c[i][j] if self.accumulate else 0), PORTS["result"]["bits"])

    def _float_element(self, i: int, j: int) -> int:
        """Return a sum that starts from zero in each fold, in order of k; then of folds, then c."""
        total = 0.0
        for depth in pieces(self.k, self.k if DATAFLOW == "os" else SPEC["rows"]):
            of_fold = 0.0
            for t in depth:
                product = single(to_float(self.a[i][t], 16) * to_float(self.b[t][j], 16))
                of_fold = single(of_fold + product)
            total = single(total + of_fold)
        return to_pattern(total + (to_float(self.c[i][j], 32) if self.accumulate else 0.0))

    def beats(self, port: str) -> list[int]:
        """Return the beats that an input port takes."""
        if port == "c":
            return [beat for beat, _ in self._rows(self.c, "c")] if self.accumulate else []
        bits = PORTS[port]["bits"]
        if DATAFLOW == "os":  # of each fold its k-slices
            return [
                pack(
                    [self.a[i][t] for i in down] if port == "a" else [self.b[t][j] for j in across],
                    bits,
                )
                for down, across in self._folds()
                for t in range(self.k)
            ]
        # of each fold the rows that stream past, and the rows of the tile that stays, bottom first
        streams, stays = _turned(self.a, self.b)
        stationary = port == ("b" if DATAFLOW == "ws" else "a")
        return [
            pack(
                [stays[x][j] for j in across] if stationary else [streams[x][t] for t in depth],
                bits,
            )
            for down, across in self._folds()
            for depth in pieces(self.k, SPEC["rows"])
            for x in (reversed(depth) if stationary else down)
        ]

    def results(self) -> list[tuple[int, int]]:
        """Return the result beats, and masks of their lanes inside C."""
        return self._rows(self.result, "result")

    def _rows(self, matrix: Matrix, port: str) -> list[tuple[int, int]]:
        """Return a matrix like C as beats, with masks of their lanes inside it."""
        bits = PORTS[port]["bits"]
        rows, _ = _turned(matrix, matrix)
        return [
            (pack([rows[i][j] for j in across], bits), (1 << bits * len(across)) - 1)
            for down, across in self._folds()
            for i in down
        ]

    def _folds(self) -> list[tuple[range, range]]:
        """Return the rows and columns of C that come out together, in order; of C^T for is."""
        down, across = (self.n, self.m) if DATAFLOW == "is" else (self.m, self.n)
        return [
            (rows, columns)
            for rows in pieces(down, SPEC["rows"] if DATAFLOW == "os" else SPEC["acc_rows"])
            for columns in pieces(across, SPEC["cols"])
        ]


def draw_floats(rows: int, cols: int, bits: int, rng: random.Random) -> Matrix:
    """Return bit patterns: of numbers around one, or now and then of anything."""
    field = 0xFF << bits - 9
    anything = rng.random() < 0.2

    def value() -> int:
        pattern = rng.randrange(1 << bits)
        return pattern if anything else pattern & ~field | rng.randrange(122, 133) << bits - 9

    return [[value() for _ in range(cols)] for _ in range(rows)]


def pieces(extent: int, size: int) -> list[range]:
    """Return 0 ... extent - 1 cut into ranges of a size."""
    return [range(i, min(i + size, extent)) for i in range(0, extent, size)]


def _turned(left: Matrix, right: Matrix) -> tuple[Matrix, Matrix]:
    """Return the factors of the product that the array computes: of the transposed one for is."""
    if DATAFLOW != "is":
        return left, right
    return [list(row) for row in zip(*right, strict=True)], [
        list(row) for row in zip(*left, strict=True)
    ]


def jobs(rng: random.Random, count: int) -> list[Job]:
    """Return jobs of every kind of raggedness: single lanes, full folds, several folds, long k."""
    rows, cols = SPEC["rows"], SPEC["cols"]
    directed = [
        (1, 1, 1), (rows, cols, 1), (1, 2 * cols + 1, 2), (2 * rows + 1, 1, 3),
        (rows + 1, cols + 1, max(rows, cols)), (2 * rows, 2 * cols, 2 * max(rows, cols) + 1),
    ]  # fmt: skip
    if DATAFLOW != "os" and SPEC["acc_rows"] <= LARGE_BANK:  # more rows than the bank holds
        more = SPEC["acc_rows"] + 1
        directed.insert(0, (more, cols, rows + 1) if DATAFLOW == "ws" else (cols, more, rows + 1))
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
