"""The `event` fidelity: SimPy processes for every DMA and engine, around one shared DRAM.

Each engine has a DMA process, which serves its transfers in their static order, and a compute
process, which runs its jobs; they wait for each other through events, one a tile. All DMAs queue
for the DRAM in order of arrival, ties in the order of the design's engines. An engine that declares
a process of its own (`Engine.process`) runs its jobs as that says: contention inside a job is what
this fidelity adds to `analytic`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from itertools import count, repeat
from typing import Any

import simpy

from archsim.result import Span
from archsim.schedule import Program, Run
from archsim.timeline import Execution, Timeline

Process = Generator[Any, Any, None]
LATE = 2  # the priority of what comes after all that happens at a time; SimPy's others are 0 and 1


def _after_all(sim: simpy.Environment, callback: Callable[[simpy.Event], None]) -> None:
    """Call back after all other events of the present time."""
    event = sim.event()
    event._ok, event._value = True, None  # triggered, as SimPy's own events do it
    event.callbacks.append(callback)
    sim.schedule(event, priority=LATE)


class _Dram:
    """The DRAM: one transfer at a time, the one that was asked for first.

    Of those asked for at one time, the engine that the design names first; so the choice is made
    when nothing else can happen at that time any more.
    """

    def __init__(self, sim: simpy.Environment) -> None:
        self.sim = sim
        self._queue: list[tuple[int, int, int, simpy.Event]] = []
        self._number = count()
        self._busy = self._choosing = False

    def request(self, order: int) -> simpy.Event:
        """Return what happens when it is the engine's turn."""
        granted = self.sim.event()
        heapq.heappush(self._queue, (self.sim.now, order, next(self._number), granted))
        self._choose()
        return granted

    def release(self) -> None:
        self._busy = False
        self._choose()

    def _choose(self) -> None:
        if self._queue and not self._busy and not self._choosing:
            self._choosing = True
            _after_all(self.sim, self._grant)

    def _grant(self, event: simpy.Event) -> None:
        self._choosing, self._busy = False, True
        heapq.heappop(self._queue)[-1].succeed()


@dataclass(slots=True)
class _Job:
    """A run on its engine, and the events by which DMA and engine meet; each carries its time.

    Parameters
    ----------
    steps
        Load, store (both ps) and cycles of each step.
    arrives
        By step: the arrival of the last load up to it, None if there is none.
    frees
        By step: the last store that must have left before the step may write its result.
    loaded, ended, stored
        By step: what the processes trigger.
    inputs
        Ends of the runs whose results it reads.
    opened
        End of the run before it on the engine; its tiles are free from then on.
    """

    run: Run
    steps: list[tuple[int, int, int]]
    execution: Execution
    arrives: list[simpy.Event | None]
    frees: list[simpy.Event | None]
    loaded: list[simpy.Event]
    ended: list[simpy.Event]
    stored: list[simpy.Event]
    inputs: list[simpy.Event]
    opened: simpy.Event | None

    @property
    def done(self) -> simpy.Event:
        """The last store, or the last step where the result stays on chip."""
        _, store_ps, _ = self.steps[-1]
        return self.stored[-1] if store_ps else self.ended[-1]


def run(program: Program, repeats: Mapping[int, int], items: int | None = None) -> Timeline:
    """Return the timeline of a program: see `Program.runs`."""
    return _System(program, program.runs(repeats, items)).timeline()


class _System:
    def __init__(self, program: Program, runs: list[Run]) -> None:
        self.latency_ps = program.dram.latency_ps
        self.sim = simpy.Environment()
        self.dram = _Dram(self.sim)
        self.orders = {unit.name: order for order, unit in enumerate(program.units)}
        self.spans: list[Span] = []
        self.fetched: dict[int, simpy.Event] = {}  # prefetched weights, by position of their run
        self.jobs = _jobs(self.sim, runs, self.fetched)
        for unit in program.units:
            mine = [i for i, r in enumerate(runs) if r.placed.unit.name == unit.name]
            if mine:
                self.sim.process(self.dma(unit.name, mine))
                self.sim.process(self.compute(unit.name, [self.jobs[i] for i in mine]))

    def timeline(self) -> Timeline:
        self.sim.run()
        for job in self.jobs:
            job.execution.end_ps = job.done.value
            job.execution.tail_ps += (job.ended[-1].value,)
        ends = [job.execution.end_ps for job in self.jobs]
        spans = tuple(sorted(self.spans, key=lambda s: (s.resource, s.start_ps, s.end_ps)))
        return Timeline(tuple(job.execution for job in self.jobs), max(ends, default=0), spans)

    # ------------------------------------------------------------------------------------ DMA

    def dma(self, name: str, positions: list[int]) -> Process:
        first = self.jobs[positions[0]]
        last = max((p for p in positions if self.jobs[p].run.dma_ps), default=-1)
        if first.run.opening_ps:
            yield from self._fetch(name, first, self.fetched[positions[0]], first.run.opening_ps)
        for position, following in zip(positions, [*positions[1:], None], strict=True):
            job = self.jobs[position]
            for step, (load_ps, _, _) in enumerate(job.steps):
                if load_ps:
                    yield from self._wait_for_slot(job, step)
                    yield from self._transfer(name, job, f"load {step}", load_ps)
                    self._arrive(job.loaded[step])
                if step:
                    yield from self._store(name, job, step - 1)
            if job.run.prefetch_next_ps and following is not None:
                yield from self._wait(job.opened, job, "buffer")
                yield from self._fetch(name, job, self.fetched[following], job.run.prefetch_next_ps)
            yield from self._store(name, job, len(job.steps) - 1)
            if position < last:  # a transfer of the next job is at the head, and needs its room
                yield from self._wait(job.ended[-1], job, "buffer")
            job.execution.tail_ps = (self.sim.now,)

    def _fetch(self, name: str, job: _Job, event: simpy.Event, duration_ps: int) -> Process:
        yield from self._transfer(name, job, "prefetch", duration_ps)
        self._arrive(event)

    def _transfer(self, name: str, job: _Job, what: str, duration_ps: int) -> Process:
        asked_ps = self.sim.now
        yield self.dram.request(self.orders[name])
        start_ps = self.sim.now
        yield self.sim.timeout(duration_ps)
        self.dram.release()
        if start_ps > asked_ps:
            opened_ps = job.opened.value if job.opened else 0
            job.execution.contend(start_ps - asked_ps, self.sim.now - opened_ps)
        if what == "load 0":
            job.execution.start_ps = start_ps
        label = f"{job.run.placed.op.name} {what}"
        self.spans.append(Span(f"{name}.dma", label, start_ps, self.sim.now))

    def _arrive(self, event: simpy.Event) -> None:
        """Let data arrive a DRAM latency after its transfer held the bus."""
        arrival = self.sim.timeout(self.latency_ps, self.sim.now + self.latency_ps)
        arrival.callbacks.append(lambda timeout: event.succeed(timeout.value))

    def _wait(self, event: simpy.Event | None, job: _Job, cause: str) -> Process:
        if event is not None and not event.processed:
            start_ps = self.sim.now
            yield event
            job.execution.dma_wait_ps[cause] += self.sim.now - start_ps

    def _wait_for_slot(self, job: _Job, step: int) -> Process:
        """Wait until the tile before last is used up; a first tile, until its inputs exist."""
        yield from self._wait(job.ended[step - 2] if step >= 2 else job.opened, job, "buffer")
        if step == 0:
            for event in job.inputs:
                yield from self._wait(event, job, "input")

    def _store(self, name: str, job: _Job, step: int) -> Process:
        _, store_ps, _ = job.steps[step]
        if store_ps:
            yield from self._wait(job.ended[step], job, "buffer")
            yield from self._transfer(name, job, f"store {step}", store_ps)
            job.stored[step].succeed(self.sim.now)

    # ------------------------------------------------------------------------------------ engine

    def compute(self, name: str, jobs: list[_Job]) -> Process:
        for job in jobs:
            job.execution.begin_ps = self.sim.now
            clock = job.run.placed.unit.clock
            op_name = job.run.placed.op.name
            shown = job.run.placed.unit.engine.step_figures
            figures = job.run.placed.plan.figures_by_step() if shown else repeat({})
            for step, (load_ps, _, cycles) in enumerate(job.steps):
                idle_ps = self.sim.now
                if step == 0:
                    yield from self._until(job.inputs)
                    job.execution.wait_ps["input"] += self.sim.now - idle_ps
                    idle_ps = self.sim.now
                arrival, slot = job.arrives[step], job.frees[step]
                yield from self._until([e for e in (arrival, slot) if e is not None])
                edge = clock.next_edge(self.sim.now)
                begin_ps = clock.edge_ps(edge)
                if step == 0 and not load_ps:
                    job.execution.start_ps = begin_ps
                late = slot is not None and (arrival is None or slot.value > arrival.value)
                job.execution.wait_ps["store" if late else "load"] += begin_ps - idle_ps
                planned_ps = clock.edge_ps(edge + cycles)
                if job.run.placed.unit.engine.process is None:
                    yield self.sim.timeout(planned_ps - self.sim.now)
                else:
                    yield self.sim.timeout(begin_ps - self.sim.now)
                    yield from self._contended(name, job, step, edge + cycles)
                self.spans.append(
                    Span(name, f"{op_name} {step}", begin_ps, self.sim.now, next(figures))
                )
                job.execution.occupied_ps += self.sim.now - begin_ps
                job.ended[step].succeed(self.sim.now)

    def _contended(self, name: str, job: _Job, step: int, planned: int) -> Process:
        """Run a step as the engine's own process does, which never takes less than its `time`."""
        unit = job.run.placed.unit
        planned_ps = unit.clock.edge_ps(planned)

        def hold(duration_ps: int) -> Process:
            yield self.dram.request(self.orders[name])
            yield self.sim.timeout(duration_ps)
            self.dram.release()
            job.execution.inside_ps += duration_ps

        process = unit.engine.process
        assert process is not None
        ports = {"dram": hold, "clock": unit.clock, "planned": planned}
        yield from process(self.sim, unit.spec, job.run.placed.plan.jobs(step), ports)
        end_ps = unit.clock.edge_ps(unit.clock.next_edge(self.sim.now))
        if end_ps < planned_ps:
            raise ValueError(
                f"engine {unit.engine.kind!r}: process() took {planned_ps - end_ps} ps less than "
                "time(), which must be a lower bound"
            )
        yield self.sim.timeout(end_ps - self.sim.now)
        job.execution.stretched_ps += end_ps - planned_ps

    def _until(self, events: list[simpy.Event]) -> Process:
        for event in events:
            if not event.processed:
                yield event


def _jobs(sim: simpy.Environment, runs: list[Run], fetched: dict[int, simpy.Event]) -> list[_Job]:
    """Return the runs with their events, each step knowing the transfers that it waits for."""
    jobs: list[_Job] = []
    latest: dict[str, _Job] = {}
    arrival: dict[str, simpy.Event | None] = {}
    store: dict[str, simpy.Event | None] = {}
    for position, run in enumerate(runs):
        name, moves, steps = run.placed.unit.name, run.placed.moves, list(run.steps())
        loaded, ended, stored = ([sim.event() for _ in steps] for _ in range(3))
        if run.fetched and moves.prefetch_ps:
            arrival[name] = fetched[position] = sim.event()
        arrives, frees = [], []
        for step, (load_ps, _, _) in enumerate(steps):
            arrival[name] = loaded[step] if load_ps else arrival.get(name)
            arrives.append(arrival[name])
            if step >= 2 and steps[step - 2][1]:
                store[name] = stored[step - 2]
            frees.append(store.get(name))
        for step in range(max(len(stored) - 2, 0), len(stored)):
            store[name] = stored[step] if steps[step][1] else store.get(name)
        inputs = [jobs[p].done for p in run.needs]
        execution = Execution(
            run.item, run.stretch, run.iteration, run.placed.index, dma_busy_ps=run.dma_ps
        )
        previous = latest.get(name)
        opened = previous.ended[-1] if previous else None
        job = _Job(run, steps, execution, arrives, frees, loaded, ended, stored, inputs, opened)
        latest[name] = job
        jobs.append(job)
    return jobs
