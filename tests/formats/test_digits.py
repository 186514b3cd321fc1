"""Signed digits: what they stand for, their alphabets, and how many of them are not zero."""

from __future__ import annotations

import re
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.formats.digits import (
    SCHEMES,
    Scheme,
    decode,
    digit_histogram,
    digit_weights,
    encode,
    integers,
    nonzero_digits,
    nonzero_shares,
    rounded_normal,
    tally,
    widened,
)

EVERY_BYTE = integers(8)
UNIFORM = np.ones(256)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8, 12, 16])
def test_digits_stand_for_every_integer(scheme: Scheme, bits: int) -> None:
    values = integers(bits)
    digits = encode(values, bits, scheme)
    assert digits.shape == (len(values), len(digit_weights(bits, scheme)))
    assert np.array_equal(decode(digits, bits, scheme), values)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_random_integers_come_back(scheme: Scheme, data: st.DataObject) -> None:
    bits = data.draw(st.sampled_from([4, 12, 16]))
    edge = 1 << bits - 1
    values = data.draw(st.lists(st.integers(-edge, edge - 1), max_size=6))
    digits = encode(np.reshape(values, (-1, 1)), bits, scheme)
    assert decode(digits, bits, scheme).ravel().tolist() == values
    assert nonzero_digits(values, bits, scheme).tolist() == [sum(d[0] != 0) for d in digits]


def by_the_rule_of_booth(value: int, bits: int) -> list[int]:
    text = [0, *(value >> i & 1 for i in range(bits + bits % 2))]  # arithmetic: sign repeats
    return [text[i] + text[i + 1] - 2 * text[i + 2] for i in range(0, len(text) - 2, 2)]


def by_the_carries_of_en_t(value: int, bits: int) -> list[int]:
    digits, carry = [], 0
    for i in range(0, bits, 2):
        part = abs(value) >> i & 3
        code = (part + carry) % 4
        carry = part == 3 or (part == 2 and carry)
        digits.append((-1 if code == 3 else code) * (-1 if value < 0 else 1))
    assert not carry
    return digits


@pytest.mark.parametrize("bits", [4, 7, 8])
def test_digits_follow_the_rules_bit_by_bit(bits: int) -> None:
    for value in integers(bits).tolist():
        assert encode(value, bits, "mbe").tolist() == by_the_rule_of_booth(value, bits)
        assert encode(value, bits, "en_t").tolist() == by_the_carries_of_en_t(value, bits)
        plain = [value >> i & 1 for i in range(bits)]
        assert encode(value, bits, "twos_complement").tolist() == plain
        magnitude = [(abs(value) >> i & 1) * (-1 if value < 0 else 1) for i in range(bits)]
        assert encode(value, bits, "sign_magnitude").tolist() == magnitude


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_naf_has_no_neighbours(bits: int) -> None:
    digits = encode(integers(bits), bits, "naf")
    assert set(np.unique(digits)) == {-1, 0, 1}
    assert not (digits[:, 1:] * digits[:, :-1]).any()


@pytest.mark.parametrize(
    ("value", "digits"),  # highest first, as published
    [
        (91, [1, 2, -1, -1]), (124, [2, 0, -1, 0]), (114, [2, -1, 0, 2]), (15, [0, 1, 0, -1]),
        (39, [0, 2, 2, -1]), (48, [1, -1, 0, 0]), (60, [1, 0, -1, 0]), (79, [1, 1, 0, -1]),
        (-128, [-2, 0, 0, 0]), (-91, [-1, -2, 1, 1]),
    ],
)  # fmt: skip
def test_published_digits(value: int, digits: list[int]) -> None:
    assert encode(value, 8, "en_t")[::-1].tolist() == digits


@pytest.mark.parametrize(
    ("scheme", "counts"),
    [
        ("mbe", [1, 12, 54, 108, 81]),
        ("en_t", [1, 15, 60, 108, 72]),
        ("naf", [1, 15, 72, 120, 48]),
        ("twos_complement", [comb(8, n) for n in range(9)]),
    ],
)
def test_bytes_by_their_partial_products(scheme: Scheme, counts: list[int]) -> None:
    assert np.bincount(nonzero_digits(EVERY_BYTE, 8, scheme)).tolist() == counts


def test_mean_of_uniform_bytes() -> None:
    means = {s: round(float(nonzero_shares(UNIFORM, 8, s).sum()), 3) for s in SCHEMES}
    assert means == {
        "mbe": 3.0, "en_t": 2.918, "naf": 2.777, "twos_complement": 4.0, "sign_magnitude": 3.504,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sigma", "en_t", "mbe", "plain", "signed", "shares"),
    [
        (10, 1.762, 1.925, 3.931, 1.890, [0.750, 0.718, 0.294, 0.000]),
        (20, 2.115, 2.294, 3.976, 2.344, [0.750, 0.735, 0.596, 0.034]),
        (25, 2.235, 2.429, 3.983, 2.495, [0.750, 0.738, 0.658, 0.089]),
        (30, 2.335, 2.530, 3.988, 2.619, [0.750, 0.740, 0.688, 0.157]),
        (40, 2.490, 2.673, 3.993, 2.815, [0.750, 0.743, 0.711, 0.287]),
        (50, 2.604, 2.769, 3.996, 2.968, [0.750, 0.744, 0.721, 0.389]),
    ],
)
def test_exact_expectation_of_rounded_normal_bytes(
    sigma: float, en_t: float, mbe: float, plain: float, signed: float, shares: list[float]
) -> None:
    share = rounded_normal(sigma, 8)
    assert share.sum() == pytest.approx(1)
    wanted: dict[Scheme, float] = {
        "en_t": en_t, "mbe": mbe, "twos_complement": plain, "sign_magnitude": signed,
    }  # fmt: skip
    for scheme, mean in wanted.items():
        assert nonzero_shares(share, 8, scheme).sum() == pytest.approx(mean, abs=6e-4)
    assert nonzero_shares(share, 8, "en_t") == pytest.approx(shares, abs=6e-4)


def test_expectation_at_sigma_25() -> None:
    share = rounded_normal(25, 8)
    assert nonzero_shares(share, 8, "mbe").sum() == pytest.approx(2.429, rel=1e-3)
    assert nonzero_shares(share, 8, "en_t").sum() == pytest.approx(2.235, rel=1e-3)


def test_normal_numbers_are_counted_as_expected() -> None:
    drawn = np.rint(np.random.default_rng(3).normal(0, 70, 400_000))
    kept = tally(drawn[(drawn >= -128) & (drawn <= 127)].astype(np.int64), 8)
    for scheme in SCHEMES:
        assert nonzero_shares(kept, 8, scheme) == pytest.approx(
            nonzero_shares(rounded_normal(70, 8), 8, scheme), abs=4e-3
        )


def test_mean_of_quantised_normal_matrices() -> None:
    """Max-abs quantisation: the scale is the largest magnitude's, over 127."""
    means = []
    for seed in range(40):
        drawn = np.random.default_rng(seed).standard_normal((1024, 1024), np.float32)
        quantised = np.rint(drawn * (127 / np.abs(drawn).max())).astype(np.int64)
        counts = tally(quantised, 8)
        means.append([nonzero_shares(counts, 8, scheme).sum() for scheme in ("mbe", "en_t")])
    assert np.mean(means, axis=0) == pytest.approx([2.44, 2.25], rel=0.01)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_histograms_count_every_digit(scheme: Scheme) -> None:
    values = np.random.default_rng(1).integers(-128, 128, 500)
    digits = encode(values, 8, scheme)
    found = digit_histogram(tally(values, 8), 8, scheme)
    counted = np.stack([(digits == digit).mean(axis=0) for digit in range(-2, 3)], axis=-1)
    assert found == pytest.approx(counted)
    assert nonzero_shares(tally(values, 8), 8, scheme) == pytest.approx((digits != 0).mean(axis=0))
    assert nonzero_digits(values, 8, scheme).mean() == pytest.approx((digits != 0).sum() / 500)


@given(st.lists(st.integers(-8, 7), min_size=1))
def test_a_widened_tally_counts_the_same_integers(values: list[int]) -> None:
    for bits in (4, 8, 9):
        np.testing.assert_array_equal(widened(tally(values, 4), bits), tally(values, bits))
    with pytest.raises(ValueError, match="integers of 4 bits are not of 3"):
        widened(tally(values, 4), 3)


def test_what_is_no_integer_of_a_width_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("not all integers fit 8 bits: -3 to 128")):
        encode([-3, 128], 8, "mbe")
    with pytest.raises(ValueError, match="not all integers fit 4 bits: -9 to 0"):
        tally([-9, 0], 4)
    with pytest.raises(ValueError, match="2 to 16 bits, not 17"):
        integers(17)
    with pytest.raises(ValueError, match="above zero, not 0"):
        rounded_normal(0, 8)
    for tallied in (np.zeros(256), np.ones(16)):
        with pytest.raises(ValueError, match="expected counts of 256 integers, some above zero"):
            digit_histogram(tallied, 8, "mbe")
    assert encode(np.zeros((0, 3), np.int64), 8, "naf").shape == (0, 3, 8)
