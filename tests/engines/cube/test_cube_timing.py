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


def test_carry_save_pes_take_two_cycles_more_a_job() -> None:
    one, other = (time(CubeSpec(pe=pe), gemm(20, 30, 500)) for pe in ("mac", "opt1"))
    assert one.cycles[0] + 2 == other.cycles[0]
    assert one.occupied[0] + 3 == other.occupied[0]
    # short sums wait until the rows of the fold before have left: 6 steps a fold
    assert (
        3 * 6 + 1 + 3 + 4 + 2 + 2
        == time(CubeSpec(rows=3, cols=4, depth=2, pe="opt1"), gemm(6, 8, 2)).cycles[0]
    )


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

STEPS = ((1, 0), (8, 0), (40, 0), (1, 1), (9, 1))


@settings(max_examples=150)
@given(jobs, environments(rates()), behind, st.integers(0, 1))
def test_recurrence_is_the_cycle_loop(
    job: tuple[int, ...], env: dict, steps: int, late: int
) -> None:
    how = {"behind": steps, "late": late}
    assert cycle_loop.run(*job, env, **how) == recurrence.run(*job, env, **how)


@settings(max_examples=150)
@given(jobs, environments(rates()), behind, st.integers(0, 1))
def test_closed_form_at_paced_ports_is_the_cycle_loop_where_it_holds(
    job: tuple[int, ...], env: dict, steps: int, late: int
) -> None:
    how = {"behind": steps, "late": late}
    rows, cols, *extents = job
    gemms = gemm(*extents)
    folds = folds_of(CubeSpec(rows=rows, cols=cols), gemms, **how)
    paced = closed_form(folds, gemms, env)
    if np.all(paced.holds):
        exact = cycle_loop.run(*job, env, **how)
        assert exact.cycles == paced.cycles[0]
        assert exact.stalls == {port: values[0] for port, values in paced.stalls.items()}


@pytest.mark.parametrize("how", [{"behind": n, "late": late} for n, late in STEPS])
@pytest.mark.parametrize("result", [Rate(), Rate(0, 3, 7), Rate(300, 5, 6)])
@pytest.mark.parametrize("a", [Rate(), Rate(0, 1, 3), Rate(500, 2, 3)])
def test_recurrence_skips_repeated_folds_exactly(
    a: Rate, result: Rate, how: dict[str, int]
) -> None:
    for extents in ((5, 400, 2), (60, 9, 7)):
        env = {"a": a, "result": result}
        job = (3, 4, *extents, 1)
        assert cycle_loop.run(*job, env, **how) == recurrence.run(*job, env, **how)


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
