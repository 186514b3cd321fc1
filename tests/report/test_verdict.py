from __future__ import annotations

import dataclasses

from archsim.report.content import front_numbers
from archsim.report.pareto import Objective
from archsim.report.study import Study, decide
from archsim.report.verdict import Verdict, verdict
from tests.report import samples


def said(study: Study) -> Verdict:
    decision = decide(study)
    return verdict(study, decision, front_numbers(study, decision))


def test_verdict_names_the_knee_and_compares_it() -> None:
    text = said(samples.study()).text()
    decision = decide(samples.study())
    assert decision.baseline is not None
    ratio = decision.chosen["time_us"] / decision.baseline["time_us"]
    label = "rows 32, cols 32, capacity 1 MiB, channels 4"
    assert text.startswith(f"Start from {label}, the knee of a front of 30 designs.")
    assert f"Against tpu_like it has {ratio:.2f}× the time" in text
    assert "The least time (#1) is" in text
    assert text.endswith("Of 190 designs tried, 12 infeasible and 1 failed.")


def test_an_unfinished_sweep_is_said_to_be_one() -> None:
    study = samples.study()
    text = said(dataclasses.replace(study, unfinished=50)).text()
    done = len(study.table)
    so_far = f"({done:,} of {done + 50:,} points so far)"
    assert f", the knee of a front of 30 designs {so_far}." in text


def test_single_objective_has_one_best_design() -> None:
    text = said(samples.study(objectives=(Objective("energy_pj"),))).text()
    assert text.startswith("One design is best in every objective: rows ")


def test_baseline_that_is_the_knee_is_called_so() -> None:
    table = samples.table([(32, 32, 1 << 21, 4)])
    assert "It is the baseline, tpu_like, itself." in said(samples.study(table)).text()


def test_baseline_that_loses_everywhere_is_called_so() -> None:
    table = samples.table([(64, 64, 1 << 20, 4)])
    study = samples.study(table, objectives=(Objective("time_us"), Objective("area_mm2")))
    assert ": better in every objective." in said(study).text()


def test_names_are_escaped() -> None:
    hostile = "<script>alert(1)</script>"
    sentences = said(samples.study(baseline_name=hostile)).main
    assert "<script>" not in " ".join(sentences)
    assert "&lt;script&gt;" in " ".join(sentences)
