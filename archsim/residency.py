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


def resident_tensors(flow: Flow, room_bytes: int | Ints) -> dict[str, Any]:
    """Return whether each tensor that may stay on chip does: first come, first kept.

    For an array of rooms the answers are arrays.
    """
    most: Any = max if isinstance(room_bytes, int) else np.maximum
    in_use: list[Any] = [0] * len(flow.links)
    held = {}
    for life in flow.lives:
        span = range(life.start, life.stop)
        fits = reduce(most, in_use[life.start : life.stop]) + life.size_bytes <= room_bytes
        for i in span:
            in_use[i] = in_use[i] + fits * life.size_bytes
        held[life.name] = fits
    return held


def resident_in_stages(
    flow: Flow, room_bytes: int, stages: Sequence[frozenset[int]]
) -> dict[str, bool]:
    """Return whether each tensor that may stay on chip does, in a pipeline.

    Stages work on different items at the same time, so each has room of its own: for the most that
    its ops keep at any time. A tensor that a later stage reads has a slot for each item that is
    under way between the two.

    Parameters
    ----------
    stages
        Ops of each stage.
    """
    in_use = [[0] * len(flow.links) for _ in stages]
    peaks = [0] * len(stages)
    crossing = 0
    held = {}
    for life in flow.lives:
        mine = _stages_of(life.start, stages)
        others = [s for user in life.users for s in _stages_of(user, stages) if s not in mine]
        if others:
            need = life.size_bytes * slots(min(mine), max(others))
            fits = sum(peaks) + crossing + need <= room_bytes
            crossing += need * fits
        else:
            after = dict(enumerate(peaks)) | {
                s: max(peaks[s], max(in_use[s][life.start : life.stop]) + life.size_bytes)
                for s in mine
            }
            fits = sum(after.values()) + crossing <= room_bytes
            if fits:
                peaks = list(after.values())
                for s in mine:
                    for i in range(life.start, life.stop):
                        in_use[s][i] += life.size_bytes
        held[life.name] = fits
    return held


def slots(producing: int, consuming: int) -> int:
    """Return how many items of a tensor are under way from stage to stage."""
    return consuming - producing + 1


def _stages_of(op: int, stages: Sequence[frozenset[int]]) -> list[int]:
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
    freed = _last_of_stages(flow, places, held)  # at first, of the item before
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
                before.update(freed[stage].values())
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


def _last_of_stages(
    flow: Flow, places: _Places, held: frozenset[str]
) -> dict[int, dict[str, tuple[int, int]]]:
    """Return by stage and unit the op that uses up a kept tensor last, an item before."""
    found: dict[int, dict[str, tuple[int, int]]] = {s: {} for s in set(places.stage)}
    for index, i in enumerate(places.op):
        if not held.isdisjoint(flow.links[i].last_uses):
            found[places.stage[index]][places.units[index]] = (index, 1)
    return found


def _readers(flow: Flow, held: frozenset[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {name: [] for name in held}
    for i, op in enumerate(flow.trace.ops):
        for name in op.inputs:
            if name in held:
                found[name].append(i)
    return found
