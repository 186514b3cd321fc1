"""What `sweep status` says of a folder."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from archsim.sweep import journal, run_sweep, status
from tests.sweep import fakes
from tests.sweep.fakes import QUESTION, answer, thread_pool, touchy, write_question

TWO = QUESTION.replace(
    "  - tiny.csv\n", "  - tiny.csv\n  - {model: tiny.csv, name: b, weight: 3}\n"
)


def test_a_finished_sweep_names_its_best_designs(tmp_path: Path) -> None:
    run_sweep(write_question(tmp_path, TWO), tmp_path / "out", 2, evaluate=answer, pool=thread_pool)
    now = status(tmp_path / "out")
    assert (now.points, now.done, now.left, now.running) == (18, 18, 0, False)
    assert (now.name, now.question) == ("tiny", "How many PEs?")
    small, big = {"engines.mxu.rows": 2, "engines.mxu.cols": 2}, now.best["time_us"].point
    assert now.best["area_mm2"].point == small
    assert now.best["area_mm2"].metrics["area_mm2"] == pytest.approx(0.004)
    assert big == {"engines.mxu.rows": 8, "engines.mxu.cols": 8}
    macs = 8 * 16 * 32 + 4 * 4 * 4
    assert now.best["time_us"].metrics["time_us"] == pytest.approx(
        (macs / 64 + 16) / 700 * 4
    )  # weights 1 + 3
    said = json.loads(json.dumps(now.to_dict()))
    assert said["front"][0] == said["best"]["time_us"]
    assert [placed["number"] for placed in said["front"]] == list(range(1, len(now.front) + 1))


def test_the_best_is_of_the_sweep_and_within_its_constraints(tmp_path: Path) -> None:
    out = tmp_path / "out"
    bounded = QUESTION + "constraints: {area_mm2: {min: 0.005, max: 0.02}}\n"
    bounded += "baseline: {engines.mxu.rows: 5, engines.mxu.cols: 4}\n"
    run_sweep(write_question(tmp_path, bounded), out, 2, evaluate=answer, pool=thread_pool)
    best = status(out).best
    assert best["area_mm2"].metrics["area_mm2"] == pytest.approx(0.008)  # not the 0.004 of 2 x 2
    assert math.prod(best["time_us"].point.values()) == 16  # not the baseline's 20 PEs


def test_a_partial_sweep_counts_what_is_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    trouble = QUESTION.replace("cols: [2, 4, 8]", "cols: [2, 3, 5]")
    run_sweep(write_question(tmp_path, trouble), out, 1, evaluate=touchy, pool=thread_pool)
    (out / "results.parquet").unlink()
    lines = [r for r in journal.read(out / "journal") if isinstance(r, dict)]
    kept = [r for r in lines if r["status"] != "infeasible"]
    for file in (out / "journal").iterdir():
        file.unlink()
    text = b"".join(map(journal.line_of, kept))
    (out / "journal" / "1.jsonl").write_bytes(text.replace(b"ZeroDiv", b"HeroDiv", 1))
    now = status(out)
    assert (now.points, now.done, now.left) == (9, 5, 4)
    assert dict(now.statuses) == {"ok": 3, "failed": 2}
    assert list(now.reasons.values()) == [2]
    assert len(now.faults) == 1
    assert now.left_s is None


def test_the_rate_is_of_the_last_minute(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_sweep(write_question(tmp_path), out, 1, evaluate=answer, pool=thread_pool)
    rows = [row for row in journal.read(out / "journal") if isinstance(row, dict)]
    ends = [0.0, 1.0, 2.0, 900.0, 901.0, 902.0, 903.0, 904.0, 905.0]
    for file in (out / "journal").iterdir():
        file.unlink()
    lines = [journal.line_of({**row, "at_s": end}) for row, end in zip(rows, ends, strict=True)]
    (out / "journal" / "1.jsonl").write_bytes(b"".join(lines))
    assert status(out).rate == pytest.approx(1.0)


def test_a_sweep_without_answers_has_no_best(tmp_path: Path) -> None:
    only = QUESTION.replace("cols: [2, 4, 8]", f"cols: [{fakes.INFEASIBLE}]")
    out = tmp_path / "out"
    run_sweep(write_question(tmp_path, only), out, os.cpu_count(), evaluate=touchy,
              pool=thread_pool)  # fmt: skip
    assert status(out).best == {}
