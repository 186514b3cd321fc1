"""Commands of the bit-slice array: products, and how many digits of their operands are not zero."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.engines import Floats, GemmJobs


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
