"""Two's complement operands of engines that multiply matrices."""

from __future__ import annotations

import numpy as np

from archsim.engines import Ints


def random_integers(rng: np.random.Generator, shape: tuple[int, int], bits: int) -> Ints:
    """Return random values, or one time in four only the least and the greatest."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if rng.random() < 0.25:
        return rng.choice(np.array([low, high]), shape)
    return rng.integers(low, high, shape, endpoint=True)
