"""The `analytic` fidelity: the exact recurrence of double-buffered tiles behind an in-order DMA.

For step i of the steps that an engine runs, with ``end[i]`` its end and one DMA that serves
transfers in the order L0 L1 S0 L2 S1 L3 ...::

    load[i]   starts when the DMA is free and end[i-2] has passed (its slot is empty)
    begin[i]  = first clock edge after end[i-1], load[i] (with latency) and store[i-2]
    store[i]  starts when the DMA is free and end[i] has passed

Between ops the order is W0' S A0': the next op's weights are fetched ahead of the last store, its
activations behind it. Several engines each have a DMA; here they do not delay each other, so the
time is a lower bound, and exact for one engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archsim.schedule import Program, Run
from archsim.timeline import Execution, Timeline


@dataclass(slots=True)
class _Engine:
    """An engine and its DMA between two ops; times in ps.

    ``end_ps``: of the last step. ``slot_ps``: when the last store was done.
    """

    free_ps: int = 0
    loaded_ps: int = 0
    end_ps: int = 0
    slot_ps: int = 0


def run(program: Program, repeats: Mapping[int, int]) -> Timeline:
    """Return the timeline of a program, segments repeated as often as ``repeats`` says."""
    engines = {unit.name: _Engine() for unit in program.units}
    executions = []
    done = Completion()
    for run in program.runs(repeats):
        engine = engines[run.placed.unit.name]
        execution = Execution(run.segment, run.iteration, run.placed.index, dma_busy_ps=run.dma_ps)
        if run.opening_ps:
            engine.free_ps = run.opening_ps
            engine.loaded_ps = run.opening_ps + program.dram.latency_ps
        _advance(engine, execution, run, done.ready_ps(run), program.dram.latency_ps)
        done.record(run, execution.end_ps)
        executions.append(execution)
    return Timeline(tuple(executions), max((e.end_ps for e in executions), default=0))


class Completion:
    """When ops were done, and from when an op may touch its inputs."""

    def __init__(self) -> None:
        self._op_ps: dict[int, int] = {}
        self._iteration_ps: dict[tuple[int, int], int] = {}

    def record(self, run: Run, end_ps: int) -> None:
        self._op_ps[run.placed.index] = end_ps
        key = (run.segment, run.iteration)
        self._iteration_ps[key] = max(end_ps, self._iteration_ps.get(key, 0))

    def ready_ps(self, run: Run) -> int:
        ready_ps = max((self._op_ps[p] for p in run.placed.after), default=0)
        if run.placed.carried and run.iteration:
            ready_ps = max(ready_ps, self._iteration_ps[run.segment, run.iteration - 1])
        return ready_ps


def _advance(
    engine: _Engine,
    execution: Execution,
    run: Run,
    ready_ps: int,
    latency_ps: int,
) -> None:
    """Run one op's steps: the recurrence of the module's docstring, in plain integers for speed."""
    period = run.placed.unit.clock.period_ps
    num, den = period.numerator, period.denominator
    free, loaded, end, slot = engine.free_ps, engine.loaded_ps, engine.end_ps, engine.slot_ps
    before = opened = end  # end of the step before the last
    for_load = for_store = for_input = for_buffer = dma_for_input = 0  # waits
    occupied = pending = 0
    start = -1
    for load, store, cycles in run.steps():
        if load:
            if before > free:
                for_buffer += before - free
                free = before
            if ready_ps > free:
                dma_for_input += ready_ps - free
                free = ready_ps
            if start < 0:
                start = free
            free += load
            loaded = free + latency_ps
        last = end
        if ready_ps > end:
            for_input += ready_ps - end
            end = ready_ps
        begin = end if end > loaded else loaded
        begin = slot if slot > begin else begin
        if den == 1:
            begin += -begin % num
            finish = begin + cycles * num
        else:
            edge = (begin - 1) * den // num + 1 if begin > 0 else 0
            begin = -(-edge * num // den)
            finish = -(-(edge + cycles) * num // den)
        if start < 0:
            start = begin
        if slot > loaded:
            for_store += begin - end
        else:
            for_load += begin - end
        if pending:  # the store of the step before stands behind this step's load
            if last > free:
                for_buffer += last - free
                free = last
            free += pending
            slot = free
        before, end = last, finish
        occupied += end - begin
        pending = store
        ready_ps = 0  # inputs matter to the first step only
    if run.prefetch_next_ps:
        if opened > free:
            for_buffer += opened - free
            free = opened
        free += run.prefetch_next_ps
        loaded = free + latency_ps
    done = end
    if pending:
        if end > free:
            for_buffer += end - free
            free = end
        free += pending
        slot = done = free
    execution.begin_ps, execution.start_ps, execution.end_ps = opened, start, done
    execution.occupied_ps = occupied
    execution.wait_ps = {"load": for_load, "store": for_store, "input": for_input}
    execution.dma_wait_ps = {"buffer": for_buffer, "input": dma_for_input, "dram": 0}
    engine.free_ps, engine.loaded_ps, engine.end_ps, engine.slot_ps = free, loaded, end, slot
    # what has passed by the op's end cannot delay what follows: equal futures compare equal
    execution.tail_ps = (max(free, end), max(loaded, end), end, max(slot, end))
