"""Trees that add up products, in simulation: every PE and adder, every place of registers."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from archsim.hdl.dot_product import DotProduct
from archsim.hdl.emit import to_verilog
from archsim.hdl.mac import Arithmetic
from archsim.hdl.synth import check_rtl

MAC, OPT1 = Arithmetic(), Arithmetic("opt1")
BUILT = Arithmetic("mac", "booth", "ripple")


def sums(dut: DotProduct, a: np.ndarray, b: np.ndarray, stages: int, how: Arithmetic) -> list[int]:
    """Return what operands [steps, depth] come out as, one step after the other."""
    width = len(dut.sum) if how.pe == "mac" else len(dut.sum) // 2
    found: list[int] = []

    async def bench(ctx) -> None:
        for step in range(len(a) + stages):
            for i in range(a.shape[1]):
                at = min(step, len(a) - 1)
                ctx.set(dut.a[i], int(a[at, i]))
                ctx.set(dut.b[i], int(b[at, i]))
            ctx.set(dut.advance, 0)  # a cycle without a step
            await ctx.tick()
            if step >= stages:
                value = ctx.get(dut.sum)
                if how.pe == "opt1":
                    value = (value >> width) + value
                value &= (1 << width) - 1
                found.append(value - (value >> width - 1 << width))
            ctx.set(dut.advance, 1)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def wrapped(values: np.ndarray, width: int) -> list[int]:
    low = values & ((1 << width) - 1)
    return [int(x) for x in low - (low >> width - 1 << width)]


@pytest.mark.parametrize("how", [MAC, BUILT, OPT1], ids=["inferred", "built", "opt1"])
@pytest.mark.parametrize(
    ("depth", "a_bits", "b_bits", "width", "stages"),
    [
        (1, 8, 8, 32, 1), (2, 2, 2, 4, 2), (3, 3, 5, 20, 1), (4, 8, 4, 12, 3), (5, 4, 3, 10, 2),
        (5, 4, 3, 11, 4), (5, 4, 3, 12, 1),
    ],
)  # fmt: skip
def test_sums_of_random_and_extreme_products(
    how: Arithmetic, depth: int, a_bits: int, b_bits: int, width: int, stages: int
) -> None:
    rng = np.random.default_rng(depth * width)
    operands = []
    for bits in (a_bits, b_bits):
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        extreme = rng.choice([low, high, 0, -1], (40, depth))
        same = np.full((1, depth), low)
        operands.append(np.concatenate([rng.integers(low, high + 1, (40, depth)), extreme, same]))
    a, b = operands
    dut = DotProduct(depth, a_bits, b_bits, width, stages, how)
    assert wrapped((a * b).sum(axis=1), width) == sums(dut, a, b, stages, how)


def test_every_pair_of_products_of_small_integers() -> None:
    values = np.arange(-4, 4)
    grid = np.stack(np.meshgrid(values, values, values[::7], values[::3]), axis=-1).reshape(-1, 4)
    dut = DotProduct(2, 3, 3, 10, 1, OPT1)
    wanted = grid[:, 0] * grid[:, 1] + grid[:, 2] * grid[:, 3]
    assert wanted.tolist() == sums(dut, grid[:, ::2], grid[:, 1::2], 1, OPT1)


def test_verilog_has_no_latch_and_one_driver_a_wire() -> None:
    for how in (MAC, BUILT, OPT1):
        check_rtl(to_verilog(DotProduct(5, 4, 4, 16, 2, how), "dot"), "dot")
