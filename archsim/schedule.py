"""From trace and design to the static program: which engine, which tiles, what stays on chip.

Everything here is decided before time is known; `analytic` and `kernel` then run the same program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archsim.design import Design
from archsim.engines import Ints, Reason
from archsim.errors import ArchsimError
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
class Segment:
    """Ops [start, stop) of the program, run together ``repeat`` times."""

    start: int
    stop: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an op, with what its neighbours on the engine decide.

    Parameters
    ----------
    load_ps
        Loads of each step, the first without what was prefetched.
    opening_ps
        Weights fetched at time 0, where this is the engine's first op.
    prefetch_next_ps
        Weights of the engine's next op that are fetched ahead of this op's last store.
    """

    segment: int
    iteration: int
    placed: Placed
    load_ps: list[int]
    opening_ps: int
    prefetch_next_ps: int

    @property
    def dma_ps(self) -> int:
        """Time that the run's transfers hold the DRAM."""
        stores_ps = sum(self.placed.moves.store_ps)
        return self.opening_ps + sum(self.load_ps) + stores_ps + self.prefetch_next_ps


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
        runs: list[Run] = []
        upcoming: dict[str, tuple[Placed, int]] = {}
        for position in range(len(order) - 1, -1, -1):
            segment, iteration, placed = order[position]
            name = placed.unit.name
            follower = upcoming.get(name)
            ahead = 0
            if follower is not None and self._fits_ahead(placed, follower[0]):
                ahead = follower[0].moves.prefetch_ps
                runs[follower[1]] = _prefetched(runs[follower[1]])
            upcoming[name] = (placed, len(runs))
            runs.append(Run(segment, iteration, placed, placed.moves.whole_load_ps, 0, ahead))
        for placed, at in upcoming.values():  # the first of each engine
            runs[at] = replace(_prefetched(runs[at]), opening_ps=placed.moves.prefetch_ps)
        return runs[::-1]

    def _fits_ahead(self, running: Placed, follower: Placed) -> bool:
        need = running.plan.buffer_bytes + follower.moves.prefetch_bytes
        return need <= self.room_bytes


def _prefetched(run: Run) -> Run:
    return replace(run, load_ps=run.placed.moves.load_ps)


def segments_of(trace: Trace) -> tuple[Segment, ...]:
    """Return the runs of consecutive ops that share a block, other ops being runs of their own."""
    segments: list[Segment] = []
    for i, op in enumerate(trace.ops):
        previous = trace.ops[i - 1] if i else None
        if previous is not None and op.block and op.block == previous.block:
            if op.repeat != previous.repeat:
                raise ArchsimError(
                    f"op {op.name!r}: ops of block {op.block!r} must have one repeat, "
                    f"not {previous.repeat} and {op.repeat}"
                )
            segments[-1] = Segment(segments[-1].start, i + 1, op.repeat)
        elif previous is not None and not op.block and op.repeat == 1 == segments[-1].repeat:
            segments[-1] = Segment(segments[-1].start, i + 1, 1)
        else:
            segments.append(Segment(i, i + 1, op.repeat))
    return tuple(segments)


def assign(units: tuple[Unit, ...], fallback: Unit | None, trace: Trace) -> list[Unit]:
    """Return each op's engine: the first that accepts it, else the fallback.

    Raises
    ------
    ArchsimError
        If there is neither, with every such op and every engine's reason.
    """
    chosen, refused = [], []
    known = {unit.name: unit.engine.dtypes and unit.engine.dtypes(unit.spec) for unit in units}
    for op in trace.ops:
        operands = op.inputs[:2] if op.kind in ("gemm", "conv") else ()
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
    for op, unit in zip(trace.ops, assign(units, fallback, trace), strict=True):
        site, number = sites[unit.name]
        plan = plan_op(site, number, op, trace.tensors, (given or {}).get(op.name), memo)
        chosen.append((unit, plan))
    segments = segments_of(trace)
    in_time = resident_tensors(trace, segments, store_room)
    held = frozenset(name for name, stays in in_time.items() if stays)
    ops = _placed(trace, segments, chosen, held, dram)
    return Program(every, ops, segments, dram, room)


def room_of(design: Design) -> tuple[int, int]:
    """Return the buffer's bytes for one engine's tiles, and for results that stay on chip."""
    buffer = design.memories.buffer
    tiles = int(buffer.capacity_bytes * buffer.tile_share) // len(design.engines)
    return tiles, buffer.capacity_bytes - tiles * len(design.engines)


def users_of(trace: Trace) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Return each tensor's producing op and its consuming ops."""
    producer: dict[str, int] = {}
    consumers: dict[str, list[int]] = {}
    for i, op in enumerate(trace.ops):
        for name in op.inputs:
            consumers.setdefault(name, []).append(i)
        for name in op.outputs:
            producer[name] = i
    return producer, consumers


def resident_tensors(
    trace: Trace, segments: tuple[Segment, ...], room_bytes: int | Ints
) -> dict[str, Any]:
    """Return whether tensors stay on chip from producer to last consumer, first come first kept.

    A tensor qualifies if it is one op's only output, is not a result of the model, and is used
    inside its own segment only (what crosses into a repeat of a block goes through DRAM); others
    are not named. For an array of rooms the answers are arrays.
    """
    segment_of = {i: s for s in segments for i in range(s.start, s.stop)}
    producer, consumers = users_of(trace)
    in_use = np.zeros((len(trace.ops) + 1, *np.shape(room_bytes)), np.int64)
    held = {}
    for i, op in enumerate(trace.ops):
        if len(op.outputs) != 1:
            continue
        tensor = trace.tensors[op.outputs[0]]
        users = consumers.get(tensor.name, [])
        if tensor.role != "activation" or not users or producer[tensor.name] != i:
            continue
        if min(users) <= i or any(segment_of[u] is not segment_of[i] for u in users):
            continue
        life = slice(i, max(users) + 1)
        fits = in_use[life].max(axis=0) + tensor.size_bytes <= room_bytes
        in_use[life] += fits * tensor.size_bytes
        held[tensor.name] = fits
    return held


def _placed(
    trace: Trace,
    segments: tuple[Segment, ...],
    chosen: list[tuple[Unit, Plan]],
    held: frozenset[str],
    dram: DramTiming,
) -> tuple[Placed, ...]:
    producer, consumers = users_of(trace)
    last_use = {name: max(users) for name, users in consumers.items()}
    several = len({unit.name for unit, _ in chosen}) > 1
    placed = []
    segment_of: dict[int, Segment | None] = {i: s for s in segments for i in range(s.start, s.stop)}
    segment_of[-1] = None
    used_up: dict[str, int] = {}  # by unit: its latest op that was the last to use a kept tensor
    for i, op in enumerate(trace.ops):
        unit, plan = chosen[i]
        here = segment_of[i]
        held_inputs = tuple(name for name in op.inputs if name in held)
        held_output = bool(op.outputs) and op.outputs[0] in held
        after = {producer[name] for name in op.inputs if name in producer and producer[name] < i}
        if held_output and several:
            # room for the result is free only once the tensors that had it are used up
            after |= set(used_up.values())
        weights = tuple(trace.tensors[name].role == "weight" for name in op.inputs)
        moves = plan.moves(tuple(name in held for name in op.inputs), held_output, weights, dram)
        elsewhere = tuple(sorted(p for p in after if chosen[p][0].name != unit.name))
        carried = any(
            trace.tensors[name].role != "weight" and segment_of[producer.get(name, -1)] is not here
            for name in op.inputs
        )
        placed.append(
            Placed(i, op, unit, plan, moves, elsewhere, held_inputs, held_output, carried)
        )
        if any(last_use[name] == i for name in held_inputs):
            used_up[unit.name] = i
    return tuple(placed)
