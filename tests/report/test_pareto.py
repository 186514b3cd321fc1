from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from archsim.report.pareto import knee, non_dominated, over_workloads
from tests.report import samples

GOALS = st.lists(st.sampled_from(["min", "max"]), min_size=1, max_size=5)


def brute_force(values: np.ndarray, goals: list[str]) -> np.ndarray:
    def dominates(a: np.ndarray, b: np.ndarray) -> bool:
        as_good = [x <= y if g == "min" else x >= y for x, y, g in zip(a, b, goals, strict=True)]
        better = [x < y if g == "min" else x > y for x, y, g in zip(a, b, goals, strict=True)]
        return all(as_good) and any(better)

    return np.array([not any(dominates(other, one) for other in values) for one in values], bool)


@st.composite
def clouds(draw: st.DrawFn) -> tuple[np.ndarray, list[str]]:
    goals = draw(GOALS)
    points = draw(st.integers(0, 40))
    # few distinct values: ties and duplicates are the rule, as in grids of designs
    element = st.one_of(st.integers(0, 4).map(float), st.floats(-1e6, 1e6))
    return draw(arrays(float, (points, len(goals)), elements=element)), goals


@given(clouds())
@settings(max_examples=150, deadline=None)
def test_front_equals_brute_force(cloud: tuple[np.ndarray, list[str]]) -> None:
    values, goals = cloud
    np.testing.assert_array_equal(non_dominated(values, goals), brute_force(values, goals))


def test_front_of_more_points_than_a_block_equals_brute_force() -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(0, 12, (1500, 3)).astype(float)
    goals = ["min", "max", "min"]
    np.testing.assert_array_equal(non_dominated(values, goals), brute_force(values, goals))


def test_a_front_is_never_empty_and_its_own_front() -> None:
    values = np.random.default_rng(1).normal(size=(400, 3))
    front = values[non_dominated(values, ["min"] * 3)]
    assert len(front) > 0
    assert non_dominated(front, ["min"] * 3).all()


def test_points_that_tie_stand_together() -> None:
    values = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [2.0, 2.0]])
    assert non_dominated(values, ["min", "min"]).tolist() == [True, True, True, False]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="values must be finite; leave infeasible points out"):
        non_dominated(np.array([[1.0, bad]]), ["min", "min"])


def test_knee_is_nearest_to_the_ideal_point() -> None:
    front = np.array([[1.0, 100.0], [3.0, 4.0], [100.0, 1.0]])
    assert knee(front, ["min", "min"]) == 1


def test_knee_is_scaled_by_ratio_not_by_difference() -> None:
    # linear distance would take the second point: its time is 2 % of the span, on a log axis 52 %
    front = np.array([[1.0, 1000.0], [11.0, 990.0], [30.0, 2.0], [100.0, 1.0]])
    assert knee(front, ["min", "min"]) == 2


def test_knee_turns_with_the_goal() -> None:
    front = np.array([[1.0, 1.0], [3.0, 25.0], [100.0, 100.0]])
    assert knee(front, ["min", "max"]) == 1


def test_knee_ties_go_to_the_better_first_objective() -> None:
    front = np.array([[100.0, 1.0], [1.0, 100.0]])
    assert knee(front, ["min", "min"]) == 1
    assert knee(front[::-1], ["min", "min"]) == 0


@given(st.permutations(range(6)))
def test_knee_does_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    front = np.array([[2.0**i, 3.0 ** (5 - i)] for i in range(6)])
    assert front[order][knee(front[order], ["min", "min"])].tolist() == front[2].tolist()


def test_objective_with_zeros_is_scaled_linearly() -> None:
    front = np.array([[0.0, 10.0], [5.0, 2.0], [10.0, 1.0]])
    assert knee(front, ["min", "min"]) == 1


# ---------------------------------------------------------------------------------------- workloads


def rows(workloads: dict[str, tuple[float, float, int, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "design": "d", "workload": name, "time_us": time, "energy_pj": energy, "macs": macs,
                "area_mm2": 4.0, "utilisation": utilisation, "dram_bytes": 10, "cycles": 7,
                "power_mw": 0.0, "tied_percent": 50.0 if name == "a" else 100.0,
                "energy.mxu_pj": energy, "area.mxu_um2": 4e6, "psnr": time,
            }
            for name, (time, energy, macs, utilisation) in workloads.items()
        ]
    )  # fmt: skip


def test_sums_over_workloads_by_weight() -> None:
    table = rows({"a": (10.0, 100.0, 60, 0.5), "b": (20.0, 300.0, 40, 0.25)})
    total = over_workloads(table, {"a": 3.0, "b": 1.0}, averaged=["psnr"]).iloc[0]
    assert (total["time_us"], total["energy_pj"], total["macs"]) == (50.0, 600.0, 220)
    assert (total["area_mm2"], total["area.mxu_um2"]) == (4.0, 4e6)
    assert total["energy.mxu_pj"] == 600.0
    assert total["power_mw"] == pytest.approx(600.0 / 50.0 * 1e-3)  # pJ/us is uW
    # possible work: 3 x 60 / 0.5 + 40 / 0.25
    assert total["utilisation"] == pytest.approx(220 / (360 + 160))
    assert total["tied_percent"] == pytest.approx((50.0 * 30 + 100.0 * 20) / 50)
    assert total["psnr"] == pytest.approx((3 * 10 + 20) / 4)


def test_what_a_design_lacks_on_a_workload_it_lacks() -> None:
    table = rows({"a": (1, 1, 1, 0.5), "b": (2, 2, 2, 0.5)}).assign(psnr=[30.0, np.nan])
    assert over_workloads(table, {"a": 1.0, "b": 1.0}, averaged=["psnr"])["psnr"].isna().all()
    assert over_workloads(table, {"a": 1.0}, averaged=["psnr"])["psnr"].tolist() == [30.0]


def test_one_workload_of_weight_one_stays_as_it_is() -> None:
    table = samples.table([(32, 32, 1 << 20, 4)])
    row = table[table["workload"] == "resnet50"].iloc[0]
    total = over_workloads(table, {"resnet50": 1.0}).iloc[0]
    for name in ("time_us", "energy_pj", "area_mm2", "power_mw", "utilisation", "tied_percent"):
        assert total[name] == pytest.approx(row[name])


def test_a_design_without_an_answer_for_every_workload_is_left_out() -> None:
    table = rows({"a": (10.0, 100.0, 60, 0.5)})
    assert over_workloads(table, {"a": 1.0, "b": 1.0}).empty
