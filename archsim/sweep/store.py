"""A sweep's folder: the question, its plan, the journals, and the table made of them.

::

    DIR/sweep.yaml          the sweep as typed
    DIR/plan.json           its designs and workloads, by digest
    DIR/journal/*.jsonl     finished points: the truth
    DIR/results.parquet     the table, once every point is finished
    DIR/wall_times.parquet  how long points took, kept apart so that equal sweeps have equal tables
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from archsim.design import Design, design_from
from archsim.errors import ArchsimError, InputError
from archsim.sweep import journal
from archsim.sweep.answers import Answers
from archsim.sweep.plan import Plan
from archsim.sweep.plan_file import plan_text, read_identity, read_plan
from archsim.sweep.schema import Sweep
from archsim.sweep.table import PARTIAL, read_parquet, write_parquet

if TYPE_CHECKING:
    import pandas as pd

SWEEP, PLAN, LOCK, JOURNAL = "sweep.yaml", "plan.json", "lock", "journal"
RESULTS, WALL_TIMES = "results.parquet", "wall_times.parquet"
LOCK_TRIES, LOCK_PAUSE_S, OWNER_BYTES = 5, 0.05, 300
OWN = {SWEEP, PLAN, LOCK, JOURNAL, RESULTS, WALL_TIMES}


class SweepFolder:
    """An existing sweep folder, for reading; its plan is read from it unless given.

    Raises
    ------
    InputError
        If the folder holds no sweep.
    """

    def __init__(self, path: Path | str, plan: Plan | None = None) -> None:
        self.path = Path(path)
        if plan is None and not (self.path / PLAN).is_file():
            raise InputError(
                str(path), "must be a folder that `archsim sweep run` wrote; plan.json is missing"
            )
        self.plan = plan or read_plan(self.path / PLAN, self.path / SWEEP)

    @property
    def sweep(self) -> Sweep:
        return self.plan.sweep

    @property
    def journals(self) -> Path:
        return self.path / JOURNAL

    def design(self, digest: str) -> Design:
        """Return the design of a row, named after the sweep."""
        for planned in self.plan.designs:
            if planned.digest == digest:
                name = f"{self.sweep.name}-{digest[:8]}"
                return design_from(self.plan.tree(planned) | {"name": name})
        raise InputError(str(self.path), "design must be one of the sweep's digests", digest)

    def answers(self) -> Answers:
        """Return the finished points; a running sweep may add to them at any time."""
        return Answers(self.plan, journal.read(self.journals))

    def results(self) -> pd.DataFrame:
        """Return the table: one row a finished point, sorted by key.

        Columns: design (digest), workload, fidelity, version; ``swept``, ``baseline`` and
        ``beside`` (its name there, or none), what the design is; ``status`` (``ok``,
        ``infeasible``, ``failed``) and ``reason``; the axes' paths; the metrics; energy and
        area by component.
        """
        path = self.path / RESULTS
        table = read_parquet(path) if path.exists() else None
        return self.answers().table() if table is None else table

    def compact(self) -> Answers:
        """Write the table and the wall times from the journals, each by one atomic rename."""
        answers = self.answers()
        write_parquet(answers.wall_times(), self.path / WALL_TIMES)
        write_parquet(answers.table(), self.path / RESULTS)
        return answers

    def is_running(self) -> bool:
        """Return whether some process runs the sweep in this folder now."""
        try:
            lock = os.open(self.path / LOCK, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(lock)


def load_results(path: Path | str) -> pd.DataFrame:
    """Return a sweep folder's table; of an unfinished sweep, the points there are.

    See `SweepFolder.results` for its columns.
    """
    return SweepFolder(path).results()


def load_wall_times(path: Path | str) -> pd.DataFrame:
    """Return each finished point's key, ``wall_s``, and ``at_s``: the Unix time of its end."""
    return SweepFolder(path).answers().wall_times()


# ---------------------------------------------------------------------------------------- writing


@contextmanager
def claimed(path: Path, plan: Plan) -> Iterator[SweepFolder]:
    """Hold a folder for one run of a plan: make it, or go on with what it holds.

    Raises
    ------
    InputError
        If the folder cannot be written, is another sweep's, or is not empty.
    ArchsimError
        If another process runs in it.
    """
    try:
        _check_ours(path)
        (path / JOURNAL).mkdir(parents=True, exist_ok=True)
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as fault:
        raise _not_writable(path, fault) from None
    try:
        with writing(path):
            _lock(lock, path)
        _check_same_question(path, plan)
        with writing(path):
            (path / RESULTS).unlink(missing_ok=True)  # there is a table only of a finished sweep
            _replace(path / SWEEP, plan.text)
            _replace(path / PLAN, plan_text(plan))
        yield SweepFolder(path, plan)
    finally:
        os.close(lock)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure to write into an error that says what to do."""
    try:
        yield
    except OSError as fault:
        raise _not_writable(path, fault) from None


def _not_writable(path: Path, fault: OSError) -> InputError:
    return InputError(
        str(path), f"must be a folder that can be written: {fault.strerror or fault}",
        fix="make room or choose another with -o; finished points are kept",
    )  # fmt: skip


def _lock(lock: int, path: Path) -> None:
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE_S)  # whoever asks `is_running` holds it for a moment, too
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()} on {socket.gethostname()}".encode(), 0)
            return
    owner = os.pread(lock, OWNER_BYTES, 0).decode(errors="replace").strip() or "unknown"
    raise ArchsimError(
        f"{path}: another run (process {owner}) is at work in this folder; "
        "wait for it, stop it, or choose another folder with -o"
    )


def _check_ours(path: Path) -> None:
    """Raise `InputError` if the folder has things in it and is no sweep's."""
    if path.exists() and not (path / PLAN).exists():
        strange = sorted({e.name.removesuffix(PARTIAL) for e in path.iterdir()} - OWN)
        if strange:
            raise InputError(
                str(path), "must be empty or hold a sweep", strange[0],
                fix="choose another folder with -o",
            )  # fmt: skip


def _check_same_question(path: Path, plan: Plan) -> None:
    if not (path / PLAN).exists():
        return
    held = read_identity(path / PLAN)
    differing = [part for part, digest in plan.identity.items() if held.get(part) != digest]
    if differing:
        raise InputError(
            str(path), f"holds the answers to another sweep: {', '.join(differing)} differ",
            fix="choose another folder with -o, or remove this one",
        )  # fmt: skip


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is there whole or as it was."""
    part = path.with_name(path.name + PARTIAL)
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    journal.sync_folder(path.parent)
