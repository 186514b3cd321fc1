"""A window in the `event` fidelity: threads that take tokens, one event a token.

What `timing` leaves out and this has: who takes what follows from who is free when, the counter
that hands tokens out is one word that one thread at a time adds to, threads of a core share its
issue while they are active, and atomics queue for the banks. A token's atomics are spread evenly
over the banks and over the time of the token. With rolling eviction, and where
operations were simulated, it is as `timing` says.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

from archsim.engines.piuma.jobs import PiumaJobs, Tokens
from archsim.engines.piuma.spec import PiumaSpec
from archsim.engines.piuma.timing import hashing_cycles, time

Process = Generator[Any, Any, None]


def process(sim: Any, spec: PiumaSpec, jobs: PiumaJobs, ports: Mapping[str, Any]) -> Process:
    """Run windows one after another, no faster than planned."""
    clock, end = ports["clock"], ports["planned"]
    planned = time(spec, jobs).occupied.tolist()
    least = hashing_cycles(spec, jobs).tolist()
    edge = clock.next_edge(sim.now)
    if spec.eviction == "window" and spec.detail == "token":
        for row, (cycles, hashing) in enumerate(zip(planned, least, strict=True)):
            window = _Window(sim, spec, clock, edge, jobs.work[row])
            yield sim.all_of([sim.process(thread) for thread in window.threads()])
            # giving tokens out late can, by luck, share them better; `time` is a lower bound
            edge += cycles - hashing + max(hashing, window.end)
            yield sim.timeout(clock.edge_ps(edge) - sim.now)
    # what is left: slow ports; all of it, without barriers and where operations were simulated
    yield sim.timeout(max(clock.edge_ps(end) - sim.now, 0))


class _Window:
    """Tokens, and what threads share while they work on them; times in cycles since the start."""

    def __init__(self, sim: Any, spec: PiumaSpec, clock: Any, start: int, tokens: Tokens) -> None:
        self.sim, self.clock, self.start = sim, clock, start
        self.cores, self.count = spec.mtcs, spec.all_threads
        self.pace = spec.instruction_cycles
        self.busy_cycles = spec.atomic_busy_cycles
        self.bank_share = spec.atomic_busy_cycles / spec.spad_banks
        self.work = list(zip(tokens.instructions.tolist(), tokens.atomics.tolist(), strict=True))
        self.owner = None if tokens.thread is None else tokens.thread.tolist()
        self.active = [0] * spec.mtcs
        self.counter_free = 0
        self.banks_free = 0.0
        self.end = 0

    def threads(self) -> list[Process]:
        """Return the threads, each with the tokens that are its own, or all with the same ones."""
        if self.owner is None:
            shared = iter(self.work)
            return [self._thread(t, shared, taken=True) for t in self._starting(range(self.count))]
        own: dict[int, list[tuple[int, int]]] = {}
        for thread, token in zip(self.owner, self.work, strict=True):
            own.setdefault(thread, []).append(token)
        return [self._thread(t, iter(own[t]), taken=False) for t in self._starting(own)]

    def _starting(self, threads: Iterable[int]) -> list[int]:
        """Return the threads that have something to do, which are active from the start."""
        some = list(threads)[: len(self.work)]
        for thread in some:
            self.active[thread % self.cores] += 1
        return some

    def _thread(self, number: int, tokens: Iterator[tuple[int, int]], *, taken: bool) -> Process:
        core, active, now = number % self.cores, self.active, 0
        edge_ps, timeout, sim, start = self.clock.edge_ps, self.sim.timeout, self.sim, self.start
        for instructions, atomics in tokens:
            begin = now
            if taken:  # the counter is in the scratchpad, and its bank is held while it is added to
                begin = max(now, self.counter_free)
                self.counter_free = begin + self.busy_cycles
            self.banks_free = max(self.banks_free, begin) + atomics * self.bank_share
            now = max(begin + instructions * max(self.pace, active[core]), int(self.banks_free))
            yield timeout(edge_ps(start + now) - sim.now)
        active[core] -= 1
        self.end = max(self.end, now)
