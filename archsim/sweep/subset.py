"""Which designs a small run of a large sweep takes: well spread, and nested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.sweep.sample import Point

Ints = NDArray[np.int64]

CELLS_A_POINT = 4  # the axes' ranks are binned until there are no more cells than this
DRAWS_A_POINT = 8  # before what no draw hit is appended
PRIMES = (
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53,
    59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131,
)  # fmt: skip
EPSILON = 1e-12  # keeps a sum of digits below 1


def spread(points: Sequence[tuple[Point, str]], seed: int = 0) -> NDArray[np.intp]:
    """Return the order in which points join a growing subset: every beginning is well spread.

    A scrambled Halton sequence walks through the space that the axes' ranks span, and each of its
    draws takes a point of the cell that it hits. A subset therefore covers each axis more evenly
    than chance does, and a larger subset holds the smaller ones.

    Parameters
    ----------
    points
        Values by path, and a digest that says who comes first in a cell.

    References
    ----------
    Mascagni and Chi (2004), "On the scrambled Halton sequence".
    """
    cell_of, bins = _cells([point for point, _ in points])
    by_digest = np.argsort([digest for _, digest in points], kind="stable")
    queue = by_digest[np.argsort(cell_of[by_digest], kind="stable")]  # cell by cell
    sizes = np.bincount(cell_of, minlength=int(np.prod(bins)))
    first = np.cumsum(sizes) - sizes
    draws = _numbered(_halton(DRAWS_A_POINT * len(points), bins, seed), bins)
    visit = _occurrences(draws)
    hits = visit < sizes[draws]
    taken = queue[first[draws[hits]] + visit[hits]]
    rest = np.setdiff1d(by_digest, taken)
    return np.concatenate([taken, by_digest[np.isin(by_digest, rest)]])


def _cells(points: Sequence[Point]) -> tuple[Ints, Ints]:
    """Return each point's cell, and how many bins each axis has."""
    paths = list(dict.fromkeys(path for point in points for path in point))
    ranks = np.stack([_ranks([point.get(path) for point in points]) for path in paths])
    levels = ranks.max(axis=1) + 1
    bins = levels.copy()
    while bins.prod(dtype=float) > CELLS_A_POINT * len(points):
        bins[bins.argmax()] = -(-bins.max() // 2)
    return _numbered(ranks * bins[:, None] // levels[:, None], bins), bins


def _numbered(binned: Ints, bins: Ints) -> Ints:
    """Return the number of a cell from its bin on each axis: [axes, n] to [n]."""
    cells = np.zeros(binned.shape[1], np.int64)
    for row, count in zip(binned, bins, strict=True):
        cells = cells * count + row
    return cells


def _ranks(values: Sequence[Any]) -> Ints:
    """Return each value's place among the distinct ones: by size where they are numbers."""
    keys = [_order(value) for value in values]
    number = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return np.array([number[key] for key in keys], np.int64)


def _order(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 0, float(value), ""
    return 1, 0.0, repr(value)


def _halton(count: int, bins: Ints, seed: int) -> Ints:
    """Return draws of a Halton sequence with randomly permuted digits, as bins: [axes, count]."""
    rng = np.random.default_rng(seed)
    found = []
    for base, axis_bins in zip(PRIMES, bins, strict=False):
        index, place = np.arange(count), np.zeros(count)
        scale = 1.0
        while scale > 1 / (base * count):  # all digits, the zeros in front too
            scale /= base
            index, digit = np.divmod(index, base)
            place += rng.permutation(base)[digit] * scale
        found.append((np.minimum(place, 1 - EPSILON) * axis_bins).astype(np.int64))
    return np.stack(found)


def _occurrences(values: Ints) -> Ints:
    """Return how often each value stood before."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    start = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    runs = np.diff(np.r_[start, len(ordered)])
    found = np.empty(len(values), np.int64)
    found[order] = np.arange(len(values)) - np.repeat(start, runs)
    return found
