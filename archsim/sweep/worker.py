"""What a worker process does: evaluate the points of a batch and put them into its journal."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from archsim.design import Design, design_from
from archsim.errors import ArchsimError, InfeasibleError, InputError
from archsim.mapper import Objective
from archsim.plan import Memo
from archsim.result import Fidelity
from archsim.simulate import simulate
from archsim.sweep.columns import FAILED, INFEASIBLE, OK, Cell, columns_of
from archsim.sweep.journal import Journal, Row
from archsim.sweep.parts import with_point
from archsim.sweep.plan import load_trace
from archsim.trace import Trace

Evaluate = Callable[..., Mapping[str, Cell]]  # of design, trace, fidelity, objective (and batches)

TRACES_KEPT = 16
STATM = Path("/proc/self/statm")  # Linux: pages that this process has mapped come first


@dataclass(frozen=True, slots=True)
class BatchPoint:
    """One point of a batch: a workload, and a design as the values that it sets on a tree.

    ``dtype`` is the design's format for float models; ``tree`` is the batch's base unless given.
    """

    design: str
    workload: str
    model: str
    dtype: str
    point: Mapping[str, Any]
    tree: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Points for one worker, with all that it needs; small enough to send."""

    journals: str
    base: Mapping[str, Any]
    points: tuple[BatchPoint, ...]
    fidelity: Fidelity
    objective: Objective
    version: str
    evaluate: Evaluate
    timeout_s: float
    memory_mb: int

    def tree(self, point: BatchPoint) -> Mapping[str, Any]:
        """Return what would be typed for a point's design."""
        return with_point(self.base, point.point) if point.tree is None else point.tree


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What came of a batch: how many points by status.

    A ``fault`` ends the run: rows cannot be written, a model is gone.
    """

    statuses: Mapping[str, int] = field(default_factory=dict)
    wall_s: float = 0.0
    fault: str = ""


def simulated(
    design: Design, trace: Trace, fidelity: Fidelity, objective: Objective, batches: int = 1
) -> Mapping[str, Cell]:
    """Return a point's columns: what sweeps evaluate unless told otherwise."""
    memo = _memo()
    result = simulate(design, trace, fidelity, objective=objective, memo=memo, batches=batches)
    return columns_of(result)


def evaluate_batch(batch: Batch) -> BatchReport:
    """Evaluate a batch's points and return once their rows are on the disk."""
    start = time.perf_counter()
    if _is_worker():
        _limit_memory(batch.memory_mb)
    try:
        rows = [_row(point, batch) for point in batch.points]
    except InputError as fault:
        return BatchReport(fault=str(fault))
    try:
        _journal(batch.journals).append(rows)
    except OSError as fault:
        return BatchReport(fault=f"{batch.journals}: results cannot be written: {fault.strerror}")
    return BatchReport(Counter(row["status"] for row in rows), time.perf_counter() - start)


def _row(point: BatchPoint, batch: Batch) -> Row:
    trace = _trace(point.model, point.dtype)
    start = time.perf_counter()
    try:
        answer = _answer(point, batch, trace)
    except MemoryError:
        _memo.cache_clear()  # what earlier points left there is not this one's fault
        gc.collect()
        try:
            answer = _answer(point, batch, trace)
        except MemoryError:
            answer = stopped("memory_mb", batch)
    except TimeLimit:
        _memo.cache_clear()  # it may have been in the middle of something
        answer = stopped("timeout_s", batch)
    return row(point, batch, answer, time.perf_counter() - start)


def _answer(point: BatchPoint, batch: Batch, trace: Trace) -> dict[str, Any]:
    """Return a point's status with its columns, or with the reason why there are none.

    Raises
    ------
    MemoryError, TimeLimit
        If a limit stopped it.
    """
    try:
        with _time_limit(batch.timeout_s):
            design = design_from(batch.tree(point))
            columns = batch.evaluate(design, trace, batch.fidelity, batch.objective)
        return {"status": OK, "columns": {name: _plain(v) for name, v in columns.items()}}
    except InfeasibleError as fault:  # an answer, too: no hardware could be this point
        return {"status": INFEASIBLE, "reason": str(fault)}
    except ArchsimError as fault:
        return {"status": FAILED, "reason": str(fault)}
    except MemoryError:
        raise
    except Exception as fault:  # whatever one design breaks in the model, the others go on
        return {"status": FAILED, "reason": _bug(fault)}


def stopped(limit: str, batch: Batch) -> dict[str, Any]:
    """Return the answer of a point that a limit stopped; ``limit`` is its name in the sweep."""
    value = getattr(batch, limit)
    reasons = {
        "timeout_s": f"it took longer than timeout_s, {value:g} s",
        "memory_mb": f"it needs more memory than memory_mb, {value:,} MB",
    }
    return {"status": FAILED, "reason": reasons[limit], "limit": [limit, value]}


def row(point: BatchPoint, batch: Batch, answer: Mapping[str, Any], wall_s: float) -> Row:
    """Return a point's row; ``answer`` is its status with its columns, or with the reason."""
    key = {"design": point.design, "workload": point.workload}
    asked = {"fidelity": batch.fidelity, "version": batch.version}
    return {**key, **asked, **answer, "wall_s": round(wall_s, 6), "at_s": round(time.time(), 3)}


def _plain(value: Any) -> Cell:
    cell: Cell = value.item() if isinstance(value, np.generic) else value
    return cell


def _bug(fault: Exception) -> str:
    """Return what was raised, and the line of source that raised it."""
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    return f"{type(fault).__name__}: {fault} ({Path(frame.filename).name}:{frame.lineno})"


@lru_cache(maxsize=TRACES_KEPT)
def _trace(model: str, dtype: str) -> Trace:
    return load_trace(model, dtype)


@lru_cache(maxsize=1)
def _journal(folder: str) -> Journal:
    return Journal(Path(folder))


@cache
def _memo() -> Memo:
    return Memo()


# ---------------------------------------------------------------------------------------- process


def start_worker() -> None:
    """Prepare a process of our own pool: it leaves interrupts to the parent, and dies with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # its end of a pipe closes however it died
        os._exit(1)


def ready() -> int:
    """Return the worker's process id, to see that workers start."""
    return os.getpid()


def _is_worker() -> bool:
    return multiprocessing.parent_process() is not None


class TimeLimit(BaseException):  # not an Exception: no model's own `except` may catch it
    """A point took longer than it may."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeLimit` inside after so many seconds, of a clock that nobody can set.

    It comes between two instructions of Python; for what hangs below Python, the parent kills the
    worker. In processes that are nobody's workers there is no limit.
    """
    if not _is_worker() or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGALRM, _stop_point)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _stop_point(number: int, frame: object) -> None:
    raise TimeLimit


@cache
def _limit_memory(memory_mb: int) -> None:
    """Let this process map so many megabytes more than it has now."""
    pages = int(STATM.read_text().split()[0]) if STATM.exists() else 0
    limit = pages * resource.getpagesize() + memory_mb * 10**6
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
