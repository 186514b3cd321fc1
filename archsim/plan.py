"""One op on one engine: its tiles, its jobs' timing, and the bytes that each tile moves.

A plan does not know where in the trace its op stands, so equal layers share one; `Memo` keeps them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import numpy as np

from archsim.design import Clock, Sram
from archsim.engines import Data, Engine, Env, Floats, Ints, TimingKind
from archsim.flow import Flow
from archsim.mapper import Objective
from archsim.mapping import Mapping as OpMapping
from archsim.memory import DramTiming, port_env
from archsim.operands import Level, Operands
from archsim.patterns import Patterns
from archsim.trace import Trace

BLOCK_STEPS = 1 << 13  # that are in memory at a time
MAX_SITES = 1024  # engines in surroundings that a memo tells apart at a time
MAX_FLOWS = 16  # traces
MAX_COSTS = 4096
LEAK = "leak_ps"  # the reserved action


@dataclass(frozen=True, slots=True)
class Unit:
    """An engine of a design: its name there, its record, its spec and its clock."""

    name: str
    engine: Engine
    spec: Any
    clock: Clock


def standing_pj(energy_pj: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a picosecond costs an engine whatever it does, by part: its leakage, and more."""
    found = {"leakage": energy_pj.get(LEAK, 0.0)}
    named = {n: pj for n, pj in energy_pj.items() if n.startswith(f"{LEAK}.")}
    return found | {name.removeprefix(f"{LEAK}."): pj for name, pj in named.items()}


def env_of(unit: Unit, buffer: Sram) -> Env:
    """Return the pace that the buffer keeps on an engine's ports."""
    return port_env(buffer, unit.engine.lanes(unit.spec))


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
class Tiles:
    """Steps, a row each: their jobs, how often each runs, and the bytes that move; see `Block`.

    Parameters
    ----------
    starts
        The first job of each step, where steps have several; else a step has the job of its row.
    data
        Tiles of operands by the refs that jobs carry.
    """

    jobs: Any
    repeat: Ints
    load_bytes: tuple[Ints, ...]
    partial_bytes: Ints
    store_bytes: Ints
    final: Any
    starts: Ints | None = None
    data: Data | None = None

    def by_step(self, amounts: Ints) -> Ints:
        """Return the sum over each step's jobs of what one run of a job takes."""
        all_runs = amounts * self.repeat
        return all_runs if self.starts is None else np.add.reduceat(all_runs, self.starts)


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive steps of a plan, a row each.

    Parameters
    ----------
    cycles
        That the step's jobs hold the engine.
    load_bytes
        By input of the op.
    partial_bytes
        Partial sums reloaded before each step.
    store_bytes, final
        Bytes stored after each step, and whether they are results rather than partial sums.
    figures
        Those of `Engine.step_figures`, as means over each step's cycles.
    """

    cycles: Ints
    load_bytes: tuple[Ints, ...]
    partial_bytes: Ints
    store_bytes: Ints
    final: Any
    figures: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moves:
    """What DMA and engine do for one op; times in ps.

    Parameters
    ----------
    prefetch_ps
        Loads of the first step that depend on nothing (weights): issued before the previous op's
        last store.
    first_ps, whole_first_ps
        Load of the first step, without what can be prefetched, and with it.
    dma_ps, last_ps
        All loads and stores but that first load; the last of the stores.
    blocks
        Load, store (0 where a result stays on chip) and cycles of the engine, of each step.
    """

    prefetch_ps: int
    prefetch_bytes: int
    first_ps: int
    whole_first_ps: int
    dma_ps: int
    last_ps: int
    read_bytes: int
    write_bytes: int
    blocks: Callable[[], Iterable[tuple[Ints, Ints, Ints]]]

    def steps(self, first_load_ps: int) -> Iterator[tuple[int, int, int]]:
        """Yield load, store and cycles of each step, given the first load."""
        first = True
        for load_ps, store_ps, cycles in self.blocks():
            loads = load_ps.tolist()
            if first:
                loads[0], first = first_load_ps, False
            yield from zip(loads, store_ps.tolist(), cycles.tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """The tiles of one op on one engine.

    Parameters
    ----------
    blocks
        All steps in order. A plan of one block keeps it; those of a long one are made again each
        time, so that memory is bounded whatever the layer.
    totals
        Totals over all steps of the timing's split, beats and the engine's actions, and more:
        what tables and energy need.
    kind_of_time
        See `Timing.kind`.
    values
        What was known of the operands that the engine's time depends on; None if on none.
    figures
        The engine's own: `Engine.figures`.
    buffer_bytes
        Room that the tiles take.
    jobs
        The engine's jobs of a step, one row an execution.
    """

    mapping: OpMapping
    steps: int
    blocks: Callable[[], Iterable[Block]]
    totals: Mapping[str, Mapping[str, int]]
    kind_of_time: TimingKind
    values: Level | None
    figures: Mapping[str, float]
    buffer_bytes: int
    jobs: Callable[[int], Any]
    _moves: dict[Hashable, Moves] = field(default_factory=dict)

    def figures_by_step(self) -> Iterator[Mapping[str, float]]:
        """Yield the figures of each step, of an engine that has some."""
        for block in self.blocks():
            columns = [values.tolist() for values in block.figures.values()]
            for row in zip(*columns, strict=True):
                yield dict(zip(block.figures, row, strict=True))

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

    def alone_ps(self, clock: Clock, dram: DramTiming) -> int:
        """Return the op's time with nothing on chip and no other engine: see `mapper`."""
        inputs = len(next(iter(self.blocks())).load_bytes)
        moves = self.moves((False,) * inputs, False, (False,) * inputs, dram)
        compute_ps = clock.edge_ps(sum(self.totals["split"].values()))
        ends_ps = moves.whole_first_ps + moves.last_ps + dram.latency_ps
        return ends_ps + max(compute_ps, moves.dma_ps - moves.last_ps)

    def _make_moves(
        self,
        held_inputs: tuple[bool, ...],
        held_output: bool,
        weights: tuple[bool, ...],
        dram: DramTiming,
    ) -> Moves:
        def moved(block: Block) -> tuple[Ints, Ints]:
            pairs = zip(block.load_bytes, held_inputs, strict=True)
            loads = sum((size for size, held in pairs if not held), block.partial_bytes)
            stores = np.where(block.final, 0, block.store_bytes) if held_output else None
            return loads, block.store_bytes if stores is None else stores

        def timed(block: Block) -> tuple[Ints, Ints, Ints]:
            loads, stores = moved(block)
            return dram.transfer_ps(loads), dram.transfer_ps(stores), block.cycles

        prefetch_bytes = first_bytes = read_bytes = write_bytes = dma_ps = 0
        kept = []
        for number, block in enumerate(self.blocks()):
            loads, stores = moved(block)
            if number == 0:
                first_bytes = int(loads[0])
                inputs = zip(block.load_bytes, held_inputs, weights, strict=True)
                prefetch_bytes = sum(int(x[0]) for x, held, own in inputs if own and not held)
            kept = [timed(block)]
            load_ps, store_ps, _ = kept[0]
            read_bytes += int(loads.sum())
            write_bytes += int(stores.sum())
            dma_ps += int(load_ps.sum() + store_ps.sum())
        sizes = np.array([prefetch_bytes, first_bytes - prefetch_bytes, first_bytes])
        prefetch_ps, first_ps, whole_first_ps = dram.transfer_ps(sizes).tolist()
        return Moves(
            prefetch_ps, prefetch_bytes, first_ps, whole_first_ps, dma_ps - whole_first_ps,
            int(kept[-1][1][-1]), read_bytes, write_bytes,
            (lambda: kept) if self.steps <= BLOCK_STEPS else (lambda: map(timed, self.blocks())),
        )  # fmt: skip


T = TypeVar("T")


class Memo:
    """Plans by everything that enters them; the least recently used go when it is full.

    Beside them, what is found once of traces, engines and memories.

    Parameters
    ----------
    max_steps
        Steps kept in all, which bounds memory whatever the layers.
    """

    def __init__(self, max_steps: int = 200_000) -> None:
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._max_steps = max_steps
        self._steps = 0
        self._sites: OrderedDict[Hashable, int] = OrderedDict()
        self._numbers = count()
        self._flows: OrderedDict[int, tuple[Flow, Operands, Patterns]] = OrderedDict()
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
        return self._of_trace(trace)[0]

    def operands(self, trace: Trace) -> Operands:
        """Return what a trace knows of its products' operands."""
        return self._of_trace(trace)[1]

    def patterns(self, trace: Trace) -> Patterns:
        """Return what a trace knows of its sparse matrices."""
        return self._of_trace(trace)[2]

    def _of_trace(self, trace: Trace) -> tuple[Flow, Operands, Patterns]:
        found = self._flows.get(id(trace))
        if found is None:  # an entry keeps its trace alive, so that no other gets its id
            found = self._flows[id(trace)] = Flow.of(trace), Operands(trace), Patterns(trace)
            if len(self._flows) > MAX_FLOWS:
                self._flows.popitem(last=False)
        return found

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
        self._steps += min(plan.steps, BLOCK_STEPS)
        while self._steps > self._max_steps and len(self._plans) > 1:
            _, old = self._plans.popitem(last=False)
            self._steps -= min(old.steps, BLOCK_STEPS)
