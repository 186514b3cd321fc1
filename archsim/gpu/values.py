"""How kernels' operands lie in NumPy arrays, and when a result agrees with an oracle.

Formats that NumPy lacks are held as their bits: ``bf16`` in uint16, ``e4m3`` and ``e5m2`` in uint8.
``tf32`` is held as fp32 numbers whose low 13 bits are zero, as tensor cores read them. Packed
formats (``int4x8``: eight codes in an int32, low nibble first) are held as the integers that they
are packed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.formats.bf16 import bf16_values, round_to_bf16

Array = NDArray[Any]
Operands = Mapping[str, Array]

STORED: Mapping[str, str] = {  # format -> NumPy's name of what holds it
    "fp32": "float32", "tf32": "float32", "fp16": "float16", "bf16": "uint16",
    "int8": "int8", "int32": "int32",
}  # fmt: skip
VIEWED_AS: Mapping[str, str] = {"bf16": "bfloat16"}  # torch's name, where it is another type


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
    with np.errstate(over="ignore", invalid="ignore"):
        if form == "bf16":
            return round_to_bf16(np.asarray(values, np.float32)).astype(np.uint16)
        if form == "tf32":
            return _to_tf32(values)
        return np.asarray(values).astype(STORED[form])


def decode(stored: Array, form: str) -> Array:
    """Return what stored operands stand for, in float64 or int64."""
    if form == "bf16":
        return bf16_values(stored).astype(np.float64)
    return stored.astype(np.int64 if stored.dtype.kind in "iu" else np.float64)


def _to_tf32(values: Array) -> Array:
    """Return fp32 numbers with 10 bits of fraction, rounded to nearest, ties to even."""
    bits = np.asarray(values, np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0xFFF + (bits >> np.uint64(13) & np.uint64(1))) & np.uint64(0xFFFFE000)
    return np.where(np.isfinite(values), rounded, bits).astype(np.uint32).view(np.float32)


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
