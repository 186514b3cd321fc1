"""The bus wrapper of a small systolic array: jobs through AXI, under random waits everywhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from archsim.engines.systolic.rtl import SystolicArray
from archsim.engines.systolic.spec import SystolicSpec
from archsim.hdl.stream_top import COMMAND_OFFSET, ID, VERSION, StreamTop, axes, register_map
from tests.hdl.bus import LITE_OUTPUTS, OKAY, RESULT_OUTPUT, SLVERR, Bus, Rules, receive, send

SPEC = SystolicSpec(rows=3, cols=2, a_bits=5, b_bits=4, acc_bits=11)  # nothing is a whole byte
PERIOD_S = 1e-6
OFFSET = {name: 0x20 + 4 * i for i, name in enumerate(("m", "n", "k", "accumulate"))}
CONTROL, STATUS, JOBS = 0x10, 0x14, 0x18
BUSY, PENDING, REFUSED = 1, 2, 4


def elaborated() -> SystolicArray:
    """Return an array for its ports alone; Amaranth warns of components that are never used."""
    array = SystolicArray(SPEC)
    Simulator(array)
    return array


@dataclass
class Job:
    """A product and the beats that it takes and gives, worked out from the port rules alone."""

    m: int
    n: int
    k: int
    accumulate: bool
    rng: np.random.Generator

    def __post_init__(self) -> None:
        def draw(bits: int, *shape: int) -> Any:
            return self.rng.integers(-(1 << bits - 1), 1 << bits - 1, shape)

        self.a, self.b = draw(SPEC.a_bits, self.m, self.k), draw(SPEC.b_bits, self.k, self.n)
        self.c = draw(SPEC.acc_bits, self.m, self.n)
        product = self.a @ self.b + (self.c if self.accumulate else 0)
        half = 1 << SPEC.acc_bits - 1
        self.result = (product + half) % (2 * half) - half

    def folds(self) -> list[tuple[range, range]]:
        return [
            (range(i, min(i + SPEC.rows, self.m)), range(j, min(j + SPEC.cols, self.n)))
            for i in range(0, self.m, SPEC.rows)
            for j in range(0, self.n, SPEC.cols)
        ]

    def a_beats(self) -> list[int]:
        return [pack(self.a[rows.start : rows.stop, t], SPEC.a_bits)
                for rows, _ in self.folds() for t in range(self.k)]  # fmt: skip

    def b_beats(self) -> list[int]:
        return [pack(self.b[t, cols.start : cols.stop], SPEC.b_bits)
                for _, cols in self.folds() for t in range(self.k)]  # fmt: skip

    def rows_of(self, matrix: Any) -> list[tuple[int, int]]:
        """Return (beat, mask of the bits that mean something) of every row of every fold."""
        mask = (1 << SPEC.acc_bits) - 1
        return [
            (pack(matrix[i, cols.start : cols.stop], SPEC.acc_bits),
             sum(mask << SPEC.acc_bits * lane for lane in range(len(cols))))
            for rows, cols in self.folds() for i in rows
        ]  # fmt: skip

    def c_beats(self) -> list[int]:
        return [beat for beat, _ in self.rows_of(self.c)] if self.accumulate else []


def pack(values: Any, bits: int) -> int:
    return sum((int(v) % (1 << bits)) << bits * lane for lane, v in enumerate(values))


def simulate(body: Callable[..., Any], *others: Callable[..., Any]) -> Rules:
    dut = StreamTop(SystolicArray(SPEC), "engine")
    checked = Rules(dut, LITE_OUTPUTS | RESULT_OUTPUT)
    sim = Simulator(dut)
    sim.add_clock(PERIOD_S)

    def bind(process: Callable[..., Any]) -> Callable[..., Any]:
        async def bound(ctx: Any) -> None:
            await process(ctx, dut)

        return bound

    for process in (body, *others):
        sim.add_testbench(bind(process))
    sim.add_testbench(checked.watch, background=True)
    sim.run()
    return checked


async def command(bus: Bus, job: Job) -> None:
    fields = {"m": job.m, "n": job.n, "k": job.k, "accumulate": int(job.accumulate)}
    for name, value in fields.items():
        assert await bus.write(OFFSET[name], value) == OKAY
    while (await bus.read(STATUS))[0] & PENDING:
        pass
    assert await bus.write(CONTROL, 1) == OKAY
    assert not (await bus.read(STATUS))[0] & REFUSED


def run_jobs(jobs: list[Job], seed: int, *, gaps: bool) -> Rules:
    """Run jobs back to back and check every result beat, ``tlast``, status and job count."""

    def stalls(name: str) -> Callable[[], int]:
        own = random.Random(f"{seed} {name}")
        return lambda: own.choice((0, 0, 0, 1, 4)) if gaps else 0

    async def commands(ctx: Any, dut: Any) -> None:
        bus = Bus(dut, ctx, random.Random(seed), gaps)
        for job in jobs:
            await command(bus, job)
        while (await bus.read(STATUS))[0] & BUSY:
            pass
        assert await bus.read(JOBS) == (len(jobs), OKAY)

    def feed(name: str, beats: list[int]) -> Callable[..., Any]:
        return lambda ctx, dut: send(ctx, dut, f"s_axis_{name}", beats, stalls(name))

    async def results(ctx: Any, dut: Any) -> None:
        for number, job in enumerate(jobs):
            wanted = job.rows_of(job.result)
            stem = "m_axis_result"
            beats = await receive(ctx, dut, stem, len(wanted), stalls(f"result {number}"))
            for i, ((got, last), (beat, mask)) in enumerate(zip(beats, wanted, strict=True)):
                assert got & mask == beat, f"job {number}, beat {i}"
                assert last == (i == len(wanted) - 1), f"job {number}, beat {i}"

    return simulate(
        commands,
        feed("a", [beat for job in jobs for beat in job.a_beats()]),
        feed("b", [beat for job in jobs for beat in job.b_beats()]),
        feed("c", [beat for job in jobs for beat in job.c_beats()]),
        results,
    )


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_jobs_back_to_back_give_the_products(seed: int, gaps: bool) -> None:
    rng = np.random.default_rng(seed)
    jobs = [
        Job(*(int(x) for x in rng.integers(1, 8, 3)), bool(rng.integers(2)), rng) for _ in range(5)
    ]
    rules = run_jobs(jobs, seed, gaps=gaps)
    if gaps:
        assert rules.held > 20, "results and responses had to wait"


@pytest.mark.parametrize(
    ("m", "n", "k"), [(1, 1, 1), (3, 2, 1), (4, 1, 3), (1, 3, 2), (3, 4, 9), (7, 5, 4)]
)
@pytest.mark.parametrize("accumulate", [False, True])
def test_corners(m: int, n: int, k: int, accumulate: bool) -> None:
    rng = np.random.default_rng(0)
    run_jobs([Job(m, n, k, accumulate, rng), Job(1, 1, 1, False, rng)], seed=0, gaps=False)


def test_registers_say_what_the_engine_is() -> None:
    async def body(ctx: Any, dut: Any) -> None:
        bus = Bus(dut, ctx, random.Random(0))
        assert await bus.read(0x00) == (ID, OKAY)
        assert await bus.read(0x04) == (VERSION, OKAY)
        assert await bus.read(0x08) == (SPEC.rows | SPEC.cols << 16, OKAY)
        assert await bus.read(0x0C) == (
            SPEC.a_bits | SPEC.b_bits << 8 | SPEC.acc_bits << 16, OKAY
        )  # fmt: skip
        assert await bus.read(CONTROL) == (0, OKAY)

    simulate(body)


def test_unknown_unaligned_and_read_only_addresses_are_refused() -> None:
    async def body(ctx: Any, dut: Any) -> None:
        bus = Bus(dut, ctx, random.Random(0))
        known = {r.offset: r for r in register_map(elaborated())}
        for address in range(0, 256, 4):
            register = known.get(address)
            assert (await bus.read(address))[1] == (OKAY if register else SLVERR)
            if register is None or register.access == "ro":
                assert await bus.write(address, 0xFFFF_FFFF) == SLVERR
        assert await bus.write(OFFSET["m"] + 1, 3) == SLVERR
        assert await bus.read(OFFSET["m"] + 2) == (0, SLVERR)
        assert await bus.read(OFFSET["m"]) == (0, OKAY)

    simulate(body)


@pytest.mark.parametrize(
    ("field", "value"),
    [("m", 0), ("n", 0), ("k", 0), ("m", 1 << 24), ("k", 0xFFFF_FFFF), ("accumulate", 2)],
)
def test_start_refuses_a_command_that_is_none(field: str, value: int) -> None:
    async def body(ctx: Any, dut: Any) -> None:
        bus = Bus(dut, ctx, random.Random(0), gaps=False)
        for address in OFFSET.values():
            await bus.write(address, 1)
        await bus.write(OFFSET[field], value)
        await bus.write(CONTROL, 1)
        assert await bus.read(STATUS) == (REFUSED, OKAY)
        assert await bus.read(JOBS) == (0, OKAY)
        await bus.write(OFFSET[field], 1)
        await bus.write(CONTROL, 1)
        assert await bus.read(STATUS) == (BUSY, OKAY)

    simulate(body)


def test_start_refuses_a_third_command() -> None:
    async def body(ctx: Any, dut: Any) -> None:
        bus = Bus(dut, ctx, random.Random(0), gaps=False)
        for address in OFFSET.values():
            await bus.write(address, 1)
        for status in (BUSY, BUSY | PENDING, BUSY | PENDING | REFUSED):
            await bus.write(CONTROL, 1)
            assert await bus.read(STATUS) == (status, OKAY)
        await bus.write(CONTROL, 0)  # no START: nothing happens, not even to REFUSED
        assert await bus.read(STATUS) == (BUSY | PENDING | REFUSED, OKAY)

    simulate(body)


def test_counters_are_the_engines() -> None:
    """Without A the array stalls on a, and the counter says so while the job stands."""
    counters = {r.name: r.offset for r in register_map(elaborated()) if r.offset >= 0x40}
    assert COMMAND_OFFSET == OFFSET["m"]

    async def body(ctx: Any, dut: Any) -> None:
        bus = Bus(dut, ctx, random.Random(0), gaps=False)
        for name in ("m", "n", "k"):
            await bus.write(OFFSET[name], 1)
        await bus.write(CONTROL, 1)
        await send(ctx, dut, "s_axis_b", [1], lambda: 0)
        first = (await bus.read(counters["CYCLES_STALL_A"]))[0]
        for _ in range(100):
            await ctx.tick()
        second = (await bus.read(counters["CYCLES_STALL_A"]))[0]
        assert second - first > 100
        assert (await bus.read(counters["CYCLES_STALL_B"]))[0] <= 20

    simulate(body)


def test_beats_are_padded_to_bytes() -> None:
    assert {name: axis.tdata_bits for name, axis in axes(elaborated()).items()} == {
        "a": 16, "b": 8, "c": 24, "result": 24,
    }  # fmt: skip


def test_padding_of_inputs_is_ignored_and_of_results_zero() -> None:
    rng = np.random.default_rng(3)
    job = Job(2, 2, 3, False, rng)
    padding = 0b1 << SPEC.rows * SPEC.a_bits
    lanes = SPEC.cols * SPEC.acc_bits

    async def body(ctx: Any, dut: Any) -> None:
        await command(Bus(dut, ctx, random.Random(0), gaps=False), job)

    async def results(ctx: Any, dut: Any) -> None:
        beats = await receive(ctx, dut, "m_axis_result", 2, lambda: 0)
        assert [got >> lanes for got, _ in beats] == [0, 0]
        assert [got for got, _ in beats] == [beat for beat, _ in job.rows_of(job.result)]

    simulate(
        body,
        lambda c, d: send(c, d, "s_axis_a", [x | padding for x in job.a_beats()], lambda: 0),
        lambda c, d: send(c, d, "s_axis_b", job.b_beats(), lambda: 0),
        results,
    )
