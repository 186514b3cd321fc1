"""run_sweep: a sweep from its file to its table, however often it is stopped on the way."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from archsim.engines import discover
from archsim.sweep.dispatch import Dispatch, Pool
from archsim.sweep.journal import Fault
from archsim.sweep.order import families
from archsim.sweep.plan import make_plan
from archsim.sweep.progress import Progress
from archsim.sweep.store import claimed, writing
from archsim.sweep.worker import Evaluate, simulated, start_worker


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: all points of the plan are in the table.

    Parameters
    ----------
    points, resumed
        Of the plan; finished before this run.
    statuses
        Points by how they ended: ``ok``, ``infeasible``, ``failed``.
    seconds
        Of this run.
    faults
        Damaged lines of journals; their points ran again.
    stale
        Rows of another version of the model; their points ran again.
    """

    folder: Path
    points: int
    resumed: int
    statuses: Mapping[str, int]
    seconds: float
    faults: Sequence[Fault] = ()
    stale: int = 0


def process_pool(workers: int) -> Executor:
    """Return a pool of processes that die with their parent.

    Workers are forked from a small server that has simulator and engines loaded, not from this
    process, whose threads and state they must not share.
    """
    context = multiprocessing.get_context("forkserver")
    engines = (engine.spec.__module__ for engine in discover().values())
    context.set_forkserver_preload(["archsim.sweep.worker", *engines])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)


def run_sweep(
    path: Path | str,
    out_dir: Path | str | None = None,
    workers: int | None = None,
    subset: int | None = None,
    progress: Callable[[Progress], None] = lambda now: None,
    *,
    evaluate: Evaluate = simulated,
    pool: Pool = process_pool,
) -> Outcome:
    """Run a sweep to its end, or go on with one that was stopped.

    Every finished point is on the disk before it counts, so the same call after any kind of stop
    runs what is left and ends in the same table.

    Parameters
    ----------
    path
        The sweep's YAML file.
    out_dir
        Where results go; ``out/NAME`` unless given.
    workers
        Processes; the sweep's own number, else one a core.
    subset
        Run only so many designs; see `make_plan`.
    progress
        Called after every batch.
    evaluate
        What answers a point; a function that workers can import.
    pool
        Makes the executor of a number of workers; every worker has one of its own.

    Raises
    ------
    InputError
        If the sweep, a design or a model is faulty, or the folder is another sweep's.
    ArchsimError
        If another run holds the folder, results cannot be written, or workers cannot start.
    """
    plan = make_plan(path, subset)
    out = Path(out_dir) if out_dir is not None else Path("out") / plan.sweep.name
    count = workers or plan.sweep.workers or _cores()
    start = time.monotonic()
    with claimed(out, plan) as folder:
        before = folder.answers()
        resumed, faults, stale = len(before), tuple(before.faults), before.stale
        progressed = Progress(len(plan), before.statuses, folder=folder)
        left = list(families(plan, before))
        del before  # it holds every answer
        count = min(count, sum(map(len, left)))
        Dispatch(folder, evaluate, pool, count, progressed).run(left, progress)
        with writing(out):
            statuses = folder.compact().statuses
    return Outcome(
        out, len(plan), resumed, statuses, time.monotonic() - start, faults, stale
    )  # fmt: skip


def _cores() -> int:
    """Return how many cores this process may use, where the system tells, else all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
