from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from archsim.errors import InputError
from archsim.report import study as study_module
from archsim.report.pareto import Objective, non_dominated
from archsim.report.quantities import QUANTITIES
from archsim.report.study import Constraint, decide, drawn_rows
from tests.report import samples


def test_front_and_knee_are_those_of_the_totals_over_workloads() -> None:
    study = samples.study(constraints=())
    decision = decide(study)
    values = decision.designs[["time_us", "energy_pj", "area_mm2"]].to_numpy()
    np.testing.assert_array_equal(decision.designs["front"], non_dominated(values, ["min"] * 3))
    assert decision.chosen["front"]
    answered = set(study.table["design"]) - set(
        study.table.loc[study.table["status"] != "ok", "design"]
    )
    assert set(decision.designs["design"]) == answered
    assert decision.points == len(samples.points())


def test_constraints_leave_designs_out_and_say_so() -> None:
    decision = decide(samples.study(constraints=(Constraint("area_mm2", high=3.0),)))
    assert decision.designs["area_mm2"].max() <= 3.0
    (excluded,) = [group for group in decision.left_out if group.status == "excluded"]
    assert excluded.reason == "breaks the constraint: area at most 3.00 mm²"
    everything = decide(samples.study(constraints=()))
    assert excluded.points == len(everything.designs) - len(decision.designs)


def test_constraint_with_two_bounds_reads_as_a_phrase() -> None:
    both = Constraint("time_us", low=100.0, high=2e4)
    assert str(both) == "time at least 100 µs and at most 20.0 ms"


def test_points_without_an_answer_are_grouped_by_reason() -> None:
    failed, infeasible = decide(samples.study(constraints=())).left_out
    assert (failed.status, failed.points) == ("failed", 1)
    assert failed.reason == "ZeroDivisionError: integer division by zero"
    assert failed.example == "rows 64, cols 32, capacity 1 MiB, channels 2"
    assert (infeasible.status, infeasible.points) == ("infeasible", 12)
    assert infeasible.common == {"rows": "128"}


def test_baseline_is_summed_like_a_design_and_need_not_be_one() -> None:
    baseline = samples.study().baseline
    assert baseline is not None
    decision = decide(samples.study(samples.table([(64, 64, 1 << 20, 4), (8, 8, 1 << 20, 4)])))
    assert decision.baseline is not None
    assert decision.baseline["time_us"] == pytest.approx(baseline["time_us"].sum())
    assert decision.baseline["area_mm2"] == baseline["area_mm2"].iloc[0]


def test_no_design_with_an_answer_is_an_error_with_the_reasons() -> None:
    table = samples.table([(128, 128, 1 << 18, 4), (128, 64, 1 << 18, 4)])
    expected = (
        r"edge-inference: at least one design must answer every workload within the constraints; "
        r"2 infeasible: op 'conv1': a tile of 128x"
    )
    with pytest.raises(InputError, match=expected):
        decide(samples.study(table))


def test_objective_that_the_table_lacks_is_an_error() -> None:
    with pytest.raises(
        InputError,
        match=r"objectives must be metrics of the table: .*time_us.*, not \['psnr'\]",
    ):
        decide(samples.study(objectives=(Objective("psnr", "max"),)))


def test_metrics_that_do_not_differ_are_not_offered() -> None:
    assert samples.large_study(50).metrics == ("time_us", "energy_pj", "area_mm2", "power_mw")


def test_small_table_is_drawn_whole() -> None:
    decision = decide(samples.study())
    rows = drawn_rows(decision.designs, samples.study().metrics, [decision.knee])
    assert rows.tolist() == list(range(len(decision.designs)))


def test_thinning_keeps_every_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_module, "DRAWN_POINTS", 500)
    monkeypatch.setattr(study_module, "GRID_CELLS", 15)
    study = samples.large_study(3000)
    decision = decide(study)
    designs, metrics = decision.designs, study.metrics
    rows = drawn_rows(designs, metrics, [decision.knee])
    assert len(rows) < 1000
    assert decision.knee in rows
    assert set(designs.index[designs["front"]]) <= set(rows.tolist())
    for size in (2, 3):
        for view in combinations(metrics, size):
            goals = [QUANTITIES[m].goal for m in view]
            values = designs[list(view)].to_numpy()
            every = np.unique(values[non_dominated(values, goals)], axis=0)
            drawn = np.unique(values[rows][non_dominated(values[rows], goals)], axis=0)
            np.testing.assert_array_equal(drawn, every)


def test_axis_that_does_not_apply_is_neither_named_nor_set() -> None:
    study = samples.study()
    row = {axis: 32.0 for axis in samples.AXES} | {"memories.dram.channels": float("nan")}
    assert "channels" not in study.settings(row)
    assert "dram" not in study.tree(row).get("memories", {})
    assert study.tree(row)["engines"]["mxu"] == {"rows": 32, "cols": 32}
    assert study.base == {"extends": "tpu_like"}  # the base itself is not touched
