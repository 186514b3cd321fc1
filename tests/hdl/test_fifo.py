from __future__ import annotations

import random
from collections import deque

import pytest
from amaranth.sim import Simulator

from archsim.hdl.fifo import PairFifo


@pytest.mark.parametrize("offers", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("takes", [0.3, 0.7, 1.0])
def test_pair_fifo_is_a_queue_of_two(offers: float, takes: float) -> None:
    dut, model, rng = PairFifo(8), deque[int](), random.Random(1)
    passed = 0

    async def bench(ctx) -> None:
        nonlocal passed
        for value in range(300):
            ctx.set(dut.i.payload, value % 256)
            ctx.set(dut.i.valid, rng.random() < offers)
            ctx.set(dut.o.ready, rng.random() < takes)
            assert len(model) == ctx.get(dut.level)
            assert (len(model) < 2) == bool(ctx.get(dut.i.ready))
            assert bool(model) == bool(ctx.get(dut.o.valid))
            if model:
                assert model[0] == ctx.get(dut.o.payload)
            push = ctx.get(dut.i.valid) and ctx.get(dut.i.ready)
            if model and ctx.get(dut.o.ready):
                model.popleft()
                passed += 1
            if push:
                model.append(value % 256)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert passed == 299 if offers == takes == 1.0 else passed > 50
