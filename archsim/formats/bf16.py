"""bfloat16 operands, fp32 products and sums: the arithmetic of a bf16 engine, bit for bit.

Values are bit patterns in int64 arrays, as ports carry them: sign, exponent (8 bits, biased by
127) and fraction, of 7 bits in bf16 and 23 in fp32. The rules are IEEE 754's, its choices made:

- A product of two bf16 numbers is rounded once to fp32, to nearest, ties to even. It is exact
  unless it lies outside the range of normal fp32 numbers.
- A sum of two fp32 numbers is rounded once, to nearest, ties to even. Nothing is fused.
- Subnormal numbers are kept, as operands and as results. What is too large becomes infinite.
- There is one NaN, positive and quiet. Zeros have signs; a sum that is exactly zero is positive
  unless both addends are negative zeros.

A chain of sums that starts from +0 is never -0, so adding +0 to it changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Patterns = NDArray[np.int64]
Singles = NDArray[np.float32]

BF16_NAN, FP32_NAN = 0x7FC0, 0x7FC0_0000


def round_to_bf16(values: Any) -> Patterns:
    """Return the bf16 patterns nearest to fp32 values, ties to even."""
    bits = to_patterns(values)
    odd = bits >> 16 & 1
    rounded = (bits + 0x7FFF + odd) >> 16
    return np.where(bits == FP32_NAN, BF16_NAN, rounded)


def bf16_values(patterns: Any) -> Singles:
    """Return what bf16 patterns stand for; every bf16 number is an fp32 number."""
    return fp32_values(np.asarray(patterns, np.int64) << 16)


def fp32_values(patterns: Any) -> Singles:
    """Return what fp32 patterns stand for."""
    return np.asarray(patterns, np.int64).astype(np.uint32).view(np.float32)


def to_patterns(values: Any) -> Patterns:
    """Return the fp32 patterns of values, with the one NaN for any NaN."""
    with np.errstate(over="ignore"):
        singles = np.asarray(values, np.float32)
    bits = singles.view(np.uint32).astype(np.int64)
    return np.where(np.isnan(singles), FP32_NAN, bits)


def multiply(a: Any, b: Any) -> Patterns:
    """Return the fp32 patterns of products of bf16 patterns."""
    with np.errstate(all="ignore"):
        return to_patterns(bf16_values(a) * bf16_values(b))


def add(x: Any, y: Any) -> Patterns:
    """Return the fp32 patterns of sums of fp32 patterns."""
    with np.errstate(all="ignore"):
        return to_patterns(fp32_values(x) + fp32_values(y))


def matmul(a: Any, b: Any) -> Patterns:
    """Return the fp32 patterns [m, n] of ``a`` [m, k] times ``b`` [k, n], both of bf16 patterns.

    Each sum starts from +0 and takes its products in order of k, one at a time.
    """
    left, right = bf16_values(a), bf16_values(b)
    total = np.zeros((left.shape[0], right.shape[1]), np.float32)
    with np.errstate(all="ignore"):
        for column, row in zip(left.T, right, strict=True):
            total = total + column[:, None] * row[None, :]
    return to_patterns(total)
