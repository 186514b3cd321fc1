"""Window sequencer and accumulator bank by themselves, in Amaranth's simulator."""

from __future__ import annotations

import pytest
from amaranth.hdl import signed
from amaranth.lib import data
from amaranth.sim import Simulator

from archsim.hdl.accumulator_bank import AccumulatorBank
from archsim.hdl.mac import Arithmetic
from archsim.hdl.stationary import StationaryShape, WindowSequencer


def simulate(dut, bench) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_windows_of_two_chunks_two_deep() -> None:
    """Three rows through a bank of two; tiles of two rows and one: loads lead by a window."""
    dut = WindowSequencer(StationaryShape(rows=2, cols=3, bank=2, skewed=True))
    steps: list[tuple[int, ...]] = []

    async def bench(ctx) -> None:
        for name, value in {"m": 3, "n": 3, "k": 3, "start": 1, "advance": 1}.items():
            ctx.set(getattr(dut, name), value)
        assert ctx.get(dut.idle)
        await ctx.tick()
        ctx.set(dut.start, 0)
        while not ctx.get(dut.draining):
            flags = (dut.begins, dut.feeding, dut.loading, dut.flushing)
            steps.append(tuple(ctx.get(flag) for flag in flags))
            if ctx.get(dut.feeding):
                extents = (dut.first, dut.last, dut.depth, dut.width)
                steps[-1] += tuple(ctx.get(value) for value in extents)
            await ctx.tick()
        ctx.set(dut.finish, 1)
        await ctx.tick()
        assert ctx.get(dut.idle)

    simulate(dut, bench)
    assert steps == [
        *((1, 0, 1, 0), (0, 0, 1, 0)),  # two rows of the first tile
        *((1, 1, 1, 0, 1, 0, 2, 3), (0, 1, 0, 0, 1, 0, 2, 3)),  # two rows; the ragged tile
        *((1, 1, 1, 0, 0, 1, 1, 3), (0, 1, 1, 0, 0, 1, 1, 3)),  # two rows; the first tile again
        (1, 1, 1, 0, 1, 0, 2, 3),  # the third row
        (1, 1, 0, 0, 0, 1, 1, 3),
        *[(0, 0, 0, 1)] * 5,  # rows + cols
    ]


def test_a_step_that_is_not_taken_changes_nothing() -> None:
    dut = WindowSequencer(StationaryShape(rows=1, cols=1, bank=4, skewed=True))

    async def bench(ctx) -> None:
        for name in ("m", "n", "k", "start"):
            ctx.set(getattr(dut, name), 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for _ in range(3):
            assert (1, 1, 0) == tuple(ctx.get(x) for x in (dut.begins, dut.loading, dut.feeding))
            await ctx.tick()
        ctx.set(dut.advance, 1)
        await ctx.tick()
        ctx.set(dut.advance, 0)
        for _ in range(3):
            assert (1, 0, 1) == tuple(ctx.get(x) for x in (dut.begins, dut.loading, dut.feeding))
            await ctx.tick()

    simulate(dut, bench)


TOP, FIRST, LAST = {"top": 1}, {"first": 1}, {"last": 1}
NONE = {"valid": 0, "top": 0, "first": 0, "last": 0}


def bank_totals(depth: int, rows: list[tuple[dict[str, int], int]], *, early: bool) -> list[int]:
    """Return what rows, tags and single sums, amount to as they land one a step."""
    dut = AccumulatorBank(depth, data.ArrayLayout(signed(8), 1), Arithmetic(), early=early)
    tags = [{**NONE, "valid": 1, **tag} for tag, _ in rows]
    sums = [total for _, total in rows]
    totals = []

    async def bench(ctx) -> None:
        for step in range(-2, len(rows)):  # each row is announced two steps before it lands

            def tag_at(step: int) -> dict[str, int]:
                return tags[step] if 0 <= step < len(rows) else NONE

            if early:
                ctx.set(dut.ahead, tag_at(step + 2))
            ctx.set(dut.coming, tag_at(step + 1))
            ctx.set(dut.landing, tag_at(step))
            ctx.set(dut.sums[0], sums[max(step, 0)])
            if tag_at(step)["valid"]:
                totals.append(ctx.get(dut.total[0]))
            ctx.set(dut.advance, 0)  # a cycle without a step
            await ctx.tick()
            ctx.set(dut.advance, 1)
            await ctx.tick()

    simulate(dut, bench)
    return totals


@pytest.mark.parametrize("early", [False, True])
def test_rows_add_up_over_folds(early: bool) -> None:
    rows = [
        *((TOP | FIRST, 1), (FIRST, 2), (FIRST, 3)),
        *((TOP, 10), ({}, 20), ({}, 30)),
        *((TOP | LAST, 40), (LAST, 50), (LAST, 60)),
        (TOP | FIRST, -5),  # the next sums start anew
    ]
    assert bank_totals(4, rows, early=early) == [1, 2, 3, 11, 22, 33, 51, 72, 93, -5]


@pytest.mark.parametrize("early", [False, True])
def test_a_row_may_land_in_consecutive_steps_or_in_every_other(early: bool) -> None:
    rows = [(TOP | FIRST, 1), (TOP, 2), (TOP, 4), (TOP | LAST, 8), (TOP | FIRST | LAST, 16)]
    for depth in (1, 2):
        assert bank_totals(depth, rows, early=early) == [1, 3, 7, 15, 16]
    rows = [(TOP | FIRST, 1), (FIRST, 2), (TOP, 4), ({}, 8), (TOP | LAST, 16), (LAST, 32)]
    assert bank_totals(2, rows, early=early) == [1, 2, 5, 10, 21, 42]


def test_a_row_that_comes_after_nothing_has_been_read() -> None:
    rows = [(TOP | FIRST, 1), ({"valid": 0}, 9), ({"valid": 0}, 9), (TOP, 2), (TOP | LAST, 3)]
    assert bank_totals(2, rows, early=True) == [1, 3, 6]
