"""Operands drawn for kernels: plain ones, and those that arithmetic gets wrong first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archsim.gpu.kernel import Draw
from archsim.gpu.values import Array, encode

# least subnormal, least normal, largest. Of formats with fp32's exponents the largest is small
# enough that products of two, and sums of 2^16 of those, are fp32 numbers
RANGES = {
    "fp16": (2.0**-24, 2.0**-14, 65504.0),
    "bf16": (2.0**-133, 2.0**-126, 2.0**55),
    "tf32": (2.0**-136, 2.0**-126, 2.0**55),
    "e4m3": (2.0**-9, 2.0**-6, 448.0),
}
SPECIAL = (np.inf, -np.inf, np.nan)
ENDS = (0.3, 0.3, 0.2, 0.18, 0.02)  # shares of 0, 1 and the three of a range
RARE = 0.002  # share of infinities and NaN: most results stay numbers


def picked(rng: np.random.Generator, shape: tuple[int, ...], ends: Sequence[float]) -> Array:
    """Return fp16 numbers of some magnitudes and either sign."""
    return encode(rng.choice([-1.0, 1.0], shape) * rng.choice(ends, shape), "fp16")


def drawn(rng: np.random.Generator, shape: tuple[int, ...], form: str, values: Draw) -> Array:
    """Return numbers of a format as they lie in memory."""
    if form == "int8":
        least, most = {"normal": (-128, 128), "zeros": (0, 1)}.get(values, (-128, 128))
        chosen = rng.integers(least, most, shape)
        if values in ("extreme", "special"):  # integers have no special values
            chosen = rng.choice([-128, 127], shape)
        return encode(chosen, form)
    if values == "zeros":
        return encode(rng.choice([0.0, -0.0], shape), form)
    if values == "extreme":
        ends = np.array([0.0, 1.0, *RANGES[form]])
        return encode(rng.choice([-1.0, 1.0], shape) * rng.choice(ends, shape, p=ENDS), form)
    numbers = rng.standard_normal(shape)
    if values == "special":  # infinities become NaN where a format has none
        numbers = np.where(rng.random(shape) < RARE, rng.choice(SPECIAL, shape), numbers)
    return encode(numbers, form)
