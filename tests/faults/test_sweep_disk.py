"""A sweep on disks that fill up, lock up and rot, and under clocks that jump: nothing is lost."""

from __future__ import annotations

import errno
import itertools
import os
import random
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from archsim.errors import ArchsimError, InputError
from archsim.sweep import Outcome, load_results, run_sweep, status
from tests.sweep.fakes import QUESTION, answer, thread_pool, write_question

WIDE = QUESTION.replace("rows: [2, 4, 8]", "rows: {range: [1, 40, 1]}")
POINTS = 120
RESULTS = "results.parquet"


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The table of the undisturbed run."""
    monkeypatch.setattr("archsim.sweep.plan.model_version", lambda: "1")
    write_question(tmp_path, WIDE)
    run(tmp_path, "whole")
    return (tmp_path / "whole" / RESULTS).read_bytes()


def run(folder: Path, out: str = "out", workers: int = 2) -> Outcome:
    question = folder / "question.yaml"
    return run_sweep(question, folder / out, workers, evaluate=answer, pool=thread_pool)


# ---------------------------------------------------------------------------------------- disks


@pytest.mark.parametrize("room", [0, 1, 1000, 30_000])
def test_a_disk_that_fills_up_ends_the_run_with_an_error_and_keeps_what_it_has(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    write, left, one_at_a_time = os.write, room, threading.Lock()

    def full(file: int, data: bytes) -> int:
        nonlocal left
        with one_at_a_time:
            if not left:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = write(file, data[:left])
            left -= written
            return written

    monkeypatch.setattr(os, "write", full)
    text = r"journal: results cannot be written: No space left on device; \d+ finished points are"
    with pytest.raises(ArchsimError, match=text):
        run(tmp_path, workers=1)  # processes have journals of their own; threads would share one
    monkeypatch.setattr(os, "write", write)
    kept = len(load_results(tmp_path / "out"))
    assert kept < POINTS
    outcome = run(tmp_path)
    assert (outcome.resumed, outcome.faults) == (kept, ())
    assert (tmp_path / "out" / RESULTS).read_bytes() == whole


@pytest.mark.parametrize("name", ["write_parquet", "_replace"])
def test_a_disk_that_is_full_at_either_end_of_a_run_loses_nothing(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"archsim.sweep.store.{name}", full)
        message = (
            f"{tmp_path / 'out'}: must be a folder that can be written: No space left on device; "
            "make room or choose another with -o; finished points are kept"
        )
        with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
            run(tmp_path)
    assert run(tmp_path).resumed == (POINTS if name == "write_parquet" else 0)
    assert (tmp_path / "out" / RESULTS).read_bytes() == whole


def test_a_disk_that_becomes_read_only_is_an_error(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def read_only(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT and str(path).endswith(".jsonl"):
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, flags, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        with pytest.raises(ArchsimError, match="results cannot be written: Read-only file system"):
            run(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", lambda *_, **__: opened("/", os.O_WRONLY))
        with pytest.raises(InputError, match="must be a folder that can be written: Is a dir"):
            run(tmp_path, "new")
    run(tmp_path)
    assert (tmp_path / "out" / RESULTS).read_bytes() == whole


@pytest.mark.parametrize("seed", range(8))
def test_journals_that_rot_are_mended_by_running_again(
    tmp_path: Path, whole: bytes, seed: int
) -> None:
    draw = random.Random(seed)
    run(tmp_path)
    for journal in sorted((tmp_path / "out" / "journal").iterdir()):
        content = bytearray(journal.read_bytes())
        for _ in range(3):
            start = draw.randrange(len(content))
            length = draw.choice([1, 10, 1500])
            rot = draw.choice([draw.randbytes(length), bytes(length), b"\n" * length, b""])
            content[start : start + length] = rot
        journal.write_bytes(content)
    before = status(tmp_path / "out")
    outcome = run(tmp_path)
    assert len(outcome.faults) == len(before.faults)
    assert (tmp_path / "out" / RESULTS).read_bytes() == whole


def test_a_table_that_rots_is_read_from_the_journals(tmp_path: Path, whole: bytes) -> None:
    run(tmp_path)
    table = tmp_path / "out" / RESULTS
    table.write_bytes(whole[: len(whole) // 2])
    assert len(load_results(tmp_path / "out")) == POINTS
    run(tmp_path)
    assert table.read_bytes() == whole


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"identity": 3}', "\0" * 99])
def test_a_plan_that_rots_is_an_error_that_says_what_to_do(
    tmp_path: Path, whole: bytes, content: str
) -> None:
    run(tmp_path)
    plan = tmp_path / "out" / "plan.json"
    plan.write_text(content)
    message = f"^{re.escape(str(plan))}: must be a readable plan of a sweep: .*; remove it and give"
    for read in (lambda: status(tmp_path / "out"), lambda: run(tmp_path)):
        with pytest.raises(InputError, match=message):
            read()
    plan.unlink()
    assert run(tmp_path).resumed == POINTS
    assert (tmp_path / "out" / RESULTS).read_bytes() == whole


def test_a_lock_that_a_dead_run_left_behind_holds_nobody_up(tmp_path: Path, whole: bytes) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "lock").write_text("1 on some-other-host, which is long gone " + "x" * 500)
    run(tmp_path)
    assert not status(out).running
    assert (out / "lock").read_text().startswith(f"{os.getpid()} on ")


# ---------------------------------------------------------------------------------------- clocks


@pytest.mark.parametrize("jump_s", [86_400.0, -86_400.0])
def test_a_clock_that_jumps_changes_nothing_but_its_own_times(
    tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    now, calls = time.time, itertools.count()
    monkeypatch.setattr(time, "time", lambda: now() + (jump_s if next(calls) > 60 else 0.0))
    outcome = run(tmp_path)
    assert 0 < outcome.seconds < 600
    stands = status(tmp_path / "out")
    assert stands.rate is None or stands.rate > 0
    assert (tmp_path / "out" / RESULTS).read_bytes() == whole
