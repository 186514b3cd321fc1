"""A stationary operand at ports that keep a pace: when each step runs and each row leaves.

Equal in result to `archsim.engines.gemm.stationary_loop`, without a loop over cycles. With
everything as in `archsim.engines.gemm.stationary`:

**Steps.** Step s runs in cycle ``s + delay(s)``, where the delay never falls. It rises to what the
offers of the step's beats ask for, and, if row i goes out in step s, to what the queue asks for: at
most one row may be in it, so row i - 2 must have left in a cycle before.

**Rows.** Row i is at the head of the queue one cycle after it landed and after row i - 1 left; with
its partial sums offered it takes the next slot of the output. Slot j of pace p/q is cycle
``ceil((j + 1) q / p) - 1``, and ``floor(t p / q)`` slots come before cycle t. So row i takes the
slot after row i - 1's, or the first one after it landed, or the first with its sums there.

**No feedback.** The rows of a sweep land in consecutive steps. If step s of row i waits for row
i - 2, or goes on from a step of the sweep that waited for an older row, it runs no later than row
i - 1 leaves, and does not count in the slot of row i. So the slots of a sweep follow from delays in
which the sweep's own waiting is left out; then the waiting follows from the slots. All of it is
running maxima over arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.engines import IDEAL, Ints, Rate
from archsim.engines.gemm.cycle_loop import Stalled
from archsim.engines.offers import is_ideal

BLOCK_STEPS = 1 << 16  # looked at together where no row can be held up


def run(
    rows: int,
    cols: int,
    bank: int,
    landing: int,
    m: int,
    n: int,
    k: int,
    accumulate: int,
    rates: Mapping[str, Rate],
) -> Stalled:
    """Return what one job takes; ports not named are ideal."""
    schedule = _Schedule.of(rows, cols, bank, landing, m, n, k)
    return _Job(schedule, bool(accumulate), rates).run()


@dataclass(frozen=True, slots=True)
class _Schedule:
    """Windows of a job; arrays have shape [windows], the loading of the first tile being one.

    Parameters
    ----------
    begins
        First step of each; the last window is the flush, which has no beats.
    feeds, loads
        Beats of the streamed and of the stationary operand, taken in a window's first steps.
    lands
        First step of each sweep in which a row goes out: [sweeps].
    heights
        Rows of each sweep: [sweeps].
    steps
        Steps in all.
    """

    begins: Ints
    feeds: Ints
    loads: Ints
    lands: Ints
    heights: Ints
    steps: int

    @classmethod
    def of(cls, rows: int, cols: int, bank: int, landing: int, m: int, n: int, k: int) -> _Schedule:
        chunks, across, deep = -(-m // bank), -(-n // cols), -(-k // rows)
        depths = np.minimum(rows, k - rows * np.arange(deep))
        heights = np.minimum(bank, m - bank * np.arange(chunks)).repeat(across)
        feeds = np.concatenate([[0], heights.repeat(deep), [0]])
        loads = np.concatenate([np.tile(depths, len(heights)), [0, 0]])
        begins = np.concatenate([[0], np.cumsum(np.maximum(feeds, loads))[:-1]])
        return cls(
            begins=begins,
            feeds=feeds,
            loads=loads,
            lands=begins[deep:-1:deep] + landing,
            heights=heights,
            steps=int(begins[-1]) + landing,
        )


class _Job:
    """A job under way; cycles count from the command's."""

    def __init__(self, schedule: _Schedule, accumulate: bool, rates: Mapping[str, Rate]) -> None:
        self.schedule, self.accumulate = schedule, accumulate
        self.a, self.b, self.c, self.out = (
            rates.get(port, IDEAL) for port in ("a", "b", "c", "result")
        )
        self.stalls = dict.fromkeys(("a", "b", "c", "result"), 0)
        self.delay = 1  # step s runs in cycle s + 1 if nothing is late
        self.row = 0  # next to land
        self.slot = -1  # of the row that left last
        # cycles of the two rows before the next: at the head, with its sums there, gone
        self.heads, self.summed, self.gone = (np.full(2, -1) for _ in range(3))
        self.fed = np.concatenate([[0], np.cumsum(schedule.feeds)])
        self.loaded = np.concatenate([[0], np.cumsum(schedule.loads)])

    def run(self) -> Stalled:
        schedule = self.schedule
        if is_ideal(self.out) and (is_ideal(self.c) or not self.accumulate):
            for first in range(0, schedule.steps, BLOCK_STEPS):
                self._steps(first, min(first + BLOCK_STEPS, schedule.steps), 0)
            return Stalled(schedule.steps + self.delay, self.stalls)
        begins = [*schedule.lands.tolist(), schedule.steps]
        self._steps(0, begins[0], 0)
        sweeps = zip(begins, begins[1:], schedule.heights.tolist(), strict=False)
        for first, stop, height in sweeps:
            self._steps(first, stop, height)
        self._drain()
        return Stalled(int(self.gone[-1]), self.stalls)

    def _steps(self, first: int, stop: int, height: int) -> None:
        """Take steps [first, stop), in the first ``height`` of which a row lands and goes out."""
        step = np.arange(first, stop)
        a_offers, b_offers = self._offers(step)
        wanted = np.maximum(a_offers, b_offers) - step
        wanted[0] = max(wanted[0], self.delay)
        delays = np.maximum.accumulate(wanted)
        free = np.zeros_like(step)  # cycle from which the queue has room for the step's row
        if height:
            gone = self._leave(step[:height] + delays[:height])
            free[:height] = gone[:height] + 1
            delays = np.maximum(delays, np.maximum.accumulate(free - step))
        cycles = step + delays
        start = np.concatenate([[first + self.delay], cycles[:-1] + 1])
        if height:
            self._settle(cycles[:height], start[:height], free[:height], gone)
        start = np.maximum(start, free)
        lacks_b = int(np.maximum(b_offers - start, 0).sum())
        self.stalls["b"] += lacks_b
        self.stalls["a"] += int((cycles - start).sum()) - lacks_b
        self.delay = int(delays[-1])

    def _offers(self, step: Ints) -> tuple[Ints, Ints]:
        """Return when the beats of a and b that steps need are offered; 0 if they need none."""
        schedule = self.schedule
        window = np.searchsorted(schedule.begins, step, side="right") - 1
        place = step - schedule.begins[window]

        def offers(rate: Rate, beats: Ints, before: Ints) -> Ints:
            beat = before[window] + place
            late = rate.latency - (-beat * rate.q // rate.p)
            return np.where(place < beats[window], late, 0)

        return (
            offers(self.a, schedule.feeds, self.fed), offers(self.b, schedule.loads, self.loaded),
        )  # fmt: skip

    def _leave(self, landed: Ints) -> Ints:
        """Let a sweep's rows leave, landed if it had no waiting of its own.

        Return when they do, after the two rows before them.
        """
        index = np.arange(len(landed))
        slot = _slots_before(self.out, landed + 1)
        if self.accumulate:
            slot = np.maximum(slot, _slots_before(self.out, self._sums_offered(len(landed))))
        ahead = np.concatenate([[self.slot + 1], slot - index])
        slot = np.maximum.accumulate(ahead)[1:] + index
        self.slot = int(slot[-1])
        return np.concatenate([self.gone, -(-(slot + 1) * self.out.q // self.out.p) - 1])

    def _sums_offered(self, count: int) -> Ints:
        """Return when the partial sums of the next rows are offered."""
        row = self.row + np.arange(count)
        return np.asarray(self.c.latency - (-row * self.c.q // self.c.p))

    def _settle(self, landed: Ints, start: Ints, free: Ints, gone: Ints) -> None:
        """Note what became of a sweep's rows; charge the cycles in which they could not land.

        The row at the head is then the one two before.
        """
        heads = np.maximum(landed, gone[1:-1]) + 1
        summed = np.maximum(heads, self._sums_offered(len(landed))) if self.accumulate else heads
        heads = np.concatenate([self.heads, heads])
        summed = np.concatenate([self.summed, summed])
        blocked = np.maximum(free - start, 0)
        lacks_c = _ready_between(self.out, start, np.minimum(summed[:-2], free))
        self.stalls["c"] += int(lacks_c.sum())
        self.stalls["result"] += int((blocked - lacks_c).sum())
        self.heads, self.summed, self.gone = heads[-2:], summed[-2:], gone[-2:]
        self.row += len(landed)

    def _drain(self) -> None:
        """Charge the cycles after the last step in which a row waits at the port."""
        start = np.maximum(self.heads, self.schedule.steps + self.delay)
        waited = np.maximum(self.gone - start, 0)
        lacks_c = _ready_between(self.out, start, np.minimum(self.summed, self.gone))
        self.stalls["c"] += int(lacks_c.sum())
        self.stalls["result"] += int((waited - lacks_c).sum())


def _slots_before(rate: Rate, cycle: Ints) -> Ints:
    """Return how many slots of a paced output come before cycles, those in its latency included."""
    return np.asarray(np.maximum(cycle, rate.latency) * rate.p // rate.q)


def _ready_between(rate: Rate, start: Ints, stop: Ints) -> Ints:
    """Return in how many of the cycles [start, stop) an output is ready."""
    return np.asarray(np.maximum(0, _slots_before(rate, stop) - _slots_before(rate, start)))
