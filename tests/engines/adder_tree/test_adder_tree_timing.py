"""Times of the array of adder trees: by hand, as definitions, beside the systolic array's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines import GemmJobs, SpecBatch, discover
from archsim.engines.adder_tree import ENGINE
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.engines.adder_tree.timing import time
from archsim.engines.systolic.spec import SystolicSpec

from ..environments import StationaryJob as Job
from ..environments import environments, rates, stalls
from ..environments import stationary_jobs as jobs


def trees(depth: int, cols: int, stages: int = 1, bank: int = 256) -> AdderTreeSpec:
    return AdderTreeSpec(depth=depth, cols=cols, stages=stages, acc_rows=bank)


def gemm(m: int, n: int, k: int, accumulate: int = 0) -> GemmJobs:
    return GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([bool(accumulate)]))


def split(timing) -> dict[str, int]:
    return {name: int(values[0]) for name, values in timing.split.items()}


@pytest.mark.parametrize(
    ("depth", "cols", "stages", "m", "n", "k", "cycles"),
    [
        # one multiplier: cycle 1 loads it, 2 feeds, 3 multiplies, 4 lands, 5 goes
        (1, 1, 1, 1, 1, 1, 5),
        # 4 rows of B, 10 of A; the last one is two steps in the trees, then lands and goes
        (4, 4, 1, 10, 4, 4, 4 + 10 + 1 + 2),
        # more ranks, more steps; more trees, none
        (4, 4, 3, 10, 4, 4, 4 + 10 + 3 + 2),
        (4, 64, 1, 10, 64, 4, 4 + 10 + 1 + 2),
        # tiles follow each other without a gap while A is longer than a tile
        (4, 4, 1, 10, 8, 8, 4 + 4 * 10 + 1 + 2),
        # and else as fast as they load
        (4, 4, 1, 1, 8, 8, 4 + 3 * 4 + 1 + 1 + 2),
    ],
)
def test_ideal_cycles(
    depth: int, cols: int, stages: int, m: int, n: int, k: int, cycles: int
) -> None:
    timing = time(trees(depth, cols, stages), gemm(m, n, k))
    assert (cycles, cycles + 1) == (timing.cycles[0], timing.occupied[0])


def test_where_the_cycles_of_a_small_product_go() -> None:
    # the command, four rows of B, the first slice; three slices pass two ranks; landing and going
    assert {
        "busy": 4, "fill": 1 + 4 + 1, "drain": 2, "stall.a": 0, "stall.b": 0, "stall.c": 0,
        "stall.result": 0,
    } == split(time(trees(4, 2, stages=2), gemm(3, 2, 4)))  # fmt: skip


def test_a_slice_takes_a_cycle_of_all_multipliers_however_many_trees_there_are() -> None:
    spec, job = AdderTreeSpec(depth=16, cols=64), gemm(4096, 512, 256)
    tiles = 256 // 16 * (512 // 64)
    chunks = 4096 // 256
    assert chunks * tiles * 256 + 16 + 2 + 2 == time(spec, job).cycles[0]


@given(jobs)
def test_nothing_lags_so_it_is_earlier_than_a_systolic_array_by_rows_and_columns(job: Job) -> None:
    rows, cols, bank, m, n, k, accumulate = job
    skewed = SystolicSpec(rows=rows, cols=cols, dataflow="ws", acc_rows=bank)
    systolic = discover()["systolic"].time(skewed, gemm(m, n, k, accumulate))
    ours = time(trees(rows, cols, bank=bank), gemm(m, n, k, accumulate))
    assert rows + cols - 2 == systolic.cycles[0] - ours.cycles[0]
    assert {name: int(x[0]) for name, x in systolic.beats.items()} == {
        name: int(x[0]) for name, x in ours.beats.items()
    }


@given(jobs, st.integers(1, 3), environments(st.one_of(rates(), stalls)))
def test_every_occupied_cycle_is_charged_once(job: Job, stages: int, env: dict) -> None:
    rows, cols, bank, m, n, k, accumulate = job
    spec = trees(max(rows, 4), cols, stages, bank)
    timing = time(spec, gemm(m, n, k, accumulate), env)
    assert timing.occupied[0] == sum(split(timing).values())
    assert all(value >= 0 for value in split(timing).values())
    assert time(spec, gemm(m, n, k, accumulate)).cycles[0] <= timing.cycles[0]


@given(st.lists(jobs, min_size=1, max_size=5), environments(rates()))
def test_a_batch_is_its_specs_one_by_one(rows: list[Job], env: dict) -> None:
    specs = [trees(depth, cols, 1 + (depth > 2), bank) for depth, cols, bank, *_ in rows]
    m, n, k, accumulate = (np.array(column) for column in list(zip(*rows, strict=True))[3:])
    many, all_jobs = SpecBatch(specs), GemmJobs(m, n, k, accumulate.astype(bool))
    together = time(many, all_jobs, env)
    counted = ENGINE.actions(many, all_jobs, together)
    for i, (spec, row) in enumerate(zip(specs, rows, strict=True)):
        alone = time(spec, gemm(*row[3:]), env)
        assert (alone.cycles[0], alone.occupied[0]) == (together.cycles[i], together.occupied[i])
        actions = ENGINE.actions(spec, gemm(*row[3:]), alone)
        assert {name: int(x[0]) for name, x in actions.items()} == {
            name: int(x[i]) for name, x in counted.items()
        }


def test_actions_count_what_moves() -> None:
    spec, job = trees(4, 4, bank=3), gemm(5, 6, 10)
    # tiles 4, 4 and 2 deep; two across; chunks of 3 and 2 rows
    assert {
        "mac": 300,
        "load_hop": 2 * 6 * (10 + 10 + 3),
        "tree_sum": 5 * 6 * 3,
        "acc_read": 5 * 2 * 2,
        "acc_write": 5 * 2 * 2,
        "pe_clock": 16 * int(time(spec, job).occupied[0]),
        "a_beat": 5 * 2 * 3,
        "b_beat": 2 * 2 * 10,
        "c_beat": 0,
        "result_beat": 10,
    } == {name: int(x[0]) for name, x in ENGINE.actions(spec, job, time(spec, job)).items()}
