"""Products of bipolar integers by counting bits, against products of the integers."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.formats import bipolar

WIDTHS = range(1, 9)


@pytest.mark.parametrize("bits", WIDTHS)
def test_codes_stand_for_odd_integers_one_to_one(bits: int) -> None:
    codes = np.arange(1 << bits)
    values = bipolar.to_values(codes, bits)
    top = (1 << bits) - 1
    assert values.tolist() == list(range(-top, top + 1, 2))
    np.testing.assert_array_equal(bipolar.to_codes(values, bits), codes)
    weights = 1 << np.arange(bits)
    signs = 2 * bipolar.planes(codes, bits).astype(np.int64) - 1
    np.testing.assert_array_equal(weights @ signs, values)


@pytest.mark.parametrize("bits", WIDTHS)
def test_every_twos_complement_integer_has_its_odd_one(bits: int) -> None:
    signed = np.arange(-(1 << bits - 1), 1 << bits - 1)
    codes = bipolar.to_codes(2 * signed + 1, bits)
    np.testing.assert_array_equal(codes, signed + (1 << bits - 1))


def test_what_is_no_bipolar_integer_is_refused() -> None:
    message = r"^bipolar integers of 2 bits are odd and at most 3 from zero$"
    for value in (0, 2, 5, -5):
        with pytest.raises(ValueError, match=message):
            bipolar.to_codes([1, value], 2)


def test_numbers_round_to_the_nearest_odd_integer() -> None:
    values = [-99, -3.0, -2.1, -1.9, 0.1, -0.1, 1.4, 2.6, 99, np.inf, -np.inf]
    got = bipolar.to_values(bipolar.quantise(values, 2), 2)
    assert got.tolist() == [-3, -3, -3, -1, 1, -1, 1, 3, 3, 3, -3]
    assert bipolar.quantise([-2, 0, 2], 2).tolist() == [0, 2, 2]  # ties: to even codes
    assert bipolar.to_values(bipolar.quantise([0.26, -0.8], 3, 0.1), 3).tolist() == [3, -7]


@st.composite
def problems(draw: Any) -> tuple[Any, Any, int, int]:
    p, q = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    m, n, k = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 70))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    w, x = rng.integers(0, 1 << p, (m, k)), rng.integers(0, 1 << q, (n, k))
    if draw(st.booleans()):  # all at the ends of the range
        w, x = np.where(w & 1, (1 << p) - 1, 0), np.where(x & 1, (1 << q) - 1, 0)
    return w, x, p, q


@pytest.mark.parametrize("counted", ["xor", "and"])
@given(problem=problems())
def test_counting_bits_multiplies(
    counted: Literal["xor", "and"], problem: tuple[Any, Any, int, int]
) -> None:
    w, x, p, q = problem
    exact = bipolar.to_values(w, p) @ bipolar.to_values(x, q).T
    words = bipolar.packed_planes(w, p), bipolar.packed_planes(x, q)
    np.testing.assert_array_equal(bipolar.matmul(*words, w.shape[1], counted), exact)


@given(problems())
def test_twos_complement_products_follow(problem: tuple[Any, Any, int, int]) -> None:
    """W_s X = (W_v X - the rows' sum of X) / 2, for v = 2 s + 1."""
    w, x, p, q = problem
    signed, other = w - (1 << p - 1), bipolar.to_values(x, q)
    through = bipolar.to_values(w, p) @ other.T - other.sum(axis=1)
    np.testing.assert_array_equal(signed @ other.T, through // 2)


def test_bits_lie_in_words_lowest_first() -> None:
    bits = np.zeros(40, np.uint8)
    bits[[0, 5, 31, 32]] = 1
    assert bipolar.packed(bits).tolist() == [1 | 1 << 5 | 1 << 31, 1]
    assert bipolar.packed_planes([[2, 1, 3]], 2).tolist() == [[[0b110]], [[0b101]]]
