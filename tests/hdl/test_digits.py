"""Encoder cells against the digits that NumPy finds, for every integer of a few widths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from archsim.formats.digits import SCHEMES, Scheme, digit_weights, encode, integers
from archsim.hdl.digits import (
    DIGIT,
    BoothCell,
    DigitEncoder,
    EnTEncoder,
    NafEncoder,
    SparseEncoder,
    digit_of_code,
    negated_where,
)
from archsim.hdl.emit import to_verilog
from archsim.hdl.synth import check_rtl


def simulate(dut: wiring.Component, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


def value_of(digit: Any) -> int:
    assert not (digit.one and digit.two)
    magnitude = digit.one + 2 * digit.two
    assert magnitude or not digit.negative, "a zero has one form"
    return int(-magnitude if digit.negative else magnitude)


def test_booth_cell() -> None:
    dut = BoothCell()

    async def bench(ctx: Any) -> None:
        every = integers(8)
        for value, digits in zip(every.tolist(), encode(every, 8, "mbe").tolist(), strict=True):
            for position, digit in enumerate(digits):
                ctx.set(dut.window, value << 1 >> 2 * position & 7)
                await ctx.delay(1e-9)
                assert value_of(ctx.get(dut.digit)) == digit

    simulate(dut, bench)


@pytest.mark.parametrize("bits", [4, 7, 8])
def test_en_t_encoder(bits: int) -> None:
    dut = EnTEncoder(bits)

    async def bench(ctx: Any) -> None:
        every = integers(bits)
        wanted = encode(every, bits, "en_t")
        for value, digits in zip(every.tolist(), wanted.tolist(), strict=True):
            ctx.set(dut.value, value)
            await ctx.delay(1e-9)
            codes = [ctx.get(code) for code in dut.codes]
            assert codes == [-d % 4 if value < 0 else d % 4 for d in digits]
            assert ctx.get(dut.negative) == (value < 0)

    simulate(dut, bench)


class DecodedCode(wiring.Component):
    """A code and a sign as a digit, and an integer negated where that is asked for."""

    def __init__(self) -> None:
        super().__init__(
            {"code": In(2), "negative": In(1), "digit": Out(DIGIT), "x": In(5), "y": Out(5)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.digit.eq(digit_of_code(self.code, self.negative)),
            self.y.eq(negated_where(self.x, self.negative)),
        ]
        return m


def test_codes_stand_for_digits() -> None:
    dut = DecodedCode()

    async def bench(ctx: Any) -> None:
        for code, digit in enumerate([0, 1, 2, -1]):
            for negative in (0, 1):
                ctx.set(dut.code, code)
                ctx.set(dut.negative, negative)
                await ctx.delay(1e-9)
                assert value_of(ctx.get(dut.digit)) == (-digit if negative else digit)

    simulate(dut, bench)


def test_integers_are_negated() -> None:
    dut = DecodedCode()

    async def bench(ctx: Any) -> None:
        for x in range(32):
            for negative in (0, 1):
                ctx.set(dut.x, x)
                ctx.set(dut.negative, negative)
                await ctx.delay(1e-9)
                assert ctx.get(dut.y) == (-x % 32 if negative else x)

    simulate(dut, bench)


@pytest.mark.parametrize("bits", [4, 8])
def test_naf_encoder(bits: int) -> None:
    dut = NafEncoder(bits)

    async def bench(ctx: Any) -> None:
        every = integers(bits)
        wanted = encode(every, bits, "naf")
        for value, digits in zip(every.tolist(), wanted.tolist(), strict=True):
            ctx.set(dut.value, value)
            await ctx.delay(1e-9)
            assert ctx.get(dut.nonzero) == sum((d != 0) << i for i, d in enumerate(digits))
            assert ctx.get(dut.negative) == sum((d < 0) << i for i, d in enumerate(digits))

    simulate(dut, bench)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("bits", [4, 5, 8, 12, 16])
def test_digit_encoder(scheme: Scheme, bits: int) -> None:
    """Every integer up to 8 bits; of more, the extremes and random ones."""
    dut = DigitEncoder(bits, scheme)
    values = integers(bits)
    if bits > 8:
        random = np.random.default_rng(bits).choice(values, 250)
        values = np.concatenate([values[:3], [-1, 0, 1], values[-3:], random])

    async def bench(ctx: Any) -> None:
        # the cell has a minus where a scheme has a negative weight
        wanted = encode(values, bits, scheme) * np.sign(digit_weights(bits, scheme))
        for value, digits in zip(values.tolist(), wanted.tolist(), strict=True):
            ctx.set(dut.value, value)
            await ctx.delay(1e-9)
            assert [value_of(ctx.get(digit)) for digit in dut.digits] == digits

    simulate(dut, bench)


@pytest.mark.parametrize("group", [1, 4, 7])
def test_sparse_encoder(group: int) -> None:
    dut = SparseEncoder(group)

    async def bench(ctx: Any) -> None:
        for nonzero in range(1 << group):
            ctx.set(dut.nonzero, nonzero)
            await ctx.delay(1e-9)
            indices = [i for i in range(group) if nonzero >> i & 1]
            assert ctx.get(dut.count) == len(indices)
            found = [ctx.get(index) for index in dut.indices]
            assert found == indices + [0] * (group - len(indices))

    simulate(dut, bench)


@pytest.mark.parametrize(
    "cell",
    [
        *(BoothCell(), EnTEncoder(8), NafEncoder(8), SparseEncoder(4)),
        *(DigitEncoder(8, scheme) for scheme in SCHEMES),
    ],
    ids=lambda c: type(c).__name__,
)
def test_encoders_are_sound(cell: wiring.Component) -> None:
    check_rtl(to_verilog(cell, "encoder"), "encoder")
