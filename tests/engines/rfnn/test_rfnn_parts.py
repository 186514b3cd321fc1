"""Parts of the RF control by themselves: averages, magnitudes, words between stages, switches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.sim import Simulator

from archsim.engines.rfnn.buffers_rtl import Converters, PingPong
from archsim.engines.rfnn.jobs import ABS, PASS, RELU
from archsim.engines.rfnn.readout_rtl import Activation, AdcAccum, rounded, saturated
from archsim.engines.rfnn.routes import strided, switch_count, switched
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.switches_rtl import SwitchMatrix

SPEC = RfnnSpec(modes=3, chains=2, adc_bits=6, dac_bits=5, result_bits=8, buffer_words=8)


def simulate(component: Any, bench: Callable[[Any], Any]) -> None:
    simulator = Simulator(component)
    if isinstance(component, wiring.Component) and not isinstance(component, Activation):
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("log2", [0, 1, 3])
def test_averages_are_rounded_upward_and_come_one_by_one(log2: int) -> None:
    unit = AdcAccum(3, 2, 6, log2)
    samples = np.random.default_rng(0).integers(-32, 32, (2, 1 << log2, 3, 2))
    samples[1] = [[-32, 31]] * 3  # as large as sums can be
    found = []

    async def bench(ctx: Any) -> None:
        for vector in samples:
            ctx.set(unit.clear, 1)
            ctx.set(unit.take, 0)
            await ctx.tick()
            ctx.set(unit.clear, 0)
            for sample in vector.tolist():
                ctx.set(unit.take, 1)
                ctx.set(unit.samples, sample)
                await ctx.tick()
            ctx.set(unit.take, 0)
            for _ in range(3):
                ctx.set(unit.shift, 1)
                await ctx.tick()
                found.append([ctx.get(unit.average[lane]) for lane in range(2)])
            ctx.set(unit.shift, 0)

    simulate(unit, bench)
    wanted = np.floor(samples.mean(axis=1) + 0.5).astype(int)
    assert wanted.reshape(-1, 2).tolist() == found


def test_what_becomes_of_a_result() -> None:
    unit = Activation(2, 8)
    rng = np.random.default_rng(1)
    corners = [(-128, -128, 0), (-128, 127, -128), (127, 127, 127), (0, 0, 0), (3, -4, 0)]
    words = [*corners, *rng.integers(-128, 128, (60, 3)).tolist()]

    async def bench(ctx: Any) -> None:
        for i, q, c in words:
            ctx.set(unit.word, [i, q])
            ctx.set(unit.c, c)
            total = min(max(i + c, -128), 127)
            great, small = max(abs(total), abs(q)), min(abs(total), abs(q))
            wanted = {PASS: total, RELU: max(total, 0), ABS: min(great + 3 * small // 8, 127)}
            for activation, value in wanted.items():
                ctx.set(unit.activation, activation)
                assert value == ctx.get(unit.result), (i, q, c, activation)

    simulate(unit, bench)


def test_the_magnitude_is_within_seven_percent() -> None:
    angles = np.linspace(0, 2 * np.pi, 1_000)
    i, q = np.rint(1e6 * np.cos(angles)).astype(int), np.rint(1e6 * np.sin(angles)).astype(int)
    great, small = np.maximum(abs(i), abs(q)), np.minimum(abs(i), abs(q))
    ratio = (great + (3 * small >> 3)) / 1e6
    assert ratio.min() == pytest.approx(0.9723, abs=1e-3)
    assert ratio.max() == pytest.approx(1.0680, abs=1e-3)


def test_words_are_rounded_and_cut() -> None:
    m, value, bits = Module(), Signal(signed(8)), Signal(5)
    out = Signal(signed(4))
    m.d.comb += out.eq(saturated(rounded(value, bits), 4))

    async def bench(ctx: Any) -> None:
        for word in (-128, -100, -17, -8, -1, 0, 3, 7, 8, 100, 127):
            for shift in (0, 1, 3, 7, 20):
                ctx.set(value, word)
                ctx.set(bits, shift)
                wanted = np.floor(word / 2**shift + 0.5)
                assert int(np.clip(wanted, -8, 7)) == ctx.get(out), (word, shift)

    simulate(m, bench)


def test_words_are_stored_behind_and_read_in_front() -> None:
    unit = PingPong(SPEC)

    async def bench(ctx: Any) -> None:
        async def store(address: int, average: tuple[int, int], adds: bool) -> None:
            ctx.set(unit.store, 1)
            ctx.set(unit.adds, int(adds))
            ctx.set(unit.store_address, address)
            await ctx.tick()
            ctx.set(unit.store, 0)
            ctx.set(unit.average, list(average))
            await ctx.tick()

        async def read(address: int) -> list[int]:
            ctx.set(unit.read, 1)
            ctx.set(unit.read_address, address)
            await ctx.tick()
            ctx.set(unit.read, 0)
            return [ctx.get(unit.word[lane]) for lane in range(2)]

        ctx.set(unit.write, 1)
        ctx.set(unit.write_address, 5)
        ctx.set(unit.write_word, [-7, 0])
        await ctx.tick()
        ctx.set(unit.write, 0)
        await store(5, (20, -30), adds=False)
        for _ in range(5):
            await store(5, (30, -31), adds=True)
        assert [-7, 0] == await read(5)
        ctx.set(unit.turn, 1)
        await ctx.tick()
        ctx.set(unit.turn, 0)
        assert [127, -128] == await read(5)  # 20 + 5 x 30 and -30 - 5 x 31, cut to eight bits

    simulate(unit, bench)


def test_amplitudes_are_moved_down_and_unused_ports_are_dark() -> None:
    unit = Converters(SPEC)

    async def bench(ctx: Any) -> None:
        ctx.set(unit.shift, 2)
        for words in ([(127, -128), (6, -6), (5, 1)], [(-9, 10)]):
            for lane, word in enumerate(words):
                ctx.set(unit.load, 1)
                ctx.set(unit.lane, lane)
                ctx.set(unit.opens, int(lane == 0))
                await ctx.tick()
                ctx.set(unit.word, list(word))
            ctx.set(unit.load, 0)
            await ctx.tick()
            wanted = [[min(max((x + 2) // 4, -16), 15) for x in word] for word in words]
            wanted += [[0, 0]] * (3 - len(words))
            assert wanted == [[ctx.get(port[lane]) for lane in range(2)] for port in unit.dac]

    simulate(unit, bench)


@pytest.mark.parametrize("ports", [2, 4, 8])
def test_each_word_of_the_switch_matrix_is_its_stride(ports: int) -> None:
    unit = SwitchMatrix(ports)

    async def bench(ctx: Any) -> None:
        ctx.set(unit.set, 1)
        for route in range(ports.bit_length()):
            ctx.set(unit.route, route)
            await ctx.tick()
            word = ctx.get(unit.word)
            bits = [word >> i & 1 for i in range(switch_count(ports))]
            stride = 1 << route
            outs = switched(bits, range(ports))
            assert outs == strided(ports, stride)
            where = [outs.index(i) for i in range(ports)]
            assert where == [i % stride * (ports // stride) + i // stride for i in range(ports)]
        ctx.set(unit.set, 0)
        ctx.set(unit.route, 0)
        await ctx.tick()
        assert word == ctx.get(unit.word)

    simulate(unit, bench)
