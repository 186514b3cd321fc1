"""Plans: a long one is worked on in blocks, and what it says does not depend on them."""

from __future__ import annotations

import dataclasses
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim import plan, planner
from archsim.design import Design, load_design
from archsim.errors import InfeasibleError
from archsim.frontends import load
from archsim.plan import Memo
from archsim.result import Result
from archsim.simulate import simulate
from archsim.trace import Trace
from tests.traces import designs, traces


def figures(result: Result) -> Any:
    """Everything that was counted; sums of floats aside, whose order blocks change."""
    rows = [dataclasses.replace(row, energy_pj={}) for row in result.per_op]
    return rows, result.per_resource, result.metrics.cycles, result.metrics.dram_bytes


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(designs(vector=True), traces(vector=True), st.sampled_from(["analytic", "event"]))
def test_blocks_change_nothing(
    monkeypatch: pytest.MonkeyPatch, design: Design, trace: Trace, fidelity: Any
) -> None:
    try:
        whole = simulate(design, trace, fidelity)
    except InfeasibleError:
        return  # a trace that this buffer cannot hold
    with monkeypatch.context() as patch:
        patch.setattr(plan, "BLOCK_STEPS", 3)
        patch.setattr(planner, "BLOCK_STEPS", 3)
        assert figures(simulate(design, trace, fidelity)) == figures(whole)


def test_memory_does_not_grow_with_the_layers() -> None:
    design = load_design(
        "tpu_like", {"engines.mxu.rows": 8, "memories.buffer.capacity_bytes": 2**17}
    )

    def peak_mb(model: str) -> tuple[float, int]:
        trace = load(model)
        trace = dataclasses.replace(trace, ops=trace.ops[:8])
        tracemalloc.start()
        result = simulate(design, trace, memo=Memo())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 2**20, sum(row.jobs for row in result.per_op)

    (small_mb, small_jobs), (large_mb, large_jobs) = (
        peak_mb("resnet50"),
        peak_mb("resnet50@batch=16"),
    )
    assert large_jobs > 15 * small_jobs
    assert large_mb < 2 * small_mb + 10
