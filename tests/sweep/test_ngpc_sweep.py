"""The sweep of neural-fields processors: what it asks, and what its committed answers say."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from archsim.sweep import make_plan
from archsim.sweep.plan import Plan

ROOT = Path(__file__).parents[2]
LEAST_FRAMES = 30.0
ENGINE = "engines.ngpc"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(ROOT / "sweeps" / "ngpc.yaml")


@pytest.fixture(scope="module")
def answers() -> list[dict[str, str]]:
    with (ROOT / "reports" / "ngpc" / "results.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_committed_answers_are_of_this_question(
    plan: Plan, answers: list[dict[str, str]]
) -> None:
    asked = {design.digest for design in plan.designs if design.swept}
    assert {row["design"] for row in answers} >= asked
    assert {row["status"] for row in answers} == {"ok"}
    assert plan.sweep.constraints["ngpc_frames_per_s"].min == LEAST_FRAMES


def test_one_array_takes_many_processors_for_thirty_frames(answers: list[dict[str, str]]) -> None:
    fast = [row for row in answers if float(row["ngpc_frames_per_s"]) >= LEAST_FRAMES]
    least = {
        mode: min(int(row[f"{ENGINE}.nfps"]) for row in fast if row[f"{ENGINE}.mlp_mode"] == mode)
        for mode in ("single", "layered")
    }
    assert least["single"] == 32
    assert least["layered"] < least["single"]


def test_larger_tables_make_better_pictures_up_to_a_size(answers: list[dict[str, str]]) -> None:
    quality = {int(row[f"{ENGINE}.table_log2"]): float(row["ngpc_psnr_db"]) for row in answers}
    assert quality[8] + 3 < quality[10] < quality[12]
    chosen = (ROOT / "reports" / "ngpc" / "chosen.yaml").read_text(encoding="utf-8")
    assert "table_log2: 12\n" in chosen
