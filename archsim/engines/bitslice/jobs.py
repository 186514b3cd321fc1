"""Commands of the bit-slice array: products, and how many digits of their operands are not zero."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import Floats, GemmJobs

_UNKNOWN = -1.0  # stands for NaN, which equals nothing


@dataclass(frozen=True, slots=True)
class BitsliceJobs(GemmJobs):
    """Products whose time depends on their operands' digits.

    Parameters
    ----------
    nonzero
        Share of digits other than zero at each bit weight, lowest first: [n, positions] of the
        encoded operand; for laconic of A, then of B. A row of NaN is one that nobody knows: then a
        distribution stands in, which results name. Columns further to the right are not read, so
        that jobs of several specs fit one array.
    """

    nonzero: Floats

    def alike(self) -> Iterator[tuple[Floats, Any]]:
        """Yield each different row of shares, and which jobs have it: those of an op are alike."""
        rows = np.nan_to_num(self.nonzero, nan=_UNKNOWN)
        if len(rows) and (rows == rows[0]).all():
            yield self.nonzero[0], slice(None)
            return
        for row in np.unique(rows, axis=0):
            yield np.where(row == _UNKNOWN, np.nan, row), (rows == row).all(axis=1)
