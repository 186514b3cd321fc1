from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.engines import GemmJobs, Rate, SpecBatch
from archsim.engines.cube.spec import CubeSpec
from archsim.engines.cube.timing import actions, time
from archsim.engines.gemm import cycle_loop, recurrence
from archsim.engines.gemm.folds import folds_of
from archsim.engines.gemm.paced import closed_form
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.timing import time as systolic_time

from ..environments import environments, jobs, rates, stalls

behind = st.sampled_from([0, 1, 2, 3, 5, 9, 31])


def gemm(m: int, n: int, k: int, accumulate: int = 0) -> GemmJobs:
    return GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([bool(accumulate)]))


# ------------------------------------------------------------------------------- counted by hand


@pytest.mark.parametrize(
    ("rows", "cols", "depth", "m", "n", "k", "cycles"),
    [
        # one PE, one product: fed in 1, added to its sum in 2; leaves in 3; goes in 4
        (1, 1, 1, 1, 1, 1, 4),
        # the product of PE 3 is made three cycles after that of PE 0
        (1, 1, 4, 1, 1, 4, 7),
        # and a k beyond it takes another beat
        (1, 1, 4, 1, 1, 5, 8),
        # three rows and two columns: a step each to the last PE
        (3, 2, 1, 3, 2, 1, 1 + 3 + 2 + 1),
        (3, 2, 4, 3, 2, 16, 4 + 3 + 2 + 4),
        # four folds of five beats
        (3, 2, 4, 6, 4, 20, 3 * 5 + 5 + 3 + 2 + 4),
        # short sums wait for the rows of the fold before: 3 steps a fold
        (3, 2, 8, 6, 4, 8, 3 * 3 + 1 + 3 + 2 + 8),
    ],
)
def test_ideal_cycles(
    rows: int, cols: int, depth: int, m: int, n: int, k: int, cycles: int
) -> None:
    timing = time(CubeSpec(rows=rows, cols=cols, depth=depth), gemm(m, n, k))
    assert (cycles, cycles + 1) == (timing.cycles[0], timing.occupied[0])


def test_ideal_split() -> None:
    timing = time(CubeSpec(rows=2, cols=2, depth=3), gemm(2, 3, 3))
    # two folds, of a beat and a bubble; the last one has one column: its beat is behind in all
    # chains for 1 + 2 + 3 steps, a step of the array is left, and two cycles of the queue
    assert {
        "busy": 2 + 5, "fill": 1, "drain": 1 + 2, "stall.a": 0, "stall.b": 0, "stall.c": 0,
        "stall.result": 0,
    } == {name: values[0] for name, values in timing.split.items()}  # fmt: skip


def test_a_cube_is_a_systolic_array_whose_sums_are_a_chain_behind() -> None:
    job = gemm(50, 40, 96)
    env = {"a": Rate(3, 2, 3), "result": Rate(0, 3, 4)}
    cube = time(CubeSpec(rows=8, cols=4, depth=6), job, env)
    flat = systolic_time(SystolicSpec(rows=8, cols=4), gemm(50, 40, 16), env)
    assert 0 <= cube.cycles[0] - flat.cycles[0] <= 6 + 1  # and a slot of the output
    assert cube.beats["a"][0] == flat.beats["a"][0]


def test_both_pes_take_as_long() -> None:
    job, env = gemm(9, 7, 50, 1), {"c": Rate(3, 1, 4)}
    one, other = (time(CubeSpec(pe=pe), job, env) for pe in ("mac", "opt1"))
    assert one.cycles[0] == other.cycles[0]


def test_actions_of_a_ragged_job() -> None:
    spec, job = CubeSpec(rows=4, cols=2, depth=3), gemm(5, 3, 7)
    found = actions(spec, job, timing := time(spec, job))
    # 2 x 2 folds of 3 beats; operands pass all PEs of their row or column, sums all of their chain
    assert {
        "mac": 5 * 3 * 7, "a_hop": 5 * 7 * 2 * 2, "b_hop": 3 * 7 * 2 * 4, "sum_hop": 5 * 3 * 3 * 3,
        "sum_add": 5 * 3 * 3, "pe_clock": 24 * timing.occupied[0], "a_beat": 12, "b_beat": 12,
        "c_beat": 0, "result_beat": 10,
    } == {name: values[0] for name, values in found.items()}  # fmt: skip


# ----------------------------------------------------------------------------------- properties


@settings(max_examples=150)
@given(jobs, environments(rates()), behind)
def test_recurrence_is_the_cycle_loop(job: tuple[int, ...], env: dict, steps: int) -> None:
    assert cycle_loop.run(*job, env, behind=steps) == recurrence.run(*job, env, behind=steps)


@settings(max_examples=150)
@given(jobs, environments(rates()), behind)
def test_closed_form_at_paced_ports_is_the_cycle_loop_where_it_holds(
    job: tuple[int, ...], env: dict, steps: int
) -> None:
    rows, cols, *extents = job
    gemms = gemm(*extents)
    folds = folds_of(CubeSpec(rows=rows, cols=cols), gemms, behind=steps)
    paced = closed_form(folds, gemms, env)
    if np.all(paced.holds):
        exact = cycle_loop.run(*job, env, behind=steps)
        assert exact.cycles == paced.cycles[0]
        assert exact.stalls == {port: values[0] for port, values in paced.stalls.items()}


@pytest.mark.parametrize("steps", [1, 8, 40])
@pytest.mark.parametrize("result", [Rate(), Rate(0, 3, 7), Rate(300, 5, 6)])
@pytest.mark.parametrize("a", [Rate(), Rate(0, 1, 3), Rate(500, 2, 3)])
def test_recurrence_skips_repeated_folds_exactly(a: Rate, result: Rate, steps: int) -> None:
    for extents in ((5, 400, 2), (60, 9, 7)):
        env = {"a": a, "result": result}
        job = (3, 4, *extents, 1)
        assert cycle_loop.run(*job, env, behind=steps) == recurrence.run(*job, env, behind=steps)


@settings(max_examples=50)
@given(st.lists(st.tuples(jobs, st.integers(1, 6)), min_size=1, max_size=4), environments(rates()))
def test_batch_equals_single_specs(rows: list, env: dict) -> None:
    specs = [CubeSpec(rows=r, cols=c, depth=d) for (r, c, *_), d in rows]
    m, n, k, accumulate = np.array([job[2:] for job, _ in rows]).T
    many = time(SpecBatch(specs), GemmJobs(m, n, k, accumulate.astype(bool)), env)
    for i, (spec, (job, _)) in enumerate(zip(specs, rows, strict=True)):
        one = time(spec, gemm(*job[2:]), env)
        assert one.cycles[0] == many.cycles[i]
        assert {k: v[0] for k, v in one.split.items()} == {k: v[i] for k, v in many.split.items()}


@settings(max_examples=60)
@given(jobs, environments(stalls), st.integers(1, 5))
def test_accounts_add_up_whatever_stalls(job: tuple[int, ...], env: dict, depth: int) -> None:
    rows, cols, *extents = job
    timing = time(CubeSpec(rows=rows, cols=cols, depth=depth), gemm(*extents), env)
    assert timing.occupied[0] == timing.cycles[0] + 1 == sum(v[0] for v in timing.split.values())
    assert all(values[0] >= 0 for values in timing.split.values())
