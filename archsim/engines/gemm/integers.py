"""Two's complement operands of engines that multiply matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import Ints


def random_integers(rng: np.random.Generator, shape: tuple[int, int], bits: int) -> Ints:
    """Return random values, or one time in four only the least and the greatest."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if rng.random() < 0.25:
        return rng.choice(np.array([low, high]), shape)
    return rng.integers(low, high, shape, endpoint=True)


def random_operands(
    rng: np.random.Generator, spec: Any, m: int, n: int, k: int
) -> Mapping[str, Ints]:
    """Return ``a`` [m, k], ``b`` [k, n] and ``c`` [m, n] of a spec's widths."""
    return {
        "a": random_integers(rng, (m, k), spec.a_bits),
        "b": random_integers(rng, (k, n), spec.b_bits),
        "c": random_integers(rng, (m, n), spec.acc_bits),
    }
