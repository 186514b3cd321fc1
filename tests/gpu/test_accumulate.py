"""Sums of tensor cores, against the same rules in rational numbers, one output at a time."""

from __future__ import annotations

import re
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.formats.blocks import BLOCK_FORMATS, Blocks
from archsim.formats.minifloat import BF16, E4M3, E5M2, FORMATS, FP16, FP32, TF32, MiniFloat
from archsim.gpu.accumulate import (
    RULES,
    Rule,
    block_matmul,
    matmul,
    rule,
    tensor_core_matmul,
)

PLAIN = [key for key in RULES if key[1] in FORMATS]
SCALED = [key for key in RULES if key[1] in BLOCK_FORMATS]
KEPT = {"fp32": (23, -126, 128), "e8m13": (13, -126, 128), "fp16": (10, -14, 16)}


def power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def exponent_of(value: Fraction, least: int) -> int:
    if value == 0:
        return -126
    found = value.numerator.bit_length() - value.denominator.bit_length()
    return max(found - (abs(value) < power(found)), least)


def cut(value: Fraction, step: Fraction) -> Fraction:
    return int(value / step) * step


def kept(value: Fraction, how: Rule) -> Fraction:
    bits, least, top = KEPT[how.output]
    step = power(max(exponent_of(value, least), least) - bits)
    near = round(value / step) * step if how.output == "fp16" else cut(value, step)
    assert abs(near) < power(top), "slow sums are of numbers that stay in range"
    return near


def slow_step(terms: list[tuple[Fraction, int]], c: Fraction, how: Rule) -> Fraction:
    """Return c plus terms, each a value and its exponent."""
    largest = max([e for _, e in terms] + [exponent_of(c, KEPT[how.output][1])])
    step = power(largest - how.fraction_bits)
    return kept(sum((cut(value, step) for value, _ in terms), cut(c, step)), how)


def slow(a: Any, b: Any, least: int, c: float, how: Rule) -> Fraction:
    """Return one output from a row, a column and what the sum starts from."""
    total = Fraction(float(c))
    pairs = [(Fraction(float(x)), Fraction(float(y))) for x, y in zip(a, b, strict=True)]
    for first in range(0, len(pairs), how.step):
        terms = [
            (x * y, exponent_of(x, least) + exponent_of(y, least))
            for x, y in pairs[first : first + how.step]
        ]
        total = slow_step(terms, total, how)
    return total


def dot(pairs: Any, f: MiniFloat, how: Rule, c: float = 0.0) -> float:
    """Return one output of our own from pairs of numbers, all of which the formats have."""
    a, b = (np.array(side, np.float64) for side in zip(*pairs, strict=True))
    if f is not TF32:
        for side in (a, b):
            np.testing.assert_array_equal(f.quantise(side), side)
    start = np.array([[c]])
    with np.errstate(over="ignore"):
        return float(matmul(a[None], b[:, None], f, how, c=start)[0, 0])


def numbers(f: MiniFloat, rng: Any, shape: tuple[int, ...], spread: int) -> Any:
    """Return numbers of a format: all sizes, zeros, and subnormal ones."""
    sizes = 2.0 ** rng.integers(-spread, spread + 1, shape)
    values = f.quantise(rng.standard_normal(shape) * sizes)
    tiny = f.smallest * rng.integers(0, 4, shape)
    return np.where(rng.random(shape) < 0.1, tiny if f.bits <= 16 else 0.0, values)


@pytest.mark.parametrize("key", PLAIN, ids="-".join)
@pytest.mark.parametrize("output", ["fp32", "fp16"])
@settings(max_examples=4)
@given(seed=st.integers(0, 1 << 30))
def test_every_rule_is_that_of_rational_numbers(key: Any, output: Any, seed: int) -> None:
    f, how = FORMATS[key[1]], rule(*key, output)
    rng = np.random.default_rng(seed)
    m, n, k = rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 2 * how.step + 2)
    spread = 3 if output == "fp16" else 12
    a, b = numbers(f, rng, (m, k), spread), numbers(f, rng, (k, n), spread)
    start = (FP16 if output == "fp16" else FP32).quantise(rng.standard_normal((m, n)))
    got = matmul(a, b, f, how, c=start)
    for i, j in np.ndindex(got.shape):
        assert Fraction(float(got[i, j])) == slow(a[i], b[:, j], f.min_exponent, start[i, j], how)


@pytest.mark.parametrize("key", SCALED, ids="-".join)
@settings(max_examples=4)
@given(seed=st.integers(0, 1 << 30))
def test_and_under_block_scales(key: Any, seed: int) -> None:
    f, how = BLOCK_FORMATS[key[1]], rule(*key)
    rng = np.random.default_rng(seed)
    n, k = rng.integers(1, 3), rng.integers(1, 150)
    a, b = (
        f.encode(rng.standard_normal((n, k)) * 2.0 ** rng.integers(-9, 9, (n, 1))) for _ in "ab"
    )
    got = block_matmul(a, b, how)
    for i, j in np.ndindex(got.shape):
        exact = slow_scaled(a, b, i, j, how)
        alpha = a.array_scale * b.array_scale
        assert got[i, j] == (np.float32(float(exact)) * alpha)


def slow_scaled(a: Blocks, b: Blocks, i: int, j: int, how: Rule) -> Fraction:
    """Return one output of block-scaled operands, but for the scales of whole arrays."""
    f, k = a.format, a.codes.shape[1]

    def at(x: Blocks, row: int, p: int) -> tuple[Fraction, Fraction, int]:
        element = Fraction(float(f.element.decode(x.codes[row, p])))
        code = int(x.scales[row, p // f.size])
        if f.scale == "e8m0":
            return element, power(code - 127), code - 127
        scale = Fraction(float(E4M3.decode(code)))
        return element, scale, exponent_of(scale, -6)

    total = Fraction(0)
    for first in range(0, k, how.step):
        terms: list[tuple[Fraction, int]] = []
        for group in range(first, min(k, first + how.step), how.exact):
            value, exponent = Fraction(0), 0
            for p in range(group, min(k, group + how.exact)):
                (x, s, e), (y, t, g) = at(a, i, p), at(b, j, p)
                value, exponent = value + x * y * s * t, e + g
                if how.exact == 1:
                    least = f.element.min_exponent
                    exponent += exponent_of(x, least) + exponent_of(y, least)
            terms.append((value, exponent))
        total = slow_step(terms, total, how)
    return total


AMPERE, HOPPER = rule("ampere", "fp16"), rule("hopper", "fp16")
EPS = 2.0**-23


def test_terms_are_cut_not_rounded() -> None:
    """Two terms of 1.5 steps: cut they make one unit of fp32, rounded they would make two."""
    pairs = [(2.0**-12 * 1.5, 2.0**-12)] * 2
    assert dot(pairs, FP16, AMPERE, 1.0) == 1 + EPS
    assert dot([(-x, y) for x, y in pairs], FP16, AMPERE, -1.0) == -1 - EPS, "toward zero"


def test_sums_are_cut_not_rounded() -> None:
    """Three quarters of a unit in the last place go."""
    pairs = [(2.0**-12, 2.0**-12), (2.0**-12, 2.0**-13)]
    assert dot(pairs, FP16, HOPPER, 1.0) == 1.0
    assert dot([(-x, y) for x, y in pairs], FP16, HOPPER, -1.0) == -1.0, "toward zero"


def test_hopper_has_one_bit_more_than_ampere() -> None:
    pairs = [(2.0**-12, 2.0**-13)] * 4
    assert dot(pairs, FP16, HOPPER, 1.0) == 1 + EPS
    assert dot(pairs, FP16, AMPERE, 1.0) == 1.0
    assert dot(pairs, FP16, rule("turing", "fp16"), 1.0) == 1.0
    halves = [(2.0**-12, 2.0**-12)] * 2
    assert dot(halves, FP16, rule("turing", "fp16"), 1.0) == 1 + EPS
    assert dot(halves, FP16, rule("volta", "fp16"), 1.0) == 1.0


PUBLISHED = {  # bits of a term, products of a step, and bits after the point beside 2.25
    "volta": {"fp16": (23, 4, 22)},
    "turing": {"fp16": (24, 8, 22)},
    "ampere": {"fp16": (24, 8, 22), "bf16": (24, 8, 22), "tf32": (24, 4, 22)},
    "ada": {
        "fp16": (24, 8, 22), "bf16": (24, 8, 22), "tf32": (24, 4, 22),
        "e4m3": (13, 16, 12), "e5m2": (13, 16, 12),
    },
    "hopper": {
        "fp16": (25, 16, 22), "bf16": (25, 16, 22), "tf32": (25, 8, 22),
        "e4m3": (13, 32, 12), "e5m2": (13, 32, 12),
    },
    "blackwell": {
        "fp16": (25, 16, 22), "bf16": (25, 16, 22), "tf32": (25, 8, 22),
        "e4m3": (25, 32, 22), "e5m2": (25, 32, 22),
        "mxfp8_e4m3": (25, 32, 22), "mxfp8_e5m2": (25, 32, 22),
    },
}  # fmt: skip
RULED = [(arch, name) for arch, of in PUBLISHED.items() for name in of]


def probed(pairs: Any, operands: str, how: Rule) -> float:
    """Return one output, of plain numbers or of blocks whose scales are one."""
    if operands in FORMATS:
        return dot(pairs, FORMATS[operands], how)
    f = BLOCK_FORMATS[operands]
    codes = [f.element.encode(np.array(side))[None] for side in zip(*pairs, strict=True)]
    ones = np.full((1, -(-len(pairs) // f.size)), 127, np.uint8)
    a, b = (Blocks(f, side, ones, np.float32(1)) for side in codes)
    return float(block_matmul(a, b, how)[0, 0])


def power_pair(exponent: int) -> tuple[float, float]:
    return 2.0 ** (exponent // 2), 2.0 ** (exponent - exponent // 2)


@pytest.mark.parametrize(("architecture", "operands"), RULED)
def test_rules_are_the_published_ones(architecture: Any, operands: str) -> None:
    """Found out as one finds out about hardware: which small product is lost beside a large one."""
    how = rule(architecture, operands)
    large, less = (2.0**8, 2.0**8), (-(2.0**8), 2.0**8)
    terms = [j for j in range(10, 29) if probed([large, less, power_pair(16 - j)], operands, how)]
    small, none = power_pair(-12), (0.0, 0.0)
    steps = [
        n for n in range(1, 70) if probed([large, less, *[none] * (n - 2), small], operands, how)
    ]
    beside = [(1.5, 1.5), none]
    sums = [
        j for j in range(5, 25)
        if probed([*beside, power_pair(-j)] if j <= 12 else
                  [(1.5 * 2.0**6, 1.5 * 2.0**6), none, power_pair(12 - j)], operands, how)
        != 2.25 * (1 if j <= 12 else 2.0**12)
    ]  # fmt: skip
    found = (max(terms), min(n for n in steps if n > 2), max(sums))
    assert found == PUBLISHED[architecture][operands]
    assert terms == list(range(10, found[0] + 1))


def four_bit(name: str, elements: dict[int, float], scales: dict[int, int]) -> float:
    """Return the sum of elements by place, times 2 to the power of their blocks' scales."""
    f, how = BLOCK_FORMATS[name], rule("blackwell", name)
    values = np.zeros(128)
    values[list(elements)] = list(elements.values())
    powers = np.array([scales.get(block, 0) for block in range(128 // f.size)])
    # half of a power on either side, as E4M3 has no more of them
    sides = [
        (values, powers // 2),
        (np.ones(128), powers - powers // 2),
    ]
    blocks = []
    for numbers, of in sides:
        stored = of + 127 if f.scale == "e8m0" else E4M3.encode(np.ldexp(1.0, of))
        codes = f.element.encode(numbers)[None]
        blocks.append(Blocks(f, codes, stored[None].astype(np.uint8), np.float32(1)))
    return float(block_matmul(*blocks, how)[0, 0])


def test_four_bit_rules_are_the_published_ones() -> None:
    """35 bits of a term, which is 16 products added exactly; 64 products at once."""
    cancelled = {0: 1.0, 16: -1.0}
    kept = [j for j in range(30, 40) if four_bit("mxfp4", cancelled | {32: 1.0}, {1: -j})]
    assert kept == list(range(30, 36))
    assert four_bit("mxfp4", cancelled | {32: 1.0}, {1: -36}) == 0.0
    apart = {2: -36, 3: -36}  # scales count even of zeros
    assert four_bit("mxfp4", cancelled | {64: 1.0}, apart) == 2.0**-36, "the next step"
    assert four_bit("mxfp4", cancelled | {64: 1.0}, {2: -36}) == 0.0
    halves = [four_bit("mxfp4", cancelled | {32: 0.5, 32 + d: 0.5}, {1: -35}) for d in (1, 15, 16)]
    assert halves == [2.0**-35, 2.0**-35, 0.0]


def test_so_they_are_with_scales_of_e4m3() -> None:
    """A subnormal scale counts with the smallest exponent, so scales alone span 28 bits."""
    large = {0: 1.0, 16: -1.0}
    scales = {0: 16, 1: 16, 2: -18}
    assert four_bit("nvfp4", large | {32: 0.5}, scales) == 2.0**-19
    assert four_bit("nvfp4", large | {32: 0.5, 33: -0.5}, scales) == 0.0


def test_a_products_exponent_is_that_of_its_factors() -> None:
    """1.5 x 1.5 is 2.25 with exponent 0, so that four terms of 2^-24 are kept beside it."""
    pairs = [(1.5, 1.5)] + [(2.0**-12, 2.0**-12)] * 4
    assert dot(pairs, FP16, AMPERE) == 2.25 + 2.0**-22


def test_subnormal_operands_count_with_the_smallest_exponent() -> None:
    tiny = FP16.smallest
    assert dot([(tiny, 1.0)], FP16, AMPERE) == tiny, "not flushed"
    pairs = [(tiny, 1.0), (tiny, 2.0**-15)]  # cut at 2^(-14 - 24) and at 2^(-14 - 25)
    assert dot(pairs, FP16, AMPERE) == tiny
    assert dot(pairs, FP16, HOPPER) == tiny + tiny * 2.0**-15


def test_subnormal_sums_are_kept() -> None:
    bf16 = rule("ampere", "bf16")
    assert dot([(2.0**-70, 2.0**-70)], BF16, bf16) == 2.0**-140
    assert dot([(2.0**-75, 2.0**-75)], BF16, bf16) == 0.0
    assert dot([(2.0**-75, 2.0**-75)] * 2, BF16, bf16) == 2.0**-149, "terms are cut at 2^-150"


def test_a_zero_counts_with_the_smallest_exponent_of_fp32() -> None:
    """So zero times a large number can hide small terms, as the source has it."""
    bf16 = rule("hopper", "bf16")
    small = (2.0**-40, 2.0**-40)
    assert dot([small, (0.0, 2.0**100)], BF16, bf16) == 0.0
    assert dot([small, (0.0, 2.0**70)], BF16, bf16) == 2.0**-80


def test_tf32_operands_are_cut() -> None:
    almost = 1 + 2.0**-11 + 2.0**-12
    for architecture in ("ampere", "hopper"):
        got = tensor_core_matmul([[almost]], [[1.0]], architecture, "tf32")
        assert got.tolist() == [[1.0]]
    assert dot([(-almost, 1.0)], TF32, rule("ada", "tf32")) == -1.0


def test_fp8_on_hopper_has_13_bits() -> None:
    hopper, blackwell = rule("hopper", "e4m3"), rule("blackwell", "e4m3")
    thirteen, fourteen = [(2.0**-7, 2.0**-6)], [(2.0**-7, 2.0**-7)] * 4
    assert dot(thirteen, E4M3, hopper, 1.0) == 1 + 2.0**-13
    assert dot(fourteen, E4M3, hopper, 1.0) == 1.0
    assert dot(fourteen, E4M3, blackwell, 1.0) == 1 + 2.0**-12
    assert dot(fourteen, E4M3, rule("ada", "e4m3"), 1.0) == 1.0


def test_and_keeps_sums_in_e8m13() -> None:
    """A term of 2^-13 beside 2.25 is not cut as a term, its factors' exponent being 0."""
    pairs = [(1.5, 1.5), (2.0**-7, 2.0**-6)]
    assert dot(pairs, E4M3, rule("hopper", "e4m3")) == 2.25
    assert dot([*pairs, pairs[1]], E4M3, rule("hopper", "e4m3")) == 2.25 + 2.0**-12
    assert dot(pairs, E4M3, rule("blackwell", "e4m3")) == 2.25 + 2.0**-13
    assert dot(pairs, E4M3, rule("hopper", "e4m3", "fp16")) == 2.25, "fp16 has fewer bits still"


def test_fp16_sums_are_rounded_to_nearest_even() -> None:
    for architecture in ("ampere", "hopper"):
        how = rule(architecture, "fp16", "fp16")
        assert dot([(2.0**-6, 2.0**-5)], FP16, how, 1.0) == 1.0
        assert dot([(2.0**-6, 2.0**-5 * 3)], FP16, how, 1.0) == 1 + 2.0**-9
        assert dot([(15.0, 1.0)], FP16, how, 65504.0) == 65504.0
        assert dot([(16.0, 1.0)], FP16, how, 65504.0) == np.inf
        assert dot([(16.0, -1.0)], FP16, how, -65504.0) == -np.inf


def test_four_bit_products_are_added_exactly_before_they_are_aligned() -> None:
    """36 + 15 x 0.25 under scales of one, and of 2^35 beside them."""
    how = rule("blackwell", "mxfp4")
    f = BLOCK_FORMATS["mxfp4"]
    elements = np.array([6.0] + [0.5] * 15 + [0.0] * 16 + [1.0] + [0.0] * 31)
    codes = f.element.encode(elements)[None]
    for shift, expected in ((17, 2.0**34 + 36.0 + 3.75), (18, 2.0**36 + 36.0)):
        scales = np.array([[127, 127 + shift]], np.uint8)
        x = Blocks(f, codes, scales, np.float32(1))
        bits = 24 - 1 - int(np.log2(expected))
        truth = floor(expected * 2.0**bits) / 2.0**bits
        assert block_matmul(x, x, how)[0, 0] == np.float32(truth)


def test_nan_and_infinity_stay_in_their_outputs() -> None:
    inf, nan = np.inf, np.nan
    a = np.array([[inf, 1.0, 0.0], [nan, 1.0, 0.0], [1.0, 2.0, 3.0]])
    b = np.array([[1.0, 0.0, -1.0], [1.0, 1.0, inf], [1.0, 1.0, 1.0]])
    got = matmul(a, b, FP16, HOPPER)
    expected = [[inf, nan, nan], [nan, nan, nan], [6.0, 5.0, inf]]
    np.testing.assert_array_equal(got, expected)
    assert {hex(x) for x in got.view(np.uint32)[np.isnan(got)]} == {"0x7fffffff"}


def test_infinity_minus_infinity_is_nan_even_steps_apart() -> None:
    pairs = [(np.inf, 1.0), *[(0.0, 0.0)] * 40, (np.inf, -1.0)]
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    assert np.isnan(matmul(a[None], b[:, None], FP16, AMPERE)[0, 0])


def test_sums_out_of_range_are_infinite_and_products_need_not_be() -> None:
    bf16 = rule("hopper", "bf16")
    huge = (2.0**100, 2.0**100)
    assert dot([huge], BF16, bf16) == np.inf
    assert dot([huge, (-(2.0**100), 2.0**100), (1.0, 2.0**90)], BF16, bf16) == 0.0
    apart = [huge, *[(0.0, 0.0)] * 15, (-(2.0**100), 2.0**100)]
    assert dot(apart, BF16, bf16) == np.inf


def test_a_zero_is_positive() -> None:
    got = [dot([(-0.0, 1.0)], FP16, AMPERE, -0.0), dot([(-1.0, 1.0), (1.0, 1.0)], FP16, AMPERE)]
    assert not np.signbit(got).any()


def uniform(shape: tuple[int, int], low: float) -> Any:
    return E4M3.quantise(np.random.default_rng(7).uniform(low, 1, shape))


def test_long_fp8_sums_on_hopper_lose_what_was_measured() -> None:
    """Of 4096 products, all positive: -6.6 % in the mean; of either sign at most 0.3 %."""
    a, b = uniform((24, 4096), 0), uniform((4096, 24), 0)
    exact = a @ b
    got = tensor_core_matmul(a, b, "hopper", "e4m3")
    assert (got / exact - 1).mean() == pytest.approx(-0.066, abs=0.001)
    promoted = tensor_core_matmul(a, b, "hopper", "e4m3", promote_every=128)
    assert abs((promoted / exact - 1).mean()) < 0.002
    assert np.abs(tensor_core_matmul(a, b, "blackwell", "e4m3") / exact - 1).max() < 1e-5
    a, b = uniform((24, 4096), -1), uniform((4096, 24), -1)
    error = tensor_core_matmul(a, b, "hopper", "e4m3") - a @ b
    assert 0.001 < np.abs(error).max() / np.abs(a @ b).max() < 0.004


def test_promotion_adds_in_fp32_outside() -> None:
    a, b = uniform((5, 300), -1), uniform((300, 6), -1)
    how = rule("hopper", "e4m3")
    total = np.zeros((5, 6), np.float32)
    for first in (0, 128, 256):
        part = slice(first, first + 128)
        total += matmul(a[:, part], b[part], E4M3, how)
    got = tensor_core_matmul(a, b, "hopper", "e4m3", promote_every=128)
    np.testing.assert_array_equal(got, total)
    message = "sums leave the tensor core after a multiple of 32, not 100"
    with pytest.raises(ValueError, match=f"^{message}$"):
        matmul(a, b, E4M3, how, promote_every=100)


def test_rows_do_not_see_each_other() -> None:
    """Whatever is worked on at a time: large and small products make the same outputs."""
    rng = np.random.default_rng(0)
    a, b = (
        FP16.quantise(rng.standard_normal((70, 40))),
        FP16.quantise(rng.standard_normal((40, 300))),
    )
    whole = matmul(a, b, FP16, AMPERE)
    for i, j in ((0, 0), (69, 299), (54, 17)):
        assert whole[i, j] == matmul(a[i : i + 1], b[:, j : j + 1], FP16, AMPERE)[0, 0]


def test_operands_are_rounded_as_software_does() -> None:
    a = np.array([[1.06, 500.0]])
    one = np.eye(2)
    assert tensor_core_matmul(a, one, "hopper", "e4m3").tolist() == [[1.0, 448.0]]
    assert tensor_core_matmul(a, one, "ada", "e5m2").tolist() == [[1.0, 512.0]]
    half = [tensor_core_matmul([[x]], [[1.0]], "ampere", "fp16")[0, 0] for x in (10601, 7e4)]
    assert half == [10600.0, np.inf]
    assert tensor_core_matmul(a, one, "blackwell", "mxfp4").tolist() == [[0.0, 384.0]]


def test_integers_are_exact_and_wrap() -> None:
    a, b = np.full((2, 3), -128), np.full((3, 1), 127)
    got = tensor_core_matmul(a, b, "ampere", "int8")
    assert got.dtype == np.int32
    assert got.tolist() == [[-48768]] * 2
    many = np.full((1, 1 << 18), 127)
    assert tensor_core_matmul(many, many.T, "hopper", "int8")[0, 0] == 127**2 * 2**18 - 2**32


def test_what_an_architecture_has_not_is_refused() -> None:
    message = "ampere multiplies fp16, bf16, tf32, not e4m3"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        tensor_core_matmul([[1.0]], [[1.0]], "ampere", "e4m3")
    with pytest.raises(ValueError, match=r"^volta multiplies fp16, not bf16$"):
        rule("volta", "bf16")
    message = (
        "architecture must be one of volta, turing, ampere, ada, hopper, blackwell, not 'hoper'"
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        tensor_core_matmul([[1.0]], [[1.0]], "hoper", "e4m3")  # type: ignore[arg-type]


@pytest.mark.parametrize("operands", ["fp16", "e4m3", "mxfp4"])
@pytest.mark.parametrize("rows", [4, 40])
def test_operands_that_do_not_fit_are_refused(operands: str, rows: int) -> None:
    message = f"a [2, 8] times b [{rows}, 3]: a has 8 columns, b {rows} rows"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        tensor_core_matmul(np.ones((2, 8)), np.ones((rows, 3)), "blackwell", operands)


def test_empty_products_are_zero() -> None:
    got = tensor_core_matmul(np.zeros((3, 0)), np.zeros((0, 2)), "hopper", "e5m2")
    np.testing.assert_array_equal(got, np.zeros((3, 2)))
    assert E5M2.largest == 57344
