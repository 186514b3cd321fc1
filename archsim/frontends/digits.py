"""What a bit-serial or Booth-coded multiplier finds in integers: bits, digits, zeros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.trace import DTYPE_BITS, Histogram, Trace

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Averages over the integers of an operand.

    Attributes
    ----------
    zero_percent
        Share of values that are zero.
    set_bits
        Bits that are one in two's complement, a value.
    booth_digits
        Radix-4 Booth digits that are not zero, a value.
    """

    zero_percent: float
    set_bits: float
    booth_digits: float


def set_bits(values: NDArray[Any], bits: int) -> Ints:
    """Return how many bits of each integer are one, in two's complement of a width."""
    whole = np.asarray(values, np.int64)
    found: Ints = sum(
        (whole >> place & 1 for place in range(bits)), np.zeros(whole.shape, np.int64)
    )
    return found


def booth_digits(values: NDArray[Any], bits: int) -> Ints:
    """Return how many radix-4 Booth digits of each integer are not zero.

    Digit i of x is ``x[2i-1] + x[2i] - 2 x[2i+1]``, its sign bit repeated above, a zero below
    (MacSorley, 1961): zero just where the three bits are equal.
    """
    doubled = np.asarray(values, np.int64) << 1
    found = np.zeros(doubled.shape, np.int64)
    for place in range(0, bits, 2):
        window = doubled >> place & 7
        found += (window != 0) & (window != 7)
    return found


def statistics(trace: Trace, operands: Mapping[str, NDArray[Any]]) -> dict[str, Statistics]:
    """Return the statistics of a trace's tensors of known integers, by name.

    Parameters
    ----------
    operands
        Arrays of the trace's side file. Of a sample, averages are the sample's.
    """
    found = {}
    for tensor in trace.tensors.values():
        bits = DTYPE_BITS[tensor.dtype]
        if tensor.data is None or not tensor.dtype.startswith("int") or bits > 16:
            continue
        if isinstance(tensor.data, Histogram):
            integers = np.arange(-(1 << bits - 1), 1 << bits - 1)
            weights = operands[tensor.data.ref].astype(np.int64)
        else:
            ref = tensor.data if isinstance(tensor.data, str) else tensor.data.ref
            integers = operands[ref].astype(np.int64).ravel()
            weights = np.ones(integers.size, np.int64)
        total = max(1, int(weights.sum()))
        found[tensor.name] = Statistics(
            100 * int(weights[integers == 0].sum()) / total,
            float(weights @ set_bits(integers, bits)) / total,
            float(weights @ booth_digits(integers, bits)) / total,
        )
    return found
