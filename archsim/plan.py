"""One op on one engine: its tiles, its jobs' timing, and the bytes that each tile moves.

A plan does not know where in the trace its op stands, so equal layers share one; `Memo` keeps them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from archsim.design import Clock, Design
from archsim.engines import Engine, GemmJobs, Ints, Timing
from archsim.errors import InfeasibleError, InputError
from archsim.mapping import (
    ConvShape,
    GemmMapping,
    Machine,
    Objective,
    Product,
    SliceMapping,
    footprint_bytes,
    search,
    steps,
)
from archsim.mapping import Mapping as OpMapping
from archsim.memory import DramTiming, port_env
from archsim.trace import DTYPE_BITS, Op, Tensor, as_gemm, conv_output

MAX_SLICES = 1 << 16


@dataclass(frozen=True, slots=True)
class Unit:
    """An engine of a design: its name there, its record, its spec and its clock."""

    name: str
    engine: Engine
    spec: Any
    clock: Clock


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
        key = (held_inputs, held_output, weights, dram)
        if key not in self._moves:
            self._moves[key] = self._make_moves(*key)
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
        rest = loads.copy()
        rest[0] -= first
        stores = np.where(self.final & held_output, 0, self.store_bytes)
        return Moves(
            prefetch_ps=int(dram.transfer_ps(np.array([first]))[0]),
            prefetch_bytes=first,
            whole_load_ps=dram.transfer_ps(loads).tolist(),
            load_ps=dram.transfer_ps(rest).tolist(),
            store_ps=dram.transfer_ps(stores).tolist(),
            cycles=(self.timing.occupied * self.repeat).tolist(),
            read_bytes=int(loads.sum()),
            write_bytes=int(stores.sum()),
        )


class Memo:
    """Plans by everything that enters them; the least recently used go when it is full.

    Parameters
    ----------
    max_steps
        Tiles kept in all, which bounds memory whatever the layers.
    """

    def __init__(self, max_steps: int = 200_000) -> None:
        self._plans: OrderedDict[Hashable, Plan] = OrderedDict()
        self._max_steps = max_steps
        self._steps = 0

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


def plan_op(
    unit: Unit,
    op: Op,
    tensors: Mapping[str, Tensor],
    design: Design,
    dram: DramTiming,
    room_bytes: int,
    objective: Objective,
    given: OpMapping | None,
    memo: Memo,
) -> Plan:
    """Return the plan of an op on a unit, searched unless a mapping is given."""
    shapes = tuple(
        (tensors[name].size_bytes, tensors[name].dtype) for name in (*op.inputs, *op.outputs)
    )
    repeated = tuple(op.inputs.index(name) for name in op.inputs)  # x * x loads x once
    key = (
        op.kind, tuple(op.attrs.items()), shapes, repeated, len(op.inputs), unit.spec, unit.clock,
        design.memories.buffer, design.node, dram, room_bytes, objective, given,
    )  # fmt: skip
    plan = memo.get(key)
    if plan is None:
        make = _plan_product if is_product(unit, op) else _plan_slices
        try:
            plan = make(unit, op, tensors, design, dram, room_bytes, objective, given)
        except InfeasibleError as fault:
            raise InfeasibleError(
                f"op {op.name!r}: {fault.what}", demand=fault.demand, bound=fault.bound,
                unit=fault.unit, levers=fault.levers,
            ) from None  # fmt: skip
        memo.put(key, plan)
    return plan


# ---------------------------------------------------------------------------------------- products


def is_product(unit: Unit, op: Op) -> bool:
    """Return whether the op is tiled as a matrix product: on an array, not on a fallback host."""
    return op.kind in ("gemm", "conv") and "rows" in type(unit.spec).model_fields


def product_of(op: Op, tensors: Mapping[str, Tensor], acc_bits: int) -> Product:
    """Return an op as the mapper sees it."""
    a, b = (tensors[name] for name in op.inputs[:2])
    conv = None
    if op.kind == "conv":
        (kh, kw), (out_h, out_w) = op.ints_attr("kernel"), conv_output(op)
        conv = ConvShape(
            op.int_attr("height"), op.int_attr("width"), out_h, out_w, kh, kh * kw,
            op.ints_attr("stride")[0], op.ints_attr("dilation")[0], op.ints_attr("pad")[0],
        )  # fmt: skip
    bits = (DTYPE_BITS[x.dtype] for x in (a, b, tensors[op.outputs[0]]))
    return Product(as_gemm(op), *bits, acc_bits=acc_bits, conv=conv)


def machine_of(
    unit: Unit, design: Design, dram: DramTiming, room_bytes: int, objective: Objective
) -> Machine:
    """Return what the mapping objective needs to know of an engine in its design."""
    lanes = dict(unit.engine.lanes(unit.spec))
    env = port_env(design.memories.buffer, lanes, reads=("a", "b", "c"))

    def occupied(jobs: GemmJobs) -> Ints:
        return unit.engine.time(unit.spec, jobs, env).occupied

    prices = (0.0, 0.0, 0.0)
    if objective != "time":
        from archsim.tech import load  # noqa: PLC0415

        tech = load(design.node)
        energy = unit.engine.energy_pj(unit.spec, tech)
        prices = (8 * tech.dram().pj_per_bit, energy.get("mac", 0.0), energy.get("leak_ps", 0.0))
    return Machine(
        unit.spec.rows, unit.spec.cols, room_bytes, occupied, dram.ps_per_byte, dram.latency_ps,
        unit.clock.period_ps, *prices,
    )  # fmt: skip


def _plan_product(
    unit: Unit,
    op: Op,
    tensors: Mapping[str, Tensor],
    design: Design,
    dram: DramTiming,
    room_bytes: int,
    objective: Objective,
    given: OpMapping | None,
) -> Plan:
    product = product_of(op, tensors, unit.spec.acc_bits)
    if given is None:
        given = search(product, machine_of(unit, design, dram, room_bytes, objective), objective)
    elif not isinstance(given, GemmMapping):
        raise InputError(f"mapping of {op.name!r}", "must have m, n and k", given)
    tiles = steps(product, given)
    jobs = unit.engine.lower(unit.spec, op, tiles)
    env = port_env(design.memories.buffer, dict(unit.engine.lanes(unit.spec)), ("a", "b", "c"))
    extra = []
    for name in op.inputs[2:]:  # bias and the like: small, loaded once before the first tile
        extra.append(np.zeros(len(tiles.m), np.int64))
        extra[-1][0] = tensors[name].size_bytes
    return _plan(
        unit, given, jobs, env, tiles.repeat, (tiles.a_bytes, tiles.b_bytes, *extra),
        tiles.c_bytes, tiles.store_bytes, tiles.final, product.gemm.macs,
        footprint_bytes(product, given),
        int((tiles.m * tiles.n * tiles.repeat
             * np.where(tiles.final, product.c_bits, product.acc_bits)).sum()) // 8,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------- slices


@dataclass(frozen=True, slots=True)
class Slices:
    """Even slices of an op: what `Engine.lower` gets for ops that are not products."""

    work: Ints


def _even(total: int, parts: int) -> Ints:
    """Split a total into parts that differ by at most one."""
    edges = np.arange(parts + 1, dtype=np.int64) * total // parts
    return np.diff(edges)


def _plan_slices(
    unit: Unit,
    op: Op,
    tensors: Mapping[str, Tensor],
    design: Design,
    dram: DramTiming,
    room_bytes: int,
    objective: Objective,
    given: OpMapping | None,
) -> Plan:
    distinct = dict.fromkeys(op.inputs)
    output = sum(tensors[name].size_bytes for name in op.outputs)
    # a move reads no more than it writes: a gather, the rows that it picks of its table
    most = output if op.kind == "move" else None
    sizes = {n: min(tensors[n].size_bytes, most or tensors[n].size_bytes) for n in distinct}
    work = op.attrs.get("work")
    elements = sum(tensors[name].elements for name in op.outputs)
    work = work if isinstance(work, int) else max(elements, 1)
    env = port_env(design.memories.buffer, dict(unit.engine.lanes(unit.spec)), ("in",))
    if given is None:
        given = _search_slices(unit, op, sum(sizes.values()), output, work, dram, room_bytes, env)
    elif not isinstance(given, SliceMapping):
        raise InputError(f"mapping of {op.name!r}", "must have slices", given)
    count = given.slices
    loads = {name: _even(size, count) for name, size in sizes.items()}
    nothing = np.zeros(count, np.int64)
    by_input = [loads.pop(name, nothing) for name in op.inputs]
    jobs = unit.engine.lower(unit.spec, op, Slices(np.maximum(_even(work, count), 1)))
    return _plan(
        unit, given, jobs, env, np.ones(count, np.int64), tuple(by_input), nothing,
        _even(output, count), np.ones(count, bool), 0,
        2 * (-(-sum(sizes.values()) // count) + -(-output // count)),
    )  # fmt: skip


def _search_slices(
    unit: Unit,
    op: Op,
    input_bytes: int,
    output_bytes: int,
    work: int,
    dram: DramTiming,
    room_bytes: int,
    env: Any,
) -> SliceMapping:
    """Return the power-of-two number of slices with the least time by the mapping objective."""
    most = min(MAX_SLICES, max(work, 1))
    counts = 2 ** np.arange(most.bit_length(), dtype=np.int64)
    need = 2 * (-(-input_bytes // counts) + -(-output_bytes // counts))
    fits = need <= room_bytes
    if not fits.any():
        raise InfeasibleError(
            "the smallest slice", demand=int(need.min()), bound=room_bytes,
            unit="bytes of buffer", levers=("raise memories.buffer.capacity_bytes",),
        )  # fmt: skip
    counts = counts[fits]
    jobs = unit.engine.lower(unit.spec, op, Slices(-(-work // counts)))
    cycles = unit.engine.time(unit.spec, jobs, env).occupied * counts
    period = unit.clock.period_ps
    compute_ps = -(-cycles * period.numerator // period.denominator)
    first = dram.transfer_ps(-(-input_bytes // counts))
    last = dram.transfer_ps(-(-output_bytes // counts))
    dma_ps = (first + last) * counts
    time_ps = first + last + np.maximum(compute_ps, dma_ps - first - last)
    return SliceMapping(int(counts[np.argmin(time_ps)]))


def _plan(
    unit: Unit,
    mapping: OpMapping,
    jobs: Any,
    env: Any,
    repeat: Ints,
    load_bytes: tuple[Ints, ...],
    partial_bytes: Ints,
    store_bytes: Ints,
    final: Any,
    macs: int,
    buffer_bytes: int,
    result_bytes: int | None = None,
) -> Plan:
    timing = unit.engine.time(unit.spec, jobs, env)
    actions = unit.engine.actions(unit.spec, jobs, timing)

    def total(table: Mapping[str, Ints]) -> dict[str, int]:
        return {name: int((values * repeat).sum()) for name, values in table.items()}

    lanes = unit.engine.lanes(unit.spec)
    beats = total(timing.beats)
    moved = {p: beats[p] * lanes[p] // 8 for p in beats if p in lanes}
    if result_bytes is not None:
        moved["result"] = result_bytes
    totals = {
        "split": total(timing.split),
        "beats": beats,
        "actions": total(actions),
        "moved_bytes": moved,
        "work": {
            "occupied": int((timing.occupied * repeat).sum()),
            "jobs": int(repeat.sum()),
            "macs": macs,
        },
    }
    return Plan(
        mapping, jobs, timing, repeat, load_bytes, partial_bytes, store_bytes, final, totals,
        buffer_bytes,
    )  # fmt: skip
