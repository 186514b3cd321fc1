"""From trace and design to the static program: which engine, which tiles, what stays on chip.

Everything here is decided before time is known; `analytic` and `kernel` then run the same program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from archsim.design import Design
from archsim.engines import Ints, Reason, op_kinds
from archsim.errors import ArchsimError
from archsim.flow import Flow, Segment
from archsim.mapping import Mapping as OpMapping
from archsim.memory import DramTiming
from archsim.plan import Memo, Moves, Plan, Site, Unit
from archsim.planner import plan_op
from archsim.trace import Op, Trace

MAX_REFUSED = 20  # ops that an error names


@dataclass(frozen=True, slots=True)
class Placed:
    """An op in the program.

    Parameters
    ----------
    unit
        The engine instance that runs it.
    plan
        Its tiles, jobs and bytes.
    moves
        What DMA really does for it, given what stays on chip.
    after
        Indices of ops whose results must exist before it may touch its inputs.
    held_inputs, held_output
        Operands that do not pass through DRAM.
    carried
        Whether it reads what the block's previous repeat left behind.
    """

    index: int
    op: Op
    unit: Unit
    plan: Plan
    moves: Moves
    after: tuple[int, ...]
    held_inputs: tuple[str, ...]
    held_output: bool
    carried: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an op, with what its neighbours on the engine decide.

    Parameters
    ----------
    fetched
        Whether its weights were fetched before its other loads.
    opening_ps
        Weights fetched at time 0, where this is the engine's first op.
    prefetch_next_ps
        Weights of the engine's next op that are fetched ahead of this op's last store.
    """

    segment: int
    iteration: int
    placed: Placed
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


@dataclass(frozen=True, slots=True)
class Program:
    """The static program of a trace on a design."""

    units: tuple[Unit, ...]
    ops: tuple[Placed, ...]
    segments: tuple[Segment, ...]
    dram: DramTiming
    room_bytes: int

    def runs(self, repeats: Mapping[int, int]) -> list[Run]:
        """Return every execution in order, each segment repeated as often as ``repeats`` says."""
        order = [
            (number, iteration, placed)
            for number, segment in enumerate(self.segments)
            for iteration in range(repeats.get(number, segment.repeat))
            for placed in self.ops[segment.start : segment.stop]
        ]
        ahead_ps = [0] * len(order)
        latest: dict[str, int] = {}  # the position of each engine's latest run
        runs = []
        for position, (segment, iteration, placed) in enumerate(order):
            running = latest.get(placed.unit.name)
            latest[placed.unit.name] = position
            moves, opening_ps, fetched = placed.moves, 0, True
            if running is None:
                opening_ps = moves.prefetch_ps
            elif self._fits_ahead(order[running][2], placed):
                ahead_ps[running] = moves.prefetch_ps
            else:
                fetched = False
            runs.append((segment, iteration, placed, fetched, opening_ps))
        return [Run(*run, ahead) for run, ahead in zip(runs, ahead_ps, strict=True)]

    def _fits_ahead(self, running: Placed, follower: Placed) -> bool:
        need = running.plan.buffer_bytes + follower.moves.prefetch_bytes
        return need <= self.room_bytes


def assign(units: tuple[Unit, ...], fallback: Unit | None, trace: Trace) -> list[Unit]:
    """Return each op's engine: the first that accepts it, else the fallback.

    Raises
    ------
    ArchsimError
        If there is neither, with every such op and every engine's reason.
    """
    chosen, refused = [], []
    known = {unit.name: unit.engine.dtypes and unit.engine.dtypes(unit.spec) for unit in units}
    kinds = op_kinds()
    for op in trace.ops:
        operands = op.inputs[:2] if kinds[op.kind].tiling == "gemm" else op.inputs
        dtypes = {trace.tensors[name].dtype for name in operands}
        reasons: list[str] = []
        takers = (u for u in units if _takes(u, op, dtypes, known[u.name], reasons))
        unit = next(takers, fallback)
        if unit is None:
            refused.append(f"  {op.name} ({op.kind}): " + "; ".join(reasons))
        else:
            chosen.append(unit)
    if refused:
        more = f"\n  and {len(refused) - MAX_REFUSED} more" if len(refused) > MAX_REFUSED else ""
        raise ArchsimError(
            f"{len(refused)} of {len(trace.ops)} ops have no engine that accepts them, and the "
            "design names no fallback:\n" + "\n".join(refused[:MAX_REFUSED]) + more
        )
    return chosen


def _takes(
    unit: Unit, op: Op, dtypes: set[str], known: frozenset[str] | None, reasons: list[str]
) -> bool:
    verdict = unit.engine.accepts(unit.spec, op)
    if isinstance(verdict, Reason):
        reasons.append(f"{unit.name}: {verdict.text}")
        return False
    if known is not None and not dtypes <= known:
        wrong = ", ".join(sorted(dtypes - known))
        reasons.append(f"{unit.name}: computes on {', '.join(sorted(known))}, not {wrong}")
        return False
    return True


def build(
    design: Design,
    trace: Trace,
    units: tuple[Unit, ...],
    fallback: Unit | None,
    *,
    objective: Any = "time",
    given: Mapping[str, OpMapping] | None = None,
    memo: Memo | None = None,
) -> Program:
    """Return the program of a trace on a design.

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
    chosen = []
    flow = memo.flow(trace)
    for i, unit in enumerate(assign(units, fallback, trace)):
        site, number = sites[unit.name]
        chosen.append((unit, plan_op(site, number, flow, i, given, memo)))
    held = frozenset(name for name, kept in resident_tensors(flow, store_room).items() if kept)
    ops = _placed(flow, chosen, held, dram)
    return Program(every, ops, flow.segments, dram, room)


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
        fits = reduce(most, (in_use[i] for i in span)) + life.size_bytes <= room_bytes
        for i in span:
            in_use[i] = in_use[i] + fits * life.size_bytes
        held[life.name] = fits
    return held


def _placed(
    flow: Flow, chosen: list[tuple[Unit, Plan]], held: frozenset[str], dram: DramTiming
) -> tuple[Placed, ...]:
    several = len({unit.name for unit, _ in chosen}) > 1
    placed = []
    used_up: dict[str, int] = {}  # by unit: its latest op that was the last to use a kept tensor
    for i, (op, link) in enumerate(zip(flow.trace.ops, flow.links, strict=True)):
        unit, plan = chosen[i]
        held_inputs = tuple(name for name in op.inputs if name in held)
        held_output = bool(op.outputs) and op.outputs[0] in held
        after: tuple[int, ...] = ()
        if several:
            # room for a result on chip is free only once the tensors that had it are used up
            before = {*link.producers, *(used_up.values() if held_output else ())}
            after = tuple(sorted(p for p in before if chosen[p][0].name != unit.name))
        on_chip = tuple(name in held for name in op.inputs)
        moves = plan.moves(on_chip, held_output, link.weights, dram)
        placed.append(
            Placed(i, op, unit, plan, moves, after, held_inputs, held_output, link.carried)
        )
        if not held.isdisjoint(link.last_uses):
            used_up[unit.name] = i
    return tuple(placed)
