from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archsim.report.sensitivity import levels, main_effects, steps_from
from archsim.report.study import decide
from tests.report import samples


def grid() -> pd.DataFrame:
    a, b = np.meshgrid([1, 2, 4, 8], ["x", "y", "z"], indexing="ij")
    frame = pd.DataFrame({"a": a.ravel().astype(int), "b": b.ravel()})
    frame["time"] = frame["a"] ** 2.0
    frame["noise"] = np.random.default_rng(0).permutation(np.linspace(1, 2, 12))
    return frame


def test_axis_that_decides_a_metric_explains_all_of_it() -> None:
    shares = main_effects(grid(), ["a", "b"], ["time"])
    assert shares.loc["a", "time"] == pytest.approx(1.0)
    assert shares.loc["b", "time"] == 0.0


def test_noise_is_explained_by_little() -> None:
    frame = pd.DataFrame({"a": np.arange(600) % 6})
    frame["noise"] = np.random.default_rng(2).uniform(1, 2, 600)
    # uncorrected, 6 levels of pure noise explain about 5 / 600 of the variance
    assert main_effects(frame, ["a"], ["noise"]).loc["a", "noise"] < 0.03


def test_sampled_axis_is_cut_into_bins() -> None:
    values = pd.Series(np.arange(1000))
    level = levels(values)
    assert len(np.unique(level)) == 12
    assert (np.diff(level) >= 0).all()


def test_steps_are_the_neighbours_that_differ_in_one_axis() -> None:
    frame = grid()
    chosen = int(frame.index[(frame["a"] == 2) & (frame["b"] == "y")][0])
    steps = steps_from(frame, ["a", "b"], ["time"], chosen)
    assert [(s.axis, s.value) for s in steps] == [("a", 1), ("a", 4), ("b", "x"), ("b", "z")]
    assert [s.ratios["time"] for s in steps] == [0.25, 4.0, 1.0, 1.0]


def test_steps_of_a_study_change_one_axis_only() -> None:
    decision = decide(samples.study())
    for step in steps_from(decision.designs, samples.AXES, ["time_us"], decision.knee):
        row, chosen = decision.row(step.row), decision.chosen
        assert [axis for axis in samples.AXES if row[axis] != chosen[axis]] == [step.axis]
        assert step.ratios["time_us"] == pytest.approx(row["time_us"] / chosen["time_us"])
