"""What stays on chip between ops, and who must wait so that it does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from archsim.assignment import Part
from archsim.design import Design
from archsim.engines import Ints
from archsim.flow import Flow


def room_of(design: Design) -> tuple[int, int]:
    """Return the buffer's bytes for one engine's tiles, and for results that stay on chip."""
    buffer = design.memories.buffer
    tiles = int(buffer.capacity_bytes * buffer.tile_share) // len(design.engines)
    return tiles, buffer.capacity_bytes - tiles * len(design.engines)


def resident_tensors(
    flow: Flow, room_bytes: int | Ints, stages: Sequence[set[int]] | None = None
) -> dict[str, Any]:
    """Return whether each tensor that may stay on chip does: first come, first kept.

    Stages of a pipeline work on different items at the same time, so each has room of its own: for
    the most that its ops keep at any time. A tensor that a later stage reads has a slot an item
    that is under way between the two.

    Parameters
    ----------
    room_bytes
        For an array of rooms the answers are arrays.
    stages
        Ops of each stage; one stage of all ops if None.
    """
    most: Any = max if isinstance(room_bytes, int) else np.maximum
    stages = [set(range(len(flow.links)))] if stages is None else stages
    in_use: list[list[Any]] = [[0] * len(flow.links) for _ in stages]
    peaks: list[Any] = [0] * len(stages)
    crossing: Any = 0
    held = {}
    for life in flow.lives:
        span = range(life.start, life.stop)
        mine = _stages_of(life.start, stages)
        others = [s for user in life.users for s in _stages_of(user, stages) if s not in mine]
        if others:
            need = life.size_bytes * slots(min(mine), max(others))
            fits = sum(peaks) + crossing + need <= room_bytes
            crossing = crossing + fits * need
        else:
            after = [most(reduce(most, (in_use[s][i] for i in span)) + life.size_bytes, peaks[s])
                     for s in mine]  # fmt: skip
            rest = sum(peaks[s] for s in range(len(stages)) if s not in mine)
            fits = sum(after) + rest + crossing <= room_bytes
            for s, peak in zip(mine, after, strict=True):
                peaks[s] = peaks[s] + fits * (peak - peaks[s])
                for i in span:
                    in_use[s][i] = in_use[s][i] + fits * life.size_bytes
        held[life.name] = fits
    return held


def slots(producing: int, consuming: int) -> int:
    """Return how many items of a tensor are under way from stage to stage."""
    return consuming - producing + 1


def _stages_of(op: int, stages: Sequence[set[int]]) -> list[int]:
    return [number for number, ops in enumerate(stages) if op in ops]


def hazards(
    flow: Flow, parts: tuple[Part, ...], held: frozenset[str]
) -> list[tuple[tuple[int, int], ...]]:
    """Return what each op of a program waits for: see `schedule.Placed.after`.

    That is the ops that it reads from, and, where its result is kept, those that used up what had
    the room before: of other engines, as an engine runs its ops in order.
    """
    places = _Places(parts)
    found: list[tuple[tuple[int, int], ...]] = []
    if not places.several:
        return [()] * len(places.units)
    freed: dict[int, dict[str, tuple[int, int]]] = {s: {} for s in set(places.stage)}
    last = _last_of_stages(flow, places, held)
    readers = _readers(flow, held)
    for index, i in enumerate(places.op):
        op, link, stage = flow.trace.ops[i], flow.links[i], places.stage[index]
        before = {(places.seen_from(p, index), 0) for p in link.producers}
        if op.outputs and op.outputs[0] in held:
            using = [places.last(r) for r in readers[op.outputs[0]]]
            latest = max(places.stage[r] for r in using)
            if latest > stage and places.last(i) == index:
                before |= {(r, slots(stage, latest)) for r in using}
            else:
                before |= {*({u: (x, 1) for u, x in last[stage].items()} | freed[stage]).values()}
        others = {b for b in before if places.units[b[0]] != places.units[index]}
        found.append(tuple(sorted(others)))
        if not held.isdisjoint(link.last_uses):
            freed[stage][places.units[index]] = (index, 0)
    return found


class _Places:
    """The ops of a program in order: op of the trace, unit and stage of each."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.op: list[int] = []
        self.units: list[str] = []
        self.stage: list[int] = []
        self._part: list[int] = []
        self._at: dict[int, list[int]] = {}
        for number, part in enumerate(parts):
            for i, choice in zip(range(part.start, part.stop), part.choices, strict=True):
                self._at.setdefault(i, []).append(len(self.op))
                self.op.append(i)
                self.units.append(choice.unit.name)
                self.stage.append(part.stage)
                self._part.append(number)
        self.several = len(set(self.units)) > 1

    def seen_from(self, op: int, index: int) -> int:
        """Return where an op runs whose result another reads: in its part, else the last time."""
        mine = self._part[index]
        return next((p for p in self._at[op] if self._part[p] == mine), self._at[op][-1])

    def last(self, op: int) -> int:
        return self._at[op][-1]


def _last_of_stages(flow: Flow, places: _Places, held: frozenset[str]) -> dict[int, dict[str, int]]:
    """Return by stage and unit the last op that uses up a kept tensor."""
    found: dict[int, dict[str, int]] = {s: {} for s in set(places.stage)}
    for index, i in enumerate(places.op):
        if not held.isdisjoint(flow.links[i].last_uses):
            found[places.stage[index]][places.units[index]] = index
    return found


def _readers(flow: Flow, held: frozenset[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {name: [] for name in held}
    for i, op in enumerate(flow.trace.ops):
        for name in op.inputs:
            if name in held:
                found[name].append(i)
    return found
