"""Every pattern and every rounding of small formats, against ml_dtypes, torch and fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.formats.minifloat import (
    BF16,
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    FORMATS,
    FP16,
    FP32,
    TF32,
    MiniFloat,
    rounded,
    truncated,
)

PEERS = {
    E4M3: ml_dtypes.float8_e4m3fn, E5M2: ml_dtypes.float8_e5m2,
    E3M2: ml_dtypes.float6_e3m2fn, E2M3: ml_dtypes.float6_e2m3fn, E2M1: ml_dtypes.float4_e2m1fn,
    FP16: np.float16, BF16: ml_dtypes.bfloat16,
}  # fmt: skip
SMALL = [f for f in PEERS if f.bits <= 8]
named = pytest.mark.parametrize("f", PEERS, ids=lambda f: f.name)
small = pytest.mark.parametrize("f", SMALL, ids=lambda f: f.name)


def patterns(f: MiniFloat) -> Any:
    return np.arange(1 << f.bits)


def stored(f: MiniFloat) -> Any:
    return np.uint16 if f.bits == 16 else np.uint8


def midpoints(f: MiniFloat) -> Any:
    """Return every number of a format, what lies halfway, and the fp32 numbers beside that."""
    values = np.unique(f.decode(patterns(f))).astype(np.float32)
    values = values[np.isfinite(values)]
    half = (values[1:] + values[:-1]) / 2
    beside = [np.nextafter(half, np.float32(end)) for end in (np.inf, -np.inf)]
    return np.concatenate([values, half, *beside])


@named
def test_every_pattern_stands_for_what_its_peer_says(f: MiniFloat) -> None:
    with np.errstate(invalid="ignore"):
        peer = patterns(f).astype(stored(f)).view(PEERS[f]).astype(np.float64)
    ours = f.decode(patterns(f))
    np.testing.assert_array_equal(ours, peer)
    numbers = ~np.isnan(peer)
    assert (np.signbit(ours) == np.signbit(peer))[numbers].all()
    assert ours[np.isfinite(ours)].max() == f.largest
    assert ours[ours > 0].min() == f.smallest


@named
def test_every_number_is_its_own_rounding(f: MiniFloat) -> None:
    values = f.decode(patterns(f))
    kept = f.encode(values, saturate=f.specials == "none")
    numbers = ~np.isnan(values)
    np.testing.assert_array_equal(kept[numbers], patterns(f)[numbers])
    if f.specials != "none":
        assert np.isnan(f.decode(kept[~numbers])).all()


@small
def test_numbers_between_round_as_a_peer_rounds_them(f: MiniFloat) -> None:
    """Ties and their neighbours, all of them fp32 numbers: peers go by way of fp32."""
    values = midpoints(f)
    peer = values.astype(PEERS[f]).view(np.uint8)
    np.testing.assert_array_equal(f.encode(values), peer)


@small
@given(data=st.data())
def test_any_number_rounds_as_a_peer_rounds_it(f: MiniFloat, data: Any) -> None:
    value = data.draw(st.floats(-f.largest, f.largest, width=32))
    assert f.encode(value) == np.float32(value).astype(PEERS[f]).view(np.uint8)
    assert f.quantise(value) == f.decode(f.encode(value))


def test_what_is_too_large_saturates() -> None:
    for f in FORMATS.values():
        values = [f.largest * 1.5, np.inf, -f.largest * 8, -np.inf]
        expected = np.array([1, 1, -1, -1]) * f.largest
        np.testing.assert_array_equal(f.quantise(values), expected)
        np.testing.assert_array_equal(f.decode(f.encode(values)), expected)


@pytest.mark.parametrize("f", [E4M3, E5M2, FP16, BF16], ids=lambda f: f.name)
def test_or_does_as_its_peer_where_it_shall_not(f: MiniFloat) -> None:
    top = f.largest
    step = top - f.decode(f.encode(top) - 1)
    beyond = np.float32(top + step / 2)
    beside = [np.nextafter(beyond, np.float32(end)) for end in (0, np.inf)]
    edges = [top, beyond, *beside, np.inf]
    values = np.array([*edges, *[-x for x in edges], np.nan], np.float32)
    with np.errstate(over="ignore"):
        peer = values.astype(PEERS[f]).astype(np.float64)
    np.testing.assert_array_equal(f.quantise(values, saturate=False), peer)
    np.testing.assert_array_equal(f.decode(f.encode(values, saturate=False)), peer)


def test_no_rounding_goes_out_of_a_format_without_infinity() -> None:
    with pytest.raises(ValueError, match=r"^e2m1 has no pattern for what is too large$"):
        E2M1.encode([1.0], saturate=False)


def test_nan_stays_one_where_there_is_one() -> None:
    assert [E4M3.encode(np.nan), E5M2.encode(-np.nan)] == [0x7F, 0x7E]
    assert [FP16.encode(np.nan), BF16.encode(np.nan)] == [0x7E00, 0x7FC0]
    assert [E2M1.quantise(np.nan), E2M3.quantise(np.nan), E3M2.quantise(np.nan)] == [6, 7.5, 28]
    assert [E2M1.encode(np.nan), E2M3.encode(np.nan), E3M2.encode(np.nan)] == [7, 31, 31]


def test_zeros_keep_their_signs() -> None:
    for f in FORMATS.values():
        assert f.encode([0.0, -0.0]).tolist() == [0, 1 << f.bits - 1]
        assert np.signbit(f.quantise([-0.0, -f.smallest / 2, f.smallest / 2])).tolist() == [
            True, True, False,
        ]  # fmt: skip


def test_ranges_are_those_of_the_standards() -> None:
    assert {f.name: (f.largest, f.smallest) for f in SMALL} == {
        "e4m3": (448, 2**-9), "e5m2": (57344, 2**-16), "e3m2": (28, 2**-4),
        "e2m3": (7.5, 2**-3), "e2m1": (6, 0.5),
    }  # fmt: skip
    assert [f.max_exponent for f in SMALL] == [8, 15, 4, 2, 2]


def test_torch_agrees_on_every_pattern_and_on_rounding() -> None:
    import torch

    peers = {E4M3: torch.float8_e4m3fn, E5M2: torch.float8_e5m2}
    for f, dtype in peers.items():
        every = torch.arange(256, dtype=torch.uint8).view(dtype).to(torch.float32).numpy()
        np.testing.assert_array_equal(f.decode(patterns(f)), every)
        values = midpoints(f)
        values = values[np.abs(values) <= f.largest]
        theirs = torch.from_numpy(values).to(dtype).view(torch.uint8).numpy()
        np.testing.assert_array_equal(f.encode(values), theirs)


def test_tf32_and_fp32_lie_in_fp32() -> None:
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    np.testing.assert_array_equal(FP32.encode(values), values.view(np.uint32))
    np.testing.assert_array_equal(FP32.decode(values.view(np.uint32)), values)
    kept = TF32.quantise(values).astype(np.float32).view(np.uint32)
    assert not (kept & (1 << 13) - 1).any()
    assert TF32.bits == 19


@given(st.floats(-1e30, 1e30), st.integers(0, 30), st.integers(-40, 40))
def test_steps_are_those_of_rational_numbers(value: float, bits: int, least: int) -> None:
    exact = Fraction(value)
    exponent = least
    while abs(exact) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    step = Fraction(2) ** (exponent - bits)
    near, toward_zero = round(exact / step) * step, int(exact / step) * step
    assert rounded(np.float64(value), bits, least) == near
    assert truncated(np.float64(value), bits, least) == toward_zero
