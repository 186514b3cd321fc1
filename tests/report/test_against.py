"""Two sweeps side by side."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from archsim.errors import InputError
from archsim.report.against import Change, Comparison, compare
from archsim.report.study import Study, decide
from archsim.report.text import comparison as as_text
from tests.report import samples

POINTS = samples.points()


def beside(study: Study, other: Study) -> Comparison:
    return compare(study, decide(study), other, decide(other))


def faster(frame: pd.DataFrame, factor: float, rows: int) -> pd.DataFrame:
    """Return a table in which the designs with so many rows take another time."""
    frame = frame.copy()
    frame.loc[frame[samples.AXES[0]] == rows, "time_us"] *= factor
    return frame


def test_a_sweep_beside_itself_has_not_changed() -> None:
    study = samples.study()
    same = beside(study, study)
    assert (same.key, same.both, same.only_here.count) == ("design", len(POINTS), 0)
    assert all((c.better, c.worse, c.median) == (0, 0, 1.0) for c in same.changes)
    assert same.moved == ()
    assert same.front["entered"].count == same.front["left"].count == 0
    front = int(decide(study).designs["front"].sum())
    assert same.joint == {"here": 0, "there": 0, "both": front}
    assert same.sentences()[1] == f"No metric differs in the {same.answered} that both answered."


def test_what_changed_is_counted_and_its_spread_given() -> None:
    study = samples.study(constraints=())
    other = samples.study(faster(samples.table(), 2.0, 32), name="other", constraints=())
    compared = beside(study, other)
    totals = decide(study).designs
    touched = int((totals[samples.AXES[0]] == 32).sum())
    change = next(c for c in compared.changes if c.metric == "time_us")
    assert change == Change("time_us", "min", touched, 0, len(totals) - touched, 1.0, 0.5, 1.0)
    assert len(compared.moved) == 10
    assert {one.label.split(",")[0] for one in compared.moved} == {"rows 32"}
    assert compared.moved[0].ratios == pytest.approx(
        {"time_us": 0.5, "energy_pj": 1.0, "area_mm2": 1.0}
    )
    fronts = [set(decide(s).front["design"]) for s in (study, other)]
    counts = {name: listed.count for name, listed in compared.front.items()}
    assert counts == {
        "both": len(fronts[0] & fronts[1]),
        "entered": len(fronts[0] - fronts[1]),
        "left": len(fronts[1] - fronts[0]),
    }
    assert compared.joint["there"] == 0


def test_designs_of_one_sweep_only_are_listed() -> None:
    study = samples.study(samples.table(POINTS[:60]))
    other = samples.study(samples.table(POINTS[20:]), name="other")
    compared = beside(study, other)
    assert (compared.both, compared.only_here.count) == (40, 20)
    assert compared.only_there.count == len(POINTS) - 60
    assert len(compared.only_there.labels) == 10
    assert compared.only_here.labels[0] == study.label(study.table.iloc[0])


def test_designs_that_differ_meet_by_their_settings() -> None:
    study, table = samples.study(), samples.table()
    table["design"] = "other-" + table["design"]
    compared = beside(study, samples.study(table, name="other"))
    assert (compared.key, compared.both) == ("settings", len(POINTS))
    assert "by their settings on the axes" in compared.sentences()[0]


def test_an_answer_that_is_new_is_a_gain() -> None:
    study, table = samples.study(), samples.table()
    broken = table["design"] == table["design"].iloc[0]
    table.loc[broken, "status"] = "failed"
    table.loc[broken, "reason"] = "a bug"
    compared = beside(study, samples.study(table, name="other"))
    assert (compared.gained.count, compared.lost.count) == (1, 0)
    assert "1 in common have an answer in edge-inference only." in compared.sentences()


def test_no_ratio_to_nothing() -> None:
    table = samples.table()
    table["dram_bytes"] = np.where(table["design"] == table["design"].iloc[0], 1, 0)
    zero = table.assign(dram_bytes=0)
    study, other = samples.study(table), samples.study(zero, name="other")
    change = next(c for c in beside(study, other).changes if c.metric == "dram_bytes")
    assert (change.worse, change.median) == (1, None)


def test_it_is_plain_json_and_reads_in_a_terminal() -> None:
    study = samples.study()
    other = samples.study(faster(samples.table(POINTS[:50]), 0.5, 16), name="other")
    compared = beside(study, other)
    said = json.loads(json.dumps(compared.to_dict(), allow_nan=False))
    assert said["both"] == 50
    console = Console(width=120)
    with console.capture() as printed:
        console.print(as_text(compared))
    text = printed.get()
    assert "edge-inference against other" in text
    assert "only in edge-inference: 10 of" in text


def test_other_workloads_are_refused() -> None:
    other = samples.study(name="other", weights={"resnet50": 1.0, "bert_base": 2.0})
    with pytest.raises(InputError, match="other: must run the workloads of edge-inference"):
        beside(samples.study(), other)


def test_sweeps_of_two_processes_are_told_apart() -> None:
    here, there = samples.study(), samples.study(name="other", base={"node": "asap7"})
    said = compare(here, decide(here), there, decide(there)).in_common()
    assert said[-1] == (
        "edge-inference is made in freepdk45 and other in asap7: ratios are of designs as made, "
        "and what the process does to them is in each."
    )
    same = compare(here, decide(here), here, decide(here)).in_common()
    assert not any("made in" in line for line in same)
