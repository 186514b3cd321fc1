"""In which order points run: those that can share mappings one after the other, on one worker.

What a worker found for one point it remembers for the next. The plan of an op depends on its engine
and on memories, link and node, so points that differ in engines only share most of their plans.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Container, Iterator

from archsim.sweep.answers import PointKey
from archsim.sweep.plan import Plan, PlannedDesign, PlannedWorkload

Point = tuple[PlannedDesign, PlannedWorkload]
Family = deque[Point]  # points that one worker runs, in order

ENGINES = "engines."
BLOCK_DESIGNS = 256  # designs that finish together: all their workloads, one workload at a time


def families(plan: Plan, done: Container[PointKey] = ()) -> Iterator[Family]:
    """Yield a plan's unfinished points, those that share memories, link and node together.

    Families come in a shuffled order, so that the first answers are of all kinds; it is the same
    in every run. In a family, designs that differ in their last engine only are neighbours.
    """
    by_surroundings: dict[str, list[PlannedDesign]] = {}
    for design in plan.designs:
        around = [item for item in design.point.items() if not item[0].startswith(ENGINES)]
        key = design.digest if design.tree is not None else repr(around)
        by_surroundings.setdefault(key, []).append(design)
    engines = {name: place for place, name in enumerate(plan.base["engines"])}
    for key in _shuffled(list(by_surroundings)):
        designs = sorted(by_surroundings[key], key=lambda design: _engines_first(design, engines))
        family = deque(
            (design, workload)
            for first in range(0, len(designs), BLOCK_DESIGNS)
            for workload in plan.workloads
            for design in designs[first : first + BLOCK_DESIGNS]
            if (design.digest, workload.label) not in done
        )
        if family:
            yield family


def _shuffled(keys: list[str]) -> list[str]:
    return random.Random(0).sample(keys, len(keys))


def _engines_first(design: PlannedDesign, engines: dict[str, int]) -> tuple[tuple[int, str], ...]:
    """Return what sorts designs by their engines, in the order that the base lists them."""
    inside = [(path.split(".")[1], repr(value)) for path, value in design.point.items()
              if path.startswith(ENGINES)]  # fmt: skip
    return tuple(sorted((engines.get(name, len(engines)), value) for name, value in inside))
