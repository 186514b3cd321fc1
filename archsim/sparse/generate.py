"""Sparse matrices by recipe: the same numbers give the same matrix, on every machine."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from scipy import sparse

from archsim.sparse import Csr, Ints

GRAPH500 = (0.57, 0.19, 0.19)  # a, b, c of the Graph500 benchmark's R-MAT
PAIRS = np.array(list(combinations(range(4), 2)))  # which two of four may stay: [6, 2]
STENCILS = {5: (2, 1), 7: (3, 1), 9: (2, 2), 27: (3, 3)}  # points: axes, neighbours along how many


def rmat(scale: int, edges: int, odds: tuple[float, float, float] = GRAPH500, seed: int = 1) -> Csr:
    """Return the adjacency matrix of an R-MAT (stochastic Kronecker) graph of ``2^scale`` nodes.

    Every edge goes down ``scale`` levels of quadrants, of odds a, b, c and the rest: top left, top
    right, bottom left, bottom right. Level by level the uniform numbers of all edges are drawn
    together. Edges that fall together are one.
    """
    a, b, c = odds
    rng = np.random.default_rng(seed)
    row, column = np.zeros((2, edges), np.int64)
    for _ in range(scale):
        u = rng.random(edges)
        row = 2 * row + (u >= a + b)
        column = 2 * column + (((u >= a) & (u < a + b)) | (u >= a + b + c))
    return _ones(row, column, (1 << scale, 1 << scale))


def uniform(rows: int, columns: int, entries: int, seed: int = 1) -> Csr:
    """Return a matrix with so many ones at places drawn evenly, each place once."""
    rng = np.random.default_rng(seed)
    place = rng.choice(rows * columns, entries, replace=False, shuffle=False)
    return _ones(place // columns, place % columns, (rows, columns))


def poisson(points: int, side: int) -> Csr:
    """Return the finite-difference Laplacian on a grid of ``side`` points along each axis.

    Parameters
    ----------
    points
        Of the stencil: 5 or 9 in the plane, 7 or 27 in space. The point itself has the number of
        its neighbours as value, each neighbour -1.
    """
    axes, reach = STENCILS[points]
    every = np.indices((side,) * axes).reshape(axes, -1)  # [axes, points of the grid]
    own = np.arange(side**axes)
    rows, columns, values = [], [], []
    for step in product((-1, 0, 1), repeat=axes):
        if sum(map(abs, step)) <= reach:
            at = every + np.array(step)[:, None]
            inside = ((at >= 0) & (at < side)).all(axis=0)
            rows.append(own[inside])
            columns.append(np.ravel_multi_index(tuple(at[:, inside]), (side,) * axes))
            values.append(np.full(inside.sum(), -1.0 if any(step) else points - 1.0))
    place = (np.concatenate(rows), np.concatenate(columns))
    return Csr.of(sparse.coo_array((np.concatenate(values), place), shape=(side**axes,) * 2))


# ---------------------------------------------------------------------------------- pruned weights


def unstructured(rows: int, columns: int, density: float, seed: int = 1) -> Csr:
    """Return weights of which a share stays, each with the same odds: exactly so many, rounded."""
    return uniform(rows, columns, max(round(rows * columns * density), 1), seed)


def two_of_four(rows: int, columns: int, seed: int = 1) -> Csr:
    """Return weights of which two stay in every group of four along a row; the last may be short.

    Two of a group stay if it has two or more.
    """
    groups = -(-columns // 4)
    pair = np.random.default_rng(seed).integers(len(PAIRS), size=(rows, groups))
    kept = PAIRS[pair] + 4 * np.arange(groups)[None, :, None]  # [rows, groups, 2]
    row = np.broadcast_to(np.arange(rows)[:, None, None], kept.shape)
    if columns % 4:
        short = columns % 4  # places of the last group: the first of them stay
        kept[:, -1] = 4 * (groups - 1) + np.arange(2)
        if short == 1:
            kept[:, -1, 1] = kept[:, -1, 0]
    return _ones(row.ravel(), kept.ravel(), (rows, columns))


def blocks(rows: int, columns: int, side: int, density: float, seed: int = 1) -> Csr:
    """Return weights of which whole square blocks stay: a share of them, rounded."""
    down, across = -(-rows // side), -(-columns // side)
    kept = uniform(down, across, max(round(down * across * density), 1), seed)
    within = np.arange(side)
    row = (kept.rows * side)[:, None, None] + within[None, :, None]
    column = (kept.indices * side)[:, None, None] + within[None, None, :]
    row, column = (x.ravel() for x in np.broadcast_arrays(row, column))
    inside = (row < rows) & (column < columns)
    return _ones(row[inside], column[inside], (rows, columns))


def _ones(row: Ints, column: Ints, shape: tuple[int, int]) -> Csr:
    """Return a pattern: ones at some places, each once."""
    return Csr.of(sparse.coo_array((np.ones(len(row)), (row, column)), shape=shape), pattern=True)
