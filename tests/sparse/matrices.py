"""Matrices whose products have known counts."""

from __future__ import annotations

from functools import cache

import numpy as np

from archsim.sparse import Csr
from archsim.sparse.product import SparseProduct


def rmat(scale: int, edges: int, a: float, b: float, c: float, seed: int) -> Csr:
    """Return the pattern of a recursive matrix: each edge picks a quadrant ``scale`` times."""
    rng = np.random.default_rng(seed)
    row, col = np.zeros((2, edges), np.int64)
    for _ in range(scale):
        u = rng.random(edges)
        row = 2 * row + (u >= a + b)
        col = 2 * col + (((u >= a) & (u < a + b)) | (u >= a + b + c))
    size = 1 << scale
    row, col = np.divmod(np.unique(row * size + col), size)
    starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=size))])
    return Csr((size, size), starts, col.astype(np.int32))


def squared(a: Csr) -> SparseProduct:
    return SparseProduct(a, a, a.shape[1])


@cache
def lookalike() -> SparseProduct:
    """Return a product of about the size that SMASH was shown on."""
    return squared(rmat(14, 1 << 18, 0.48, 0.11, 0.11, seed=1))
