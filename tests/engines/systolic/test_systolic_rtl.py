"""PEs by themselves, and the array with operands fed by hand, in Amaranth's simulator."""

from __future__ import annotations

from amaranth.sim import Simulator

from archsim.engines.systolic.rtl import PeRow, ProcessingElement, SystolicArray
from archsim.engines.systolic.spec import SystolicSpec

SPEC = SystolicSpec(rows=2, cols=2, a_bits=4, b_bits=4, acc_bits=8)


def simulate(dut, bench) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_pe_sums_between_first_and_last_and_keeps_the_sum() -> None:
    dut = ProcessingElement(SPEC)

    async def bench(ctx) -> None:
        async def step(a: int, b: int, first: int, last: int, advance: int = 1) -> None:
            for name, value in {"a": a, "b": b, "first": first, "last": last}.items():
                ctx.set(getattr(dut, name), value)
            ctx.set(dut.advance, advance)
            await ctx.tick()

        await step(-8, -8, first=1, last=0)
        assert (-8, -8, 1, 0) == tuple(
            ctx.get(x) for x in (dut.a_next, dut.b_next, dut.first_next, dut.last_next)
        )
        await step(7, 7, first=0, last=0, advance=0)  # not taken
        await step(3, 2, first=0, last=1)
        assert 70 == ctx.get(dut.sum)
        await step(-1, 5, first=1, last=0)
        await step(-8, 7, first=0, last=0)
        assert 70 == ctx.get(dut.sum)
        await step(-8, 7, first=0, last=1)
        assert -5 - 56 - 56 == ctx.get(dut.sum)
        await step(-8, -8, first=0, last=0)
        await step(-8, -8, first=0, last=1)  # the accumulator goes on: -117 + 128
        assert 11 == ctx.get(dut.sum)

    simulate(dut, bench)


def test_a_row_passes_a_right_and_b_down() -> None:
    dut = PeRow(SPEC)

    async def bench(ctx) -> None:
        ctx.set(dut.advance, 1)
        for a, b, first, last in ((2, [3, 0], 1, 1), (0, [0, 5], 0, 0), (0, [0, 0], 0, 0)):
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            ctx.set(dut.first, first)
            ctx.set(dut.last, last)
            await ctx.tick()
            assert b == [ctx.get(dut.b_next[j]) for j in range(2)]
        assert [6, 10] == [ctx.get(dut.sums[j]) for j in range(2)]

    simulate(dut, bench)


def test_array_by_hand() -> None:
    """[[1 2] [3 4]] x [[5 6] [7 -8]] = [[19 -10] [43 -14]], cycle by cycle."""
    dut = SystolicArray(SPEC)

    async def bench(ctx) -> None:
        ctx.set(dut.cmd.p, {"m": 2, "n": 2, "k": 2, "accumulate": 0})
        ctx.set(dut.cmd.valid, 1)
        ctx.set(dut.a.valid, 1)
        ctx.set(dut.b.valid, 1)
        ctx.set(dut.result.ready, 1)
        assert ctx.get(dut.cmd.ready)
        assert not ctx.get(dut.a.ready)
        await ctx.tick()  # cycle 0
        ctx.set(dut.cmd.valid, 0)
        for a, b in (([1, 3], [5, 6]), ([2, 4], [7, -8])):
            ctx.set(dut.a.p, a)
            ctx.set(dut.b.p, b)
            assert ctx.get(dut.a.ready)
            assert ctx.get(dut.b.ready)
            await ctx.tick()  # cycles 1, 2
        ctx.set(dut.a.valid, 0)
        ctx.set(dut.b.valid, 0)
        results = []
        for cycle in range(3, 7):
            assert not ctx.get(dut.cmd.ready)
            if ctx.get(dut.result.valid):
                results.append((cycle, [ctx.get(dut.result.p[j]) for j in range(2)]))
            await ctx.tick()
        assert [(5, [19, -10]), (6, [43, -14])] == results
        assert ctx.get(dut.cmd.ready)
        assert not ctx.get(dut.result.valid)
        counters = {
            name: ctx.get(getattr(dut.counters, name)) for name in ("busy", "fill", "drain")
        }
        assert {"busy": 4, "fill": 1, "drain": 2} == counters

    simulate(dut, bench)
