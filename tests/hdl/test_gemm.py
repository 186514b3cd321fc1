from __future__ import annotations

import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from archsim.engines.gemm import MAX_EXTENT
from archsim.hdl.gemm import EXTENT_BITS, FoldSequencer, pick
from archsim.hdl.row_drain import RowDrain


def simulate(dut, bench) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def steps_of(rows: int, cols: int, m: int, n: int, k: int, **how: int) -> str:
    """Return a letter a step: B beat, F first, L last, X both, g gap or flush."""
    dut, letters = FoldSequencer(rows, cols, **how), []

    async def bench(ctx) -> None:
        for name, value in {"m": m, "n": n, "k": k, "start": 1}.items():
            ctx.set(getattr(dut, name), value)
        assert ctx.get(dut.idle)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.advance, 1)
        while not ctx.get(dut.draining):
            assert ctx.get(dut.stepping)
            first, last = ctx.get(dut.first), ctx.get(dut.last)
            letters.append("BFLX"[first + 2 * last] if ctx.get(dut.feeding) else "g")
            await ctx.tick()
        ctx.set(dut.advance, 0)
        ctx.set(dut.finish, 1)
        await ctx.tick()
        assert ctx.get(dut.idle)

    simulate(dut, bench)
    return "".join(letters)


@pytest.mark.parametrize(
    ("rows", "cols", "m", "n", "k", "steps"),
    [
        (1, 1, 1, 1, 1, "X"),
        (1, 1, 2, 1, 3, "FBLFBL"),
        (2, 1, 3, 1, 1, "XgX"),  # the second fold has one row: nothing to flush
        (2, 3, 2, 3, 4, "FBBLggg"),  # flush: 1 row and 2 columns
        (2, 3, 1, 6, 2, "FLgFLgg"),  # periods of 3
        (3, 2, 3, 4, 5, "FBBBLFBBBLggg"),
    ],
)
def test_fold_sequencer(rows: int, cols: int, m: int, n: int, k: int, steps: str) -> None:
    assert steps == steps_of(rows, cols, m, n, k)
    assert steps == steps_of(rows, cols, m, n, k, ahead=True)
    assert steps + "gg" == steps_of(rows, cols, m, n, k, behind=2)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(("k", "beats"), [(1, "X"), (3, "X"), (4, "FL"), (6, "FL"), (7, "FBL")])
def test_a_beat_of_several_slices(k: int, beats: str, ahead: bool) -> None:
    assert beats + beats + "g" == steps_of(1, 1, 1, 2, k, slices=3, behind=1, ahead=ahead)


def test_row_drain_blocks_while_the_row_is_there_and_not_when_it_leaves() -> None:
    dut = RowDrain(2, 1)

    async def bench(ctx) -> None:
        async def step(*, last: int = 0) -> None:
            ctx.set(dut.last, last)
            ctx.set(dut.fold_rows, 2)
            ctx.set(dut.advance, not ctx.get(dut.blocked))
            await ctx.tick()
            ctx.set(dut.advance, 0)

        await step(last=1)
        ctx.set(dut.last, 0)
        assert 0b10 == ctx.get(dut.capture)
        await step()
        assert not ctx.get(dut.empty)
        ctx.set(dut.last, 1)
        assert ctx.get(dut.blocked)
        await step(last=1)
        assert ctx.get(dut.blocked)
        ctx.set(dut.room, 1)
        assert (0, 1, 0) == (ctx.get(dut.blocked), ctx.get(dut.leave), ctx.get(dut.row))
        await step(last=1)
        ctx.set(dut.last, 0)
        assert (1, 1) == (ctx.get(dut.leave), ctx.get(dut.row))
        await ctx.tick()
        assert (1, 0) == (ctx.get(dut.leave), ctx.get(dut.row))

    simulate(dut, bench)


class Picker(wiring.Component):
    def __init__(self, count: int) -> None:
        self._count = count
        super().__init__({"index": In(range(count)), "value": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        values = [Const(100 + i, 8) for i in range(self._count)]
        m.d.comb += self.value.eq(pick(values, self.index))
        return m


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_pick_is_indexing(count: int) -> None:
    dut = Picker(count)

    async def bench(ctx) -> None:
        for i in range(count):
            ctx.set(dut.index, i)
            assert 100 + i == ctx.get(dut.value)

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


def test_commands_hold_what_jobs_may_ask() -> None:
    assert MAX_EXTENT == 2**EXTENT_BITS - 1
    assert EXTENT_BITS == len(Signal(range(MAX_EXTENT + 1)))
