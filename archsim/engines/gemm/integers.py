"""Two's complement operands and sums of engines that multiply matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints


def wrap(values: NDArray[Any], bits: int) -> Ints:
    """Return the values that two's complement of ``bits`` bits keeps of integers."""
    shift = np.int64(64 - bits)
    return (values << shift) >> shift


def random_integers(rng: np.random.Generator, shape: tuple[int, int], bits: int) -> Ints:
    """Return random values, or one time in four only the least and the greatest."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if rng.random() < 0.25:
        return rng.choice(np.array([low, high]), shape)
    return rng.integers(low, high, shape, endpoint=True)
