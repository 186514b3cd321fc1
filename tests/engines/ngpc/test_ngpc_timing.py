"""Cycles of a processor: by hand, by the recurrence as it is written, and beside other models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archsim.engines import Env, Ints, Rate, SpecBatch, Stalls
from archsim.engines.ngpc.addresses import cells, slots, vertices
from archsim.engines.ngpc.jobs import NgpcJobs, encodings, mapped
from archsim.engines.ngpc.recurrence import course
from archsim.engines.ngpc.service import Service, lookups, service
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.engines.ngpc.timing import time
from archsim.graphics.conflicts import queued, turns
from archsim.graphics.encoding import Encoding

from .slices import HASH, SMALL, sliced, walk

STAGES = 6  # of addresses
LAYERED = {**SMALL, "mlp_mode": "layered"}


def test_one_query_by_hand() -> None:
    for spec in (NgpcSpec(**SMALL), NgpcSpec(**LAYERED, sram_cycles=3)):
        jobs, data = sliced(spec, queries=1, x=walk(1))
        timing = time(spec, jobs, {}, data)
        taken = 1  # in the cycle after the command
        injected = taken + STAGES
        turns_taken = service(spec, HASH, data["x"]).turns.max()
        joined = injected + turns_taken + spec.sram_cycles + 4
        given = joined + 2 * spec.mlp_stages + 1
        assert given == timing.cycles[0]
        assert joined - 1 + 1 == timing.split["fill"][0]  # those before, and the command's
        assert 1 == timing.split["busy"][0]


def test_loads_take_a_beat_a_cycle() -> None:
    spec = NgpcSpec(**SMALL)
    jobs, data = sliced(spec, load=True)
    without, _ = sliced(spec)
    timing, alone = (time(spec, j, {}, data) for j in (jobs, without))
    rows = sum(-(-level.entries // 8) for level in HASH.table)
    beats = {"level": 4, "table": rows, "weight": 2 * 8}
    assert beats == {port: int(timing.beats[port][0]) for port in beats}
    assert sum(beats.values()) == timing.cycles[0] - alone.cycles[0]
    slow: Env = {"level": Rate(10, 1, 2), "table": Rate(0, 1, 3), "weight": Stalls((True,) * 900)}
    late = time(spec, jobs, slow, data)
    after_levels, after_tables = 10 + 2 * 3 + 1, 3 * (rows - 1) + 1
    assert [after_levels - 1 - 4, after_tables - after_levels - rows, 900 - after_tables] == [
        int(late.split[f"stall.{port}"][0]) for port in beats
    ]


def naive(
    spec: NgpcSpec, work: Service, queries: int, layers: int, x: Ints, ready: Any
) -> list[int]:
    """Return when results leave: `archsim.engines.ngpc.recurrence` to the letter."""
    groups, engines = work.turns.shape
    takes: list[int] = []
    inject: list[int] = []
    leaves: list[int] = []
    enters: list[int] = []
    given: list[int] = []
    start = np.zeros((groups, engines), int)
    end = np.zeros((groups, engines), int)

    def at(values: Any, i: int, least: Any = 0) -> Any:
        return values[i] if i >= 0 else least

    for g in range(groups):
        mine = range(g * work.group, min((g + 1) * work.group, queries))
        for q in mine:
            room = at(inject, g - STAGES) if q == mine[-1] else 0
            takes.append(max(x[q], at(takes, q - 1) + 1, room))
        inject.append(
            max(
                takes[-1] + STAGES,
                at(inject, g - 1) + 1,
                at(leaves, g - spec.join_depth, -1) + 1,
                max(at(start, g - spec.fifo_depth, [0])) if spec.fifo_depth
                else max(at(end, g - 1, [0])),
            )
        )  # fmt: skip
        for e in range(engines):
            start[g, e] = max(inject[g], at(end, g - 1, [0] * engines)[e])
            end[g, e] = start[g, e] + work.turns[g, e]
        there = max(end[g]) + spec.encode_cycles
        for q in mine:
            now = max(there, at(enters, q - 1) + 1, at(given, q - spec.result_depth, -1) + 1)
            taken = {
                before + spec.mlp_stages * k
                for before in enters for k in range(layers)
            } if spec.mlp_mode == "single" else set()  # fmt: skip
            while now in taken:
                now += 1
            enters.append(now)
            out = max(now + layers * spec.mlp_stages + 1, at(given, q - 1) + 1)
            while not ready(out):
                out += 1
            given.append(out)
        leaves.append(enters[-1])
    return given


@pytest.mark.parametrize("mode", ["single", "layered"])
@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4, 7])
def test_the_recurrence_as_it_is_written(depth: int, mode: str) -> None:
    rng = np.random.default_rng(depth)
    for group in (1, 2, 4):
        spec = NgpcSpec(**{**SMALL, "fifo_depth": depth, "mlp_mode": mode, "mlp_stages": 3})
        queries = int(rng.integers(40, 90))
        turns_taken = rng.integers(1, 1 + rng.choice([1, 2, 8]), (-(-queries // group), 3))
        work = Service(group, turns_taken, 0)
        env: Env = {"x": Rate(3, 2, 3), "result": Rate(5, 1, 2)}
        offers = np.array([3 + -(-i * 3 // 2) for i in range(queries)])
        for some, x, ready in (
            ({}, np.full(queries, 1), lambda t: True),
            (env, offers, lambda t: t >= 5 and (t + 1) // 2 > t // 2),
        ):
            found = course(spec, work, queries, 2, 1, some)
            assert naive(spec, work, queries, 2, x, ready) == found.given.tolist()


@pytest.mark.parametrize("bank_map", ["index", "fold", "padded", "parity"])
@pytest.mark.parametrize("dims", [2, 3])
def test_turns_are_those_of_the_other_model(bank_map: str, dims: int) -> None:
    if bank_map == "parity" and dims == 2:
        return  # it takes four banks there, and the engine has eight
    spec = NgpcSpec(bank_map=bank_map, table_log2=19)
    encoding = mapped(spec, Encoding(levels=16, dims=dims))
    x = walk(500, dims)
    work = service(spec, encoding, x)
    floats = (x / 2**24).astype(np.float32)
    other = turns(encoding, floats, 8, bank_map)  # type: ignore[arg-type]
    same = np.stack(
        [
            (cells(level, x)[0][:, :dims] == level.cells(floats)[0]).all(axis=1)
            for level in encoding.table
        ],
        axis=1,
    )
    assert same.mean() > 0.99  # elsewhere a position lies on a face, and in the other cell
    assert (work.turns[:, :16] == other)[same].all()
    if bank_map == "parity":
        assert (work.turns == 1).all()


def test_corners_that_share_an_entry_share_a_turn() -> None:
    spec = NgpcSpec(**SMALL, banks=2)
    same = [np.array([4, 0]), np.array([4, 2]), np.array([6, 4]), np.array([4, 5])]
    taken, read = lookups(spec, same)
    assert [2, 3] == taken.tolist()  # 4, 6; then 0, 2, 4 in one bank beside 5
    assert 2 + 4 == read


def test_a_row_of_queries_is_paced_as_queues_are() -> None:
    x = walk(3000, seed=5)
    depths = (1, 2, 4, 8, 16)
    work = service(NgpcSpec(table_log2=19), Encoding(), x)
    for depth, paced in zip(depths, queued(work.turns, depths), strict=True):
        spec = NgpcSpec(mlp_mode="layered", fifo_depth=depth, table_log2=19)
        given = course(spec, work, len(x), 3, 1, {}).given
        assert paced == pytest.approx((given[-1] - given[0]) / (len(x) - 1), rel=0.01)


def test_lock_step_waits_for_the_slowest() -> None:
    x = walk(400)
    spec = NgpcSpec(mlp_mode="layered", fifo_depth=0, table_log2=19)
    work = service(spec, Encoding(), x)
    inject = course(spec, work, len(x), 3, 1, {}).inject
    assert (np.diff(inject) == work.turns.max(axis=1)[:-1]).all()


def test_one_array_takes_a_cycle_a_layer() -> None:
    spec = NgpcSpec(bank_map="parity", table_log2=19)
    x = walk(800)
    for layers in (1, 3, 5):
        jobs = NgpcJobs(
            np.array([800]), encodings(Encoding()), np.array([layers]), np.zeros((1, 8), int),
            np.array([False]), refs=({"x": "x"},),
        )  # fmt: skip
        timing = time(spec, jobs, {}, {"x": x})
        assert timing.cycles[0] == pytest.approx(800 * layers, abs=100)


def test_few_levels_are_encoded_in_parallel() -> None:
    """Eight queries hide eight turns: a query a cycle, whatever the banks."""
    low = Encoding("dense", levels=2, features=2, coarsest=15, growth=1.0)
    spec = NgpcSpec(mlp_mode="layered", banks=1, table_log2=13)
    jobs, data = sliced(spec, low, x=walk(400))
    assert time(spec, jobs, {}, data).cycles[0] == pytest.approx(400, abs=80)


def test_without_positions_time_is_a_bound() -> None:
    for encoding in (HASH, Encoding("dense", 2, 2, coarsest=4)):
        spec = NgpcSpec(**SMALL)
        jobs, data = sliced(spec, encoding, x=walk(60))
        bound, exact = time(spec, jobs), time(spec, jobs, {}, data)
        assert ("bound", "exact") == (bound.kind, exact.kind)
        assert bound.lo is not None
        assert bound.hi is not None
        assert bound.lo[0] <= exact.cycles[0] <= bound.hi[0]
        assert bound.beats.keys() == exact.beats.keys()


def test_specs_of_a_batch_are_paired_with_slices() -> None:
    specs = [NgpcSpec(**SMALL), NgpcSpec(**LAYERED, fifo_depth=1)]
    jobs, data = sliced(specs[0])
    two = jobs.take(np.array([0, 0]))
    together = time(SpecBatch(specs), two, {}, data)
    for i, spec in enumerate(specs):
        alone = time(spec, jobs, {}, data)
        assert together.cycles[i] == alone.cycles[0]
        assert together.occupied.tolist() == sum(together.split.values()).tolist()  # type: ignore[union-attr]


def test_entries_of_vertices_are_one_turn_by_parity() -> None:
    spec = NgpcSpec(bank_map="parity", table_log2=10)
    for level in mapped(spec, HASH).table:
        corners = vertices(cells(level, walk(50))[0], 3)
        assert (np.sort(slots(spec, level, corners, 3) % 8, axis=1) == np.arange(8)).all()
