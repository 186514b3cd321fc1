from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from archsim.report.sensitivity import Axis, axes_of, levels, main_effects, steps_from
from archsim.report.study import decide
from tests.report import samples


def grid() -> pd.DataFrame:
    a, b = np.meshgrid([1, 2, 4, 8], ["x", "y", "z"], indexing="ij")
    frame = pd.DataFrame({"a": a.ravel().astype(int), "b": b.ravel()})
    return frame.assign(time=frame["a"] ** 2.0)


def axis(frame: pd.DataFrame, name: str) -> Axis:
    return Axis(name, (name,), frame[name], frame[name].astype(str))


def test_axis_that_decides_a_metric_explains_all_of_it() -> None:
    frame = grid()
    shares = main_effects(frame, [axis(frame, "a"), axis(frame, "b")], ["time"])
    assert shares[:, 0] == pytest.approx([1.0, 0.0])


def test_noise_is_explained_by_little() -> None:
    frame = pd.DataFrame({"a": np.arange(600) % 6})
    frame["noise"] = np.random.default_rng(2).uniform(1, 2, 600)
    assert main_effects(frame, [axis(frame, "a")], ["noise"])[0, 0] < 0.03


def test_many_levels_do_not_explain_noise() -> None:
    # uncorrected, 12 levels of 24 points explain about half of any noise
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"a": np.arange(24) % 12, "noise": rng.uniform(1, 2, 24)})
    shares = [
        main_effects(
            frame.assign(noise=rng.permutation(frame["noise"])), [axis(frame, "a")], ["noise"]
        )
        for _ in range(20)
    ]
    assert np.mean(shares) < 0.2


def test_sampled_axis_is_cut_into_bins() -> None:
    level = levels(pd.Series(np.arange(1000)))
    assert len(np.unique(level)) == 12
    assert (np.diff(level) >= 0).all()


def test_steps_are_the_neighbours_that_differ_in_one_axis() -> None:
    frame = grid()
    chosen = int(frame.index[(frame["a"] == 2) & (frame["b"] == "y")][0])
    steps = steps_from(frame, [axis(frame, "a"), axis(frame, "b")], ["time"], chosen)
    there = [(s.axis.name, s.axis.values[s.row]) for s in steps]
    assert there == [("a", 1), ("a", 4), ("b", "x"), ("b", "z")]
    assert [s.ratios["time"] for s in steps] == [0.25, 4.0, 1.0, 1.0]


def test_steps_of_a_study_change_one_axis_only() -> None:
    study = samples.study()
    decision = decide(study)
    axes = axes_of(study, decision.designs)
    steps = steps_from(decision.designs, axes, ["time_us"], decision.knee)
    assert len(steps) >= 6
    for step in steps:
        row, chosen = decision.row(step.row), decision.chosen
        changed = tuple(path for path in samples.AXES if row[path] != chosen[path])
        assert changed == step.axis.paths
        assert step.ratios["time_us"] == pytest.approx(row["time_us"] / chosen["time_us"])


def test_linked_paths_are_one_axis() -> None:
    square = [p for p in samples.points() if p[0] == p[1]]
    study = samples.study(samples.table(square), linked=(samples.AXES[:2],))
    decision = decide(study)
    axes = axes_of(study, decision.designs)
    assert [a.name for a in axes] == ["rows, cols", "capacity", "channels"]
    assert set(axes[0].texts) == {f"{side}, {side}" for side in (8, 16, 32, 64)}
    steps = steps_from(decision.designs, axes, ["time_us"], decision.knee)
    assert "rows, cols" in {step.axis.name for step in steps}
    unlinked = axes_of(replace(study, linked=()), decision.designs)
    alone = steps_from(decision.designs, unlinked, ["time_us"], decision.knee)
    assert {step.axis.name for step in alone}.isdisjoint({"rows", "cols"})


def test_linked_paths_whose_first_repeats_are_told_apart() -> None:
    every = [(32, 32, 1 << 20, 4), (32, 64, 1 << 20, 4), (64, 64, 1 << 20, 4)]
    study = samples.study(samples.table(every), linked=(samples.AXES[:2],))
    (sides,) = axes_of(study, decide(study).designs)
    assert sides.count == 3
