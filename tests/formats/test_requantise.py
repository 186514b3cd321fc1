"""Scale and round against exact fractions, and against what ONNX's operators compute."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.formats.requantise import MAX_SHIFT, fixed_point, requantise, wrap


def exactly(
    x: int, bias: int, multiplier: int, shift: int, zero: int, low: int, high: int, bits: int,
    rounding: str,
) -> int:  # fmt: skip
    """Return the result by the definition, in integers without a width."""
    total = (x + bias + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    value = Fraction(total * multiplier, 2**shift)
    rounded = round(value) if rounding == "half_even" else math.floor(value + Fraction(1, 2))
    most = 2 ** (bits - 1) - 1
    return min(max(min(max(rounded, -most - 1), most) + zero, low), high)


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[int, ...], int, int, str]:
    bits, scale_bits = draw(st.sampled_from([(32, 32), (16, 16), (24, 32), (12, 9), (48, 16)]))
    edge = 2 ** (bits - 1)
    value = st.integers(-edge, edge - 1) | st.integers(-9, 9) | st.sampled_from([-edge, edge - 1])
    top = 2 ** (scale_bits - 1)
    multiplier = draw(
        st.integers(-top, top - 1) | st.integers(0, scale_bits - 2).map(lambda i: 2**i)
    )
    numbers = draw(value), draw(value), multiplier, draw(st.integers(0, MAX_SHIFT))
    limits = st.integers(-128, 127) | st.sampled_from([-edge, edge - 1])
    low, high = sorted((draw(limits), draw(limits)))
    zero = draw(st.integers(-128, 127))
    return (
        (*numbers, zero, low, high),
        bits,
        scale_bits,
        draw(st.sampled_from(["half_even", "half_up"])),
    )


@given(cases())
def test_equals_exact_fractions(case: tuple[tuple[int, ...], int, int, str]) -> None:
    (x, bias, multiplier, shift, zero, low, high), bits, scale_bits, rounding = case
    found = requantise(
        x, bias, multiplier, shift, zero_point=zero, low=low, high=high, acc_bits=bits,
        scale_bits=scale_bits, rounding=rounding,
    )  # fmt: skip
    assert int(found) == exactly(x, bias, multiplier, shift, zero, low, high, bits, rounding)


@pytest.mark.parametrize(
    ("rounding", "wanted"),
    [("half_even", [-2, -2, 0, 0, 2, 2]), ("half_up", [-2, -1, 0, 1, 2, 3])],
)
def test_ties(rounding: str, wanted: list[int]) -> None:
    ties = np.array([-5, -3, -1, 1, 3, 5])
    assert wanted == requantise(ties, 0, 1, 1, rounding=rounding).tolist()


@given(st.floats(2**-30, 2**20), st.integers(-(2**31), 2**31 - 1))
def test_a_scale_keeps_31_bits(scale: float, x: int) -> None:
    multiplier, shift = fixed_point(scale)
    assert abs(Fraction(multiplier, 2**shift) / Fraction(scale) - 1) <= Fraction(1, 2**31)
    found = int(requantise(x, 0, multiplier, shift, low=-(2**31), high=2**31 - 1))
    wanted = min(max(round(x * Fraction(scale)), -(2**31)), 2**31 - 1)
    assert abs(found - wanted) <= 1 + abs(wanted) // 2**31


@given(st.floats(2**-20, 8, exclude_min=True), st.integers(-128, 127), st.data())
def test_agrees_with_onnx_requantisation(scale: float, zero: int, data: st.DataObject) -> None:
    """ONNX rounds x times scale, half to even, adds the zero point and saturates."""
    sums = data.draw(st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=20))
    multiplier, shift = fixed_point(scale)
    found = requantise(np.array(sums), 0, multiplier, shift, zero_point=zero)
    products = [Fraction(x) * Fraction(scale) for x in sums]
    for got, product in zip(found.tolist(), products, strict=True):
        # 31 bits of scale decide all but products within 2^-10 of a tie that is not exact
        close = abs(product - math.floor(product) - Fraction(1, 2)) < Fraction(1, 2**10)
        if not close or Fraction(multiplier, 2**shift) == Fraction(scale):
            assert got == min(max(round(product) + zero, -128), 127)


@pytest.mark.parametrize("scale", [math.inf, math.nan, 2.0**31])
def test_scales_that_no_multiplier_holds(scale: float) -> None:
    with pytest.raises(ValueError, match=r"^a scale must be "):
        fixed_point(scale)


def test_scale_of_the_greatest_multiplier_and_of_nothing() -> None:
    assert (0, 0) == fixed_point(0.0)
    assert (2**30, 0) == fixed_point(2.0**30)
    assert (-(2**30), 30) == fixed_point(-1.0)
    assert (2**30, 30) == fixed_point(math.nextafter(1.0, 0.0))  # rounds up to the next power


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 64))
def test_wrap_keeps_the_low_bits(value: int, bits: int) -> None:
    kept = int(wrap(np.array(value), bits))
    assert (kept - value) % 2**bits == 0
    assert -(2 ** (bits - 1)) <= kept < 2 ** (bits - 1)
