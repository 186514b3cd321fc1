"""A job cycle by cycle, as far as ports make it wait: runs of beats with known times between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from archsim.engines import IDEAL, Env, PortEnv, Rate, Stalls
from archsim.engines.offers import (
    first_offer,
    first_ready,
    is_ideal,
    is_ready,
    ready_between,
)
from archsim.engines.rfnn import jobs as parts
from archsim.engines.rfnn.jobs import AFTER, BEFORE, INPUTS, OUTPUTS, RfnnJobs
from archsim.engines.rfnn.spec import TABLE_ENTRIES, RfnnSpec


class Run(NamedTuple):
    """So many times: cycles in which nothing is asked of a port, beats of one, cycles again."""

    port: str
    beats: int
    before: int = 0
    after: int = 0
    times: int = 1


def runs(spec: RfnnSpec, job: RfnnJobs) -> Iterator[Run]:
    """Yield what happens to the ports of one job, in order, from cycle 1 on."""
    stages = [stage for stage in job.stages[0].tolist() if stage[OUTPUTS]]
    chunks = parts.chunks(spec, job)
    vectors, count, last = (int(x[0]) for x in (chunks.vectors, chunks.count, chunks.last))
    again, program = bool(chunks.again[0]), bool(job.program[0])
    refetch = int(parts.fetches(spec, job)[0]) > 1
    switching = spec.switched * (spec.switch_cycles + 1)
    waiting = 1 + int(job.analog_cycles[0]) + spec.sampling_cycles
    yield Run("stage", len(stages))
    yield Run("phase", int(job.calibrate[0]) * spec.devices * TABLE_ENTRIES)
    for chunk in range(count):
        together = vectors if chunk < count - 1 else last
        programs, fetches = (again, refetch) if chunk else (program, program)
        yield Run("x", together * int(job.k[0]))
        for stage in stages:
            yield Run("phase", 0, 1)
            around = together * stage[BEFORE] * stage[AFTER]
            for outputs, inputs, times in _tiles(stage, spec.modes):
                passing = around * (outputs + inputs + waiting)
                after = programs * (spec.bank_cycles + 1) + passing
                yield Run("phase", fetches * spec.devices, switching, after, times)
        yield Run("result", together * int(job.n[0]), 2)


def _tiles(stage: list[int], modes: int) -> Iterator[tuple[int, int, int]]:
    """Yield outputs and inputs of a stage's tiles, in order, and how many in a row are alike."""
    whole, rest = divmod(stage[INPUTS], modes)
    for p in range(0, stage[OUTPUTS], modes):
        outputs = min(stage[OUTPUTS] - p, modes)
        yield from [(outputs, modes, whole)] * (whole > 0) + [(outputs, rest, 1)] * (rest > 0)


def waits(spec: RfnnSpec, job: RfnnJobs, env: Env) -> Mapping[str, int]:
    """Return the cycles that one job waits for each port."""
    inputs = {name: _Input(env.get(name, IDEAL)) for name in ("stage", "phase", "x", "c")}
    result = env.get("result", IDEAL)
    waited = dict.fromkeys((*inputs, "result"), 0)
    cycle = 1
    for run in runs(spec, job):
        work = run.times * (run.before + run.beats + run.after)
        if run.port in inputs:
            end = inputs[run.port].after(cycle, run)
            waited[run.port] += end - cycle - work
        else:
            c = inputs["c"] if job.accumulate[0] else None
            end, refused = _drained(cycle + run.before, run.beats, result, c)
            waited["result"] += refused
            waited["c"] += end - cycle - work - refused
        cycle = end
    return waited


class _Input:
    """An input port: how many beats it has given, and since when it may offer the next."""

    def __init__(self, pace: PortEnv) -> None:
        self.pace = pace
        self._beat = self._since = 0

    def after(self, cycle: int, run: Run) -> int:
        """Return the cycle after a run that begins in this one."""
        period = run.before + run.beats + run.after
        if run.beats == 0:
            return cycle + run.times * period
        if isinstance(self.pace, Rate):
            return self._paced(cycle, run, period)
        for _ in range(run.times):
            cycle = self.taken(cycle + run.before, run.beats) + run.after
        return cycle

    def _paced(self, cycle: int, run: Run, period: int) -> int:
        """Return the same: each time's last beat is there at the later of its offer and its turn.

        Offers are a cycle or more apart, so the last one of a time decides on it.
        """
        assert isinstance(self.pace, Rate)
        later = np.arange(run.times)[::-1] * period  # from a time's last beat to the last time's
        beats = self._beat + run.beats * np.arange(1, run.times + 1) - 1
        offers = self.pace.latency - (-beats * self.pace.q // self.pace.p)
        turn = cycle + run.before + run.beats - 1 + (run.times - 1) * period
        last = max(turn, int((offers + later).max()))
        self._beat, self._since = self._beat + run.beats * run.times, last + 1
        return last + 1 + run.after

    def taken(self, cycle: int, count: int) -> int:
        """Return the cycle after that of the last of ``count`` beats that are taken from here."""
        if isinstance(self.pace, Rate):
            return self._paced(cycle, Run("", count), count)
        if cycle >= len(_bits(self.pace)):
            self._beat, self._since = self._beat + count, cycle + count
            return cycle + count
        for _ in range(count):
            cycle = self.offered(cycle) + 1
            self.take(cycle - 1)
        return cycle

    def offered(self, cycle: int) -> int:
        """Return the first cycle, ``cycle`` or later, in which the next beat is there."""
        return max(cycle, first_offer(self.pace, self._beat, self._since))

    def take(self, cycle: int) -> None:
        self._beat, self._since = self._beat + 1, cycle + 1


def _drained(cycle: int, count: int, result: PortEnv, c: _Input | None) -> tuple[int, int]:
    """Return the cycle after the last result, and in how many before it results were refused."""
    if c is None or is_ideal(c.pace):
        end = _left(result, cycle, count)
        return end, end - cycle - count
    if is_ideal(result):
        return c.taken(cycle, count), 0
    refused = 0
    for _ in range(count):
        taken = first_ready(result, c.offered(cycle))
        refused += taken - cycle - _ready(result, cycle, taken)
        c.take(taken)
        cycle = taken + 1
    return cycle, refused


def _left(result: PortEnv, cycle: int, count: int) -> int:
    """Return the cycle after that in which the last of ``count`` waiting results leaves."""
    if count == 0:
        return cycle
    if isinstance(result, Rate):
        slot = max(cycle, result.latency) * result.p // result.q + count
        return -(-slot * result.q // result.p)
    for _ in range(count):
        cycle = first_ready(result, cycle) + 1
    return cycle


def _ready(port: PortEnv, start: int, stop: int) -> int:
    """Return in how many of the cycles [start, stop) an output is ready."""
    if isinstance(port, Rate):
        return ready_between(port, start, stop)
    return sum(is_ready(port, cycle) for cycle in range(start, stop))


def _bits(pace: PortEnv) -> tuple[bool, ...]:
    assert isinstance(pace, Stalls)
    return pace.bits
