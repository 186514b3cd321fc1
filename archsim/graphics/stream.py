"""Queries in the order in which they are issued: what a frame asks of a neural field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

BLOCK = 256  # consecutive queries that go to one processor
MORTON_BITS = 10  # of each coordinate, in a Morton order


@dataclass(frozen=True, slots=True)
class Stream:
    """Queries of a picture.

    Parameters
    ----------
    records
        What is sent with each query, its position first: [n, record].
    rays, steps
        The pixel that each belongs to, counted row by row, and its number along that ray: [n].
    dims
        Coordinates of a position.
    pixels
        Of the picture.
    """

    records: Floats
    rays: Ints
    steps: Ints
    dims: int
    pixels: int

    def __len__(self) -> int:
        return len(self.records)

    @property
    def positions(self) -> Floats:
        return self.records[:, : self.dims]

    @property
    def per_pixel(self) -> float:
        """Queries per pixel of the picture."""
        return len(self) / self.pixels

    def take(self, rows: Ints) -> Stream:
        """Return some of the queries, in the order of ``rows``."""
        return replace(
            self, records=self.records[rows], rays=self.rays[rows], steps=self.steps[rows]
        )

    def ordered(self, order: str) -> Stream:
        """Return the queries in another of `ORDERS`."""
        return self.take(ORDERS[order](self))

    def sample(self, most: int) -> Stream:
        """Return at most so many queries: blocks of 256 in a row, evenly over the whole stream.

        They are what one of many processors gets where blocks go round.
        """
        if len(self) <= most:
            return self
        blocks = max(most // BLOCK, 1)
        starts = np.arange(blocks) * (len(self) - BLOCK) // max(blocks - 1, 1)
        return self.take((starts[:, None] + np.arange(BLOCK)).ravel())


def _by_ray(stream: Stream) -> Ints:
    return np.lexsort((stream.steps, stream.rays))


def _by_morton(stream: Stream) -> Ints:
    cells = np.minimum(stream.positions * (1 << MORTON_BITS), (1 << MORTON_BITS) - 1)
    return np.argsort(morton(cells.astype(np.int64)), kind="stable")


def morton(cells: Ints) -> Ints:
    """Return the numbers of cells along a Z-order curve: [n, dims] to [n]."""
    dims = cells.shape[1]
    found = np.zeros(len(cells), np.int64)
    for bit in range(MORTON_BITS):
        for axis in range(dims):
            found |= (cells[:, axis] >> bit & 1) << (bit * dims + axis)
    return found


ORDERS: Mapping[str, Callable[[Stream], Ints]] = MappingProxyType(
    {
        "step": lambda stream: np.arange(len(stream)),  # as issued: all live rays, step by step
        "ray": _by_ray,
        "morton": _by_morton,
    }
)


class Recorder:
    """Collects the queries of a picture as they are issued."""

    def __init__(self, dims: int, pixels: int) -> None:
        self._dims, self._pixels = dims, pixels
        self._records: list[Floats] = []
        self._rays: list[Ints] = []
        self._steps: list[Ints] = []
        self._step = 0

    def add(self, rays: Ints, *columns: NDArray[Any]) -> None:
        """Add a query of each of some rays: columns of their records, each [n] or [n, many]."""
        wide = [c.reshape(len(rays), -1).astype(np.float32) for c in columns]
        self._records.append(np.concatenate(wide, axis=1))
        self._rays.append(rays)
        self._steps.append(np.full(len(rays), self._step))
        self._step += 1

    def stream(self, record: int) -> Stream:
        """Return all queries; ``record`` says how wide they are if there are none."""
        records = self._records or [np.empty((0, record), np.float32)]
        none: list[Ints] = [np.empty(0, np.int64)]
        return Stream(
            np.concatenate(records), np.concatenate(self._rays or none),
            np.concatenate(self._steps or none), self._dims, self._pixels,
        )  # fmt: skip
