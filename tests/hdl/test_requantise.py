"""Rows of scale-and-round lanes: values, pace, and waiting, against the reference in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from archsim.formats.requantise import narrowed, requantise, scaled, wrap
from archsim.hdl.requantise import Requantise, Scaling

LANES, BEATS = 2, 60
NARROW = {"low": -100, "high": 90, "zero_point": -7}


def run(
    dut: Requantise, beats: list[dict[str, Any]], rng: np.random.Generator, stall: float
) -> Any:
    """Return the beats that leave and the cycles in which each entered and left."""
    left: list[list[int]] = []
    entered_at: list[int] = []
    left_at: list[int] = []

    async def bench(ctx: Any) -> None:
        for name, value in NARROW.items():
            ctx.set(getattr(dut, name), value)
        cycle, offered, wanted = 0, False, sum(b.get("last", 1) for b in beats)
        while len(left) < wanted:
            if not offered and len(entered_at) < len(beats) and rng.random() >= stall:
                offered = True
                ctx.set(dut.i.payload, beats[len(entered_at)])
            ctx.set(dut.i.valid, offered)
            ctx.set(dut.o.ready, rng.random() >= stall)
            await ctx.delay(0)
            if offered and ctx.get(dut.i.ready):
                entered_at.append(cycle)
                offered = False
            if ctx.get(dut.o.valid) and ctx.get(dut.o.ready):
                left.append([ctx.get(dut.o.p[j]) for j in range(LANES)])
                left_at.append(cycle)
            await ctx.tick()
            cycle += 1
            assert cycle < 10_000

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(left), entered_at, left_at


def random_beats(rng: np.random.Generator, scaling: Scaling) -> tuple[Any, Any, Any, Any]:
    def integers(bits: int) -> Any:
        edge = 2 ** (bits - 1)
        values = rng.integers(-edge, edge, (BEATS, LANES))
        small = rng.integers(-4, 5, (BEATS, LANES))
        return np.where(rng.random((BEATS, LANES)) < 0.3, small, values)

    shift = rng.integers(0, scaling.product_bits, (BEATS, LANES))
    acc, scale = scaling.acc_bits, scaling.scale_bits
    return integers(acc), integers(acc), integers(scale), shift


def as_beats(x: Any, bias: Any, multiplier: Any, shift: Any) -> list[dict[str, Any]]:
    names = ("bias", "multiplier", "shift")
    return [
        {
            "x": x[i].tolist(),
            "parameters": [
                dict(zip(names, map(int, lane), strict=True))
                for lane in zip(bias[i], multiplier[i], shift[i], strict=True)
            ],
        }
        for i in range(len(x))
    ]


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize(
    "scaling",
    [Scaling(), Scaling(12, 9, 8, "half_up"), Scaling(16, 16, 8, "half_even")],
    ids=["32x32", "12x9-up", "16x16"],
)
def test_beats_are_scaled_and_rounded(scaling: Scaling, stall: float) -> None:
    rng = np.random.default_rng(5)
    numbers = random_beats(rng, scaling)
    found, entered, left = run(Requantise(LANES, scaling), as_beats(*numbers), rng, stall)
    wanted = requantise(
        *numbers, **NARROW, acc_bits=scaling.acc_bits, scale_bits=scaling.scale_bits,
        rounding=scaling.rounding,
    )  # fmt: skip
    np.testing.assert_array_equal(found, wanted)
    if not stall:  # a beat every cycle, each out five cycles later
        assert list(range(BEATS)) == entered
        assert [cycle + 5 for cycle in entered] == left


@pytest.mark.parametrize("maximum", [0, 1])
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_taps_are_added_or_compared(maximum: int, stall: float) -> None:
    rng = np.random.default_rng(6)
    scaling = Scaling(16, 16, 8, reduce=True)
    x, bias, multiplier, shift = random_beats(rng, scaling)
    first = rng.random(BEATS) < 0.4
    first[0] = True
    last = np.append(first[1:], True)
    shift = shift[np.maximum.accumulate(np.where(first, np.arange(BEATS), 0))]  # one a window
    beats = [
        {**beat, "first": int(first[i]), "last": int(last[i]), "maximum": maximum}
        for i, beat in enumerate(as_beats(x, bias, multiplier, shift))
    ]
    found, entered, left = run(Requantise(LANES, scaling), beats, rng, stall)
    groups = np.split(scaled(x, bias, multiplier, 16, 16), np.flatnonzero(first)[1:])
    windows = [group.max(0) if maximum else wrap(group.sum(0), 32) for group in groups]
    wanted = narrowed(
        np.array(windows), shift[last], NARROW["zero_point"], NARROW["low"], NARROW["high"], 16,
        "half_even",
    )  # fmt: skip
    np.testing.assert_array_equal(found, wanted)
    if not stall:
        assert list(range(BEATS)) == entered
        assert [i + 6 for i in np.flatnonzero(last)] == left
