"""What a bit-serial or Booth-coded multiplier finds in integers: bits, digits, zeros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.formats.digits import nonzero_shares, tally
from archsim.trace import DTYPE_BITS, Histogram, Sampled, Trace


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
        if not isinstance(tensor.data, str | Sampled | Histogram):
            continue
        if not tensor.dtype.startswith("int") or bits > 16:
            continue
        if isinstance(tensor.data, Histogram):
            counts = operands[tensor.data.ref].astype(np.int64)
        else:
            ref = tensor.data if isinstance(tensor.data, str) else tensor.data.ref
            counts = tally(operands[ref], bits)
        if counts.any():
            found[tensor.name] = Statistics(
                100 * float(counts[counts.size // 2] / counts.sum()),
                float(nonzero_shares(counts, bits, "twos_complement").sum()),
                float(nonzero_shares(counts, bits, "mbe").sum()),
            )
    return found
