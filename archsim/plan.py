"""One op on one engine: its tiles, its jobs' timing, and the bytes that each tile moves.

A plan does not know where in the trace its op stands, so equal layers share one; `Memo` keeps them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import numpy as np

from archsim.design import Clock, Sram
from archsim.engines import Engine, Ints, Timing
from archsim.flow import Flow
from archsim.mapper import Objective
from archsim.mapping import Mapping as OpMapping
from archsim.memory import DramTiming
from archsim.trace import Trace

MAX_SITES = 1024  # engines in surroundings that a memo tells apart at a time
MAX_FLOWS = 16  # traces
MAX_COSTS = 4096


@dataclass(frozen=True, slots=True)
class Unit:
    """An engine of a design: its name there, its record, its spec and its clock."""

    name: str
    engine: Engine
    spec: Any
    clock: Clock


@dataclass(frozen=True, slots=True)
class Site:
    """An engine in its surroundings: all that a plan depends on besides the op.

    Parameters
    ----------
    node
        Technology, for the objectives that weigh energy.
    room_bytes
        Buffer that the op's tiles may take.
    """

    unit: Unit
    buffer: Sram
    dram: DramTiming
    room_bytes: int
    node: str
    objective: Objective


@dataclass(frozen=True, slots=True)
class Moves:
    """What DMA and engine do for one op, step by step; times in ps, ``cycles`` of the engine.

    Parameters
    ----------
    prefetch_ps
        Loads of the first step that depend on nothing (weights): issued before the previous op's
        last store.
    load_ps, whole_load_ps
        Loads of each step; the first without what can be prefetched, and with it.
    store_ps
        Store after each step; 0 where a result stays on chip.
    cycles
        Cycles that each step's jobs hold the engine.
    """

    prefetch_ps: int
    prefetch_bytes: int
    load_ps: list[int]
    whole_load_ps: list[int]
    store_ps: list[int]
    cycles: list[int]
    read_bytes: int
    write_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The tiles of one op on one engine.

    Parameters
    ----------
    jobs, timing
        One row a step; a step runs its job ``repeat`` times.
    load_bytes
        Bytes of each step, by input of the op.
    partial_bytes
        Partial sums reloaded before each step.
    store_bytes, final
        Bytes stored after each step, and whether they are results rather than partial sums.
    totals
        Totals over all steps of the timing's split, beats and the engine's actions, and more:
        what tables and energy need.
    buffer_bytes
        Room that the tiles take.
    """

    mapping: OpMapping
    jobs: Any
    timing: Timing
    repeat: Ints
    load_bytes: tuple[Ints, ...]
    partial_bytes: Ints
    store_bytes: Ints
    final: Any
    totals: Mapping[str, Mapping[str, int]]
    buffer_bytes: int
    _moves: dict[Hashable, Moves] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return len(self.repeat)

    def moves(
        self,
        held_inputs: tuple[bool, ...],
        held_output: bool,
        weights: tuple[bool, ...],
        dram: DramTiming,
    ) -> Moves:
        """Return what DMA does, given which operands stay on chip and which are weights."""
        key = (held_inputs, held_output, weights)  # a plan is of one site, so of one DRAM
        if key not in self._moves:
            self._moves[key] = self._make_moves(*key, dram)
        return self._moves[key]

    def _make_moves(
        self,
        held_inputs: tuple[bool, ...],
        held_output: bool,
        weights: tuple[bool, ...],
        dram: DramTiming,
    ) -> Moves:
        loads = self.partial_bytes.copy()
        first = 0
        for size_bytes, held, weight in zip(self.load_bytes, held_inputs, weights, strict=True):
            if held:
                continue
            loads += size_bytes
            if weight:
                first += int(size_bytes[0])
        stores = np.where(self.final & held_output, 0, self.store_bytes)
        whole_load_ps = dram.transfer_ps(loads).tolist()
        prefetch_ps, rest_ps = dram.transfer_ps(np.array([first, loads[0] - first])).tolist()
        return Moves(
            prefetch_ps=prefetch_ps,
            prefetch_bytes=first,
            whole_load_ps=whole_load_ps,
            load_ps=[rest_ps, *whole_load_ps[1:]],
            store_ps=dram.transfer_ps(stores).tolist(),
            cycles=(self.timing.occupied * self.repeat).tolist(),
            read_bytes=int(loads.sum()),
            write_bytes=int(stores.sum()),
        )


T = TypeVar("T")


class Memo:
    """Plans by everything that enters them; the least recently used go when it is full.

    Beside them, what is found once of traces, engines and memories.

    Parameters
    ----------
    max_steps
        Tiles kept in all, which bounds memory whatever the layers.
    """

    def __init__(self, max_steps: int = 200_000) -> None:
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._max_steps = max_steps
        self._steps = 0
        self._sites: OrderedDict[Hashable, int] = OrderedDict()
        self._numbers = count()
        self._flows: OrderedDict[int, Flow] = OrderedDict()
        self._costs: OrderedDict[Hashable, Any] = OrderedDict()

    def site(self, site: Site) -> int:
        """Return a number that stands for a site: it is hashed once, not once an op."""
        key: tuple[Hashable, ...] = (
            site.unit.engine.kind,
            site.unit.spec,
            site.unit.clock,
            site.buffer,
            site.dram,
        )
        key += (site.room_bytes, site.node, site.objective)
        if key not in self._sites:
            self._sites[key] = next(self._numbers)
            if len(self._sites) > MAX_SITES:
                self._sites.popitem(last=False)
        return self._sites[key]

    def flow(self, trace: Trace) -> Flow:
        """Return what flows in a trace."""
        flow = self._flows.get(id(trace))
        if flow is None:  # an entry keeps its trace alive, so that no other gets its id
            flow = self._flows[id(trace)] = Flow.of(trace)
            if len(self._flows) > MAX_FLOWS:
                self._flows.popitem(last=False)
        return flow

    def cost(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return what ``find`` does: it is called once a key."""
        if key not in self._costs:
            self._costs[key] = find()
            if len(self._costs) > MAX_COSTS:
                self._costs.popitem(last=False)
        found: T = self._costs[key]
        return found

    def get(self, key: Hashable) -> Plan | None:
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
        return plan

    def put(self, key: Hashable, plan: Plan) -> None:
        self._plans[key] = plan
        self._steps += plan.steps
        while self._steps > self._max_steps and len(self._plans) > 1:
            _, old = self._plans.popitem(last=False)
            self._steps -= old.steps
