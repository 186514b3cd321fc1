"""From trace and design to the static program: which engine, which tiles, what stays on chip.

Everything here is decided before time is known; `analytic` and `kernel` then run the same program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archsim.assignment import Part, assigned
from archsim.design import Design
from archsim.flow import Flow
from archsim.mapping import Mapping as OpMapping
from archsim.memory import DramTiming
from archsim.plan import Memo, Moves, Plan, Site, Unit
from archsim.planner import plan_op
from archsim.residency import hazards, resident_in_stages, resident_tensors, room_of
from archsim.trace import Op, Trace


@dataclass(frozen=True, slots=True)
class Placed:
    """An op in the program, or the rounds of it that one stage runs.

    Parameters
    ----------
    unit, why
        The engine instance that runs it, and what the policy went by.
    plan
        Its tiles, jobs and bytes.
    moves
        What DMA really does for it, given what stays on chip.
    repeat
        Executions for one item.
    after
        Ops of other engines that must be done before it may touch its inputs or write its result:
        position in the program, and how many items before.
    held_inputs, held_output
        Operands that do not pass through DRAM.
    carried
        Whether it reads what the block's previous round left behind.
    """

    index: int
    op: Op
    unit: Unit
    why: str
    plan: Plan
    moves: Moves
    repeat: int
    after: tuple[tuple[int, int], ...]
    held_inputs: tuple[str, ...]
    held_output: bool
    carried: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """Ops [start, stop) of the program, run together ``repeat`` times for each item.

    Parameters
    ----------
    stage
        Of a pipeline.
    continues
        Whether the rounds go on from those of the stretch before.
    """

    start: int
    stop: int
    repeat: int
    stage: int
    continues: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an op, with what its neighbours on the engine decide.

    Parameters
    ----------
    item, stretch, iteration
        Which of all executions it is.
    needs
        Runs that must be done before it may touch its inputs, by position in the order of runs.
    fetched
        Whether its weights were fetched before its other loads.
    opening_ps
        Weights fetched at time 0, where this is the engine's first op.
    prefetch_next_ps
        Weights of the engine's next op that are fetched ahead of this op's last store.
    """

    item: int
    stretch: int
    iteration: int
    placed: Placed
    needs: tuple[int, ...]
    fetched: bool
    opening_ps: int
    prefetch_next_ps: int

    @property
    def dma_ps(self) -> int:
        """Time that the run's transfers hold the DRAM."""
        moved_ps = self.placed.moves.dma_ps + self.first_load_ps
        return self.opening_ps + moved_ps + self.prefetch_next_ps

    @property
    def first_load_ps(self) -> int:
        moves = self.placed.moves
        return moves.first_ps if self.fetched else moves.whole_first_ps

    def steps(self) -> Iterator[tuple[int, int, int]]:
        """Yield load, store (both ps) and cycles of each step."""
        return self.placed.moves.steps(self.first_load_ps)


Place = tuple[int, int, int, Placed]  # item, stretch, iteration


@dataclass(frozen=True, slots=True)
class Program:
    """The static program of a trace on a design, for a stream of ``items``."""

    units: tuple[Unit, ...]
    ops: tuple[Placed, ...]
    stretches: tuple[Stretch, ...]
    dram: DramTiming
    room_bytes: int
    items: int = 1

    @property
    def stages(self) -> int:
        return max((s.stage for s in self.stretches), default=0) + 1

    def order(self, repeats: Mapping[int, int], items: int) -> list[Place]:
        """Return the static order of all executions.

        In a pipeline, stage s works on item i while stage s + 1 works on item i - 1. What several
        stages give to one engine stands in the order of the time that has passed in the stage, by
        the plans' own times.
        """
        stages: list[list[tuple[int, int, int, Placed]]] = [[] for _ in range(self.stages)]
        passed_ps = [0] * len(stages)
        several = len(stages) > 1
        for number, stretch in enumerate(self.stretches):
            mine = self.ops[stretch.start : stretch.stop]
            for iteration in range(repeats.get(number, stretch.repeat)):
                for placed in mine:
                    stage = stretch.stage
                    stages[stage].append((passed_ps[stage], number, iteration, placed))
                    if several:
                        passed_ps[stage] += placed.plan.alone_ps(placed.unit.clock, self.dram)
        order: list[Place] = []
        for slot in range(items + len(stages) - 1):
            rows = [
                (at_ps, stage, slot - stage, number, iteration, placed)
                for stage, runs in enumerate(stages)
                if 0 <= slot - stage < items
                for at_ps, number, iteration, placed in runs
            ]
            if several:
                rows.sort(key=lambda row: row[:2])
            order += [row[2:] for row in rows]
        return order

    def runs(self, repeats: Mapping[int, int], items: int | None = None) -> list[Run]:
        """Return every execution in order.

        Parameters
        ----------
        repeats
            By stretch: how often it is repeated, where that is not as often as it says.
        """
        order = self.order(repeats, self.items if items is None else items)
        ahead_ps = [0] * len(order)
        latest: dict[str, int] = {}  # the position of each engine's latest run
        needs = _Needs(self)
        runs = []
        for position, (item, number, iteration, placed) in enumerate(order):
            running = latest.get(placed.unit.name)
            latest[placed.unit.name] = position
            moves, opening_ps, fetched = placed.moves, 0, True
            if running is None:
                opening_ps = moves.prefetch_ps
            elif self._fits_ahead(order[running][3], placed):
                ahead_ps[running] = moves.prefetch_ps
            else:
                fetched = False
            needed = needs.of(position, item, number, iteration, placed)
            runs.append((item, number, iteration, placed, needed, fetched, opening_ps))
        return [Run(*run, ahead) for run, ahead in zip(runs, ahead_ps, strict=True)]

    def _fits_ahead(self, running: Placed, follower: Placed) -> bool:
        need = running.plan.buffer_bytes + follower.moves.prefetch_bytes
        return need <= self.room_bytes


class _Needs:
    """The runs that each run waits for, found in the order of the program."""

    def __init__(self, program: Program) -> None:
        self._stretches = program.stretches
        self._latest: dict[tuple[int, int], int] = {}  # by op and item
        self._rounds: dict[tuple[int, int], list[list[int]]] = {}  # by item and stretch

    def of(
        self, position: int, item: int, number: int, iteration: int, placed: Placed
    ) -> tuple[int, ...]:
        """Return the positions that a run needs; it has the one given."""
        keys = ((index, item - lag) for index, lag in placed.after)
        needs = [self._latest[key] for key in keys if key[1] >= 0]
        rounds = self._rounds.setdefault((item, number), [])
        if placed.carried and iteration:
            needs += rounds[iteration - 1]
        elif placed.carried and self._stretches[number].continues:
            needs += self._rounds[item, number - 1][-1]
        self._latest[placed.index, item] = position
        if len(rounds) == iteration:
            rounds.append([])
        rounds[iteration].append(position)
        return tuple(needs)


# ---------------------------------------------------------------------------------------- building


def build(
    design: Design,
    trace: Trace,
    units: tuple[Unit, ...],
    fallback: Unit | None,
    *,
    objective: Any = "time",
    given: Mapping[str, OpMapping] | None = None,
    memo: Memo | None = None,
    items: int = 1,
) -> Program:
    """Return the program of a stream of items, each of them the trace, on a design.

    Parameters
    ----------
    given
        Mappings by op name that replace the search.

    Raises
    ------
    ArchsimError
        If an op has no engine and the design no fallback; every such op is named.
    """
    memo = Memo() if memo is None else memo
    dram = DramTiming.of(design)
    room, store_room = room_of(design)
    every = units if fallback is None else (*units, fallback)
    sites = {}
    for unit in every:
        site = Site(unit, design.memories.buffer, dram, room, design.node, objective)
        sites[unit.name] = (site, memo.site(site))
    flow = memo.flow(trace)

    def planned(unit: Unit, index: int) -> Plan:
        return plan_op(*sites[unit.name], flow, index, given, memo)

    parts = assigned(design.policy, units, fallback, flow, planned, dram)
    stages = [
        frozenset(i for p in parts if p.stage == stage for i in range(p.start, p.stop))
        for stage in range(max((p.stage for p in parts), default=0) + 1)
    ]
    kept = (
        resident_tensors(flow, store_room)
        if len(stages) == 1
        else resident_in_stages(flow, store_room, stages)
    )
    held = frozenset(name for name, stays in kept.items() if stays)
    ops, stretches = _placed(flow, parts, held, dram)
    return Program(every, ops, stretches, dram, room, items)


def _placed(
    flow: Flow, parts: tuple[Part, ...], held: frozenset[str], dram: DramTiming
) -> tuple[tuple[Placed, ...], tuple[Stretch, ...]]:
    after = hazards(flow, parts, held)
    placed: list[Placed] = []
    stretches = []
    for part in parts:
        start = len(placed)
        for i, choice in zip(range(part.start, part.stop), part.choices, strict=True):
            op, link, index = flow.trace.ops[i], flow.links[i], len(placed)
            on_chip = tuple(name in held for name in op.inputs)
            held_output = bool(op.outputs) and op.outputs[0] in held
            placed.append(
                Placed(
                    index, op, choice.unit, choice.why, choice.plan,
                    choice.plan.moves(on_chip, held_output, link.weights, dram), part.repeat,
                    after[index], tuple(name for name in op.inputs if name in held), held_output,
                    link.carried,
                )
            )  # fmt: skip
        stretches.append(Stretch(start, len(placed), part.repeat, part.stage, part.continues))
    return tuple(placed), tuple(stretches)
