"""When the groups of a slice start, join and leave: the processor as a recurrence.

Of group g, with engines e and their turns c:

    takes(g)   = max(offer, takes before + 1, inject(g - ADDRESS_STAGES))      its last position
    inject(g)  = max(takes(g) + ADDRESS_STAGES, inject(g-1) + 1, leaves(g - join_depth) + 1,
                     max_e start(e, g - fifo_depth))
    start(e,g) = max(inject(g), start(e, g-1) + c(e, g-1))
    ready(g)   = max_e start(e, g) + c(e, g) + encode_cycles
    enters(i)  = max(ready(its group), enters(i-1) + 1, given(i - result_depth) + 1), in a free slot
    leaves(g)  = enters(its last query)
    given(i)   = the port ready, from max(enters(i) + layers mlp_stages + 1, given(i-1) + 1) on

In lock-step (``fifo_depth`` 0) a group is injected when every engine has finished the one before.
Within ``fifo_depth`` groups nothing that follows from their starts matters to them, so these are
found for as many groups at once: sums along a level, and running maxima.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.engines import IDEAL, Env, Ints, PortEnv
from archsim.engines.ngpc.service import Service
from archsim.engines.ngpc.spec import ADDRESS_STAGES, NgpcSpec
from archsim.engines.offers import first_offer, first_ready, is_ideal

NEVER = -(1 << 40)
WORTH_A_BLOCK = 4  # groups


@dataclass(frozen=True, slots=True)
class Course:
    """Cycles of a slice: of positions and results [queries], of groups [groups].

    Parameters
    ----------
    takes
        A query's position is taken.
    inject, room
        A group gets to the engines; all of their queues have room.
    first, ready
        The first engine's features of a group are in the join; all are.
    enters, given
        A query enters the MLP; its result leaves.
    """

    takes: Ints
    inject: Ints
    room: Ints
    first: Ints
    ready: Ints
    enters: Ints
    given: Ints


def course(
    spec: NgpcSpec, work: Service, queries: int, layers: int, begin: int, env: Env
) -> Course:
    """Return the cycles of a slice whose first position can be taken in cycle ``begin``."""
    return _Walk(spec, work, queries, layers, begin, env).course()


class _Walk:
    def __init__(
        self, spec: NgpcSpec, work: Service, queries: int, layers: int, begin: int, env: Env
    ) -> None:
        self.spec, self.work, self.queries = spec, work, queries
        self._latency, self._begin = layers * spec.mlp_stages, begin
        self._x, self._result = _port(env, "x"), _port(env, "result")
        # by query and by group, as they are found
        self._takes: list[int] = []
        self._enters: list[int] = []
        self._given: list[int] = []
        self._inject: list[int] = []
        self._room: list[int] = []  # last start of a group; in lock-step, its last end
        self._leaves: list[int] = []
        self._starts = np.zeros_like(work.turns)
        self._free = np.full(work.turns.shape[1], NEVER)  # by engine
        self._slots = [NEVER] * spec.mlp_stages
        # a beat is offered from the first cycle that lets it
        self._offer = NEVER if self._x is None else first_offer(self._x, 0, 0)

    def course(self) -> Course:
        groups, late = len(self.work.turns), self.spec.encode_cycles
        block = self.spec.fifo_depth if self.spec.fifo_depth >= WORTH_A_BLOCK else 1
        first, ready = np.zeros((2, groups), np.int64)
        # nobody waits for what leaves the join fewer groups earlier than it holds
        for low in range(0, groups, self.spec.join_depth):
            high = min(low + self.spec.join_depth, groups)
            for start in range(low, high, block):
                stop = min(start + block, high)
                self._let_in(start, stop)
                self._serve(start, stop)
            ends = self._starts[low:high] + self.work.turns[low:high]
            first[low:high], ready[low:high] = ends.min(axis=1) + late, ends.max(axis=1) + late
            self._enter(low, ready[low:high].tolist())
        before = [NEVER] * max(self.spec.fifo_depth, 1)
        found = (
            self._takes, self._inject, (before + self._room)[:groups], first, ready,
            self._enters, self._given,
        )  # fmt: skip
        return Course(*(np.asarray(column, np.int64) for column in found))

    def _let_in(self, start: int, stop: int) -> None:
        """Take the positions of groups, and let these in where there is room."""
        takes, inject, leaves, room = self._takes, self._inject, self._leaves, self._room
        size, x = self.work.group, self._x
        behind, places = max(self.spec.fifo_depth, 1), self.spec.join_depth
        now = takes[-1] + 1 if takes else self._begin
        enters = inject[-1] + 1 if inject else NEVER
        for group in range(start, stop):
            held = min(size, self.queries - group * size) - 1
            if x is not None:
                now = self._take(now, held)
            elif held:
                takes.extend(range(now, now + held))
                now += held
            if group >= ADDRESS_STAGES and inject[group - ADDRESS_STAGES] > now:
                now = inject[group - ADDRESS_STAGES]
            takes.append(now)
            enters = max(enters, now + ADDRESS_STAGES)
            if group >= behind and room[group - behind] > enters:
                enters = room[group - behind]
            if group >= places and leaves[group - places] >= enters:
                enters = leaves[group - places] + 1
            inject.append(enters)
            now += 1
            enters += 1
            if x is not None:
                self._offer = first_offer(x, len(takes), now)

    def _take(self, now: int, held: int) -> int:
        """Take the positions of a group but the last, as they are offered; return when that is."""
        assert self._x is not None
        for _ in range(held):
            now = max(now, self._offer)
            self._takes.append(now)
            now += 1
            self._offer = first_offer(self._x, len(self._takes), now)
        return max(now, self._offer)

    def _serve(self, start: int, stop: int) -> None:
        """Let every engine serve groups of which none waits for the start of another."""
        starts, turns = self._starts[start:stop], self.work.turns[start:stop]
        if stop == start + 1:
            np.maximum(self._free, self._inject[start], out=starts[0])
            np.add(starts[0], turns[0], out=self._free)
            self._room.append(int((starts[0] if self.spec.fifo_depth else self._free).max()))
            return
        done = turns.cumsum(axis=0)
        before = done - turns
        waited = np.array(self._inject[start:stop])[:, None] - before
        np.maximum.accumulate(waited, axis=0, out=waited)
        np.maximum(waited, self._free, out=waited)
        np.add(before, waited, out=starts)
        self._free = starts[-1] + turns[-1]
        self._room += starts.max(axis=1).tolist()

    def _enter(self, low: int, ready: list[int]) -> None:
        """Let the queries of groups through the MLP."""
        size, stages, slots = self.work.group, self.spec.mlp_stages, self._slots
        enters, given, leaves = self._enters, self._given, self._leaves
        single, latency = self.spec.mlp_mode == "single", self._latency
        depth, result = self.spec.result_depth, self._result
        now = enters[-1] + 1 if enters else NEVER
        query = low * size
        for there in ready:
            now = max(now, there)
            for _ in range(min(size, self.queries - query)):
                # a result that is taken at once has a place: `NgpcSpec.result_depth`
                if result is not None and query >= depth and given[query - depth] >= now:
                    now = given[query - depth] + 1
                if single:
                    while slots[now % stages] > now:
                        now += 1
                    slots[now % stages] = now + latency
                enters.append(now)
                out = now + latency + 1
                if result is not None:
                    out = first_ready(result, max(out, given[-1] + 1) if given else out)
                given.append(out)
                now += 1
                query += 1
            leaves.append(now - 1)


def _port(env: Env, name: str) -> PortEnv | None:
    """Return a port's environment, or None where it never makes anybody wait."""
    port = env.get(name, IDEAL)
    return None if is_ideal(port) else port
