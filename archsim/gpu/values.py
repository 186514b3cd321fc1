"""How kernels' operands lie in NumPy arrays, and when a result agrees with an oracle.

Formats that NumPy lacks are held as their patterns: ``bf16`` in uint16, ``e4m3`` in uint8. ``tf32``
is held as fp32 numbers whose low 13 bits are zero, as tensor cores read them. Packed codes are held
as the integers that they are packed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.formats.minifloat import FORMATS

Array = NDArray[Any]
Operands = Mapping[str, Array]

STORED: Mapping[str, type[np.generic]] = {
    "fp32": np.float32, "tf32": np.float32, "fp16": np.float16, "bf16": np.uint16,
    "e4m3": np.uint8, "uint8": np.uint8, "int8": np.int8, "int16": np.int16, "int32": np.int32,
}  # fmt: skip
PATTERNS: Mapping[str, str] = {"bf16": "bfloat16", "e4m3": "float8_e4m3fn"}
"""Formats held as patterns, by torch's names of them."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an oracle expects of one result.

    Attributes
    ----------
    value
        Exact values, in float64 or int64, before they are rounded to the result's format.
    error
        How far the kernel's own value may lie from it before that rounding; 0 is equality.
    """

    value: Array
    error: Array | float = 0.0


def encode(values: Array, form: str) -> Array:
    """Return real numbers in a format, rounded to nearest, ties to even, as it lies in memory."""
    if form in PATTERNS:
        return FORMATS[form].encode(values, saturate=False)
    if form == "tf32":
        return FORMATS[form].quantise(values, saturate=False).astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values).astype(STORED[form])


def decode(stored: Array, form: str) -> Array:
    """Return what stored operands stand for, in float64 or int64."""
    if form in PATTERNS:
        return FORMATS[form].decode(stored)
    return stored.astype(np.int64 if stored.dtype.kind in "iu" else np.float64)


def size_bytes(form: str) -> int:
    """Return what one stored element takes."""
    return np.dtype(STORED[form]).itemsize


def disagreements(got: Array, expected: Expected, form: str) -> NDArray[np.bool_]:
    """Return where a result is not what an oracle allows.

    A kernel's value lies between ``value - error`` and ``value + error``; rounding is monotone, so
    its result lies between those ends rounded to the format. A NaN must be a NaN; an infinity is
    itself, unless the ends round to both sides of the largest finite number.
    """
    numbers = decode(got, form)
    if numbers.shape != expected.value.shape:
        raise ValueError(f"a result has shape {numbers.shape}, its oracle {expected.value.shape}")
    if numbers.dtype.kind == "i":
        return np.asarray(numbers != expected.value)
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(expected.value)
        low = np.where(finite, expected.value - expected.error, expected.value)
        high = np.where(finite, expected.value + expected.error, expected.value)
        low, high = (decode(encode(end, form), form) for end in (low, high))
        agree = (low <= numbers) & (numbers <= high)
    return np.asarray(~(agree | (np.isnan(numbers) & np.isnan(expected.value))))
