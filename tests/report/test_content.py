from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from archsim.report.beside import Reference
from archsim.report.content import bar_designs, first_view, front_numbers, scales
from archsim.report.pareto import Objective, non_dominated
from archsim.report.study import Study, decide
from tests.report import samples


def view(study: Study) -> tuple[str, ...]:
    decision = decide(study)
    return tuple(s.name for s in first_view(scales(study, decision), study, decision))


def test_first_view_is_of_the_objectives_that_trade_off_most() -> None:
    study = samples.study()
    front = decide(study).front
    sizes = {
        pair: non_dominated(front[list(pair)].drop_duplicates().to_numpy(), ["min"] * 2).sum()
        for pair in combinations(("time_us", "energy_pj", "area_mm2"), 2)
    }
    assert sizes[view(study)] == max(sizes.values()) > min(sizes.values())
    alone = (Objective("energy_pj"),)
    assert view(samples.study(objectives=alone)) == ("energy_pj", "time_us")


def test_numbers_follow_the_first_objective() -> None:
    study = samples.study()
    decision = decide(study)
    numbers = front_numbers(study, decision)
    assert list(numbers.values()) == list(range(1, len(decision.front) + 1))
    times = [decision.row(row)["time_us"] for row in numbers]
    assert times == sorted(times)


def test_first_objective_to_maximise_starts_at_the_most() -> None:
    study = samples.study(objectives=(Objective("utilisation", "max"), Objective("time_us")))
    decision = decide(study)
    first = next(iter(front_numbers(study, decision)))
    assert decision.row(first)["utilisation"] == decision.designs["utilisation"].max()


def test_bars_are_baseline_chosen_and_the_front_from_end_to_end() -> None:
    study = samples.study()
    decision = decide(study)
    names, rows = bar_designs(study, decision)
    numbers = front_numbers(study, decision)
    assert names[:2] == ["tpu_like", f"chosen #{numbers[decision.knee]}"]
    assert rows[1]["design"] == decision.chosen["design"]
    assert names[2] == "#1"
    assert names[-1] == f"#{len(numbers)}"
    assert len(names) == len(rows) == len({row["design"] for row in rows[1:]}) + 1


def test_references_far_away_make_log_axes() -> None:
    study = samples.study()
    decision = decide(study)
    far = Reference("far", "modelled", {"utilisation": 1e-5})
    plain = {s.name: s.log for s in scales(study, decision)}
    logs = {s.name: s.log for s in scales(study, decision, [far])}
    assert not plain["utilisation"]
    assert logs == plain | {"utilisation": True}


def test_every_metric_has_one_unit_in_which_the_front_is_readable() -> None:
    study = samples.study()
    decision = decide(study)
    for scale in scales(study, decision):
        values = decision.front[scale.name].to_numpy() / scale.unit.size
        assert 0.1 < np.exp(np.log(values).mean()) < 5000
    time = scales(study, decision)[0]
    assert time.label == "Time (ms)"
    assert time.text({"time_us": 1234.0}) == "1.23"
    assert time.text({}) == "–"


def test_wide_metric_starts_on_a_log_axis() -> None:
    study = samples.study(constraints=())
    logs = {s.name: s.log for s in scales(study, decide(study))}
    assert logs["time_us"]
    assert not logs["energy_pj"]


@pytest.mark.parametrize("metric", ["time_us", "energy_pj", "area_mm2"])
def test_goal_of_an_objective_wins_over_the_usual_one(metric: str) -> None:
    study = samples.study(objectives=(Objective(metric, "max"),))
    (scale,) = [s for s in scales(study, decide(study)) if s.name == metric]
    assert scale.goal == "max"
