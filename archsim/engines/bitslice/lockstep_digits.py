"""How long lockstep arrays work on a beat: from operands' values, or from shares of their digits.

**laconic.** Element (i, s) of the encoded operand's beat, s the slice, has ``x[i, s]`` terms and
element (j, s) of the other's ``y[j, s]``. All pairs of PEs take all pairs of terms of a slice by
turns, the longest list of one operand against the longest of the other: a beat takes
``max over s of (max over i of x) (max over j of y)`` cycles.

**bitlet.** PE row i takes one set bit of each significance w a cycle, so a beat takes the
``max over i and w`` of how many of the group's elements have bit w set.

A beat takes one cycle at least.

**Without values** digits are taken as independent: those of different integers, and those of one,
but that no neighbours in ``naf`` are both other than zero. The mean over all beats is then
arithmetic on the shares of digits that are not zero. It is an expectation and no bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Floats, Ints
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.formats.digits import (
    digit_weights,
    encode,
    integers,
    nonzero_digits,
    nonzero_shares,
    rounded_normal,
)

ASSUMED_SIGMA = 25.0  # of 8-bit integers, where nothing is known of an operand


def beat_cycles(spec: BitsliceSpec, a: Ints, b: Ints) -> Ints:
    """Return how long each beat of a job takes: [folds, beats].

    Parameters
    ----------
    a, b
        Operands [m, k] and [k, n]. Of bitlet only the encoded one is read.
    """
    encoded, other = (a, b.T) if spec.encoded == "a" else (b.T, a)  # [lanes, k]
    if spec.pe == "bitlet":
        digits = encode(encoded, spec.encoded_bits, spec.encoding)
        columns = np.moveaxis(digits, -1, 0) != 0  # [weights, lanes, k]
        fullest = [np.count_nonzero(_grouped(bits, spec.group), axis=2) for bits in columns]
        by_row = _tallest(np.max(fullest, axis=0), spec.cols)
        across = -(-len(other) // spec.rows)
        return np.maximum(1, np.repeat(by_row, across, axis=0))
    longest = [
        _tallest(nonzero_digits(operand, bits, spec.encoding), lanes)
        for operand, bits, lanes in (
            (encoded, spec.encoded_bits, spec.cols), (other, spec.other_bits, spec.rows),
        )
    ]  # fmt: skip
    x, y = (_grouped(terms, spec.group) for terms in longest)  # [folds that way, beats, group]
    found = np.ones((len(x), len(y), x.shape[1]), np.int64)
    for s in range(spec.group):
        np.maximum(found, x[:, None, :, s] * y[None, :, :, s], out=found)
    return found.reshape(-1, x.shape[1])


def _grouped(values: Any, group: int) -> Any:
    """Return [lanes, k] as [lanes, beats, group], with zeros at the end."""
    lanes, k = values.shape
    beats = -(-k // group)
    whole = np.zeros((lanes, beats * group), values.dtype)
    whole[:, :k] = values
    return whole.reshape(lanes, beats, group)


def _tallest(values: Ints, lanes: int) -> Ints:
    """Return the greatest value among each fold's lanes: [folds, ...]."""
    starts = np.arange(0, len(values), lanes)
    found: Ints = np.maximum.reduceat(values, starts, axis=0)
    return found


# ------------------------------------------------------------------------------- without values


def told(spec: BitsliceSpec, tallies: Mapping[str, NDArray[Any]]) -> Floats:
    """Return the row of `BitsliceJobs.nonzero` that tallies by port, as far as there are, tell."""
    widths = {"a": spec.a_bits, "b": spec.b_bits}
    found = []
    for port in reads_values(spec):
        if port in tallies:
            found.append(nonzero_shares(tallies[port], widths[port], spec.encoding))
        else:
            found.append(np.full(len(digit_weights(widths[port], spec.encoding)), np.nan))
    return np.concatenate(found)


def reads_values(spec: BitsliceSpec) -> tuple[str, ...]:
    """Return the ports whose values time depends on."""
    return ("a", "b") if spec.pe == "laconic" else (spec.encoded,)


def shares(spec: BitsliceSpec, nonzero: Floats) -> list[Floats]:
    """Return shares of digits that are not zero, of the encoded operand and, if read, the other.

    Parameters
    ----------
    nonzero
        A row of `BitsliceJobs.nonzero`, which has A before B. What is not known in it is as of
        rounded normal numbers.
    """
    assumed = _assumed(spec)
    in_order = assumed[:: 1 if spec.encoded == "a" else -1]  # A before B
    ends = np.cumsum([len(operand) for operand in in_order])
    told = np.split(nonzero[: ends[-1]], ends[:-1])[:: 1 if spec.encoded == "a" else -1]
    return [np.where(np.isnan(t), s, t) for t, s in zip(told, assumed, strict=True)]


@cache
def _assumed(spec: BitsliceSpec) -> list[Floats]:
    widths = [spec.encoded_bits, spec.other_bits][: 2 if spec.pe == "laconic" else 1]
    return [nonzero_shares(_assumed_tally(bits), bits, spec.encoding) for bits in widths]


def _assumed_tally(bits: int) -> Floats:
    return rounded_normal(ASSUMED_SIGMA * 2.0 ** (bits - 8), bits)


def longest_beat(spec: BitsliceSpec) -> int:
    """Return the most cycles that a beat can take."""
    if spec.pe == "bitlet":
        return spec.group
    most, others = most_terms(spec)
    return most * others


@cache
def most_terms(spec: BitsliceSpec) -> list[int]:
    """Return the most terms of an element of the encoded operand, and of the other."""
    widths = (spec.encoded_bits, spec.other_bits)
    return [int(nonzero_digits(integers(b), b, spec.encoding).max()) for b in widths]


def mean_beats(
    spec: BitsliceSpec, shares: list[Floats], lanes: Ints, others: Ints, group: Ints
) -> Floats:
    """Return how long beats take on average: [n].

    Parameters
    ----------
    shares
        Of digits that are not zero, as `shares` returns them.
    lanes, others, group
        Elements of the encoded operand's slices that are not beyond an edge, of the other's, and
        slices: [n].
    """
    at_most = (_interleaved if spec.pe == "bitlet" else _paired)(spec, shares, lanes, others, group)
    found: Floats = 1 + (1 - at_most).sum(axis=1)
    return found


def _interleaved(
    spec: BitsliceSpec, shares: list[Floats], lanes: Ints, others: Ints, group: Ints
) -> Floats:
    """Return the probability that no row or significance has more than 1, 2 ... bits: [n, ...]."""
    sizes, of_size = np.unique(group, return_inverse=True)
    in_a_row = np.ones((len(sizes), spec.group))
    for size, row in zip(sizes.tolist(), in_a_row, strict=True):
        of_weights = [_below(np.full(size, share))[1:] for share in shares[0]]
        row[:size] = np.prod(of_weights, axis=0)
    found: Floats = in_a_row[of_size.reshape(-1)] ** lanes[:, None]
    return found


def _paired(
    spec: BitsliceSpec, shares: list[Floats], lanes: Ints, others: Ints, group: Ints
) -> Floats:
    """Return the probability that no slice takes more than 1, 2 ... cycles: [n, ...]."""
    x, y = (
        _below(share, most, adjacent=spec.encoding != "naf") ** count[:, None]
        for share, most, count in zip(shares, most_terms(spec), (lanes, others), strict=True)
    )
    limits = np.arange(1, longest_beat(spec))
    at_most = np.repeat(x[:, :1], len(limits), axis=1)  # no terms, no cycles
    for terms in range(1, x.shape[1]):
        share = x[:, terms] - x[:, terms - 1]
        at_most += share[:, None] * y[:, np.minimum(limits // terms, y.shape[1] - 1)]
    found: Floats = at_most ** group[:, None]
    return found


def _below(shares: Floats, most: int | None = None, *, adjacent: bool = True) -> Floats:
    """Return the probability of at most n digits that are not zero, for n from 0 on.

    Parameters
    ----------
    most
        Digits that are not zero at most.
    adjacent
        Whether neighbours may both be other than zero. If not, a position's digit depends on
        the one below, and no further.
    """
    after_zero, after_other = np.ones(1), np.zeros(1)  # probability of n, by the last digit
    below = 0.0
    for share in shares:
        other = share if adjacent or not share else min(1, share / (1 - below))
        free = after_zero + after_other * adjacent
        after_zero, after_other = (
            np.append(after_zero + after_other - free * other, 0),
            np.append(0, free * other),
        )
        below = share
    share_of = (after_zero + after_other)[: None if most is None else most + 1]
    found: Floats = np.cumsum(share_of) / share_of.sum()
    return found
