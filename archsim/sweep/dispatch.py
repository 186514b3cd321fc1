"""The points of one run on their way through its workers, whatever happens to them.

Every worker is a lane: an executor of one process, with points of its own. A worker that dies, or
is killed because a point hangs, takes only what its own lane had in flight; the other lanes do not
notice.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

from archsim.errors import ArchsimError
from archsim.sweep.answers import PointKey
from archsim.sweep.columns import FAILED
from archsim.sweep.journal import Journal
from archsim.sweep.order import Family, Point
from archsim.sweep.progress import Progress
from archsim.sweep.store import SweepFolder, writing
from archsim.sweep.worker import (
    Batch,
    BatchPoint,
    BatchReport,
    Evaluate,
    evaluate_batch,
    ready,
    row,
    stopped,
)

BATCH_S = 0.5  # work in one batch: what a kill repeats, and what one sync to disk is spread over
BATCH_POINTS = 256  # keeps a batch's message small
BATCHES_FLYING = 2  # a lane: one waits while the other is at work
DEATHS_ALONE = 3  # a point that kills its worker so often, with no other in flight, is to blame
START_TRIES = 5
GRACE_S = 10.0  # beyond a point's limit, before its worker is killed: Python may still stop it

Pool = Callable[[int], Executor]


@dataclass(frozen=True, slots=True)
class _Flight:
    """A batch that a worker has."""

    future: Future[BatchReport]
    points: Sequence[Point]


class _Lane:
    """One worker, its points, and what came of its life so far."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.family: Family = deque()
        self.suspects: deque[Point] = deque()  # in flight when a worker died: they run alone
        self.flying: deque[_Flight] = deque()
        self.deaths: Counter[PointKey] = Counter()
        self.since_s = 0.0  # when the oldest batch in flight came to the head of the line
        self.overdue = False
        self.pid = os.getpid()
        self._executor: Executor | None = None
        self._coming: Future[int] = Future()

    def start(self) -> None:
        """Begin to start a worker."""
        self._executor = self._pool(1)
        self._coming = self.submit(ready)

    def await_start(self) -> None:
        """Wait until the worker is there."""
        for _ in range(START_TRIES):
            try:
                self.pid = self._coming.result()
            except BrokenExecutor:
                self.stop(kill=False)
                self.start()
            else:
                self.overdue = False
                return
        raise ArchsimError(
            "workers cannot start; a script that runs a sweep must do so under "
            "`if __name__ == '__main__':`, and the machine needs room for its workers"
        )

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        """Hand work to the worker; if it is dead, the future says so."""
        assert self._executor is not None
        try:
            return self._executor.submit(work, *args)
        except BrokenExecutor as fault:
            failed: Future[Any] = Future()
            failed.set_exception(fault)
            return failed

    def stop(self, *, kill: bool) -> None:
        """Let the worker go, at once if it is to be killed."""
        if kill:
            self.kill()
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def kill(self) -> None:
        """Kill the worker's process, if it has one of its own."""
        if self.pid != os.getpid():
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it was faster

    @property
    def idle(self) -> bool:
        return not (self.flying or self.suspects or self.family)


class Dispatch:
    """The points of one run on their way through lanes of workers."""

    def __init__(
        self, folder: SweepFolder, evaluate: Evaluate, pool: Pool, workers: int, progress: Progress
    ) -> None:
        self._folder, self._evaluate = folder, evaluate
        self._journal = Journal(folder.journals)
        self._lanes = [_Lane(pool) for _ in range(workers)]
        self._start = time.monotonic()
        self._point_s: dict[str, float] = {}  # by workload, of its last batch
        self._timeout_s = float(folder.sweep.timeout_s)
        self.progress = progress

    def run(self, families: Iterable[Family], report: Callable[[Progress], None]) -> None:
        """Finish the points."""
        self._report = report
        self._families = deque(families)
        report(self.progress)
        if not self._families:
            return
        kill = True
        try:
            for lane in self._lanes:
                lane.start()
            for lane in self._lanes:
                lane.await_start()
            while not all(lane.idle for lane in self._lanes) or self._families:
                for lane in self._lanes:
                    self._fill(lane)
                self._await()
            kill = False
        finally:
            for lane in self._lanes:
                lane.stop(kill=kill)
            self._journal.close()

    # ------------------------------------------------------------------------------------ points

    def _fill(self, lane: _Lane) -> None:
        """Give a lane as much as it may have in flight."""
        while lane.suspects and not lane.flying:
            self._submit(lane, [lane.suspects.popleft()])
        while not lane.suspects and len(lane.flying) < BATCHES_FLYING:
            if not lane.family:
                lane.family = self._families.popleft() if self._families else self._share()
            if not lane.family:
                return
            self._submit(lane, self._next_batch(lane.family))

    def _share(self) -> Family:
        """Take the later half of the points of the lane that has most left."""
        rich = max(self._lanes, key=lambda lane: len(lane.family)).family
        count = len(rich) // 2
        taken = [rich.pop() for _ in range(count)]
        return deque(reversed(taken))

    def _next_batch(self, family: Family) -> list[Point]:
        """Take points of one workload: about `BATCH_S` of work, less near the end."""
        label = family[0][1].label
        point_s = self._point_s.get(label)
        size = 1 if point_s is None else int(BATCH_S / max(point_s, 1e-6))
        if not self._families:
            size = min(size, -(-len(family) // BATCHES_FLYING))
        points = [family.popleft()]
        while family and family[0][1].label == label and len(points) < min(size, BATCH_POINTS):
            points.append(family.popleft())
        return points

    def _submit(self, lane: _Lane, points: list[Point]) -> None:
        if not lane.flying:
            lane.since_s = time.monotonic()
        lane.flying.append(_Flight(lane.submit(evaluate_batch, self._batch(points)), points))

    def _batch(self, points: Sequence[Point]) -> Batch:
        plan = self._folder.plan
        evaluate, batches = self._evaluate, plan.sweep.batches
        return Batch(
            journals=str(self._folder.journals),
            base=plan.base,
            points=tuple(
                BatchPoint(d.digest, w.label, w.model, d.dtype, {} if d.tree else d.point, d.tree)
                for d, w in points
            ),
            fidelity=plan.sweep.fidelity,
            objective=plan.sweep.mapping.objective,
            version=plan.version,
            evaluate=evaluate if batches == 1 else partial(evaluate, batches=batches),
            timeout_s=self._timeout_s,
            memory_mb=plan.sweep.memory_mb,
        )

    # ------------------------------------------------------------------------------------ answers

    def _await(self) -> None:
        """Wait until some batch has ended, or is overdue, and account for it."""
        lanes = {lane.flying[0].future: lane for lane in self._lanes if lane.flying}
        now_s = time.monotonic()
        patience_s = min((self._due_s(lane) - now_s for lane in lanes.values()), default=0.0)
        done = wait(lanes, timeout=max(patience_s, 0.0), return_when=FIRST_COMPLETED).done
        for future in done:
            lane = lanes[future]
            try:
                report = future.result()
            except BrokenExecutor:
                self._bury(lane)
            else:
                self._account(lane.flying.popleft().points, report)
                lane.since_s = time.monotonic()
        for lane in lanes.values():
            if lane.flying and not lane.overdue and time.monotonic() > self._due_s(lane):
                lane.overdue = True
                lane.kill()

    def _due_s(self, lane: _Lane) -> float:
        """Return when the oldest batch of a lane must have ended, by a clock that nobody sets."""
        points = len(lane.flying[0].points)
        return lane.since_s + points * self._timeout_s + GRACE_S + (lane.overdue and GRACE_S)

    def _bury(self, lane: _Lane) -> None:
        """Start a lane's worker anew, and see what it died of.

        Of several points in flight it is not known which did it: those of the batch at work then
        run alone, one at a time, and the guilty one shows.
        """
        first, *later = lane.flying
        lane.flying.clear()
        for flight in reversed(later):
            lane.family.extendleft(reversed(flight.points))
        if len(first.points) > 1:
            lane.suspects.extend(first.points)
        else:
            self._suspect(lane, first.points[0])
        lane.stop(kill=False)
        lane.start()
        lane.await_start()

    def _suspect(self, lane: _Lane, point: Point) -> None:
        """Try a point again whose worker died, unless that is its own fault beyond doubt."""
        key = point[0].digest, point[1].label
        lane.deaths[key] += 1
        if not lane.overdue and lane.deaths[key] < DEATHS_ALONE:
            lane.suspects.appendleft(point)
            return
        batch = self._batch([point])
        reason = (
            f"its worker process died {DEATHS_ALONE} times on this point: killed, or out of memory"
        )
        answer = {"status": FAILED, "reason": reason}
        if lane.overdue:
            answer = stopped("timeout_s", batch)
        with writing(self._folder.path):
            self._journal.append([row(batch.points[0], batch, answer, 0.0)])
        self._account([point], BatchReport({FAILED: 1}))

    def _account(self, points: Sequence[Point], report: BatchReport) -> None:
        if report.fault:
            raise ArchsimError(
                f"{report.fault}; {self.progress.done:,} finished points are kept, "
                "and the same command goes on from them"
            )
        self._point_s[points[0][1].label] = report.wall_s / len(points)
        self.progress = self.progress.after(report.statuses, time.monotonic() - self._start)
        self._report(self.progress)
