"""A job cycle by cycle, as far as ports make it wait: runs of beats with known times between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archsim.engines import IDEAL, Env, PortEnv, Rate, Stalls
from archsim.engines.offers import (
    earliest_offer,
    first_offer,
    first_ready,
    is_ideal,
    is_ready,
    ready_between,
)
from archsim.engines.rfnn import jobs as parts
from archsim.engines.rfnn.jobs import AFTER, BEFORE, INPUTS, OUTPUTS, RfnnJobs
from archsim.engines.rfnn.spec import TABLE_ENTRIES, RfnnSpec

Run = tuple[str, int]  # a port and its beats; "": cycles in which nothing is asked of a port


def runs(spec: RfnnSpec, job: RfnnJobs) -> Iterator[Run]:
    """Yield what happens to the ports of one job, in order, from cycle 1 on."""
    stages = [stage for stage in job.stages[0].tolist() if stage[OUTPUTS]]
    chunks = parts.chunks(spec, job)
    vectors, count, last = (int(x[0]) for x in (chunks.vectors, chunks.count, chunks.last))
    again, program = bool(chunks.again[0]), bool(job.program[0])
    refetch = int(parts.fetches(spec, job)[0]) > 1
    switching = spec.switched * (spec.switch_cycles + 1)
    waiting = 1 + int(job.analog_cycles[0]) + spec.sampling_cycles
    yield "stage", len(stages)
    yield "phase", int(job.calibrate[0]) * spec.devices * TABLE_ENTRIES
    for chunk in range(count):
        together = vectors if chunk < count - 1 else last
        programs, fetches = (again, refetch) if chunk else (program, program)
        yield "x", together * int(job.k[0])
        for stage in stages:
            yield "", 1
            around = together * stage[BEFORE] * stage[AFTER]
            for p in range(0, stage[OUTPUTS], spec.modes):
                for q in range(0, stage[INPUTS], spec.modes):
                    yield "", switching
                    yield "phase", fetches * spec.devices
                    words = min(stage[OUTPUTS] - p, spec.modes) + min(stage[INPUTS] - q, spec.modes)
                    yield "", programs * (spec.bank_cycles + 1) + around * (words + waiting)
        yield "", 2
        yield "result", together * int(job.n[0])


def waits(spec: RfnnSpec, job: RfnnJobs, env: Env) -> Mapping[str, int]:
    """Return the cycles that one job waits for each port."""
    inputs = {name: _Input(env.get(name, IDEAL)) for name in ("stage", "phase", "x", "c")}
    result = env.get("result", IDEAL)
    waited = dict.fromkeys((*inputs, "result"), 0)
    cycle = 1
    for port, count in runs(spec, job):
        if port in inputs:
            end = inputs[port].taken(cycle, count)
            waited[port] += end - cycle - count
        elif port == "result":
            c = inputs["c"] if job.accumulate[0] else None
            end, refused = _drained(cycle, count, result, c)
            waited["result"] += refused
            waited["c"] += end - cycle - count - refused
        else:
            end = cycle + count
        cycle = end
    return waited


class _Input:
    """An input port: how many beats it has given, and since when it may offer the next."""

    def __init__(self, pace: PortEnv) -> None:
        self.pace = pace
        self._beat = self._since = 0

    def taken(self, cycle: int, count: int) -> int:
        """Return the cycle after that of the last of ``count`` beats that are taken from here."""
        if isinstance(self.pace, Rate) or cycle >= len(_bits(self.pace)):
            # offers are a cycle or more apart: the last one decides
            self._beat += count
            if count == 0:
                return cycle
            end = cycle + count
            if isinstance(self.pace, Rate):
                end = max(end, earliest_offer(self.pace, self._beat - 1) + 1)
            self._since = end
            return end
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
