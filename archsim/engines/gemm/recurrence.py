"""Arrays that keep the sums at ports that keep a pace: when each step runs and each row leaves.

Equal in result to `archsim.engines.gemm.cycle_loop`, without a loop over cycles: a step runs
when its beats are offered and the drain register it writes is free; a row leaves its register when
it is complete, the row before has left and the output queue has room; a result goes when its row
heads the queue, its partial sums are offered and the port is ready. Once folds repeat each other,
shifted in time, whole stretches of them are skipped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from archsim.engines import IDEAL, Ints, Rate
from archsim.engines.gemm.cycle_loop import Stalled, fold_steps
from archsim.engines.offers import earliest_offer, is_ideal, next_ready, ready_between

_T = TypeVar("_T", int, Ints)


def run(
    rows: int,
    cols: int,
    m: int,
    n: int,
    k: int,
    accumulate: int,
    rates: Mapping[str, Rate],
    *,
    skewed: bool = True,
    passes: int = 1,
    behind: int = 0,
    late: int = 0,
) -> Stalled:
    """Return what one job, of ``k`` beats a pass, takes; ports not named are ideal."""
    return _Job(rows, cols, m, n, k, bool(accumulate), rates, skewed, passes, behind, late).run()


class _Job:
    """A job under way; cycles count from the command's. A fold is here one of its passes.

    A *stage* begins with the step that captures a fold's top row, or all of them where no row is
    skewed, ``behind`` steps after the one that feeds its last beat. It ends before the next fold's
    such step. In it the rows of the fold before leave.
    """

    def __init__(
        self,
        rows: int,
        cols: int,
        m: int,
        n: int,
        k: int,
        accumulate: bool,
        rates: Mapping[str, Rate],
        skewed: bool,
        passes: int,
        behind: int,
        late: int,
    ) -> None:
        self.k, self.accumulate, self.skewed, self.passes = k, accumulate, skewed, passes
        self.rows, self.late = rows, late
        self.period = fold_steps(rows, cols, k, skewed=skewed, passes=passes, late=late)
        self.lag = cols - 1 if skewed else 0
        self.folds_n = -(-n // cols) * passes
        self.full_folds = m // rows * self.folds_n
        self.last_rows = m - (-(-m // rows) - 1) * rows
        self.folds = -(-m // rows) * self.folds_n
        self.behind, self.last_feed = behind, (self.folds - 1) * self.period + k - 1
        self.a, self.b, self.c, self.out_port = (
            rates.get(port, IDEAL) for port in ("a", "b", "c", "result")
        )
        self.fed_ideally = is_ideal(self.a) and is_ideal(self.b)
        self.stalls = {"a": 0, "b": 0, "c": 0, "result": 0}
        self.now = 0  # cycle of the last step
        self.beat = 0  # next beat of a and b
        self.result = 0  # next row to leave as a result
        # cycles: the last row left, passed the stage, had its partial sums; the last three went
        self.left = self.passed = self.added = 0
        self.outs = (0, 0, 0)
        self.waits: deque[_Wait] = deque()
        self.steady = _Steady(self)

    def fold_rows(self, fold: int) -> int:
        return self.rows if fold < self.full_folds else self.last_rows

    def run(self) -> Stalled:
        self._steps(0, self.k - 1 + self.behind)
        fold, before_rows = 0, 0
        before: list[int] = []
        flush = self._completed_at(self.last_rows - 1) + 1
        while True:
            last = fold == self.folds - 1
            steps = flush if last else self.period
            stage = self._stage(fold, steps, before, before_rows)
            before, before_rows = stage, self.fold_rows(fold)
            if last:
                break
            skipped = self.steady.skip(fold, before)
            before = [cycle + skipped.cycles for cycle in before]
            fold += skipped.folds + 1
        for i in range(self.last_rows):
            self._leave(before[self._completed_at(i)], fold)
        self._drain()
        return Stalled(self.outs[0], self.stalls)

    def _completed_at(self, row: int) -> int:
        """Return the step of a fold's stage in which a row of it is complete."""
        return row + self.lag if self.skewed else 0

    def _stage(self, fold: int, steps: int, before: list[int], before_rows: int) -> list[int]:
        """Run a fold's stage; return the cycles of its first steps, those that complete rows."""
        height = self.fold_rows(fold)
        begin = fold * self.period + self.k - 1 + self.behind
        cycles: list[int] = []
        for i in range(before_rows):
            at = self._completed_at(i)
            complete = before[at] if at < self.period else cycles[at - self.period]
            self._leave(complete, fold - 1)
            if self.skewed and i < steps:
                self._step(begin + i, self._free() if i < height else 0)
                cycles.append(self.now)
        if before_rows and not self.skewed:  # takes the places of all rows at once
            self._step(begin, self._free())
            cycles.append(self.now)
        if not before_rows:
            self._step(begin, 0)
            cycles.append(self.now)
        cycles += self._steps(begin + len(cycles), begin + steps)
        return cycles[: self.rows + self.lag]

    def _free(self) -> int:
        """Return the first cycle in which a step may take the place of the row that left last."""
        return self.left + self.late

    def _steps(self, step: int, stop: int) -> list[int]:
        """Take steps that no drain register can hold up; return the cycles of the first ones."""
        cycles: list[int] = []
        while step < stop:
            place = step % self.period
            bubbles = stop if step > self.last_feed else step - place + self.period
            bubbles = 0 if self._feeds(step) else min(bubbles, stop) - step
            beats = 0 if bubbles else min(self.k - place, stop - step)
            cycles += self._stretch(bubbles, beats)
            step += bubbles + beats
        return cycles

    def _feeds(self, step: int) -> bool:
        return step % self.period < self.k and step <= self.last_feed

    def _step(self, step: int, free: int) -> None:
        """Take one step, not before ``free``, when its drain register is."""
        start = self.now + 1
        if free > start:
            self._blocked(start, free)
            start = free
        if self._feeds(step):
            for name, port in (("b", self.b), ("a", self.a)):
                self.steady.note(name, _margin(port, self.beat, start))
                offer = earliest_offer(port, self.beat)
                if offer > start:
                    self.stalls[name] += offer - start
                    start = offer
            self.beat += 1
        self.now = start

    def _stretch(self, bubbles: int, beats: int) -> list[int]:
        """Take steps without beats, then some with; return the cycles of the first ones."""
        keep = self.rows + self.lag
        cycles = list(range(self.now + 1, self.now + 1 + min(bubbles, keep)))
        self.now += bubbles
        if not beats:
            return cycles
        index = np.arange(beats)
        if self.fed_ideally:
            times = self.now + 1 + index
        else:
            offers = [
                port.latency - (-(self.beat + index) * port.q // port.p)
                for port in (self.b, self.a)
            ]
            floor = np.maximum(np.maximum(*offers) - index, self.now + 1)
            times = np.maximum.accumulate(floor) + index
            earliest = np.concatenate(([self.now], times[:-1])) + 1
            for name, port in (("b", self.b), ("a", self.a)):
                margins = _margin(port, self.beat + index, earliest)
                self.steady.note(name, int(margins.min()))
            lacks_b = int(np.maximum(offers[0] - earliest, 0).sum())
            self.stalls["b"] += lacks_b
            self.stalls["a"] += int((times - earliest).sum()) - lacks_b
        self.beat += beats
        self.now = int(times[-1])
        return [*cycles, *times[: keep - len(cycles)].tolist()]

    def _leave(self, complete: int, fold: int) -> None:
        """Let the fold's next row leave its drain register and, later, be a result or no more."""
        if self.late:
            self._through_lanes(complete, fold)
        else:
            self._through_queue(complete)

    def _through_queue(self, complete: int) -> None:
        self.left = max(complete, self.left, self.outs[1]) + 1
        heads = max(self.left, self.outs[0]) + 1
        has_c = self._offered_c(heads)
        goes = next_ready(self.out_port, has_c)
        self._wait(_Wait(heads, has_c, heads, goes))
        self._go(goes)
        self.result += 1

    def _through_lanes(self, complete: int, fold: int) -> None:
        part, height = fold % self.passes, self.fold_rows(fold)
        room = self.passed if self.passes > 1 else self.added  # the row before makes it
        # once what the pass before made of the row is gone
        gone = self.outs[height - 1] if part and height <= len(self.outs) else 0
        self.left = max(complete + 2, self.left + 1, room, gone + 1)
        self.passed = max(self.left + 1, self.added) if self.passes > 1 else self.left
        heads = max(self.passed + 1, self.outs[0])
        if part < self.passes - 1:
            self.added = heads
            self._go(heads + 1)
            return
        self.added = self._offered_c(heads)
        goes = next_ready(self.out_port, self.added + 1)
        self._wait(_Wait(heads, self.added, self.added + 1, goes))
        self._go(goes)
        self.result += 1

    def _offered_c(self, cycle: int) -> int:
        """Return when the next result has its partial sums, no earlier than in a cycle."""
        if not self.accumulate:
            return cycle
        self.steady.note("c", _margin(self.c, self.result, cycle))
        return max(cycle, earliest_offer(self.c, self.result))

    def _wait(self, wait: _Wait) -> None:
        while self.waits and self.waits[0].goes <= self.now:
            self.waits.popleft()
        if wait.goes > wait.comes or wait.has_c > wait.heads:
            self.waits.append(wait)

    def _go(self, cycle: int) -> None:
        self.outs = (cycle, *self.outs[:2])

    def _blocked(self, start: int, stop: int) -> None:
        """Charge cycles in which the array waits for the output."""
        lacks_c = sum(self._lacks_c(wait, start, stop) for wait in self.waits)
        self.stalls["c"] += lacks_c
        self.stalls["result"] += stop - start - lacks_c

    def _lacks_c(self, wait: _Wait, start: int, stop: int) -> int:
        """Return in how many cycles a row lacks partial sums alone."""
        start, stop = max(wait.heads, start), min(wait.has_c, stop)
        if self.late:
            return max(0, stop - start)
        return ready_between(self.out_port, start, stop)

    def _drain(self) -> None:
        """Charge the cycles after the last step in which a row waits at the port."""
        start = self.now + 1
        for wait in self.waits:
            lacks_c = self._lacks_c(wait, start, wait.goes)
            waited = max(0, wait.goes - max(wait.comes, start))
            self.stalls["c"] += lacks_c
            self.stalls["result"] += waited if self.late else waited - lacks_c


@dataclass(frozen=True, slots=True)
class _Wait:
    """Cycles of a row that waits: takes partial sums, has them; comes to the port, goes."""

    heads: int
    has_c: int
    comes: int
    goes: int

    @property
    def cycles(self) -> tuple[int, ...]:
        return self.heads, self.has_c, self.comes, self.goes


def _margin(rate: Rate, beat: _T, cycle: _T) -> _T:
    """Return how far ahead of a cycle a beat is offered, in cycles times p; negative: after it."""
    return (cycle - rate.latency) * rate.p - beat * rate.q


@dataclass(frozen=True, slots=True)
class _Skip:
    """Folds not looked at one by one, and the cycles that they took."""

    folds: int = 0
    cycles: int = 0


@dataclass(frozen=True, slots=True)
class _Mark:
    """A job at the end of a stage."""

    fold: int
    now: int
    beat: int
    result: int
    stalls: Mapping[str, int]


class _Steady:
    """Notices that a job's folds repeat each other and skips repetitions.

    Two stage ends are alike if all that later cycles depend on is equal but for a shift in time.
    Then the stages between them repeat, as long as each input port does. Its offers move by
    ``beats q / p`` cycles a repetition, where the array moves by ``cycles``: with the *gain*
    ``cycles p - beats q`` and the *margin* of a beat, how far its offer was ahead of the step that
    took it, in cycles times p (negative: the step waited),

    - gain 0: the port repeats exactly;
    - gain > 0: it gets further ahead, which changes nothing if no step waited for it;
    - gain < 0: nothing changes until the least margin is used up.
    """

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._marks: dict[tuple[object, ...], _Mark] = {}
        self._margins: list[dict[str, int]] = []  # least margin of each port, by stage
        self._stage: dict[str, int] = {}

    def note(self, port: str, margin: int) -> None:
        """Note the margin of a beat, or the least of several."""
        if margin < self._stage.get(port, margin + 1):
            self._stage[port] = margin

    def skip(self, fold: int, before: list[int]) -> _Skip:
        """Skip folds after this one's stage if they repeat; return what was skipped."""
        job, stage = self._job, self._stage
        self._margins.append(stage)
        self._stage = {}
        # the last stage has no next fold; in those before it beats may come to an end
        alike = job.folds - 2 - max(0, (job.k - 2 + job.behind) // job.period)
        alike_up_to = alike if fold >= job.full_folds else min(alike, job.full_folds - 1)
        if fold == job.full_folds:
            self._marks.clear()
        if fold >= alike_up_to or job.now < job.out_port.latency:
            return _Skip()
        waited = {port for port, margin in stage.items() if margin < 0}
        key = (
            *(cycle - job.now for cycle in (*before, job.left, job.passed, job.added, *job.outs)),
            *(x - job.now for wait in job.waits if wait.goes > job.now for x in wait.cycles),
            fold % job.passes,
            job.now * job.out_port.p % job.out_port.q,
            job.beat * job.a.q % job.a.p if "a" in waited else None,
            job.beat * job.b.q % job.b.p if "b" in waited else None,
            job.result * job.c.q % job.c.p if "c" in waited else None,
        )
        mark = self._marks.get(key)
        self._marks[key] = _Mark(fold, job.now, job.beat, job.result, dict(job.stalls))
        if mark is None:
            return _Skip()
        length = fold - mark.fold
        times = min([(alike_up_to - fold) // length, *self._repetitions(mark, length)])
        return self._advance(mark, length, times) if times > 0 else _Skip()

    def _repetitions(self, mark: _Mark, length: int) -> Iterator[int]:
        """Yield, for each input port that sets a bound, how often the stages can repeat."""
        job = self._job
        beats, results = job.beat - mark.beat, job.result - mark.result
        for port, rate, count in (("a", job.a, beats), ("b", job.b, beats), ("c", job.c, results)):
            margins = [stage[port] for stage in self._margins[-length:] if port in stage]
            gain = (job.now - mark.now) * rate.p - count * rate.q
            if margins and gain and min(margins) < 0:
                yield 0
            elif margins and gain < 0:
                yield min(margins) // -gain

    def _advance(self, mark: _Mark, folds: int, times: int) -> _Skip:
        """Move the job on as if the stages since the mark had been repeated."""
        job, cycles = self._job, times * (self._job.now - mark.now)
        job.now, job.left = job.now + cycles, job.left + cycles
        job.passed, job.added = job.passed + cycles, job.added + cycles
        first, second, third = (out + cycles for out in job.outs)
        job.outs = (first, second, third)
        job.waits = deque(_Wait(*(x + cycles for x in wait.cycles)) for wait in job.waits)
        job.beat += times * (job.beat - mark.beat)
        job.result += times * (job.result - mark.result)
        for port, stalled in job.stalls.items():
            job.stalls[port] = stalled + times * (stalled - mark.stalls[port])
        self._marks.clear()
        return _Skip(times * folds, cycles)
