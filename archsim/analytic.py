"""The `analytic` fidelity: the exact recurrence of double-buffered tiles behind in-order DMAs.

For step i of the steps that an engine runs, with ``end[i]`` its end and one DMA that serves
transfers in the order L0 L1 S0 L2 S1 L3 ...::

    load[i]   is asked for when the DMA is free and end[i-2] has passed (its slot is empty)
    begin[i]  = first clock edge after end[i-1], load[i] (with latency) and store[i-2]
    store[i]  is asked for when the DMA is free and end[i] has passed

Between ops the order is W0' S A0': the next op's weights are fetched ahead of the last store, its
activations behind it.

Every engine has a DMA, and all of them share the DRAM, which serves what was asked for first, ties
in the order of the design's engines. So an engine's recurrence may run on for as long as no other
engine can ask earlier than it does: engines take turns at the transfers where that changes, and
nothing else needs an event.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from archsim.schedule import Program, Run
from archsim.timeline import Execution, Timeline

Turns = Generator[int | None, None, None]  # when it asks for a transfer; None: it waits for a run
NEVER = 1 << 62
Step = tuple[int, int, int]


def run(program: Program, repeats: Mapping[int, int], items: int | None = None) -> Timeline:
    """Return the timeline of a program: see `Program.runs`."""
    runs = program.runs(repeats, items)
    executions = [
        Execution(r.item, r.stretch, r.iteration, r.placed.index, dma_busy_ps=r.dma_ps)
        for r in runs
    ]
    mine: dict[str, list[int]] = {unit.name: [] for unit in program.units}
    for position, each in enumerate(runs):
        mine[each.placed.unit.name].append(position)
    shared = _Shared([-1] * len(runs))
    engines = {
        order: _Engine(shared, order, program.dram.latency_ps, runs, executions).turns(positions)
        for order, positions in enumerate(mine.values())
        if positions
    }
    shared.take_turns(engines)
    return Timeline(tuple(executions), max(shared.ends_ps, default=0))


@dataclass(slots=True)
class _Shared:
    """What engines share: the DRAM, and when runs were done.

    Parameters
    ----------
    ends_ps
        By run; -1 until it is known.
    free_ps
        End of the latest transfer.
    horizon_ps
        What is asked for up to then is the first, whatever other engines ask for.
    waiting
        Engines, by the run whose end they must know.
    """

    ends_ps: list[int]
    free_ps: int = 0
    horizon_ps: int = -1
    waiting: dict[int, list[int]] = field(default_factory=dict)
    released: list[int] = field(default_factory=list)

    def serve(self, asked_ps: int, duration_ps: int) -> int:
        """Return the end of a transfer that is the first."""
        start_ps = asked_ps if asked_ps > self.free_ps else self.free_ps
        self.free_ps = start_ps + duration_ps
        return self.free_ps

    def record(self, position: int, end_ps: int) -> None:
        self.ends_ps[position] = end_ps
        if position in self.waiting:
            self.released += self.waiting.pop(position)
            self.horizon_ps = -1  # who waited may ask for something before others do

    def take_turns(self, engines: Mapping[int, Turns]) -> None:
        """Run engines to their ends, always the one on whose transfer no other can have an effect.

        An engine that waits for a run's end asks for nothing before that, and the end is not before
        what the running engines ask for next.
        """
        asking: list[tuple[int, int]] = []

        def go_on(order: int) -> None:
            try:
                asked_ps = next(engines[order])
            except StopIteration:
                return
            if asked_ps is not None:
                heapq.heappush(asking, (asked_ps, order))

        self.horizon_ps = -1 if len(engines) > 1 else NEVER
        self.released = list(engines)
        while self.released or asking:
            if self.released:
                go_on(self.released.pop(0))
                continue
            _, order = heapq.heappop(asking)
            self.horizon_ps = NEVER
            if asking:
                other_ps, other = asking[0]
                self.horizon_ps = other_ps if order < other else other_ps - 1
            go_on(order)
        assert not self.waiting, "the order of a program has each run after what it needs"


@dataclass(slots=True)
class _Ahead:
    """What is left of a run, some of whose transfers may be ahead of its inputs.

    Parameters
    ----------
    prefetch_ps
        Weights of the next run that are still to be fetched.
    second_ps, fetched_ps
        Arrival of the load of step 1, and of those weights, where they were ahead; else -1.
    """

    steps: Iterator[Step]
    prefetch_ps: int
    second_ps: int = -1
    fetched_ps: int = -1


@dataclass(slots=True)
class _Engine:
    """An engine and its DMA; times in ps.

    Parameters
    ----------
    free_ps, loaded_ps
        When the DMA is free, and when what it loaded last has arrived.
    end_ps, slot_ps
        End of the last step, and of the last store.
    """

    shared: _Shared
    order: int
    latency_ps: int
    runs: list[Run]
    executions: list[Execution]
    free_ps: int = 0
    loaded_ps: int = 0
    end_ps: int = 0
    slot_ps: int = 0

    def turns(self, positions: Sequence[int]) -> Turns:
        """Run all runs of the engine, asking before each transfer that may not be the next."""
        last = max((p for p in positions if self.runs[p].dma_ps), default=-1)
        for position in positions:
            run, execution = self.runs[position], self.executions[position]
            if run.opening_ps:
                yield from self._fetch(execution, run.opening_ps, 0)
            yield from self._run(position, run, execution)
            if position < last and self.end_ps > self.free_ps:  # no transfer of the next is earlier
                execution.dma_wait_ps["buffer"] += self.end_ps - self.free_ps
                self.free_ps = self.end_ps
            # what has passed by the op's end cannot delay what follows: equal futures compare equal
            end_ps = self.end_ps
            times = (self.free_ps, self.loaded_ps, end_ps, self.slot_ps)
            execution.tail_ps = tuple(max(time, end_ps) for time in times)

    def _fetch(self, execution: Execution, duration_ps: int, opened_ps: int) -> Turns:
        """Prefetch weights into a buffer that is free from ``opened_ps`` on."""
        asked_ps = max(self.free_ps, opened_ps)
        execution.dma_wait_ps["buffer"] += asked_ps - self.free_ps
        if asked_ps > self.shared.horizon_ps:
            yield asked_ps
        self.free_ps = self.shared.serve(asked_ps, duration_ps)
        if self.free_ps - duration_ps > asked_ps:
            execution.contend(self.free_ps - duration_ps - asked_ps, self.free_ps - opened_ps)
        self.loaded_ps = self.free_ps + self.latency_ps

    def _until_known(self, needs: tuple[int, ...]) -> Turns:
        for position in needs:
            if self.shared.ends_ps[position] < 0:
                self.shared.waiting.setdefault(position, []).append(self.order)
                yield None

    def _meanwhile(self, ahead: _Ahead, run: Run, execution: Execution) -> Turns:
        """Do what needs no input before the inputs are known: only if step 0 loads nothing."""
        first, second = next(ahead.steps), next(ahead.steps, None)
        opened, loaded = self.end_ps, self.loaded_ps
        if not first[0]:
            others_ps = run.placed.moves.dma_ps
            if second is not None and second[0]:
                yield from self._fetch(execution, second[0], opened)
                others_ps -= second[0]
                ahead.second_ps, second = self.loaded_ps, (0, *second[1:])
            if ahead.prefetch_ps and others_ps == run.placed.moves.last_ps:
                yield from self._fetch(execution, ahead.prefetch_ps, opened)
                ahead.prefetch_ps, ahead.fetched_ps = 0, self.loaded_ps
        self.loaded_ps = loaded
        ahead.steps = chain((first,) if second is None else (first, second), ahead.steps)

    def _run(self, position: int, run: Run, execution: Execution) -> Turns:
        """Run one op's steps: the recurrence of the module's docstring, in plain integers."""
        shared, ends = self.shared, self.shared.ends_ps
        opened = self.end_ps
        ahead = _Ahead(run.steps(), run.prefetch_next_ps)
        if any(ends[p] < 0 for p in run.needs):
            yield from self._meanwhile(ahead, run, execution)
            yield from self._until_known(run.needs)
        ready_ps = max((ends[p] for p in run.needs), default=0)

        period = run.placed.unit.clock.period_ps
        num, den = period.numerator, period.denominator
        free, loaded, end, slot = self.free_ps, self.loaded_ps, self.end_ps, self.slot_ps
        before = end  # end of the step before the last
        latency = self.latency_ps
        for_load = for_store = for_input = for_buffer = dma_for_input = 0  # waits
        occupied = pending = 0
        start = -1
        for load, store, cycles in ahead.steps:
            if load:
                if before > free:
                    for_buffer += before - free
                    free = before
                if ready_ps > free:
                    dma_for_input += ready_ps - free
                    free = ready_ps
                if free > shared.horizon_ps:
                    yield free
                asked, free = free, shared.serve(free, load)
                if free - load > asked:
                    execution.contend(free - load - asked, free - opened)
                if start < 0:
                    start = free - load
                loaded = free + latency
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
                if free > shared.horizon_ps:
                    yield free
                asked, free = free, shared.serve(free, pending)
                if free - pending > asked:
                    execution.contend(free - pending - asked, free - opened)
                slot = free
            before, end = last, finish
            occupied += end - begin
            pending = store
            ready_ps = 0  # inputs matter to the first step only
            if ahead.second_ps >= 0:
                loaded, ahead.second_ps = ahead.second_ps, -1
        self.free_ps, self.end_ps, self.slot_ps = free, end, slot
        self.loaded_ps = loaded if ahead.fetched_ps < 0 else ahead.fetched_ps
        if not pending:
            shared.record(position, end)
        if ahead.prefetch_ps:
            yield from self._fetch(execution, ahead.prefetch_ps, opened)
        if pending:
            asked = max(self.free_ps, end)
            for_buffer += asked - self.free_ps
            if asked > shared.horizon_ps:
                yield asked
            self.free_ps = self.slot_ps = shared.serve(asked, pending)
            if self.free_ps - pending > asked:
                execution.contend(self.free_ps - pending - asked, self.free_ps - opened)
            shared.record(position, self.free_ps)
        execution.begin_ps, execution.start_ps, execution.end_ps = opened, start, ends[position]
        execution.occupied_ps = occupied
        execution.wait_ps = {"load": for_load, "store": for_store, "input": for_input}
        execution.dma_wait_ps["buffer"] += for_buffer
        execution.dma_wait_ps["input"] += dma_for_input
