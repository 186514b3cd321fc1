"""Arrays in lockstep at ports that keep a pace: when beats are taken, folds end and rows leave.

Equal in result to `archsim.engines.bitslice.lockstep_loop`, without a loop over cycles. A beat is
taken when it is offered and the one before has been worked on; a fold ends when its last beat has,
and the last row of the fold before has left its drain register.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archsim.engines import IDEAL, Ints, Rate
from archsim.engines.gemm.cycle_loop import Stalled
from archsim.engines.offers import earliest_offer, is_ideal, next_ready, ready_between


def run(
    steps: Ints, rows: Ints, stages: int, rates: Mapping[str, Rate], *, accumulate: bool
) -> Stalled:
    """Return what one job takes; arguments are as of `lockstep_loop.run`."""
    intake, drain = _Intake(rates), _Drain(rates, stages, accumulate=accumulate)
    end = 1  # cycle in which the next fold's first beat can be taken
    for lengths, height in zip(steps, rows.tolist(), strict=True):
        worked = intake.take(lengths, end)
        end = max(worked, drain.free)
        drain.charge(worked, end)
        drain.enter(end, height)
    drain.charge(end + 1, drain.out + 1)
    return Stalled(drain.out, {**intake.stalls, **drain.stalls})


class _Intake:
    """Ports a and b."""

    def __init__(self, rates: Mapping[str, Rate]) -> None:
        self._rates = {port: rates.get(port, IDEAL) for port in ("b", "a")}
        self._ideal = all(map(is_ideal, self._rates.values()))
        self._beat = 0
        self.stalls = {"a": 0, "b": 0}

    def take(self, lengths: Ints, earliest: int) -> int:
        """Take a fold's beats; return the cycle in which the last one has been worked on."""
        if self._ideal:
            return earliest + int(lengths.sum())
        beats = self._beat + np.arange(len(lengths))
        self._beat += len(lengths)
        before = np.cumsum(lengths) - lengths
        offers = {
            port: rate.latency - (-beats * rate.q // rate.p) for port, rate in self._rates.items()
        }
        floor = np.maximum(np.maximum(offers["a"], offers["b"]) - before, earliest)
        taken = np.maximum.accumulate(floor) + before
        wanted = np.concatenate(([earliest], taken[:-1] + lengths[:-1]))
        lacks_b = int(np.maximum(offers["b"] - wanted, 0).sum())
        self.stalls["b"] += lacks_b
        self.stalls["a"] += int((taken - wanted).sum()) - lacks_b
        return int(taken[-1] + lengths[-1])


class _Drain:
    """Drain registers, queue, and ports c and result.

    ``free`` is the first cycle in which a fold may end, ``out`` that of the last result.
    """

    def __init__(self, rates: Mapping[str, Rate], stages: int, *, accumulate: bool) -> None:
        self._stages, self._accumulate = stages, accumulate
        self._c, self._port = rates.get("c", IDEAL), rates.get("result", IDEAL)
        self._ideal = is_ideal(self._port) and (is_ideal(self._c) or not accumulate)
        self._result = 0  # next row to leave
        self._left = self._out_before = self.out = self.free = 0
        self._waits: list[tuple[int, int, int]] = []  # row heads the queue, has c, goes
        self.stalls = {"c": 0, "result": 0}

    def enter(self, end: int, height: int) -> None:
        """Let the rows of a fold that ends in a cycle leave, one after the other."""
        complete = end + self._stages
        if self._ideal:
            self.free = complete + height
            self.out = self.free + 1
            return
        for _ in range(height):
            self._left = max(complete, self._left, self._out_before) + 1
            heads = max(self._left, self.out) + 1
            has_c = heads
            if self._accumulate:
                has_c = max(heads, earliest_offer(self._c, self._result))
            goes = next_ready(self._port, has_c)
            if goes > heads:
                self._waits.append((heads, has_c, goes))
            self._out_before, self.out = self.out, goes
            self._result += 1
        self.free = self._left

    def charge(self, start: int, stop: int) -> None:
        """Charge the cycles [start, stop) without work in which a row waits at the port."""
        for heads, has_c, goes in self._waits:
            begin, end = max(heads, start), min(goes, stop)
            if begin < end:
                lacks_c = ready_between(self._port, begin, min(has_c, end))
                self.stalls["c"] += lacks_c
                self.stalls["result"] += end - begin - lacks_c
        self._waits = [wait for wait in self._waits if wait[2] > stop]
