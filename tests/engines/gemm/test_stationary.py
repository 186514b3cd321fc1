"""Arrays with a stationary operand, skewed or not: the closed form, the recurrence and the loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.engines import GemmJobs, Timing
from archsim.engines.gemm import stationary_loop, stationary_recurrence
from archsim.engines.gemm.stationary import StationaryFolds, stationary_times

from ..environments import StationaryJob as Job
from ..environments import environments, rates
from ..environments import stationary_jobs as jobs

lags = st.tuples(st.booleans(), st.integers(1, 9))  # skewed, stages


def times(job: Job, skewed: bool, stages: int) -> tuple[StationaryFolds, Timing]:
    rows, cols, bank, m, n, k, accumulate = job
    jobs = GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([bool(accumulate)]))
    folds = StationaryFolds.of(jobs, rows, cols, bank, skewed=skewed, stages=stages)
    return folds, stationary_times(folds, jobs, {})


def live_steps(job: Job, skewed: bool, stages: int) -> tuple[set[int], int]:
    """Return the steps in which some real row meets a real element, and the last that feeds."""
    rows, cols, bank, m, n, k, _ = job
    folds = [
        (min(bank, m - top), min(rows, k - deep), min(cols, n - left))
        for top in range(0, m, bank)
        for left in range(0, n, cols)
        for deep in range(0, k, rows)
    ]
    live, fed, begin = set(), 0, folds[0][1]
    for i, (height, depth, width) in enumerate(folds):
        for row in range(height):
            fed = begin + row
            live |= {
                fed + 1 + (i + j if skewed else 0) + stage
                for i in range(depth)
                for j in range(width)
                for stage in range(stages)
            }
        begin += max(height, folds[i + 1][1] if i + 1 < len(folds) else 0)
    return live, fed


@settings(max_examples=300)
@given(jobs, lags)
def test_closed_form_is_the_cycle_loop_and_the_definition_of_work(
    job: Job, lag: tuple[bool, int]
) -> None:
    folds, timing = times(job, *lag)
    stalled = stationary_loop.run(*job[:3], int(folds.landing), *job[3:], {})
    assert stalled.cycles == timing.cycles[0]
    assert not any(stalled.stalls.values())
    live, fed = live_steps(job, *lag)
    found = {name: int(values[0]) for name, values in timing.split.items()}
    assert len(live) == found["busy"]
    assert 1 + len(set(range(fed + 1)) - live) == found["fill"]


@settings(max_examples=400)
@given(jobs, st.integers(2, 20), environments(rates()))
def test_recurrence_is_the_cycle_loop(job: Job, landing: int, env: dict) -> None:
    run = (*job[:3], landing, *job[3:], env)
    assert stationary_loop.run(*run) == stationary_recurrence.run(*run)


@pytest.mark.parametrize(
    ("skewed", "stages", "landing"), [(True, 1, 7), (False, 1, 2), (False, 3, 4)]
)
def test_steps_from_feeding_to_landing(skewed: bool, stages: int, landing: int) -> None:
    folds, timing = times((4, 3, 8, 5, 3, 4, 0), skewed, stages)
    assert landing == folds.landing
    assert 4 + 5 + landing + 1 == timing.cycles[0]


def test_rows_die_out_between_tiles_where_no_pe_lags() -> None:
    # one row of A a tile, tiles of 4 and 2 rows: it works for two steps, then the array waits
    _, timing = times((4, 2, 8, 1, 4, 6, 0), skewed=False, stages=2)
    found = {name: int(values[0]) for name, values in timing.split.items()}
    # windows of 2, 4, 2 and 1 steps; of each but the last, all but what the row works for is fill
    assert (4 * 2, 2 + 4 + (0 + 2 + 0)) == (found["busy"], found["fill"])
