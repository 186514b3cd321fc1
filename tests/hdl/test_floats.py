"""The float multiplier and adder against NumPy, and their parts against plain arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from numpy.typing import NDArray

from archsim.formats import bf16
from archsim.hdl.emit import to_verilog
from archsim.hdl.float_add import Fp32Adder
from archsim.hdl.float_multiply import Bf16Multiplier
from archsim.hdl.floats import leading_zeros, shifted_right
from archsim.hdl.synth import check_rtl

Pairs = NDArray[np.int64]

# zeros, ones, subnormals, least and greatest normal numbers, infinities, NaNs, some between
EDGES = np.array(
    [0x0000, 0x0001, 0x007F, 0x0080, 0x0081, 0x0100, 0x1A00, 0x1A01, 0x1F80, 0x2003, 0x3380, 0x3F7F,
     0x3F80, 0x3F81, 0x3FFF, 0x4B7F, 0x4B80, 0x7F7F, 0x7F80, 0x7F81, 0x7FC0]
)  # fmt: skip
EDGES = np.concatenate([EDGES, EDGES | 0x8000])
FEW = 5
FRACTIONS = np.array([0, 1, 2, 0x3F_FFFF, 0x40_0000, 0x40_0001, 0x7F_FFFE, 0x7F_FFFF])


def every_pair(values: NDArray[np.int64]) -> Pairs:
    return np.stack(np.meshgrid(values, values), axis=-1).reshape(-1, 2)


def products(rng: np.random.Generator, count: int) -> Pairs:
    """Return random operands, half of them with products at either end of fp32's range."""
    pairs = rng.integers(0, 1 << 16, (count, 2))
    ends = rng.choice([127 - 149, 127 - 126, 127 + 127], (count // 2, 1)) + 127
    fields = rng.integers(0, 255, (count // 2, 1))
    other = np.clip(ends - fields + rng.integers(-30, 6, (count // 2, 1)), 0, 254)
    pairs[: count // 2] &= 0x807F
    pairs[: count // 2] |= np.hstack([fields, other]) << 7
    return pairs


def sums(rng: np.random.Generator, count: int) -> Pairs:
    """Return random addends, most of them close enough in size to meet."""
    pairs = rng.integers(0, 1 << 32, (count, 2))
    near = 3 * count // 4
    fields = rng.integers(0, 255, (near, 1))
    other = np.clip(fields + rng.integers(-27, 28, (near, 1)), 0, 254)
    simple = rng.random((near, 2)) < 0.4
    fractions = np.where(simple, rng.choice(FRACTIONS, (near, 2)), pairs[:near] & 0x7F_FFFF)
    signs = pairs[:near] & 0x8000_0000
    pairs[:near] = signs | np.hstack([fields, other]) << 23 | fractions
    return pairs


def differences(
    dut: wiring.Component, pairs: Pairs, wanted: NDArray[np.int64]
) -> list[tuple[str, ...]]:
    """Return inputs, output and what was wanted, for the first few that differ."""
    multiplies = type(dut).__name__ == "Bf16Multiplier"
    x, y, out = (dut.a, dut.b, dut.product) if multiplies else (dut.x, dut.y, dut.sum)
    found: list[tuple[str, ...]] = []

    async def bench(ctx) -> None:
        for (left, right), right_answer in zip(pairs.tolist(), wanted.tolist(), strict=True):
            ctx.set(x, left)
            ctx.set(y, right)
            await ctx.delay(1e-9)
            if ctx.get(out) != right_answer:
                found.append(tuple(map(hex, (left, right, ctx.get(out), right_answer))))
                if len(found) == FEW:
                    return

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def check_multiplier(pairs: Pairs) -> None:
    assert differences(Bf16Multiplier(), pairs, bf16.multiply(pairs[:, 0], pairs[:, 1])) == []


def check_adder(pairs: Pairs) -> None:
    assert differences(Fp32Adder(), pairs, bf16.add(pairs[:, 0], pairs[:, 1])) == []


def edge_addends() -> Pairs:
    fine = np.array([1, 0x7F_FFFF, 0x80_0001, 0x3380_0001, 0x3F80_0001, 0x4B80_0001, 0x7F7F_FFFF])
    return every_pair(np.concatenate([EDGES << 16, fine, fine | 0x8000_0000]))


def test_products_of_edges() -> None:
    check_multiplier(every_pair(EDGES))


def test_sums_of_edges() -> None:
    check_adder(edge_addends())


@pytest.mark.parametrize(
    ("check", "pairs"), [(check_multiplier, products), (check_adder, sums)], ids=["product", "sum"]
)
@pytest.mark.parametrize("count", [3000, pytest.param(60_000, marks=pytest.mark.slow)])
def test_random_numbers(
    check: Callable[[Pairs], None],
    pairs: Callable[[np.random.Generator, int], Pairs],
    count: int,
) -> None:
    check(pairs(np.random.default_rng(count), count))


@pytest.mark.parametrize("component", [Bf16Multiplier, Fp32Adder])
def test_hardware_is_sound(component: type[wiring.Component]) -> None:
    check_rtl(to_verilog(component(), "part"), "part")


# ----------------------------------------------------------------------------------------- parts


class Parts(wiring.Component):
    """A count of zeros and a sticky shift of the same value."""

    def __init__(self, bits: int) -> None:
        super().__init__(
            {"value": In(bits), "distance": In(4), "zeros": Out(4), "shifted": Out(bits)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.zeros.eq(leading_zeros(self.value)),
            self.shifted.eq(shifted_right(m, self.value, self.distance, "shift")),
        ]
        return m


@pytest.mark.parametrize("bits", [1, 2, 3, 5, 8])
def test_counts_and_shifts(bits: int) -> None:
    dut = Parts(bits)

    async def bench(ctx) -> None:
        for value in range(1 << bits):
            ctx.set(dut.value, value)
            for distance in range(16):
                ctx.set(dut.distance, distance)
                await ctx.delay(1e-9)
                lost = value & ((1 << distance) - 1)
                # what is shifted out counts in the lowest bit that stays
                assert (value >> distance) | bool(lost) == ctx.get(dut.shifted)
            if value:
                assert bits - value.bit_length() == ctx.get(dut.zeros)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(("bits", "count_bits"), [(2, 1), (3, 2), (8, 3), (27, 5)])
def test_a_count_is_no_wider_than_it_must_be(bits: int, count_bits: int) -> None:
    assert len(leading_zeros(Signal(bits))) == count_bits
