from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.engines import IDEAL, GemmJobs, MemoryEnv, Rate, SpecBatch, Stalls
from archsim.engines.gemm import PORTS, cycle_loop, recurrence
from archsim.engines.gemm.folds import folds_of
from archsim.engines.gemm.paced import closed_form
from archsim.engines.systolic import ENGINE
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.timing import time

from ..environments import environments, jobs, rates, stalls


def gemm(m: int, n: int, k: int, accumulate: int = 0) -> GemmJobs:
    return GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([bool(accumulate)]))


def total(timing, row: int = 0) -> int:
    return sum(int(values[row]) for values in timing.split.values())


# ------------------------------------------------------------------------------- counted by hand


@pytest.mark.parametrize(
    ("rows", "cols", "m", "n", "k", "cycles"),
    [
        # one PE, one product: fed in cycle 1, complete; leaves in 2; goes in 3
        (1, 1, 1, 1, 1, 3),
        # k beats, then the bottom right PE is 3 + 3 steps behind, then 2
        (4, 4, 4, 4, 10, 18),
        # a ragged fold drains no rows that it has not: 10 + 0 + 3 + 2
        (4, 4, 1, 4, 10, 15),
        # but its columns are all passed
        (4, 4, 4, 1, 10, 18),
        # four folds, of 10 steps each, overlap
        (4, 4, 8, 8, 10, 48),
        # short sums wait for the rows of the fold before: 4 steps a fold
        (4, 4, 8, 8, 1, 3 * 4 + 1 + 4 + 4),
        # the longer side decides
        (2, 5, 2, 10, 3, 5 + 3 + 2 + 5),
        (5, 2, 10, 2, 3, 5 + 3 + 5 + 2),
    ],
)
def test_ideal_cycles(rows: int, cols: int, m: int, n: int, k: int, cycles: int) -> None:
    timing = time(SystolicSpec(rows=rows, cols=cols), gemm(m, n, k))
    assert (cycles, cycles + 1) == (timing.cycles[0], timing.occupied[0])


def test_ideal_split_of_one_element_on_a_large_array() -> None:
    timing = time(SystolicSpec(rows=16, cols=16), gemm(1, 1, 5))
    # five beats work in the corner PE, the sum passes 15 more columns, leaves, and goes
    assert {
        "busy": 5, "fill": 1, "drain": 17, "stall.a": 0, "stall.b": 0, "stall.c": 0,
        "stall.result": 0,
    } == {name: values[0] for name, values in timing.split.items()}  # fmt: skip


def test_beats_are_sent_again_for_each_fold() -> None:
    timing = time(SystolicSpec(rows=4, cols=4), gemm(9, 5, 7, accumulate=1))
    beats = {name: values[0] for name, values in timing.beats.items()}
    assert {"a": 6 * 7, "b": 6 * 7, "c": 9 * 2, "result": 9 * 2} == beats


def test_a_late_operand_shifts_the_job() -> None:
    timing = time(SystolicSpec(rows=4, cols=4), gemm(4, 4, 10), {"b": Rate(latency=21)})
    assert (18 + 20, 20) == (timing.cycles[0], timing.split["stall.b"][0])


def test_both_operands_missing_is_charged_to_b() -> None:
    late = Rate(latency=21)
    timing = time(SystolicSpec(rows=4, cols=4), gemm(4, 4, 10), {"a": late, "b": late})
    assert (0, 20) == (timing.split["stall.a"][0], timing.split["stall.b"][0])


def test_a_slow_output_is_paid_row_by_row() -> None:
    timing = time(SystolicSpec(rows=4, cols=4), gemm(4, 4, 10), {"result": Rate(0, 1, 5)})
    # the top row could go in cycle 10 + 3 + 2; ready are 19, 24, 29, 34; steps end in cycle 16
    assert 34 == timing.cycles[0]
    assert 2 + 4 + 4 + 4 == timing.split["stall.result"][0]


def test_missing_partial_sums_are_charged_to_c() -> None:
    env = {"c": Stalls((True,) * 40)}
    timing = time(SystolicSpec(rows=2, cols=2), gemm(2, 2, 4, accumulate=1), env)
    assert (41, 40 - 7) == (timing.cycles[0], timing.split["stall.c"][0])


def test_an_offered_beat_stays_through_stall_bits() -> None:
    spec, job = SystolicSpec(rows=2, cols=2), gemm(2, 2, 2)
    after_the_offer = Stalls((False, *(True,) * 3))
    # the first beat is offered in cycle 0 and taken in 1; the second begins to be in cycle 4
    assert 2 == time(spec, job, {"a": after_the_offer}).split["stall.a"][0]


def test_command_stalls_do_not_change_cycles() -> None:
    spec, job = SystolicSpec(rows=2, cols=2), gemm(3, 3, 3)
    assert time(spec, job).cycles == time(spec, job, {"cmd": Stalls((True,) * 9)}).cycles


# ----------------------------------------------------------------------------------- properties


@given(jobs)
def test_closed_form_is_the_cycle_loop(job: tuple[int, ...]) -> None:
    rows, cols, *extents = job
    timing = time(SystolicSpec(rows=rows, cols=cols), gemm(*extents))
    stalled = cycle_loop.run(*job, {})
    assert stalled.cycles == timing.cycles[0]
    assert not any(stalled.stalls.values())


@settings(max_examples=300)
@given(jobs, environments(rates()))
def test_recurrence_is_the_cycle_loop(job: tuple[int, ...], env: dict) -> None:
    assert cycle_loop.run(*job, env) == recurrence.run(*job, env)


@settings(max_examples=300)
@given(jobs, environments(rates()))
def test_closed_form_at_paced_ports_is_the_recurrence_where_it_holds(
    job: tuple[int, ...], env: dict
) -> None:
    rows, cols, *extents = job
    gemms = gemm(*extents)
    paced = closed_form(folds_of(SystolicSpec(rows=rows, cols=cols), gemms), gemms, env)
    if np.all(paced.holds):
        exact = recurrence.run(*job, env)
        assert exact.cycles == paced.cycles[0]
        assert exact.stalls == {port: values[0] for port, values in paced.stalls.items()}


@pytest.mark.parametrize(
    "env",
    [
        {"a": Rate(0, 4, 5), "b": Rate(0, 4, 5), "c": Rate(0, 4, 5)},
        {"result": Rate(0, 1, 2)},
        {"a": Rate(3, 1, 7), "result": Rate(0, 3, 4)},
    ],
)
def test_deep_products_need_no_recurrence(env: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrence, "run", None)  # would fail if called
    timing = time(SystolicSpec(rows=8, cols=8), gemm(40, 40, 64, accumulate=1), env)
    assert time(SystolicSpec(rows=8, cols=8), gemm(40, 40, 64)).cycles < timing.cycles


@pytest.mark.parametrize("result", [IDEAL, Rate(0, 1, 2), Rate(0, 3, 7), Rate(300, 5, 6)])
@pytest.mark.parametrize("a", [IDEAL, Rate(0, 1, 3), Rate(0, 9, 10), Rate(500, 2, 3)])
@pytest.mark.parametrize("c", [IDEAL, Rate(0, 1, 4), Rate(900, 1, 1)])
@pytest.mark.parametrize(("m", "n", "k"), [(5, 700, 2), (100, 9, 7)])
def test_recurrence_skips_repeated_folds_exactly(
    result: Rate, a: Rate, c: Rate, m: int, n: int, k: int
) -> None:
    job = (2, 3, m, n, k, 1)
    env = {"a": a, "b": Rate(2, 11, 13), "c": c, "result": result}
    assert cycle_loop.run(*job, env) == recurrence.run(*job, env)


@given(jobs, environments(st.one_of(rates(), stalls)))
def test_every_occupied_cycle_is_charged_once(job: tuple[int, ...], env: dict) -> None:
    rows, cols, *extents = job
    timing = time(SystolicSpec(rows=rows, cols=cols), gemm(*extents), env)
    assert timing.occupied[0] == total(timing)
    assert all(values[0] >= 0 for values in timing.split.values())


@given(jobs, environments(st.one_of(rates(), stalls)))
def test_stalls_only_add_to_the_ideal_and_macs_bound_it(job: tuple[int, ...], env: dict) -> None:
    rows, cols, m, n, k, accumulate = job
    spec, gemms = SystolicSpec(rows=rows, cols=cols), gemm(m, n, k, accumulate)
    ideal = time(spec, gemms).cycles[0]
    assert ideal <= time(spec, gemms, env).cycles[0]
    assert m * n * k <= ideal * spec.pes


@given(jobs, environments(st.one_of(rates(), stalls)), st.sampled_from(PORTS))
def test_a_later_port_never_hastens_a_job(job: tuple[int, ...], env: dict, port: str) -> None:
    rows, cols, *extents = job
    spec = SystolicSpec(rows=rows, cols=cols)
    before = env.get(port, IDEAL)
    if isinstance(before, Stalls):
        later: Rate | Stalls = Stalls((True, *before.bits[1:], True))  # stalled whenever it was
    else:
        later = Rate(before.latency + 1, before.p, before.q)
    if port == "result":  # a shifted pattern of readiness is another pattern, not a later one
        later = Stalls((True,) * 70) if isinstance(before, Stalls) else before
    slower = {**env, port: later}
    assert time(spec, gemm(*extents), env).cycles <= time(spec, gemm(*extents), slower).cycles


@given(st.lists(jobs, min_size=1, max_size=5), environments(rates()))
def test_a_batch_of_specs_is_its_specs_one_by_one(rows: list[tuple[int, ...]], env: dict) -> None:
    specs = [SystolicSpec(rows=row[0], cols=row[1]) for row in rows]
    _, _, m, n, k, accumulate = (np.array(column) for column in zip(*rows, strict=True))
    together = time(SpecBatch(specs), GemmJobs(m, n, k, accumulate.astype(bool)), env)
    for i, (spec, row) in enumerate(zip(specs, rows, strict=True)):
        alone = time(spec, gemm(*row[2:]), env)
        assert (alone.cycles[0], alone.occupied[0]) == (together.cycles[i], together.occupied[i])
        for name, values in alone.split.items():
            assert values[0] == together.split[name][i]


def test_equal_rows_are_equal_and_in_order() -> None:
    ones = np.array([3, 5, 3, 3])
    jobs_ = GemmJobs(ones, ones, ones, np.zeros(4, bool))
    cycles = time(SystolicSpec(rows=2, cols=2), jobs_, {"a": Rate(0, 1, 2)}).cycles
    assert cycles[0] == cycles[2] == cycles[3] < cycles[1]


# --------------------------------------------------------------------------------- misuse, actions


def test_unknown_port_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^env names port 'd'; the engine has a, b, c, result$"):
        time(SystolicSpec(), gemm(1, 1, 1), {"d": IDEAL})


def test_memory_environment_is_refused_on_a_stream() -> None:
    with pytest.raises(TypeError, match=r"^port 'a' is a stream and takes a Rate or Stalls, not "):
        time(SystolicSpec(), gemm(1, 1, 1), {"a": MemoryEnv()})


def test_actions_count_real_work_and_clocked_pes() -> None:
    spec, job = SystolicSpec(rows=4, cols=4), gemm(5, 4, 10, accumulate=1)
    timing = time(spec, job)
    assert {
        "mac": 200, "pe_clock": 16 * (10 + 10 + 1 + 4 + 1), "a_beat": 20, "b_beat": 20,
        "c_beat": 5, "result_beat": 5, "a_hop": 5 * 10 * 4, "b_hop": 4 * 10 * 2 * 4,
    } == {name: x[0] for name, x in ENGINE.actions(spec, job, timing).items()}  # fmt: skip
