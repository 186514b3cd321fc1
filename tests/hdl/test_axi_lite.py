"""The AXI4-Lite port against a register file in Python, under random waits on every channel."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from archsim.hdl.axi_lite import AxiLitePort
from tests.hdl.bus import LITE_OUTPUTS, OKAY, SLVERR, Bus, Rules

WORDS = 8  # the model's registers; the port can address twice as many
PERIOD_S = 1e-6


def run(body: Any, seed: int, gaps: bool = True) -> Rules:
    """Run ``body(bus)`` on a port in front of ``WORDS`` registers and return the checked rules."""
    dut = AxiLitePort(address_bits=6)
    rules = Rules(dut, LITE_OUTPUTS)

    async def main(ctx: Any) -> None:
        await body(Bus(dut, ctx, random.Random(seed), gaps))

    async def registers(ctx: Any) -> None:
        words = [0] * WORDS
        bus = (dut.write, dut.write_word, dut.write_data, dut.write_strobe)
        while True:
            ctx.set(dut.write_error, ctx.get(dut.write_word) >= WORDS)
            ctx.set(dut.read_error, ctx.get(dut.read_word) >= WORDS)
            ctx.set(dut.read_data, words[ctx.get(dut.read_word) % WORDS])
            write, word, data, strobe = (ctx.get(s) for s in bus)
            await ctx.tick()
            if write and word < WORDS:
                mask = sum(0xFF << 8 * i for i in range(4) if strobe >> i & 1)
                words[word] = (words[word] & ~mask) | (data & mask)

    sim = Simulator(dut)
    sim.add_clock(PERIOD_S)
    sim.add_testbench(main)
    sim.add_testbench(registers, background=True)
    sim.add_testbench(rules.watch, background=True)
    sim.run()
    return rules


@pytest.mark.parametrize("order", ["address", "data", "together"])
@pytest.mark.parametrize("gaps", [False, True])
def test_address_and_data_may_come_in_either_order(order: str, gaps: bool) -> None:
    done = []

    async def body(bus: Bus) -> None:
        for word in range(WORDS):
            assert await bus.write(4 * word, 0x1000_0000 + word, order=order) == OKAY
        for word in range(WORDS):
            assert await bus.read(4 * word) == (0x1000_0000 + word, OKAY)
        done.append(True)

    run(body, seed=1, gaps=gaps)
    assert done


@pytest.mark.parametrize("seed", range(4))
def test_random_accesses_agree_with_a_register_file(seed: int) -> None:
    done = []

    async def body(bus: Bus) -> None:
        words = [0] * WORDS
        for _ in range(150):
            address = bus.rng.randrange(64)
            known = address % 4 == 0 and address // 4 < WORDS
            if bus.rng.random() < 0.5:
                data, strobe = bus.rng.getrandbits(32), bus.rng.getrandbits(4)
                order = bus.rng.choice(("address", "data", "together"))
                got = await bus.write(address, data, strobe, order)
                assert got == (OKAY if known else SLVERR)
                if known:
                    old = words[address // 4].to_bytes(4, "little")
                    new = data.to_bytes(4, "little")
                    kept = zip(old, new, range(4), strict=True)
                    merged = bytes(n if strobe >> i & 1 else o for o, n, i in kept)
                    words[address // 4] = int.from_bytes(merged, "little")
            else:
                value = (words[address // 4], OKAY) if known else (0, SLVERR)
                assert await bus.read(address) == value
        done.append(True)

    rules = run(body, seed)
    assert done
    assert rules.held > 20, "responses had to wait for the manager"


def test_a_response_waits_and_the_next_write_is_not_lost() -> None:
    done = []

    async def body(bus: Bus) -> None:
        ctx, dut = bus.ctx, bus.dut
        await bus._give("aw", awaddr=0, awprot=0)
        await bus._give("w", wdata=1, wstrb=15)
        await bus._give("aw", awaddr=4, awprot=0)  # while the first response waits
        await bus._give("w", wdata=2, wstrb=15)
        for _ in range(5):
            await ctx.tick()
            assert ctx.get(dut.s_axi_bvalid)
        assert await bus._take("b", "bresp") == (OKAY,)
        assert await bus._take("b", "bresp") == (OKAY,)
        assert await bus.read(0) == (1, OKAY)
        assert await bus.read(4) == (2, OKAY)
        done.append(True)

    run(body, seed=0, gaps=False)
    assert done
