"""Planning one op on one engine: the mapping, its jobs and their timing, the bytes of each tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from archsim.engines import Engine, GemmJobs, Ints, Rate, Timing, op_kinds
from archsim.errors import ArchsimError, InfeasibleError, InputError
from archsim.flow import Flow
from archsim.mapper import Machine, footprint_bytes, search
from archsim.mapping import GemmMapping, Loops, SliceMapping, WindowMapping, places_at, steps_at
from archsim.mapping import Mapping as OpMapping
from archsim.operands import Tiles as OperandTiles
from archsim.operands import Values
from archsim.patterns import Known
from archsim.plan import (
    BLOCK_STEPS,
    Block,
    Memo,
    Plan,
    Site,
    Tiles,
    Unit,
    env_of,
    standing_pj,
)
from archsim.product import ConvShape, Product
from archsim.slices import MAX_SLICES, Whole, search_slices, slice_tiles
from archsim.sparse.product import SparseProduct
from archsim.trace import DTYPE_BITS, Op, Packed, Tensor, Trace, as_gemm, conv_output

MAX_STEPS = 50_000_000  # of an op: half a minute
KINDS_OF_TIME = ("exact", "expected", "bound")  # the last counts
Tensors = Mapping[str, Tensor]


def plan_op(
    site: Site,
    number: int,
    flow: Flow,
    index: int,
    given: Mapping[str, OpMapping] | None,
    memo: Memo,
) -> Plan:
    """Return the plan of an op of a trace on an engine, searched unless a mapping is given.

    Parameters
    ----------
    number
        What `Memo.site` says of the site.

    Raises
    ------
    InfeasibleError
        If no tile fits the buffer, or the given ones do not.
    """
    op, shapes = flow.trace.ops[index], flow.links[index].shapes
    mapping = given.get(f"{op.name}@{site.unit.name}", given.get(op.name)) if given else None
    values = _values(site.unit, op, flow.trace, memo)
    key = (number, op.kind, tuple(op.attrs.items()), shapes, mapping, values and values.key)
    plan = memo.get(key)
    if plan is None:
        try:
            if isinstance(values, SparseProduct | Known):
                plan = _plan_windows(site, op, mapping, values)
            else:
                make = _plan_product if is_product(site.unit, op) else _plan_slices
                plan = make(site, op, flow.trace.tensors, mapping, values)
        except InfeasibleError as fault:
            raise InfeasibleError(
                f"op {op.name!r}: {fault.what}", demand=fault.demand, bound=fault.bound,
                unit=fault.unit, levers=fault.levers,
            ) from None  # fmt: skip
        memo.put(key, plan)
    return plan


# --------------------------------------------------------------------------------------- products


def is_product(unit: Unit, op: Op) -> bool:
    """Return whether the op is tiled as a matrix product: on an array, not on a fallback host."""
    return unit.engine.sum_bits is not None and op_kinds()[op.kind].tiling == "gemm"


def _values(unit: Unit, op: Op, trace: Trace, memo: Memo) -> Values | SparseProduct | Known | None:
    """Return what is known of the operands that an engine's time depends on; None if on none."""
    kind = op_kinds()[op.kind]
    if unit.engine.windows is not None and kind.tiling == "windows":
        patterns = memo.patterns(trace)
        return patterns.product(op) if kind.sparse else patterns.values(op, kind.ports)
    ports = unit.engine.reads_values(unit.spec)
    return memo.operands(trace).of(op, ports) if ports and is_product(unit, op) else None


def product_of(
    op: Op, tensors: Tensors, acc_bits: Any, stored: Callable[[Ints, Ints], Ints] | None = None
) -> Product:
    """Return an op as the mapper sees it; ``acc_bits``: what `Engine.sum_bits` says."""
    a, b = (tensors[name] for name in op.inputs[:2])
    conv = None
    if op.kind == "conv":
        (kh, kw), (out_h, out_w) = op.ints_attr("kernel"), conv_output(op)
        conv = ConvShape(
            op.int_attr("height"), op.int_attr("width"), out_h, out_w, kh, kh * kw,
            op.ints_attr("stride")[0], op.ints_attr("dilation")[0], op.ints_attr("pad")[0],
        )  # fmt: skip
    a_bits, b_bits, c_bits = (DTYPE_BITS[x.dtype] for x in (a, b, tensors[op.outputs[0]]))
    return Product(as_gemm(op), a_bits, b_bits, c_bits, acc_bits, conv, stored)


def stored_by(
    engine: Engine, spec: Any, op: Op, tensors: Tensors
) -> Callable[[Ints, Ints], Ints] | None:
    """Return the bytes that an engine reads for tiles of B; None where it reads B as it is."""
    if engine.weight_bytes is not None:
        return partial(engine.weight_bytes, spec, op)
    b = tensors[op.inputs[1]]
    if not isinstance(b.data, Packed):
        return None
    packed, elements, bits = b.data, b.elements, DTYPE_BITS[b.dtype]
    return lambda k, n: np.asarray(packed.size_bytes(k * n / elements, bits))


def machine_of(site: Site, lowered: Callable[[GemmJobs], Any] = lambda jobs: jobs) -> Machine:
    """Return what the mapping objective needs to know of an engine in its surroundings.

    Parameters
    ----------
    lowered
        Returns the engine's own jobs, where extents alone do not say how long one takes.
    """
    unit, env = site.unit, env_of(site.unit, site.buffer)
    time = unit.engine.estimate or unit.engine.time

    def occupied(jobs: GemmJobs) -> Ints:
        # paced ports enter by their bandwidth: exact stalls of every candidate would cost too much
        timing = time(unit.spec, lowered(jobs))
        cycles = timing.occupied
        for port, pace in env.items():
            assert isinstance(pace, Rate)
            cycles = np.maximum(cycles, -(-timing.beats[port] * pace.q // pace.p))
        return cycles

    prices = (0.0, 0.0, 0.0)
    if site.objective in ("energy", "edp"):
        from archsim.tech import load  # noqa: PLC0415

        tech = load(site.node)
        energy = unit.engine.energy_pj(unit.spec, tech)
        byte_pj = 8 * tech.dram().pj_per_bit + tech.link().pj_per_byte
        prices = (byte_pj, energy.get("mac", 0.0), sum(standing_pj(energy).values()))
    return Machine(
        unit.engine.blocks(unit.spec), site.room_bytes, occupied, site.dram.ps_per_byte,
        site.dram.latency_ps, unit.clock.period_ps, *prices,
    )  # fmt: skip


def _plan_product(
    site: Site, op: Op, tensors: Tensors, given: OpMapping | None, values: Values | None
) -> Plan:
    engine, spec = site.unit.engine, site.unit.spec
    assert engine.sum_bits is not None
    product = product_of(op, tensors, engine.sum_bits(spec), stored_by(engine, spec, op, tensors))
    machine = (
        machine_of(site)
        if values is None
        else machine_of(site, lambda jobs: engine.lower(spec, op, jobs, values.tallies))
    )
    mapping = given or search(product, machine, site.objective)
    if not isinstance(mapping, GemmMapping) or not mapping.cuts(product.gemm):
        g = product.gemm
        raise InputError(
            f"mapping of {op.name!r}", f"must have m, n, k within {g.m}, {g.n}, {g.k}, an order of "
            f"mnk, resident operands of abc, and groups within {g.groups}, above 1 only for whole "
            "products", str(given),
        )  # fmt: skip
    loops, extra = Loops.of(product, mapping), extra_bytes(op, tensors)
    results = product.c_bits + (loops.trips_k - 1) * product.acc_bits  # bits, partial sums included
    g = product.gemm
    return _plan(
        op, site, mapping, loops.count,
        lambda step: product_tiles(engine, spec, op, product, loops, extra, step, values),
        footprint_bytes(product, mapping), g.macs, g.m * g.n * g.groups * results // 8,
        values=values,
    )  # fmt: skip


def extra_bytes(op: Op, tensors: Tensors) -> tuple[int, ...]:
    """Return the bytes of a product's inputs beyond A and B: bias and the like."""
    return tuple(tensors[name].size_bytes for name in op.inputs[2:])


def product_tiles(
    engine: Engine,
    spec: Any,
    op: Op,
    product: Product,
    loops: Loops,
    extra: tuple[int, ...],
    step: Ints,
    values: Values | None = None,
) -> Tiles:
    """Return steps of a product: of one mapping, or with a spec and loops for each row.

    Values, of one mapping alone, make a job of each group of a step: they take different times.
    """
    x = steps_at(product, loops, step)
    once = (size * (step == 0) for size in extra)  # loaded before the first tile
    moved = ((x.a_bytes, x.b_bytes, *once), x.c_bytes, x.store_bytes, x.final)
    if values is None:
        return Tiles(engine.lower(spec, op, x), x.repeat, *moved)
    jobs = engine.lower(spec, op, x, values.tallies)
    if not values.matrices:
        return Tiles(jobs, x.repeat, *moved)
    starts = np.cumsum(x.repeat) - x.repeat
    of_step = np.repeat(np.arange(len(step)), x.repeat)
    each, tiles = jobs.take(of_step), OperandTiles(values.matrices)
    places = places_at(loops, step[of_step], np.arange(len(each)) - starts[of_step])
    each = replace(each, refs=tiles.refs(places, each))
    return Tiles(each, np.ones(len(each), np.int64), *moved, starts, tiles)


# --------------------------------------------------------------------------------------- slices


def _plan_slices(
    site: Site, op: Op, tensors: Tensors, given: OpMapping | None, _values: Values | None
) -> Plan:
    whole = Whole.of(op, tensors)
    mapping = search_slices(site, op, whole) if given is None else given
    if not isinstance(mapping, SliceMapping) or not 0 < mapping.slices <= MAX_SLICES:
        wrong = str(given)
        raise InputError(f"mapping of {op.name!r}", f"must have 1 to {MAX_SLICES} slices", wrong)
    engine, spec, count = site.unit.engine, site.unit.spec, mapping.slices
    return _plan(
        op, site, mapping, count, lambda step: slice_tiles(engine, spec, op, whole, count, step),
        whole.room_bytes(count), op_kinds()[op.kind].macs(op), None, whole.element_bits,
    )  # fmt: skip


# --------------------------------------------------------------------------------------- windows


def _plan_windows(
    site: Site, op: Op, given: OpMapping | None, known: SparseProduct | Known
) -> Plan:
    engine, spec = site.unit.engine, site.unit.spec
    assert engine.windows is not None
    windows = engine.windows(spec, op, known, site.room_bytes)
    mapping = WindowMapping(len(windows))
    if given not in (None, mapping):
        raise InputError(
            f"mapping of {op.name!r}", "must be left out: its engine cuts it by its operands",
            str(given),
        )  # fmt: skip
    jobs, data = engine.lower(spec, op, windows, known), known.arrays

    def tiles(step: Ints) -> Tiles:
        return Tiles(
            jobs.take(step), np.ones_like(step), tuple(x[step] for x in windows.load_bytes),
            windows.partial_bytes[step], windows.store_bytes[step], windows.final[step], data=data,
        )  # fmt: skip

    macs = op_kinds()[op.kind].macs(op)
    return _plan(op, site, mapping, len(windows), tiles, windows.room_bytes, macs, None)


# --------------------------------------------------------------------------------------- both


def _plan(
    op: Op,
    site: Site,
    mapping: OpMapping,
    steps: int,
    tiles: Callable[[Ints], Tiles],
    room_bytes: int,
    macs: int,
    result_bytes: int | None,
    element_bits: Mapping[str, int] = MappingProxyType({}),
    values: Values | None = None,
) -> Plan:
    """Return a plan of steps.

    Parameters
    ----------
    result_bytes
        What output ports write, if not their beats.
    element_bits
        By direction: of elements that the buffer extends to a lane's width or cuts from it.
    """
    engine, spec = site.unit.engine, site.unit.spec
    if steps > MAX_STEPS:
        raise ArchsimError(
            f"op {op.name!r}: {mapping} makes {steps:,} buffer tiles, and at most {MAX_STEPS:,} "
            "are planned; raise memories.buffer.capacity_bytes or give a mapping with larger tiles"
        )
    if room_bytes > site.room_bytes:
        raise InfeasibleError(
            f"the given mapping {mapping}", demand=room_bytes, bound=site.room_bytes,
            unit="bytes of buffer", levers=("make its tiles smaller",),
        )  # fmt: skip
    env = env_of(site.unit, site.buffer)

    def timed(first: int) -> tuple[Tiles, Timing, Block]:
        x = tiles(np.arange(first, min(first + BLOCK_STEPS, steps), dtype=np.int64))
        timing = engine.time(spec, x.jobs, env, x.data)
        cycles = x.by_step(timing.occupied)
        own = engine.figures(spec, x.jobs) if engine.figures and engine.step_figures else {}
        means = {n: x.by_step(own[n] * timing.occupied) / cycles for n in engine.step_figures}
        block = Block(cycles, x.load_bytes, x.partial_bytes, x.store_bytes, x.final, means)
        return x, timing, block

    def jobs_of(step: int) -> Any:
        x = tiles(np.array([step], np.int64))
        return x.jobs.take(np.repeat(np.arange(len(x.repeat)), x.repeat))

    split: dict[str, int] = {}
    beats: dict[str, int] = {}
    actions: dict[str, int] = {}
    counts: dict[str, int] = {}
    bounds: dict[str, int] = {}
    figures: dict[str, float] = {}
    jobs, kinds, kept = 0, set(), []
    for first in range(0, steps, BLOCK_STEPS):
        x, timing, block = timed(first)
        _add(split, timing.split, x.repeat)
        _add(beats, timing.beats, x.repeat)
        _add(actions, engine.actions(spec, x.jobs, timing), x.repeat)
        _add(counts, timing.counts, x.repeat)
        _add(bounds, _bounds(timing), x.repeat)
        if engine.figures is not None:
            for name, value in engine.figures(spec, x.jobs).items():
                weighted = float(np.sum(value * timing.occupied * x.repeat))
                figures[name] = figures.get(name, 0.0) + weighted
        jobs += int(x.repeat.sum())
        kinds.add(timing.kind)
        kept = [block]
    moved = {"in": 0, "out": 0}
    for name, port in engine.lanes(spec).items():
        bits = min(
            port.bits, element_bits.get(port.direction, port.bits) if port.shares else port.bits
        )
        moved[port.direction] += beats.get(name, 0) * port.lanes * bits // 8
    if result_bytes is not None:
        moved["out"] = result_bytes
    totals = {
        "split": split,
        "beats": beats,
        "actions": actions,
        "counts": counts,
        "bounds": bounds,
        "moved_bytes": moved,
        "work": {"jobs": jobs, "macs": macs},
    }
    starts = range(0, steps, BLOCK_STEPS)
    kind = max(kinds, key=KINDS_OF_TIME.index)
    return Plan(
        mapping, steps,
        (lambda: kept) if steps <= BLOCK_STEPS else (lambda: (timed(first)[2] for first in starts)),
        totals, kind, None if values is None else values.level,
        {name: value / sum(split.values()) for name, value in figures.items()},
        room_bytes, jobs_of,
    )  # fmt: skip


def _bounds(timing: Timing) -> Mapping[str, Ints]:
    """Return the least and most that jobs occupy the engine; nothing where that is known."""
    if timing.kind == "exact" or timing.lo is None or timing.hi is None:
        return {}
    after = timing.occupied - timing.cycles
    return {"lo": timing.lo + after, "hi": timing.hi + after}


def _add(totals: dict[str, int], table: Mapping[str, Ints], repeat: Ints) -> None:
    if not table:
        return
    sums = np.stack(list(table.values())) @ repeat
    for name, value in zip(table, sums, strict=True):
        totals[name] = totals.get(name, 0) + int(value)
