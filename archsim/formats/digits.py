"""Signed digits of integers: what multipliers that work digit by digit encode an operand into.

Every scheme writes an integer of a width as digits times weights, lowest weight first:

- ``mbe``, modified Booth encoding (MacSorley, 1961): radix 4, digits -2 to 2. Digit i is
  ``x[2i-1] + x[2i] - 2 x[2i+1]``, its sign bit repeated above, a zero below.
- ``en_t``: radix 4, digits of the magnitude from -1 to 2, all negated for a negative number
  (the encoder of Q. Wu et al., HPCA 2025). A 3 is written as -1 and carries one up.
- ``naf``, the non-adjacent form, or canonical signed digits: radix 2, digits -1 to 1, no two
  neighbours both other than zero. No radix-2 form has fewer digits that are not zero.
- ``twos_complement``: bits, the highest with a negative weight.
- ``sign_magnitude``: bits of the magnitude, all negated for a negative number.

What costs such a multiplier time is a digit that is not zero: a partial product. Shares of digits
are taken over a `tally`, the number of times that each integer of the width occurs.
"""

from __future__ import annotations

from functools import cache
from math import erf, sqrt
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Scheme = Literal["mbe", "en_t", "naf", "twos_complement", "sign_magnitude"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
LARGEST_DIGIT = 2  # of any scheme, in magnitude
MAX_BITS = 16

Ints = NDArray[np.int64]
Digits = NDArray[np.int8]
Floats = NDArray[np.float64]


def integers(bits: int) -> Ints:
    """Return every integer of a width in two's complement, lowest first: [2^bits]."""
    if not 2 <= bits <= MAX_BITS:
        raise ValueError(f"digits are of integers of 2 to {MAX_BITS} bits, not {bits}")
    return np.arange(-(1 << bits - 1), 1 << bits - 1)


def digit_weights(bits: int, scheme: Scheme) -> Ints:
    """Return what one stands for at each position of a scheme, lowest first: [positions]."""
    if scheme in ("mbe", "en_t"):
        return 4 ** np.arange((bits + 1) // 2)
    weights = 2 ** np.arange(bits)
    if scheme == "twos_complement":
        weights[-1] *= -1
    return weights


def encode(values: Any, bits: int, scheme: Scheme) -> Digits:
    """Return the digits of integers of a width, lowest first: [..., positions].

    Raises
    ------
    ValueError
        An integer does not fit the width, or the width is not one of 2 to 16 bits.
    """
    digits: Digits = _table(bits, scheme)[_rows(values, bits)]
    return digits


def decode(digits: Any, bits: int, scheme: Scheme) -> Ints:
    """Return the integers that digits [..., positions] of a scheme stand for."""
    found: Ints = np.asarray(digits, np.int64) @ digit_weights(bits, scheme)
    return found


def nonzero_digits(values: Any, bits: int, scheme: Scheme) -> Ints:
    """Return how many digits of each integer are not zero: its partial products."""
    found: Ints = np.count_nonzero(encode(values, bits, scheme), axis=-1)
    return found


def tally(values: Any, bits: int) -> Ints:
    """Return how often each integer of a width occurs, lowest first: [2^bits].

    Raises
    ------
    ValueError
        As `encode` does.
    """
    return np.bincount(_rows(values, bits).ravel(), minlength=1 << bits)


def rounded_normal(sigma: float, bits: int) -> Floats:
    """Return the probability of each integer of a width, of rounded normal numbers: [2^bits].

    The numbers have mean zero; those that round to an integer out of range are left out, so the
    probabilities are of the others and add up to one.
    """
    if not sigma > 0:
        raise ValueError(f"a standard deviation is above zero, not {sigma}")
    edges = np.append(integers(bits) - 0.5, (1 << bits - 1) - 0.5)
    below = np.array([erf(edge / (sigma * sqrt(2))) for edge in edges])
    share: Floats = np.diff(below) / (below[-1] - below[0])
    return share


def digit_histogram(tallied: NDArray[Any], bits: int, scheme: Scheme) -> Floats:
    """Return the share of each digit, from -2 to 2, at each position: [positions, 5].

    Parameters
    ----------
    tallied
        How often each integer occurs, or its probability, lowest first: [2^bits].
    """
    table = _table(bits, scheme)
    weights = np.asarray(tallied, np.float64)
    if weights.shape != (len(table),) or not weights.sum() > 0:
        raise ValueError(f"expected counts of {len(table)} integers, some above zero")
    digits = np.arange(-LARGEST_DIGIT, LARGEST_DIGIT + 1)
    counts = np.stack([weights @ (table == digit) for digit in digits], axis=-1)
    shares: Floats = counts / weights.sum()
    return shares


def widened(tallied: NDArray[Any], bits: int) -> NDArray[Any]:
    """Return a tally of the same integers among those of a width that is no smaller: [2^bits]."""
    more = (1 << bits) - len(tallied)
    if more < 0:
        raise ValueError(f"integers of {len(tallied).bit_length() - 1} bits are not of {bits}")
    found: NDArray[Any] = np.pad(tallied, more // 2)
    return found


def nonzero_shares(tallied: NDArray[Any], bits: int, scheme: Scheme) -> Floats:
    """Return the share of digits that are not zero, at each position: [positions].

    Their sum is the mean number of partial products of an integer.
    """
    return 1 - digit_histogram(tallied, bits, scheme)[:, LARGEST_DIGIT]


def _rows(values: Any, bits: int) -> Ints:
    """Return where integers stand among all of their width."""
    every = integers(bits)
    whole = np.asarray(values, np.int64)
    if whole.size and (whole.min() < every[0] or whole.max() > every[-1]):
        raise ValueError(f"not all integers fit {bits} bits: {whole.min()} to {whole.max()}")
    rows: Ints = whole - every[0]
    return rows


@cache
def _table(bits: int, scheme: Scheme) -> Digits:
    """Return the digits of every integer of a width, lowest first: [2^bits, positions]."""
    values = integers(bits)
    positions = len(digit_weights(bits, scheme))
    match scheme:
        case "mbe":
            columns = [_booth(values, i) for i in range(positions)]
        case "twos_complement":
            columns = [values >> i & 1 for i in range(positions)]
        case "sign_magnitude":
            columns = [np.sign(values) * (np.abs(values) >> i & 1) for i in range(positions)]
        case "en_t":
            columns = _remainders(np.abs(values), positions, least=-1, radix=4)
            columns = [np.sign(values) * column for column in columns]
        case "naf":
            columns = _non_adjacent(values, positions)
    table = np.stack(columns, axis=-1).astype(np.int8)
    table.flags.writeable = False
    return table


def _booth(values: Ints, position: int) -> Ints:
    window = values << 1 >> 2 * position
    found: Ints = (window & 1) + (window >> 1 & 1) - 2 * (window >> 2 & 1)
    return found


def _remainders(rest: Ints, positions: int, least: int, radix: int) -> list[Ints]:
    """Return digits from a least one up; taking one from the rest carries where it is negative."""
    columns = []
    for _ in range(positions):
        digit = (rest - least) % radix + least
        columns.append(digit)
        rest = (rest - digit) // radix
    return columns


def _non_adjacent(rest: Ints, positions: int) -> list[Ints]:
    """Return digits that leave an even rest twice wherever one is not zero."""
    columns = []
    for _ in range(positions):
        digit = (rest & 1) * (2 - (rest & 3))
        columns.append(digit)
        rest = (rest - digit) // 2
    return columns
