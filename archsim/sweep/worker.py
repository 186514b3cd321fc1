"""What a worker process does: evaluate the points of a batch and put them into its journal."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
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
from archsim.sweep.plan import load_trace
from archsim.trace import Trace

Evaluate = Callable[[Design, Trace, Fidelity, Objective], Mapping[str, Cell]]

TRACES_KEPT = 16


@dataclass(frozen=True, slots=True)
class BatchPoint:
    """One point of a batch: a design's tree and a workload."""

    design: str
    workload: str
    model: str
    tree: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Points for one worker, with all that it needs; small enough to send."""

    journals: str
    points: tuple[BatchPoint, ...]
    fidelity: Fidelity
    objective: Objective
    version: str
    evaluate: Evaluate


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What came of a batch: how many points by status.

    A ``fault`` ends the run: rows cannot be written, a model is gone.
    """

    statuses: Mapping[str, int] = field(default_factory=dict)
    wall_s: float = 0.0
    fault: str = ""


def simulated(
    design: Design, trace: Trace, fidelity: Fidelity, objective: Objective
) -> Mapping[str, Cell]:
    """Return a point's columns: what sweeps evaluate unless told otherwise."""
    return columns_of(simulate(design, trace, fidelity, objective=objective, memo=_memo()))


def evaluate_batch(batch: Batch) -> BatchReport:
    """Evaluate a batch's points and return once their rows are on the disk."""
    start = time.perf_counter()
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
    trace = _trace(point.model)
    start = time.perf_counter()
    answer: dict[str, Any]
    try:
        design = design_from(point.tree)
        columns = batch.evaluate(design, trace, batch.fidelity, batch.objective)
        answer = {"status": OK, "columns": {name: _plain(v) for name, v in columns.items()}}
    except InfeasibleError as fault:  # an answer, too: no hardware could be this point
        answer = {"status": INFEASIBLE, "reason": str(fault)}
    except ArchsimError as fault:
        answer = {"status": FAILED, "reason": str(fault)}
    except Exception as fault:  # whatever one design breaks in the model, the others go on
        answer = {"status": FAILED, "reason": _bug(fault)}
    return row(point, batch, answer, time.perf_counter() - start)


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
def _trace(model: str) -> Trace:
    return load_trace(model)


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
