"""Grid encodings: which entries of which tables a position reads, and with what weights.

The arithmetic is that of tiny-cuda-nn (`grid_scale`, `pos_fract`, `grid_index` and the size of
tables), in float32 as there: features of the same tables are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from archsim.errors import InputError

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Grid = Literal["hash", "dense", "tiled"]
GRIDS: tuple[Grid, ...] = get_args(Grid)

PRIMES = (1, 2654435761, 805459861)  # of the hash, one an axis
ROUND_ENTRIES = 8  # tables have a multiple of so many entries
MAX_LEVELS, MAX_FEATURES, MAX_LOG2_TABLE = 32, 16, 28
MAX_SIDE = 1 << 16  # vertices along an axis: places of a cell fit 16 bits


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a grid encoding.

    Parameters
    ----------
    scale
        Cells along an axis, a float32 value: a position x lies at ``scale x + 0.5``.
    resolution
        Vertices along an axis.
    entries
        Of its table, `Encoding.features` values each.
    hashed
        Whether vertices share entries by a hash; else each has its own place, row by row.
    parity
        See `Encoding.parity`.
    """

    scale: float
    resolution: int
    entries: int
    hashed: bool
    parity: bool = False

    def cells(self, positions: Floats) -> tuple[Ints, Floats]:
        """Return the cells of positions and their places in them: both [n, dims]."""
        # a fused multiply-add, rounded once: a product of two float32 is exact in float64
        place = (self.scale * positions.astype(np.float64) + 0.5).astype(np.float32)
        whole = np.floor(place)
        return whole.astype(np.int64), place - whole

    def indices(self, vertices: Ints) -> Ints:
        """Return the table's entry of each vertex: [..., dims] to [...]."""
        if not self.hashed:
            strides = self.resolution ** np.arange(vertices.shape[-1])
            return np.asarray(vertices @ strides % self.entries)
        hashed = vertices[..., 0].astype(np.uint32)
        for axis in range(1, vertices.shape[-1]):
            hashed = hashed ^ vertices[..., axis].astype(np.uint32) * np.uint32(PRIMES[axis])
        found = hashed.astype(np.int64) & (self.entries - 1)
        if not self.parity:
            return found
        low = (1 << vertices.shape[-1]) - 1
        return np.asarray(found & ~low | parity_of(vertices))


@dataclass(frozen=True)
class Encoding:
    """A grid encoding: its levels' resolutions and tables follow from these numbers.

    Parameters
    ----------
    grid
        ``hash``: levels of more vertices than ``2^log2_table`` are hashed. ``dense``: every vertex
        has an entry. ``tiled``: a level has as many entries as the coarsest one, and repeats them.
    levels, features
        Levels, and features that an entry of each has.
    log2_table
        Most entries of a hashed level's table, as a power of two; no other grid heeds it.
    coarsest
        Cells along an axis at level 0, and so many times ``growth^level`` at the others.
    parity
        Whether the low bits of a hashed entry are those of the vertex, so that the corners of a
        cell lie in different banks. Tables must be fitted with it: entries are not tiny-cuda-nn's.

    Raises
    ------
    InputError
        If a number is out of bounds, or the finest level has more than 2^16 vertices an axis.
    """

    grid: Grid = "hash"
    levels: int = 16
    features: int = 2
    log2_table: int = 19
    coarsest: int = 16
    growth: float = 1.38191
    dims: int = 3
    parity: bool = False

    def __post_init__(self) -> None:
        if self.grid not in GRIDS:
            raise InputError("encoding: grid", f"must be one of {', '.join(GRIDS)}", self.grid)
        bounds = {
            "levels": (1, MAX_LEVELS), "features": (1, MAX_FEATURES), "dims": (2, 3),
            "log2_table": (self.dims, MAX_LOG2_TABLE), "coarsest": (2, MAX_SIDE),
        }  # fmt: skip
        for name, (least, most) in bounds.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                words = f"must be a whole number from {least} to {most:,}"
                raise InputError(f"encoding: {name}", words, value)
        if not 1.0 <= self.growth <= 4.0:
            raise InputError("encoding: growth", "must be a number from 1 to 4", self.growth)
        finest = self.coarsest * self.growth ** (self.levels - 1)
        if finest >= MAX_SIDE:
            raise InputError(
                "encoding: growth",
                f"must make fewer than {MAX_SIDE:,} cells an axis",
                round(finest),
            )

    @cached_property
    def table(self) -> tuple[Level, ...]:
        """All levels, coarsest first."""
        return tuple(self._level(number) for number in range(self.levels))

    def _level(self, number: int) -> Level:
        # each step is rounded to float32 once: the same on every machine, and as on a GPU
        log2_growth = np.float32(np.log2(np.float64(np.float32(self.growth))))
        exponent = np.float64(np.float32(number) * log2_growth)
        scale = np.float32(np.exp2(exponent)) * np.float32(self.coarsest) - np.float32(1)
        resolution = int(np.ceil(scale)) + 1
        vertices = resolution**self.dims
        entries = -(-vertices // ROUND_ENTRIES) * ROUND_ENTRIES
        if self.grid == "hash":
            entries = min(entries, 1 << self.log2_table)
        elif self.grid == "tiled":
            entries = min(entries, self.coarsest**self.dims)
        hashed = self.grid == "hash" and vertices > entries
        return Level(float(scale), resolution, entries, hashed, self.parity)

    @property
    def text(self) -> str:
        """All numbers as text, which `parse` reads."""
        numbers = {f.name: getattr(self, f.name) for f in fields(self)[1:]}
        numbers["parity"] = int(self.parity)
        return " ".join((self.grid, *(f"{name}={value!r}" for name, value in numbers.items())))

    @classmethod
    def parse(cls, text: str) -> Encoding:
        """Return the encoding of a text.

        Raises
        ------
        InputError
            If it is of no grid encoding.
        """
        try:
            grid, *numbers = text.split()
            given = {name: float(value) for name, value in (x.split("=") for x in numbers)}
            whole = {n: x if n == "growth" else int(x) for n, x in given.items()}
            return cls(grid, **whole | {"parity": bool(whole["parity"])})  # type: ignore[arg-type]
        except (ValueError, TypeError, KeyError, OverflowError):
            raise InputError(
                "encoding", f"must be a grid's name and its numbers, as {cls().text!r}", text
            ) from None

    @property
    def outputs(self) -> int:
        """Features of a position: those of all levels."""
        return self.levels * self.features

    @property
    def corners(self) -> int:
        """Entries that a position reads of each level."""
        return 1 << self.dims

    @property
    def entries(self) -> int:
        """Entries of all tables."""
        return sum(level.entries for level in self.table)

    def size_bytes(self, feature_bytes: float = 2) -> int:
        """Return the bytes of all tables."""
        return int(np.ceil(self.entries * self.features * feature_bytes))


def offsets(dims: int) -> Ints:
    """Return the corners of a cell, x fastest: [2^dims, dims]."""
    return np.arange(1 << dims)[:, None] >> np.arange(dims) & 1


def corners(cells: Ints) -> Ints:
    """Return the vertices around cells: [n, dims] to [n, 2^dims, dims]."""
    return cells[:, None, :] + offsets(cells.shape[1])


def weights(fractions: Floats) -> Floats:
    """Return what each corner counts for, by places in cells: [n, dims] to [n, 2^dims]."""
    high = offsets(fractions.shape[1]).astype(bool)
    near = np.where(high, fractions[:, None, :], np.float32(1) - fractions[:, None, :])
    return np.asarray(near.prod(axis=2, dtype=np.float32))


def parity_of(vertices: Ints) -> Ints:
    """Return the low bits of coordinates as one number, x lowest: [..., dims] to [...]."""
    return np.asarray((vertices & 1) @ (1 << np.arange(vertices.shape[-1])))


def checked_positions(positions: Any, dims: int, where: str = "positions") -> Floats:
    """Return positions as float32, [n, dims].

    Raises
    ------
    InputError
        Unless they are so many finite numbers from 0 to 1.
    """
    found = np.asarray(positions)
    if found.ndim != 2 or found.shape[1] != dims or found.dtype.kind not in "fiu":
        got = f"{found.dtype} {list(found.shape)}"
        raise InputError(where, f"must be numbers of shape [n, {dims}]", got)
    found = found.astype(np.float32, copy=False)
    wrong = ~((found >= 0) & (found <= 1)).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"{where}: row {row:,}", "must be from 0 to 1", found[row].tolist())
    return found
