"""run_sweep: hand the points that are left to a pool of workers, whatever happens to them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass
from pathlib import Path

from archsim.errors import ArchsimError
from archsim.sweep.columns import FAILED
from archsim.sweep.journal import Fault, Journal
from archsim.sweep.plan import Plan, PlannedDesign, PlannedWorkload, make_plan
from archsim.sweep.progress import Progress
from archsim.sweep.store import SweepFolder, claimed, writing
from archsim.sweep.table import PointKey
from archsim.sweep.worker import (
    Batch,
    BatchPoint,
    BatchReport,
    Evaluate,
    evaluate_batch,
    ready,
    row,
    simulated,
    start_worker,
)

BATCH_S = 0.5  # work in one batch: what a kill repeats, and what one sync to disk is spread over
BATCH_POINTS = 64  # keeps a batch's message small
BLOCK_DESIGNS = 64  # designs that finish together: all their workloads, one workload at a time
DEATHS_ALONE = 2  # a point that kills its worker so often, with no other at work, is to blame
START_TRIES = 5

Pool = Callable[[int], Executor]
Point = tuple[PlannedDesign, PlannedWorkload]


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

    Workers are forked from a small server that has the simulator loaded, not from this process,
    whose threads and state they must not share.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["archsim.sweep.worker"])
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
        Makes the executor that runs workers, given their number.

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
        before = folder.finished()
        left = [p for p in _in_order(plan) if _key(p) not in before.rows]
        statuses = Counter(row["status"] for row in before.rows.values())
        progressed = Progress(len(plan), statuses)
        dispatch = _Dispatch(folder, evaluate, pool, count, progressed)
        dispatch.run(left, progress)
        with writing(out):
            folder.compact()
    now = dispatch.progress
    return Outcome(
        out, len(plan), len(before.rows), now.statuses, time.monotonic() - start,
        tuple(before.faults), before.stale,
    )  # fmt: skip


def _cores() -> int:
    """Return how many cores this process may use, where the system tells, else all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(plan: Plan) -> Iterable[Point]:
    """Yield a plan's points, block of designs by block, in each one workload after the other."""
    for first in range(0, len(plan.designs), BLOCK_DESIGNS):
        block = plan.designs[first : first + BLOCK_DESIGNS]
        for workload in plan.workloads:
            yield from ((design, workload) for design in block)


def _key(point: Point) -> PointKey:
    return point[0].digest, point[1].label


class _Dispatch:
    """The points of one run on their way through a pool."""

    def __init__(
        self, folder: SweepFolder, evaluate: Evaluate, pool: Pool, workers: int, progress: Progress
    ) -> None:
        self._folder, self._evaluate, self._pool, self._workers = folder, evaluate, pool, workers
        self._journal = Journal(folder.journals)
        self._start = time.monotonic()
        self._point_s: dict[str, float] = {}  # by workload, of its last batch
        self.progress = progress

    def run(self, points: Iterable[Point], report: Callable[[Progress], None]) -> None:
        """Finish the points.

        A worker that dies takes the pool and every batch in flight with it, and does not say
        which point it was. Those points then run alone, one at a time: the guilty one shows.
        """
        self._report = report
        queue = deque(points)
        suspects: deque[Point] = deque()
        deaths: Counter[PointKey] = Counter()
        report(self.progress)
        while queue or suspects:
            executor = self._started()
            try:
                self._run_alone(executor, suspects, deaths)
                suspects.extend(self._run_together(executor, queue))
            finally:
                executor.shutdown(wait=True, cancel_futures=True)
        self._journal.close()

    def _started(self) -> Executor:
        for _ in range(START_TRIES):
            executor = self._pool(self._workers)
            try:
                executor.submit(ready).result()
            except BrokenExecutor:
                executor.shutdown(wait=True)
            else:
                return executor
        raise ArchsimError(
            "workers cannot start; a script that runs a sweep must do so under "
            "`if __name__ == '__main__':`, and the machine needs room for its workers"
        )

    def _run_together(self, executor: Executor, queue: deque[Point]) -> list[Point]:
        """Empty the queue, or return what was in flight when the pool broke."""
        flying: dict[Future[BatchReport], list[Point]] = {}
        try:
            while queue or flying:
                while queue and len(flying) <= self._workers:  # one waits while the others work
                    points = self._next_batch(queue)
                    try:
                        future = executor.submit(evaluate_batch, self._batch(points))
                    except BrokenExecutor:
                        queue.extendleft(reversed(points))
                        raise
                    flying[future] = points
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    self._account(flying[future], future.result())
                    del flying[future]
        except BrokenExecutor:
            return [point for points in flying.values() for point in points]
        return []

    def _run_alone(
        self, executor: Executor, suspects: deque[Point], deaths: Counter[PointKey]
    ) -> None:
        """Empty the suspects, each with no other at work, until one breaks the pool."""
        while suspects:
            point = suspects[0]
            try:
                future = executor.submit(evaluate_batch, self._batch([point]))
            except BrokenExecutor:  # it broke while idle: nobody's fault
                return
            try:
                report = future.result()
            except BrokenExecutor:
                deaths[_key(point)] += 1
                if deaths[_key(point)] == DEATHS_ALONE:
                    suspects.popleft()
                    self._account([point], self._give_up(point))
                return
            suspects.popleft()
            self._account([point], report)

    def _give_up(self, point: Point) -> BatchReport:
        """Write the guilty point's row, unless it has one: a worker can die with its work done."""
        found = self._folder.finished().rows.get(_key(point))
        if found is not None:
            return BatchReport({found["status"]: 1})
        batch = self._batch([point])
        reason = (
            f"its worker process died {DEATHS_ALONE} times on this point: killed, or out of memory"
        )
        answer = {"status": FAILED, "reason": reason}
        with writing(self._folder.path):
            self._journal.append([row(batch.points[0], batch, answer, 0.0)])
        return BatchReport({FAILED: 1})

    def _next_batch(self, queue: deque[Point]) -> list[Point]:
        """Take points of one workload off the queue: about `BATCH_S` of work, less near the end."""
        label = queue[0][1].label
        point_s = self._point_s.get(label)
        size = 1 if point_s is None else int(BATCH_S / max(point_s, 1e-6))
        fair = -(-len(queue) // (2 * self._workers))
        points: list[Point] = []
        while queue and queue[0][1].label == label and len(points) < min(size, fair, BATCH_POINTS):
            points.append(queue.popleft())
        return points or [queue.popleft()]

    def _batch(self, points: list[Point]) -> Batch:
        plan = self._folder.plan
        return Batch(
            journals=str(self._folder.journals),
            points=tuple(BatchPoint(d.digest, w.label, w.model, plan.tree(d)) for d, w in points),
            fidelity=plan.sweep.fidelity,
            objective=plan.sweep.mapping.objective,
            version=plan.version,
            evaluate=self._evaluate,
        )

    def _account(self, points: list[Point], report: BatchReport) -> None:
        if report.fault:
            raise ArchsimError(
                f"{report.fault}; {self.progress.done:,} finished points are kept, "
                "and the same command goes on from them"
            )
        self._point_s[points[0][1].label] = report.wall_s / len(points)
        self.progress = self.progress.after(report.statuses, time.monotonic() - self._start)
        self._report(self.progress)
