"""Scale and round, bit for bit: sums of products to narrow integers.

With everything a signed integer, shifts arithmetic and ``wrap`` two's complement::

    sum      = wrap(x + bias, acc_bits)
    product  = sum * multiplier                      exact in acc_bits + scale_bits
    rounded  = product / 2**shift, rounded once      saturated to acc_bits
    result   = clamp(rounded + zero_point, low, high)

A real scale ``s`` is ``multiplier / 2**shift``; `fixed_point` finds the pair with all the bits that
the multiplier has (31 and a sign). Rounding is to nearest, and a tie goes

- ``half_even``: to the even neighbour, as ONNX's QuantizeLinear and QLinear operators have it;
- ``half_up``: upward, which adds ``2**(shift - 1)`` and shifts: the single rounding of TOSA's
  RESCALE and of TFLite kernels built for it.

There is one rounding, of the exact product. TFLite's older kernels round twice; they differ from
this by one at times and are not expressible.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Rounding = Literal["half_even", "half_up"]
MAX_SHIFT = 63


def wrap(values: Ints, bits: int) -> Ints:
    """Return the values that two's complement of ``bits`` bits keeps of integers."""
    shift = np.int64(64 - bits)
    return (np.asarray(values, np.int64) << shift) >> shift


def fixed_point(scale: float, scale_bits: int = 32) -> tuple[int, int]:
    """Return the multiplier and shift that stand for a scale.

    The multiplier takes all its bits unless that needs a shift above `MAX_SHIFT`.

    Raises
    ------
    ValueError
        If the scale is not finite, or too large for a shift of 0.
    """
    if not math.isfinite(scale):
        raise ValueError(f"a scale must be a finite number, not {scale!r}")
    if scale == 0:
        return 0, 0
    top = 2 ** (scale_bits - 1)
    shift = min(scale_bits - 1 - math.frexp(abs(scale))[1], MAX_SHIFT)
    multiplier = round(math.ldexp(scale, shift))
    if abs(multiplier) >= top:  # rounded up to the next power of two
        shift -= 1
        multiplier = round(math.ldexp(scale, shift))
    if shift < 0:
        raise ValueError(f"a scale must be below {top}, not {scale!r}")
    return multiplier, shift


def requantise(
    x: Any,
    bias: Any,
    multiplier: Any,
    shift: Any,
    *,
    zero_point: int = 0,
    low: int = -128,
    high: int = 127,
    acc_bits: int = 32,
    scale_bits: int = 32,
    rounding: Rounding = "half_even",
) -> Ints:
    """Return sums, scaled, rounded, shifted by the zero point and clamped; arguments broadcast."""
    product = scaled(x, bias, multiplier, acc_bits, scale_bits)
    return narrowed(product, shift, zero_point, low, high, acc_bits, rounding)


def scaled(x: Any, bias: Any, multiplier: Any, acc_bits: int, scale_bits: int) -> Ints:
    """Return ``(x + bias) multiplier``, exact in ``acc_bits + scale_bits`` of at most 64 bits."""
    total = wrap(np.asarray(x, np.int64) + np.asarray(bias, np.int64), acc_bits)
    return wrap(total * wrap(multiplier, scale_bits), acc_bits + scale_bits)


def narrowed(
    product: Any,
    shift: Any,
    zero_point: int,
    low: int,
    high: int,
    acc_bits: int,
    rounding: Rounding,
) -> Ints:
    """Return products rounded, saturated to ``acc_bits``, shifted by the zero point, clamped."""
    product, shift = np.asarray(product, np.int64), np.asarray(shift, np.int64)
    kept = product >> shift
    below = np.maximum(shift - 1, 0)  # the place of the half
    half = (shift > 0) & ((product >> below) & 1 > 0)
    if rounding == "half_even":
        rest = product & ((np.int64(1) << below) - 1)
        half &= (rest != 0) | (kept & 1 > 0)
    most = np.int64(2 ** (acc_bits - 1) - 1)
    # carried only where that stays in range: nothing here may leave 64 bits
    carry = half & (kept >= -most - 1) & (kept < most)
    rounded = np.clip(kept, -most - 1, most) + carry
    return np.asarray(np.clip(rounded + zero_point, low, high))
