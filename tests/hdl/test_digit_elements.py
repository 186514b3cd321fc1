from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from archsim.formats.digits import Scheme, encode
from archsim.hdl.digit_elements import EncodingElement, SelectingElement

PAIR_BITS = 14
WORKED = [39, 48, 60, 79]  # EN-T digits at bit weight 1: 2, 0, -1, 0


def total(pair: Any) -> int:
    value = (pair.sum + pair.carry) % (1 << PAIR_BITS)
    return value - (1 << PAIR_BITS) if value >> PAIR_BITS - 1 else value


def run(element: Any, bench: Any) -> None:
    simulator = Simulator(element)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


def digit_bits(digit: int) -> dict[str, int]:
    return {"one": abs(digit) == 1, "two": abs(digit) == 2, "negative": digit < 0}


@pytest.mark.parametrize("lanes", [1, 4])
def test_selected_multiples_add_up_in_every_lane(lanes: int) -> None:
    rng = np.random.default_rng(lanes)
    digits = rng.integers(-2, 3, (40, lanes))
    operands = rng.choice([-128, -127, -1, 0, 1, 5, 127], (40, lanes))
    element = SelectingElement(lanes, 8, PAIR_BITS)

    async def bench(ctx: Any) -> None:
        ctx.set(element.load, (1 << lanes) - 1)
        for i, (row, operand) in enumerate(zip(digits.tolist(), operands.tolist(), strict=True)):
            for b, value in zip(element.b, operand, strict=True):
                ctx.set(b, value)
            ctx.set(element.add, 0)
            await ctx.tick()
            for digit, chosen in zip(element.digits, row, strict=True):
                ctx.set(digit, digit_bits(chosen))
            ctx.set(element.add, 1)
            ctx.set(element.fresh, i == 0)
            await ctx.tick()
        ctx.set(element.add, 0)
        ctx.set(element.turn, 1)
        await ctx.tick()
        assert int((digits * operands).sum()) == total(ctx.get(element.pair))

    run(element, bench)


def stored_window(value: int, weight: int, scheme: Scheme) -> int:
    """Return what makes a digit: bits around it, or its code and the operand's sign."""
    if scheme == "mbe":
        return (value << 1) >> 2 * weight & 7
    magnitude_digit = int(encode(abs(value), 9, "en_t")[weight])
    return magnitude_digit % 4 | (value < 0) << 2


@pytest.mark.parametrize("scheme", ["en_t", "mbe"])
def test_an_element_finds_the_digits_of_the_worked_vector(scheme: Scheme) -> None:
    operands = [7, 100, -128, 3]
    digits = encode(WORKED, 8, scheme)[:, 1]
    if scheme == "en_t":
        assert [2, 0, -1, 0] == digits.tolist()
    element = EncodingElement(4, scheme, 8, PAIR_BITS)

    async def bench(ctx: Any) -> None:
        for i in range(4):
            ctx.set(element.b[i], operands[i])
            ctx.set(element.windows[i], stored_window(WORKED[i], 1, scheme))
        ctx.set(element.load, 1)
        await ctx.tick()
        ctx.set(element.load, 0)
        ctx.set(element.add, 1)
        for step in range(int(np.count_nonzero(digits))):
            ctx.set(element.fresh, step == 0)
            await ctx.tick()
        ctx.set(element.fresh, 0)
        await ctx.tick()  # no digit is left: nothing is added
        ctx.set(element.turn, 1)
        await ctx.tick()
        assert int(digits @ np.array(operands)) == total(ctx.get(element.pair))

    run(element, bench)
