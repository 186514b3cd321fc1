"""The sweep of RF boards: what it asks, and what its committed answers say."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from archsim.design import design_from
from archsim.simulate import simulate
from archsim.sweep import make_plan
from archsim.sweep.plan import Plan, load_trace

ROOT = Path(__file__).parents[2]
LEAST_PERCENT, MOST_DB = 90.0, 55.0


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(ROOT / "sweeps" / "rfnn.yaml")


@pytest.fixture(scope="module")
def answers() -> list[dict[str, str]]:
    with (ROOT / "reports" / "rfnn" / "results.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def is_good(row: dict[str, str]) -> bool:
    """Return whether a board reads digits well enough, without gain on a wave's way."""
    accuracy, loss_db = float(row["rfnn_accuracy_percent"]), float(row["rfnn_loss_db"])
    return accuracy >= LEAST_PERCENT and loss_db <= MOST_DB


def test_magnitudes_are_asked_of_only_where_they_may_end_a_layer(plan: Plan) -> None:
    specs = [
        design_from(plan.tree(design)).engines["rf"] for design in plan.designs if not design.beside
    ]
    of_magnitudes = {(s.form, s.modes) for s in specs if s.readout == "mag"}  # type: ignore[attr-defined]
    assert of_magnitudes == {("full", 64)}
    assert {s.form for s in specs} == {"full", "tt3", "ttm"}  # type: ignore[attr-defined]


def test_a_design_of_it_has_every_objective(plan: Plan) -> None:
    design = design_from(plan.tree(plan.designs[0]))
    (workload,) = plan.sweep.workloads
    found = simulate(design, load_trace(workload.model)).metrics.to_dict()
    assert set(plan.sweep.objectives) <= set(found)


def test_the_committed_answers_are_of_this_question(
    plan: Plan, answers: list[dict[str, str]]
) -> None:
    asked = {design.digest for design in plan.designs if design.swept}
    assert {row["design"] for row in answers} == asked
    assert {row["status"] for row in answers} == {"ok"}


def test_whole_layers_lead_where_layers_are_small(answers: list[dict[str, str]]) -> None:
    """A train of 64 to 64 is more work than the matrix: the report's answer to its question."""
    enough = [row for row in answers if is_good(row)]
    fastest = min(enough, key=lambda row: float(row["time_us"]))
    thriftiest = min(enough, key=lambda row: float(row["energy_pj"]))
    assert {fastest["engines.rf.form"], thriftiest["engines.rf.form"]} == {"full"}
    assert any(row["engines.rf.form"] == "ttm" for row in enough)


def test_meshes_of_more_than_eight_ports_lose_too_much(
    plan: Plan, answers: list[dict[str, str]]
) -> None:
    limits = plan.sweep.constraints
    assert limits["rfnn_accuracy_percent"].min == LEAST_PERCENT
    assert limits["rfnn_loss_db"].max == MOST_DB
    assert {row["engines.rf.modes"] for row in answers if is_good(row)} == {"8"}
    chosen = (ROOT / "reports" / "rfnn" / "chosen.yaml").read_text(encoding="utf-8")
    assert "modes: 8\n" in chosen
