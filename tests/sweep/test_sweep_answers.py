"""Sweeps over the real simulator, and the sweeps that come with archsim."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archsim.errors import InputError
from archsim.simulate import simulate
from archsim.sweep import SweepFolder, load_results, make_plan, run_sweep
from archsim.sweep.columns import columns_of
from archsim.sweep.plan import load_trace
from tests.sweep.fakes import QUESTION, thread_pool, weighed, write_question

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "sweeps").glob("*.yaml"))
WORKER_MIB = 300


def offline(path: Path, folder: Path) -> Path:
    """Return a copy of a shipped sweep with fetched models replaced by their committed traces."""
    text = path.read_text()
    for trace in (ROOT / "workloads" / "traces").glob("*.jsonl"):
        lines = [
            f"  - model: {trace}" if f"../workloads/models/{trace.stem}.onnx" in line else line
            for line in text.splitlines()
        ]
        text = "\n".join(lines)
    copy = folder / path.name
    copy.write_text(text + "\n")
    return copy


def test_a_row_holds_what_simulate_says(tmp_path: Path) -> None:
    path = write_question(tmp_path, QUESTION.replace("[2, 4, 8]", "[4, 8]"))
    outcome = run_sweep(path, tmp_path / "out", 2)
    assert dict(outcome.statuses) == {"ok": 4}
    folder, trace = SweepFolder(tmp_path / "out"), load_trace(str(tmp_path / "tiny.csv"))
    for row in folder.results().to_dict("records"):
        said = columns_of(simulate(folder.design(row["design"]), trace))
        assert {name: row[name] for name in said} == said


def test_a_float_model_takes_the_format_of_each_point(tmp_path: Path) -> None:
    axes = "axes:\n  engines.mxu.numbers: [int, bf16]\n  engines.mxu.rows: [4]\n"
    text = re.sub(r"axes:\n.*\n.*\n", axes, QUESTION)
    fixed = "  - {model: tiny.csv@dtype=int8, name: fixed}\n"
    path = write_question(tmp_path, text.replace("  - tiny.csv\n", f"  - tiny.csv\n{fixed}"))
    run_sweep(path, tmp_path / "out", 1)
    folder = SweepFolder(tmp_path / "out")
    rows = {(r["workload"], r["engines.mxu.numbers"]): r
            for r in folder.results().to_dict("records")}  # fmt: skip
    assert {key for key, row in rows.items() if row["status"] != "ok"} == {("fixed", "bf16")}
    assert "mxu: computes on bf16, not int8" in rows["fixed", "bf16"]["reason"]
    for numbers, dtype in (("int", "int8"), ("bf16", "bf16")):
        row, trace = rows["tiny.csv", numbers], load_trace(str(tmp_path / "tiny.csv"), dtype)
        said = columns_of(simulate(folder.design(row["design"]), trace))
        assert {name: row[name] for name in said} == said
    bytes_moved = [rows["tiny.csv", numbers]["dram_bytes"] for numbers in ("int", "bf16")]
    assert bytes_moved[1] > bytes_moved[0]


def test_a_sweep_of_streams_judges_throughput(tmp_path: Path) -> None:
    goals = "objectives: {throughput_per_s: max, area_mm2: min}\nbatches: 5"
    text = QUESTION.replace("[2, 4, 8]", "[4, 8]")
    text = text.replace("objectives: {time_us: min, area_mm2: min}", goals)
    outcome = run_sweep(write_question(tmp_path, text), tmp_path / "out", 1)
    assert dict(outcome.statuses) == {"ok": 4}
    folder, trace = SweepFolder(tmp_path / "out"), load_trace(str(tmp_path / "tiny.csv"))
    for row in folder.results().to_dict("records"):
        said = simulate(folder.design(row["design"]), trace, batches=5).metrics
        assert row["throughput_per_s"] == said.throughput_per_s
        assert row["energy_per_item_pj"] == pytest.approx(row["energy_pj"] / 5)
    with pytest.raises(InputError, match="batches"):
        run_sweep(
            write_question(tmp_path, text.replace("batches: 5", "batches: 6")), tmp_path / "out", 1
        )


def test_a_worker_stays_small(tmp_path: Path) -> None:
    models = "- resnet50\n  - bert_base\n  - gpt2_prefill"
    text = QUESTION.replace("- tiny.csv", models).replace("[2, 4, 8]", "[4, 256]")
    run_sweep(write_question(tmp_path, text), tmp_path / "out", 1, evaluate=weighed)
    table = load_results(tmp_path / "out")
    assert len(table) == 12
    assert table["worker_mib"].max() < WORKER_MIB


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_sweeps_run(path: Path, tmp_path: Path) -> None:
    outcome = run_sweep(offline(path, tmp_path), tmp_path / "out", 1, subset=2, pool=thread_pool)
    assert set(outcome.statuses) <= {"ok", "infeasible"}
    assert outcome.statuses["ok"]


def test_the_first_sweep_is_worth_its_minute(tmp_path: Path) -> None:
    (path,) = (path for path in SHIPPED if path.stem == "quickstart")
    plan = make_plan(offline(path, tmp_path))
    assert sum(design.swept for design in plan.designs) >= 200
    assert len(plan.workloads) == 2
