"""bf16 and fp32 arithmetic against exact rational numbers, rounded by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archsim.formats import bf16

FORMATS = {16: 7, 32: 23}  # bits of a pattern, of its fraction
BF16 = st.integers(0, 0xFFFF)
FP32 = st.integers(0, 0xFFFF_FFFF)
NAN = {16: bf16.BF16_NAN, 32: bf16.FP32_NAN}
ONE, TINY, LARGEST, INFINITY = 0x3F80_0000, 0x0000_0001, 0x7F7F_FFFF, 0x7F80_0000
MINUS = 0x8000_0000


def number(pattern: int, bits: int) -> tuple[int, Fraction | str]:
    """Return the sign bit of a pattern, and its magnitude or what else it is."""
    fraction_bits = FORMATS[bits]
    sign, field = pattern >> bits - 1, pattern >> fraction_bits & 0xFF
    fraction = pattern & (1 << fraction_bits) - 1
    if field == 0xFF:
        return sign, "nan" if fraction else "infinity"
    significand = fraction | (1 << fraction_bits if field else 0)
    return sign, significand * Fraction(2) ** (max(field, 1) - 127 - fraction_bits)


def rounded(sign: int, magnitude: Fraction, bits: int) -> int:
    """Return the pattern nearest to a number, ties to the even one."""
    fraction_bits = FORMATS[bits]
    scale = -126
    while magnitude >= Fraction(2) ** (scale + 1):
        scale += 1
    steps = magnitude / Fraction(2) ** (scale - fraction_bits)
    whole, rest = divmod(steps.numerator, steps.denominator)
    twice = 2 * rest - steps.denominator
    whole += twice > 0 or (twice == 0 and whole % 2)
    pattern = whole + ((scale + 126) << fraction_bits)  # a whole with its leading one counts for 1
    return min(pattern, 0xFF << fraction_bits) | sign << bits - 1


def exact_sum(x: int, y: int) -> int:
    (sign_x, a), (sign_y, b) = number(x, 32), number(y, 32)
    if "nan" in (a, b) or (a == b == "infinity" and sign_x != sign_y):
        return NAN[32]
    if isinstance(a, str) or isinstance(b, str):
        return INFINITY | (sign_x if isinstance(a, str) else sign_y) << 31
    total = (-a if sign_x else a) + (-b if sign_y else b)
    if total == 0:
        return MINUS if sign_x and sign_y else 0
    return rounded(int(total < 0), abs(total), 32)


def exact_product(x: int, y: int) -> int:
    (sign_x, a), (sign_y, b) = number(x, 16), number(y, 16)
    sign = sign_x ^ sign_y
    if "nan" in (a, b) or {a, b} == {Fraction(0), "infinity"}:
        return NAN[32]
    if isinstance(a, str) or isinstance(b, str):
        return INFINITY | sign << 31
    return rounded(sign, a * b, 32)


@st.composite
def near_pairs(draw: st.DrawFn) -> tuple[int, int]:
    """Two fp32 numbers whose exponents are so close that the lower one counts."""
    x = draw(FP32)
    field = min(max((x >> 23 & 0xFF) + draw(st.integers(-26, 26)), 0), 254)
    fraction = draw(st.one_of(st.integers(0, 0x7F_FFFF), st.sampled_from([0, 1, 0x7F_FFFF])))
    return x, draw(st.integers(0, 1)) << 31 | field << 23 | fraction


@given(st.one_of(near_pairs(), st.tuples(FP32, FP32)))
@example((ONE, ONE | MINUS))  # cancels exactly
@example((MINUS, MINUS))
@example((0, MINUS))
@example((ONE, 0x3380_0000))  # half a step: ties to even, down
@example((ONE | 1, 0x3380_0000))  # ... and up
@example((ONE, 0x3380_0001))  # a little more than half
@example((ONE, 0xB300_0000))  # half a step below one, where steps are half as large
@example((LARGEST, 0x7300_0000))  # half a step too much: infinite
@example((LARGEST, 0x72FF_FFFF))
@example((TINY, TINY | MINUS))
@example((0x0080_0000, 0x8000_0001))  # least normal less least subnormal
@example((0x007F_FFFF, TINY))  # subnormals that make a normal number
@example((INFINITY, INFINITY | MINUS))
@example((INFINITY, 0xFF80_0001))
def test_a_sum_is_the_nearest_number(pair: tuple[int, int]) -> None:
    x, y = pair
    assert exact_sum(x, y) == bf16.add(x, y) == bf16.add(y, x)


@given(BF16, BF16)
@example(0x7F80, 0x0000)  # infinity times zero
@example(0x7F80, 0x8001)
@example(0x7F7F, 0x7F7F)  # too large
@example(0x0001, 0x0001)  # too small
@example(0x8001, 0x0001)
@example(0x1A80, 0x1A80)  # 2^-148, a subnormal
@example(0x1A00, 0x1A00)  # 2^-150: ties to even, zero
@example(0x1A01, 0x1A00)  # a little more: the least subnormal
@example(0x007F, 0x3FFF)
def test_a_product_is_the_nearest_number(x: int, y: int) -> None:
    assert exact_product(x, y) == bf16.multiply(x, y)


@given(FP32)
@example(0x3F80_8000)  # halfway, to even below
@example(0x3F81_8000)  # halfway, to even above
@example(0x7F7F_8000)  # to infinity
@example(0x0000_8000)
@example(0x7F80_0001)  # a NaN whose upper half says infinity
def test_bf16_is_the_nearest_to_an_fp32_number(pattern: int) -> None:
    sign, magnitude = number(pattern, 32)
    found = int(bf16.round_to_bf16(bf16.fp32_values(pattern)))
    if magnitude == "nan":
        assert found == bf16.BF16_NAN
    elif magnitude == "infinity":
        assert found == 0x7F80 | sign << 15
    else:
        assert isinstance(magnitude, Fraction)
        assert found == rounded(sign, magnitude, 16)


def test_every_bf16_number_comes_back() -> None:
    every = np.arange(1 << 16)
    back = bf16.round_to_bf16(bf16.bf16_values(every))
    is_nan = np.isnan(bf16.bf16_values(every))
    assert np.array_equal(back[~is_nan], every[~is_nan])
    assert set(back[is_nan].tolist()) == {bf16.BF16_NAN}


def test_there_is_one_nan() -> None:
    nans = np.array([0x7F80_0001, 0xFFC0_0000, 0x7FFF_FFFF], np.int64)
    assert set(bf16.add(nans, 0).tolist()) == {bf16.FP32_NAN}
    assert bf16.add(INFINITY, INFINITY | MINUS) == bf16.FP32_NAN


@pytest.mark.parametrize("depth", [1, 2, 5, 40])
def test_a_product_of_matrices_adds_in_order(depth: int) -> None:
    rng = np.random.default_rng(depth)
    a = rng.integers(0, 1 << 16, (3, depth))
    b = bf16.round_to_bf16(rng.normal(size=(depth, 4)))
    found = bf16.matmul(a, b)
    for i in range(3):
        for j in range(4):
            total = 0
            for t in range(depth):
                total = exact_sum(total, exact_product(int(a[i, t]), int(b[t, j])))
            assert total == found[i, j]


def test_the_order_matters() -> None:
    a = np.array([[0x4B80, 0x3F80, 0xCB80]])  # 2^24, 1, -2^24
    ones = np.full((3, 1), 0x3F80)
    assert bf16.matmul(a, ones) == 0
    assert bf16.matmul(a[:, [0, 2, 1]], ones) == ONE
