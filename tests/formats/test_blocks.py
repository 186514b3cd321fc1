"""Formats of blocks, against their rules spelled out block by block in fractions."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from archsim.formats.blocks import (
    BLOCK_FORMATS,
    MXFP4,
    NVFP4,
    BlockFormat,
    bfp,
    packed_nibbles,
    scale_values,
    unpacked_nibbles,
)

EVERY = [*BLOCK_FORMATS.values(), bfp(3, 16), bfp(7, 32)]
POWERS = [f for f in EVERY if f.scale == "e8m0"]
every = pytest.mark.parametrize("f", EVERY, ids=lambda f: f.name)


def floor_log2(value: Fraction) -> int:
    power = 0
    while value >= Fraction(2) ** (power + 1):
        power += 1
    while value < Fraction(2) ** power:
        power -= 1
    return power


def nearest(value: float, scale: Fraction, f: BlockFormat) -> Fraction:
    """Return the number nearest to a value, by looking at each; ties to the even code."""
    codes = np.arange(1 << f.element.bits - 1)
    numbers = [Fraction(x) * scale for x in f.element.decode(codes) if np.isfinite(x)]
    wanted = abs(Fraction(value))
    gap = min(abs(wanted - x) for x in numbers)
    best = [i for i, x in enumerate(numbers) if abs(wanted - x) == gap]
    found = numbers[min(best, key=lambda i: i % 2)]
    return -found if value < 0 else found


@pytest.mark.parametrize("f", POWERS, ids=lambda f: f.name)
@settings(max_examples=12)
@given(values=arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e6, 1e6, width=32)))
def test_blocks_have_the_largest_ones_exponent(f: BlockFormat, values: np.ndarray) -> None:
    found = f.encode(values)
    got = found.decode()
    for block, first in enumerate(range(0, len(values), f.size)):
        part = values[first : first + f.size]
        largest = max(abs(Fraction(float(x))) for x in part)
        power = floor_log2(largest) - f.element.max_exponent if largest else -127
        power = max(power, -127)
        assert found.scales[block] == power + 127
        for value, one in zip(part, got[first : first + f.size], strict=True):
            assert Fraction(one) == nearest(float(value), Fraction(2) ** power, f)


@given(arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e6, 1e6, width=32)))
def test_nvfp4_has_two_scales(values: np.ndarray) -> None:
    found = NVFP4.encode(values)
    assert found.array_scale.dtype == np.float32
    top = np.float32(np.abs(values.astype(np.float64)).max() / (448 * 6))
    assert found.array_scale == (top if top > 0 else 1)
    whole = float(found.array_scale)
    for block, first in enumerate(range(0, len(values), 16)):
        part = values[first : first + 16].astype(np.float64)
        scale = np.float64(np.abs(part).max() / 6 / whole).astype(ml_dtypes.float8_e4m3fn)
        assert found.scales[block] == min(int(scale.view(np.uint8)), 0x7E)
        scale = scale_values(found.scales[block], "e4m3") * whole
        ours = found.elements()[first : first + 16]
        if scale:
            np.testing.assert_array_equal(ours, NVFP4.element.quantise(part / scale))
        else:
            assert not ours.any()


@every
def test_what_is_in_the_format_stays(f: BlockFormat) -> None:
    """Quantising twice changes nothing, but where NVFP4's scales are found anew."""
    values = np.random.default_rng(1).standard_normal((3, 50)) * 10.0 ** np.arange(-2, 1)[:, None]
    once = f.quantise(values)
    assert once.shape == values.shape
    again = f.quantise(once)
    if f.scale == "e8m0":
        np.testing.assert_array_equal(again, once)
    else:
        np.testing.assert_allclose(again, once, rtol=2**-3)


@every
def test_blocks_do_not_see_each_other(f: BlockFormat) -> None:
    values = np.zeros(3 * f.size)
    values[0], values[f.size + 1], values[-1] = np.nan, np.inf, -1.0
    got = f.quantise(values)
    assert np.isnan(got[: 2 * f.size]).all()
    np.testing.assert_allclose(got[2 * f.size :], values[2 * f.size :], rtol=1e-6)


@every
def test_zeros_stay_zeros_with_their_signs(f: BlockFormat) -> None:
    got = f.quantise([0.0, -0.0, 0.0])
    assert not got.any()
    assert np.signbit(got).tolist() == [False, True, False]


@every
def test_extremes_saturate(f: BlockFormat) -> None:
    huge, tiny = np.float64(np.finfo(np.float32).max), np.float64(np.float32(1e-45))
    assert np.isfinite(f.quantise([huge, -huge, tiny])).all()
    got = f.quantise([huge, -huge])
    assert got[0] == -got[1] > huge / 2
    assert (f.quantise([tiny, -tiny]) >= -tiny).all()


def test_bits_of_an_element_are_those_of_the_standards() -> None:
    assert {f.name: f.bits_per_element for f in EVERY} == {
        "mxfp8_e4m3": 8.25, "mxfp8_e5m2": 8.25, "mxfp6_e3m2": 6.25, "mxfp6_e2m3": 6.25,
        "mxfp4": 4.25, "nvfp4": 4.5, "bfp4": 4.5, "bfp8": 8.25,
    }  # fmt: skip


def test_a_block_by_hand() -> None:
    """Largest 5: exponent 2, which is E2M1's own, so the scale is one."""
    found = MXFP4.encode([5.0, -2.5, 0.25, 0.75, 7.0, 0.0])
    assert found.scales.tolist() == [127]
    assert found.decode().tolist() == [4, -2, 0, 1, 6, 0]
    assert bfp(3).quantise([5.0, -2.5, 0.5, 1.5]).tolist() == [5, -2, 0, 2]


def test_nibbles_come_back() -> None:
    codes = np.arange(16, dtype=np.uint8).reshape(2, 8)
    packed = packed_nibbles(codes)
    assert packed[0].tolist() == [0x10, 0x32, 0x54, 0x76]
    np.testing.assert_array_equal(unpacked_nibbles(packed), codes)


def test_scales_are_those_of_a_peer() -> None:
    codes = np.arange(256, dtype=np.uint8)
    peer = codes.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    np.testing.assert_array_equal(scale_values(codes, "e8m0"), peer)
