"""Cells of lockstep arrays: terms and picks of every integer, PEs against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.lib import wiring
from amaranth.sim import Simulator

from archsim.formats.digits import Scheme, digit_weights, encode, integers
from archsim.hdl import interleave, term_pairs
from archsim.hdl.digit_terms import TermSerialiser
from archsim.hdl.emit import to_verilog
from archsim.hdl.interleave import InterleavedElement, Interleaver
from archsim.hdl.synth import check_rtl
from archsim.hdl.term_pairs import TermPairElement


def simulate(dut: wiring.Component, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-9)
    simulator.add_testbench(bench)
    simulator.run()


def terms_of(value: int, bits: int, scheme: Scheme) -> list[int]:
    """Return what a serialiser hands out, lowest first."""
    digits = encode(value, bits, scheme).astype(int) * digit_weights(bits, scheme)
    return [int(term) for term in digits if term]


def value_of(term: Any) -> int:
    return (-1 if term.negative else 1) << int(term.exponent) if term.live else 0


@pytest.mark.parametrize(("bits", "scheme"), [(8, "naf"), (8, "en_t"), (5, "mbe"), (2, "mbe")])
def test_serialiser_hands_out_every_integers_terms(bits: int, scheme: Scheme) -> None:
    dut = TermSerialiser(bits, scheme, False)

    async def bench(ctx: Any) -> None:
        for value in integers(bits).tolist():
            wanted = terms_of(value, bits, scheme)
            ctx.set(dut.value, value)
            ctx.set(dut.load, 1)
            await ctx.tick()
            ctx.set(dut.load, 0)
            ctx.set(dut.run, 1)
            ctx.set(dut.step, 1)
            for i, term in enumerate([*wanted, 0]):
                assert ctx.get(dut.more) == (i + 1 < len(wanted))
                assert ctx.get(dut.some) == (i < len(wanted))
                await ctx.tick()
                assert value_of(ctx.get(dut.term)) == term
            ctx.set(dut.run, 0)
            ctx.set(dut.step, 0)

    simulate(dut, bench)


def test_serialiser_begins_again_and_waits() -> None:
    dut = TermSerialiser(8, "naf", True)

    async def bench(ctx: Any) -> None:
        ctx.set(dut.value, 39)  # 32 + 8 - 1
        ctx.set(dut.load, 1)
        await ctx.tick()
        ctx.set(dut.load, 0)
        for i in range(7):
            ctx.set(dut.run, 1)
            ctx.set(dut.step, 1)
            ctx.set(dut.again, i % 3 == 2)
            await ctx.tick()
            assert value_of(ctx.get(dut.term)) == [-1, 8, 32][i % 3]
            assert ctx.get(dut.some)
            ctx.set(dut.run, 0)  # nothing is handed out, and it stays where it is
            ctx.set(dut.step, 0)
            await ctx.tick()
            assert value_of(ctx.get(dut.term)) == 0

    simulate(dut, bench)


@pytest.mark.parametrize("scheme", ["twos_complement", "sign_magnitude"])
@pytest.mark.parametrize(("group", "bits"), [(1, 4), (5, 8), (8, 8)])
def test_interleaver_picks_every_set_bit_once(scheme: Scheme, group: int, bits: int) -> None:
    dut = Interleaver(group, bits, scheme)
    rng = np.random.default_rng(group)
    groups = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (40, group))
    groups[:3] = [[0], [-1], [-(2 ** (bits - 1))]]

    async def bench(ctx: Any) -> None:
        for values in groups.tolist():
            sets = (encode(values, bits, scheme) != 0).sum(axis=0)  # by significance
            for port, value in zip(dut.values, values, strict=True):
                ctx.set(port, value)
            ctx.set(dut.load, 1)
            await ctx.tick()
            ctx.set(dut.load, 0)
            found = [0] * group
            ctx.set(dut.run, 1)
            for i in range(int(sets.max()) + 1):
                assert ctx.get(dut.more) == (i + 1 < sets.max())
                await ctx.tick()
                for weight, port in enumerate(dut.picks):
                    picked = ctx.get(port)
                    assert picked.live == (i < sets[weight])
                    if picked.live:
                        found[picked.index] += (-1 if picked.negative else 1) << weight
            assert found == values
            ctx.set(dut.run, 0)

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("lanes", "x_bits", "y_bits", "acc_bits", "adder"),
    [
        (16, 8, 8, 32, "prefix"),
        (3, 5, 8, 13, "ripple"),
        (1, 2, 2, 4, "inferred"),
        (24, 4, 16, 20, "prefix"),
    ],
)
def test_term_pairs_are_added_up(
    lanes: int, x_bits: int, y_bits: int, acc_bits: int, adder: Any
) -> None:
    """Pairs in any order, some not live, extremes among them; a new sum right after the last."""
    dut = TermPairElement(lanes, x_bits, y_bits, acc_bits, adder)
    rng, steps, length = np.random.default_rng(lanes), 60, 6
    exponents = [rng.integers(0, bits, (steps, lanes)) for bits in (x_bits, y_bits)]
    live, minus = rng.random((2, 2, steps, lanes)) < [[[[0.7]]], [[[0.5]]]]
    for i, (exponent, bits) in enumerate(zip(exponents, (x_bits, y_bits), strict=True)):
        exponent[:length], live[i, :length], minus[i, :length] = bits - 1, True, i == 0
    worth = (live[0] & live[1]) * (1 - 2 * (minus[0] ^ minus[1])) << exponents[0] + exponents[1]
    sums = worth.sum(axis=1).reshape(-1, length).sum(axis=1)

    async def bench(ctx: Any) -> None:
        found = []
        late = term_pairs.STAGES - 1  # flags come with the terms' sum
        for step in range(steps + late + 1):
            for i, ports in enumerate((dut.x, dut.y)):
                for lane, port in enumerate(ports):
                    at = min(step, steps - 1)
                    ctx.set(port.exponent, int(exponents[i][at, lane]))
                    ctx.set(port.negative, int(minus[i][at, lane]))
                    ctx.set(port.live, int(step < steps and live[i][at, lane]))
            ctx.set(dut.first, (step - late) % length == 0)
            ctx.set(dut.last, (step - late) % length == length - 1)
            await ctx.tick()
            if step >= late and (step - late) % length == length - 1:
                found.append(ctx.get(dut.sum))
        half = 1 << acc_bits - 1
        assert found == [(total + half) % (2 * half) - half for total in sums.tolist()]

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("group", "bits", "operand_bits", "acc_bits", "adder"),
    [(8, 8, 8, 32, "prefix"), (5, 4, 8, 12, "ripple"), (1, 2, 16, 18, "inferred")],
)
def test_picked_operands_are_added_up(
    group: int, bits: int, operand_bits: int, acc_bits: int, adder: Any
) -> None:
    dut = InterleavedElement(group, bits, operand_bits, acc_bits, adder)
    rng, steps, length = np.random.default_rng(group), 60, 6
    edge = 1 << operand_bits - 1
    operands = rng.integers(-edge, edge, (steps, group))
    operands[:length] = -edge
    index = rng.integers(0, group, (steps, bits))
    live, minus = rng.random((2, steps, bits)) < [[[0.7]], [[0.5]]]
    live[:length], minus[:length] = True, False
    minus &= live
    chosen = np.take_along_axis(operands, index, axis=1)
    worth = live * (1 - 2 * minus) * chosen << np.arange(bits)
    sums = worth.sum(axis=1).reshape(-1, length).sum(axis=1)

    async def bench(ctx: Any) -> None:
        found = []
        late = interleave.STAGES - 1
        for step in range(steps + late + 1):
            at, runs = min(step, steps - 1), step < steps
            for i, port in enumerate(dut.operands):
                ctx.set(port, int(operands[at, i]))
            for weight, port in enumerate(dut.picks):
                ctx.set(port.index, int(index[at, weight]))
                ctx.set(port.live, int(runs and live[at, weight]))
                ctx.set(port.negative, int(runs and minus[at, weight]))
            ctx.set(dut.first, (step - late) % length == 0)
            ctx.set(dut.last, (step - late) % length == length - 1)
            await ctx.tick()
            if step >= late and (step - late) % length == length - 1:
                found.append(ctx.get(dut.sum))
        half = 1 << acc_bits - 1
        assert found == [(total + half) % (2 * half) - half for total in sums.tolist()]

    simulate(dut, bench)


@pytest.mark.parametrize(
    "cell",
    [
        TermSerialiser(8, "naf", True),
        Interleaver(8, 8, "twos_complement"),
        TermPairElement(16, 8, 8, 32, "prefix"),
        InterleavedElement(8, 8, 8, 32, "prefix"),
    ],
    ids=lambda c: type(c).__name__,
)
def test_cells_are_sound(cell: wiring.Component) -> None:
    check_rtl(to_verilog(cell, "cell"), "cell")
