"""Running sweeps: resuming, failing designs, dying workers, full disks."""

from __future__ import annotations

import re
import subprocess
import time
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from archsim.errors import ArchsimError
from archsim.sweep import load_results, run_sweep
from archsim.sweep.progress import Progress, duration, shown
from tests.sweep import fakes
from tests.sweep.fakes import QUESTION, answer, thread_pool, touchy, write_question
from tests.sweep.processes import children, command, environment

TROUBLE = QUESTION.replace("cols: [2, 4, 8]", "cols: [2, 3, 4, 5, 6]")


def test_every_point_is_answered_once(tmp_path: Path) -> None:
    seen: list[Progress] = []
    outcome = run_sweep(
        write_question(tmp_path), tmp_path / "out", 2, progress=seen.append,
        evaluate=answer, pool=thread_pool,
    )  # fmt: skip
    assert (outcome.points, outcome.resumed, dict(outcome.statuses)) == (9, 0, {"ok": 9})
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 9, 9)
    assert [p.done for p in seen] == sorted(p.done for p in seen)


def test_the_same_command_does_only_what_is_left(tmp_path: Path) -> None:
    path, out = write_question(tmp_path), tmp_path / "out"
    first = run_sweep(path, out, 2, subset=4, evaluate=answer, pool=thread_pool)
    assert len(load_results(out)) == 4
    second = run_sweep(path, out, 2, evaluate=answer, pool=thread_pool)
    third = run_sweep(path, out, 2, evaluate=answer, pool=thread_pool)
    assert [(o.points, o.resumed) for o in (first, second, third)] == [(4, 0), (9, 4), (9, 9)]
    whole = run_sweep(path, tmp_path / "whole", 2, evaluate=answer, pool=thread_pool)
    table = "results.parquet"
    assert (out / table).read_bytes() == (whole.folder / table).read_bytes()


def test_what_comes_to_stand_beside_a_sweep_runs_by_itself(tmp_path: Path) -> None:
    path, out = write_question(tmp_path), tmp_path / "out"
    run_sweep(path, out, 2, evaluate=answer, pool=thread_pool)
    alone = (out / "results.parquet").read_bytes()
    more = QUESTION.replace("axes:", "beside: [cube_like, tpu_like]\naxes:")
    outcome = run_sweep(write_question(tmp_path, more), out, 2, evaluate=answer, pool=thread_pool)
    assert (outcome.points, outcome.resumed, outcome.stale) == (11, 9, 0)
    table = load_results(out)
    assert table["beside"].value_counts().to_dict() == {"": 9, "cube_like": 1, "tpu_like": 1}
    assert not table[table["beside"] != ""]["swept"].any()
    whole = run_sweep(path, tmp_path / "whole", 2, evaluate=answer, pool=thread_pool)
    table_file = "results.parquet"
    assert (out / table_file).read_bytes() == (whole.folder / table_file).read_bytes()
    again = run_sweep(write_question(tmp_path), out, 2, evaluate=answer, pool=thread_pool)
    assert (again.points, again.resumed, again.stale) == (9, 9, 2)
    assert (out / table_file).read_bytes() == alone


def test_failing_designs_are_rows_with_reasons_and_the_others_go_on(tmp_path: Path) -> None:
    outcome = run_sweep(
        write_question(tmp_path, TROUBLE), tmp_path / "out", 2, evaluate=touchy, pool=thread_pool
    )
    assert dict(outcome.statuses) == {"ok": 6, "failed": 6, "infeasible": 3}
    table = load_results(tmp_path / "out")
    reasons = table.groupby("engines.mxu.cols")["reason"].unique().map(list).to_dict()
    assert reasons.pop(fakes.RAISES)[0].startswith("ZeroDivisionError: columns of zero (fakes.py:")
    assert reasons == {
        2: [""],
        4: [""],
        fakes.INFEASIBLE: ["tile needs 20 bytes, and there are 10"],
        fakes.REFUSED: ["op 'a': must have an engine"],
    }
    assert table["time_us"].isna().sum() == 9


def test_damaged_lines_are_reported_and_run_again(tmp_path: Path) -> None:
    path, out = write_question(tmp_path), tmp_path / "out"
    run_sweep(path, out, 1, evaluate=answer, pool=thread_pool)
    before = (out / "results.parquet").read_bytes()
    journal = next((out / "journal").iterdir())
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0].replace(b"2", b"3"), *lines[1:-1], lines[-1][:-9]]))
    outcome = run_sweep(path, out, 1, evaluate=answer, pool=thread_pool)
    assert [str(f) for f in outcome.faults] == [
        f"{journal}:1: line fails its checksum; its point counts as not run"
    ]
    assert outcome.resumed == 7
    assert (out / "results.parquet").read_bytes() == before


def test_answers_of_another_version_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = write_question(tmp_path), tmp_path / "out"
    run_sweep(path, out, 1, evaluate=answer, pool=thread_pool)
    monkeypatch.setattr("archsim.sweep.plan.model_version", lambda: "9.9.9")
    outcome = run_sweep(path, out, 1, evaluate=answer, pool=thread_pool)
    assert (outcome.resumed, outcome.stale) == (0, 9)
    assert set(load_results(out)["version"]) == {"9.9.9"}


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    def interrupt(now: Progress) -> None:
        if now.done >= 3:
            raise KeyboardInterrupt

    path, out = write_question(tmp_path), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_sweep(path, out, 1, progress=interrupt, evaluate=answer, pool=thread_pool)
    assert not (out / "results.parquet").exists()
    assert 3 <= len(load_results(out)) < 9
    assert run_sweep(path, out, 1, evaluate=answer, pool=thread_pool).resumed >= 3


def test_a_model_that_vanishes_ends_the_run_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_question(tmp_path)

    def pool(workers: int) -> ThreadPoolExecutor:
        (tmp_path / "tiny.csv").unlink()
        return thread_pool(workers)

    with pytest.raises(ArchsimError, match=r"tiny.csv.*0 finished points are kept, and the same"):
        run_sweep(path, tmp_path / "out", 1, evaluate=answer, pool=pool)


# ---------------------------------------------------------------------------------------- processes


def test_a_point_that_kills_its_worker_is_a_failed_row_and_no_other_is(tmp_path: Path) -> None:
    deadly = QUESTION.replace("cols: [2, 4, 8]", f"cols: [2, {fakes.KILLS}, 4, 8]")
    path = write_question(tmp_path, deadly.replace("rows: [2, 4, 8]", "rows: [2, 4]"))
    outcome = run_sweep(path, tmp_path / "out", 2, evaluate=touchy)
    assert dict(outcome.statuses) == {"ok": 6, "failed": 2}
    table = load_results(tmp_path / "out")
    failed = table[table["status"] == "failed"]
    assert set(failed["engines.mxu.cols"]) == {fakes.KILLS}
    assert set(failed["reason"]) == {
        "its worker process died 3 times on this point: killed, or out of memory"
    }
    assert run_sweep(path, tmp_path / "out", 2, evaluate=touchy).resumed == 8


def test_points_that_hang_or_devour_memory_are_failed_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archsim.sweep.dispatch.GRACE_S", 0.5)
    monkeypatch.setattr("archsim.sweep.plan.model_version", lambda: "1")
    columns = [2, fakes.HANGS, fakes.FREEZES, fakes.DEVOURS, 4]
    text = QUESTION.replace("rows: [2, 4, 8]", "rows: [2, 4]") + "timeout_s: 0.5\n"
    text = text.replace("cols: [2, 4, 8]", f"cols: {columns}")
    path, out = write_question(tmp_path, text), tmp_path / "out"
    outcome = run_sweep(path, out, 2, evaluate=touchy)
    assert dict(outcome.statuses) == {"ok": 4, "failed": 6}
    reasons = load_results(out).groupby("engines.mxu.cols")["reason"].unique().map(list).to_dict()
    late = ["it took longer than timeout_s, 0.5 s"]
    assert reasons == {
        2: [""],
        4: [""],
        fakes.HANGS: late,
        fakes.FREEZES: late,
        fakes.DEVOURS: ["it needs more memory than memory_mb, 4,096 MB"],
    }
    assert run_sweep(path, out, 2, evaluate=touchy).resumed == 10
    path.write_text(text.replace("timeout_s: 0.5", "timeout_s: 60"))
    assert run_sweep(path, out, 2, evaluate=answer, pool=thread_pool).resumed == 6
    assert set(load_results(out)["status"]) == {"ok", "failed"}


def test_workers_that_never_start_are_an_error(tmp_path: Path) -> None:
    class Broken(ThreadPoolExecutor):
        def submit(self, *args: object, **kwargs: object) -> None:  # type: ignore[override]
            raise BrokenExecutor

    message = "workers cannot start; a script that runs a sweep must do so under"
    with pytest.raises(ArchsimError, match=f"^{message}"):
        run_sweep(write_question(tmp_path), tmp_path / "out", 1, evaluate=answer, pool=Broken)


def test_a_full_disk_is_an_error_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archsim.sweep.plan.model_version", lambda: "1")
    wide = QUESTION.replace("rows: [2, 4, 8]", "rows: {range: [1, 60, 1]}")
    path = write_question(tmp_path, wide)
    run_sweep(path, tmp_path / "whole", 2, evaluate=answer, pool=thread_pool)
    size = (tmp_path / "whole" / "plan.json").stat().st_size
    ran = subprocess.run(
        command(tmp_path, "answer", size + 100), env=environment(), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert re.fullmatch(
        r"\S+/out/journal: results cannot be written: File too large; \d+ finished points are "
        r"kept, and the same command goes on from them\n",
        ran.stdout,
    ), ran.stdout + ran.stderr
    kept = len(load_results(tmp_path / "out"))
    assert 0 < kept < 180
    outcome = run_sweep(path, tmp_path / "out", 2, evaluate=answer, pool=thread_pool)
    assert outcome.resumed == kept
    results = "results.parquet"
    assert (tmp_path / "out" / results).read_bytes() == (tmp_path / "whole" / results).read_bytes()


def test_no_worker_outlives_its_parent(tmp_path: Path) -> None:
    write_question(tmp_path, QUESTION.replace("rows: [2, 4, 8]", "rows: {range: [1, 900, 1]}"))
    with subprocess.Popen(command(tmp_path, "slow"), env=environment()) as parent:
        journals = tmp_path / "out" / "journal"
        deadline = time.monotonic() + 60
        while not list(journals.glob("*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        below = list(children(parent.pid))
        assert len(below) >= 3  # fork server, two workers
        parent.kill()
    deadline = time.monotonic() + 20
    alive = below
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = [pid for pid in alive if Path(f"/proc/{pid}").exists()]
    assert not alive


# ---------------------------------------------------------------------------------------- progress


def test_progress_reads_as_people_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    now = Progress(1200, {"ok": 200}).after({"ok": 90, "failed": 10}, seconds=10.0)
    assert (now.done, now.rate, now.left_s) == (300, 10.0, 90.0)
    assert str(now) == "300 of 1,200 points, 10 failed, 10.0 points/s, 1 min 30 s left"
    assert str(Progress(5, {})) == "0 of 5 points"
    assert [duration(s) for s in (7.6, 60, 7500)] == ["8 s", "1 min 00 s", "2 h 05 min"]
    with shown("tiny") as show:
        show(now)
        show(now)  # too soon for another line
    assert capsys.readouterr().err == f"tiny: {now}\n"
