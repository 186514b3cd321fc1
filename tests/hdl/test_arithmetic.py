"""Compressor trees, adders and products of chosen structure against NumPy's integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.lib import wiring
from amaranth.sim import Simulator
from numpy.typing import NDArray

from archsim.hdl import Adder
from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.bitweight import CarrySaveMac, CarrySaveMultiplyAdd, ResolveLanes
from archsim.hdl.booth import BoothMultiplier, PartialProducts
from archsim.hdl.compress import CompressorTree
from archsim.hdl.emit import to_verilog
from archsim.hdl.synth import check_rtl

Ints = NDArray[np.int64]
ADDERS: tuple[Adder, ...] = ("inferred", "ripple", "prefix")
EDGES = np.array([-128, -127, -86, -85, -64, -2, -1, 0, 1, 2, 63, 64, 85, 86, 127])


def simulate(dut: wiring.Component, bench: Any, *, clock: bool = False) -> None:
    simulator = Simulator(dut)
    if clock:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def wrapped(values: Any, bits: int) -> Any:
    return (np.asarray(values) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def every_pair(x: Ints, y: Ints) -> Ints:
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


EVERY_BYTE = np.arange(-128, 128)
EVERY_PRODUCT = every_pair(EVERY_BYTE, EVERY_BYTE)
MANY_PRODUCTS = every_pair(EVERY_BYTE, EDGES)
PAIRS = [
    pytest.param(MANY_PRODUCTS, id="edges"),
    pytest.param(EVERY_PRODUCT, id="every", marks=pytest.mark.slow),
]


# ------------------------------------------------------------------------------------ compressors


@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 6, 11])
@pytest.mark.parametrize("width", [1, 14, 32])
def test_a_pair_adds_up_to_all_addends(inputs: int, width: int) -> None:
    dut = CompressorTree(inputs, width)
    rng = np.random.default_rng(inputs)
    rows = rng.integers(0, 1 << width, (60, inputs))
    rows[0] = (1 << width) - 1

    async def bench(ctx: Any) -> None:
        for row in rows.tolist():
            for port, value in zip(dut.addends, row, strict=True):
                ctx.set(port, value)
            await ctx.delay(1e-9)
            found = ctx.get(dut.sum) + ctx.get(dut.carry)
            assert found % (1 << width) == sum(row) % (1 << width)

    simulate(dut, bench)


@pytest.mark.parametrize("inputs", [4, 6])
def test_a_tree_compresses_every_place_by_itself(inputs: int) -> None:
    """All patterns of one place: what it makes goes to the place and to those just above."""
    dut = CompressorTree(inputs, 4)

    async def bench(ctx: Any) -> None:
        for pattern in range(1 << inputs):
            for i, port in enumerate(dut.addends):
                ctx.set(port, pattern >> i & 1)
            await ctx.delay(1e-9)
            assert ctx.get(dut.sum) + ctx.get(dut.carry) == pattern.bit_count()

    simulate(dut, bench)


# ----------------------------------------------------------------------------------------- adders


@pytest.mark.parametrize("adder", ADDERS)
@pytest.mark.parametrize(
    ("width", "pairs"),
    [
        (1, every_pair(np.arange(2), np.arange(2))),
        (5, every_pair(np.arange(32), np.arange(32))),
        pytest.param(8, EVERY_PRODUCT & 255, marks=pytest.mark.slow),
        (20, np.random.default_rng(1).integers(0, 1 << 20, (200, 2))),
        (32, np.random.default_rng(2).integers(0, 1 << 32, (200, 2))),
    ],
)
def test_sums(adder: Adder, width: int, pairs: Ints) -> None:
    dut = CarryPropagateAdder(width, adder)
    full = (1 << width) - 1

    async def bench(ctx: Any) -> None:
        for x, y in [(full, 1), (1, full), (full, full), *map(tuple, pairs.tolist())]:
            ctx.set(dut.x, x)
            ctx.set(dut.y, y)
            await ctx.delay(1e-9)
            assert ctx.get(dut.sum) == (x + y) & full

    simulate(dut, bench)


# --------------------------------------------------------------------------------------- products


def test_rows_add_up_to_the_product() -> None:
    dut = PartialProducts(8, 8)

    async def bench(ctx: Any) -> None:
        for a, b in MANY_PRODUCTS.tolist():
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            await ctx.delay(1e-9)
            assert sum(ctx.get(row) << 2 * i for i, row in enumerate(dut.rows)) == a * b

    simulate(dut, bench)


def check_multiplier(dut: BoothMultiplier, pairs: Ints) -> None:
    async def bench(ctx: Any) -> None:
        for a, b in pairs.tolist():
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            await ctx.delay(1e-9)
            assert ctx.get(dut.product) == a * b

    simulate(dut, bench)


@pytest.mark.parametrize("adder", ADDERS)
def test_products_of_bytes(adder: Adder) -> None:
    check_multiplier(BoothMultiplier(8, 8, adder), every_pair(EDGES, EDGES))


@pytest.mark.slow
def test_every_product_of_bytes() -> None:
    check_multiplier(BoothMultiplier(8, 8, "prefix"), EVERY_PRODUCT)


@pytest.mark.parametrize(("a_bits", "b_bits"), [(3, 4), (4, 8), (12, 5), (16, 16)])
def test_products_of_other_widths(a_bits: int, b_bits: int) -> None:
    rng = np.random.default_rng(a_bits)
    a, b = (
        np.append(rng.integers(-(1 << n - 1), 1 << n - 1, 10), [-(1 << n - 1), -1, 0])
        for n in (a_bits, b_bits)
    )
    check_multiplier(BoothMultiplier(a_bits, b_bits, "prefix"), every_pair(a, b))


# -------------------------------------------------------------------------------- carry-save sums


@pytest.mark.parametrize("pairs", PAIRS)
def test_a_single_product_in_carry_save_form(pairs: Ints) -> None:
    dut = CarrySaveMultiplyAdd(8, 8, 20)

    async def bench(ctx: Any) -> None:
        for n, (a, b) in enumerate(pairs.tolist()):
            addend = {"sum": 77_777 * n % (1 << 20), "carry": 999_983 * n % (1 << 20)}
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            ctx.set(dut.addend, addend)
            await ctx.delay(1e-9)
            found = ctx.get(dut.result)
            wanted = a * b + addend["sum"] + addend["carry"]
            assert (found.sum + found.carry - wanted) % (1 << 20) == 0

    simulate(dut, bench)


class Accumulator(wiring.Component):
    """A cell whose pair a lane of adders makes a number."""

    def __init__(self, width: int, adder: Adder) -> None:
        self.mac = CarrySaveMac(8, 8, width)
        self.lanes = ResolveLanes(1, width, adder)
        super().__init__({})

    def elaborate(self, platform: Any) -> Any:
        from amaranth.hdl import Module

        m = Module()
        m.submodules.mac, m.submodules.lanes = self.mac, self.lanes
        m.d.comb += self.lanes.pairs[0].eq(self.mac.total)
        return m


def sums_of(dut: Accumulator, a: Ints, b: Ints, first: Ints, enable: Ints) -> list[int]:
    """Return the resolved total after each cycle."""
    found: list[int] = []

    async def bench(ctx: Any) -> None:
        for beat in zip(a.tolist(), b.tolist(), first.tolist(), enable.tolist(), strict=True):
            for port, value in zip(("a", "b", "first", "enable"), beat, strict=True):
                ctx.set(getattr(dut.mac, port), value)
            await ctx.tick()
            found.append(ctx.get(dut.lanes.totals[0]))

    simulate(dut, bench, clock=True)
    return found


@pytest.mark.parametrize(("width", "adder"), [(20, "ripple"), (24, "prefix"), (32, "ripple")])
def test_the_largest_products_wrap_at_the_accumulators_width(width: int, adder: Adder) -> None:
    cycles = 1024
    low = np.full(cycles, -128)
    found = sums_of(Accumulator(width, adder), low, low, low * 0, low * 0 + 1)
    assert found == wrapped(16_384 * np.arange(1, cycles + 1), width).tolist()
    assert (found[-1] == 1 << 24) == (width > 25)


def test_sums_begin_anew_and_wait() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.integers(-128, 128, (2, 300))
    first, enable = rng.random((2, 300)) < [[0.1], [0.7]]
    wanted, total = [], 0
    for x, y, begins, moves in zip(a.tolist(), b.tolist(), first, enable, strict=True):
        if moves:
            total = x * y + (0 if begins else total)
        wanted.append(total)
    found = sums_of(Accumulator(32, "prefix"), a, b, first.astype(int), enable.astype(int))
    assert found == wanted


def test_lanes_resolve_side_by_side() -> None:
    dut = ResolveLanes(3, 20, "prefix")
    pairs = np.random.default_rng(4).integers(0, 1 << 20, (50, 3, 2))

    async def bench(ctx: Any) -> None:
        for row in pairs.tolist():
            for port, (half, carry) in zip(dut.pairs, row, strict=True):
                ctx.set(port, {"sum": half, "carry": carry})
            await ctx.delay(1e-9)
            assert [ctx.get(t) for t in dut.totals] == wrapped(np.sum(row, axis=-1), 20).tolist()

    simulate(dut, bench)


@pytest.mark.parametrize(
    "part",
    [
        CompressorTree(6, 32),
        CarryPropagateAdder(20, "ripple"),
        BoothMultiplier(8, 8, "prefix"),
        CarrySaveMac(8, 8, 32),
        ResolveLanes(2, 32, "ripple"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_parts_are_sound(part: wiring.Component) -> None:
    check_rtl(to_verilog(part, "part"), "part")
