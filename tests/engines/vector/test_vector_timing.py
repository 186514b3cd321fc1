"""Cycles of the integer lanes: by hand, the closed form against the recurrence, batches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines import NO_STALLS, Env, Rate, SpecBatch, Stalls
from archsim.engines.vector import recurrence, timing
from archsim.engines.vector.spec import VectorJobs, VectorSpec
from tests.engines.test_contract_types import check_timing

SPEC = VectorSpec(lanes=4)
ALL = 2**24 - 1


def jobs(*rows: tuple[int, int, int]) -> VectorJobs:
    """Return jobs of (results, taps, hold)."""
    results, taps, hold = np.array(rows, np.int64).T
    none = np.zeros(len(rows), bool)
    return VectorJobs(results * np.maximum(taps, 1), results, taps, hold, 8 + 0 * taps, none, none)


def rates() -> st.SearchStrategy[Rate]:
    pace = st.integers(1, 7).flatmap(lambda q: st.tuples(st.integers(1, q), st.just(q)))
    return st.builds(
        lambda latency, pq: Rate(latency, *pq), st.sampled_from([0, 0, 1, 2, 8, 40]), pace
    )


@pytest.mark.parametrize(
    ("row", "cycles"),
    [
        # command, parameters, one operand beat, six stages: the last is the cycle that gives it
        ((4, 1, ALL), 1 + 1 + 6),
        ((5, 1, ALL), 1 + 2 + 6),  # ragged: two beats
        ((40, 2, ALL), 1 + 20 + 6),  # an addition takes its operands in turn
        ((8, 9, ALL), 1 + 18 + 6),
        ((40, 1, 2), 1 + 10 + 6),  # the next parameters come while the last ones are used
    ],
)
def test_cycles_by_hand(row: tuple[int, int, int], cycles: int) -> None:
    found = timing.time(SPEC, jobs(row))
    assert [cycles] == found.cycles.tolist()
    assert "exact" == found.kind
    check_timing(found, jobs(row))


@pytest.mark.parametrize(
    ("env", "cycles", "charged"),
    [
        ({"x": Rate(latency=10)}, 10 + 6, {"stall.x": 8, "fill": 2, "drain": 6}),
        ({"parameters": Rate(latency=10)}, 11 + 6, {"stall.parameters": 9, "fill": 2, "drain": 6}),
        ({"y": Rate(latency=20)}, 20, {"stall.y": 12, "fill": 2, "drain": 6}),
        ({"y": Stalls((False,) * 8 + (True,))}, 9, {"stall.y": 1, "fill": 2, "drain": 6}),
    ],
)
def test_a_late_port_is_charged(env: Env, cycles: int, charged: dict[str, int]) -> None:
    found = timing.time(SPEC, jobs((4, 1, ALL)), env)
    assert [cycles] == found.cycles.tolist()
    assert charged | {"busy": 1} == {n: int(c[0]) for n, c in found.split.items() if c[0]}


@given(
    st.lists(
        st.tuples(
            st.integers(1, 100), st.integers(1, 9), st.one_of(st.integers(1, 6), st.just(ALL))
        ),
        min_size=1, max_size=6,
    ),
    st.dictionaries(st.sampled_from(timing.PORTS), rates()),
)  # fmt: skip
def test_paced_ports_equal_the_recurrence(rows: list[tuple[int, int, int]], env: Env) -> None:
    found = timing.time(SPEC, jobs(*rows), env)
    check_timing(found, jobs(*rows))
    for i, (results, taps, hold) in enumerate(rows):
        run = recurrence.run(-(-results // SPEC.lanes), taps, hold, env)
        assert run.cycles == found.cycles[i]
        assert run.split == {name: column[i] for name, column in found.split.items()}


def test_the_closed_form_is_used_for_a_buffer_that_is_short_of_width() -> None:
    """Both ways at half pace: pairs and windows need no recurrence, whatever their length."""
    beats = np.array([10**6, 10**6])
    env = {port: Rate(0, 1, 2) for port in ("x", "y")}
    assert timing._never_blocked(beats, jobs((4 * 10**6, 2, ALL), (4 * 10**6, 9, ALL)), env).all()


@pytest.mark.parametrize("env", [NO_STALLS, {"x": Rate(0, 2, 3), "y": Rate(3, 1, 2)}])
def test_specs_in_a_batch_pair_with_jobs(env: Env) -> None:
    specs = [VectorSpec(lanes=n) for n in (1, 4, 32)]
    rows = jobs((100, 1, ALL), (100, 2, 3), (100, 0, 1))
    together = timing.time(SpecBatch(specs), rows, env)
    actions = timing.actions(SpecBatch(specs), rows, together)
    for i, spec in enumerate(specs):
        alone = timing.time(spec, rows.take(np.array([i])), env)
        assert alone.cycles[0] == together.cycles[i]
        for name, column in timing.actions(spec, rows.take(np.array([i])), alone).items():
            assert column[0] == actions[name][i]


def test_lane_operations_are_a_throughput_model() -> None:
    found = timing.time(SPEC, jobs((17, 0, 1)))
    assert "expected" == found.kind
    assert [5 + timing.PIPELINE_CYCLES] == found.occupied.tolist()
    check_timing(found, jobs((17, 0, 1)))


def test_jobs_of_both_kinds_are_expected_together() -> None:
    rows = jobs((17, 0, 1), (17, 1, ALL))
    found = timing.time(SPEC, rows)
    assert "expected" == found.kind
    assert [5 + 3, 1 + 5 + 6] == found.cycles.tolist()
    check_timing(found, rows)


def test_actions_count_operands_and_results() -> None:
    rows = jobs((10, 3, 2), (10, 0, 1))
    found = timing.actions(SPEC, rows, timing.time(SPEC, rows))
    assert [30, 0] == found["tap"].tolist()
    assert [240, 0] == found["operand_bit"].tolist()
    assert [10, 0] == found["result"].tolist()
    assert [2 * 4, 0] == found["parameter"].tolist()  # three beats, a set for two of them
    assert [0, 10] == found["lane_op"].tolist()
    pair = dataclasses.replace(rows, alternate=np.array([True, False]))
    assert 2 * 4 + 30 == timing.actions(SPEC, pair, timing.time(SPEC, pair))["parameter"][0]
