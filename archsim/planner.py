"""Planning one op on one engine: the mapping, its jobs and their timing, the bytes of each tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from archsim.design import Sram
from archsim.engines import Engine, Env, GemmJobs, Ints, Rate, Timing, op_kinds
from archsim.errors import ArchsimError, InfeasibleError, InputError
from archsim.flow import Flow
from archsim.mapper import Machine, footprint_bytes, search
from archsim.mapping import STREAM_TILES, GemmMapping, Loops, SliceMapping, steps_at
from archsim.mapping import Mapping as OpMapping
from archsim.memory import port_env
from archsim.plan import BLOCK_STEPS, Block, Memo, Plan, Site, Unit
from archsim.product import ConvShape, Product
from archsim.trace import DTYPE_BITS, Op, Tensor, as_gemm, conv_output

MAX_SLICES = 1 << 16
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
    key = (number, op.kind, tuple(op.attrs.items()), shapes, mapping)
    plan = memo.get(key)
    if plan is None:
        make = _plan_product if is_product(site.unit, op) else _plan_slices
        try:
            plan = make(site, op, flow.trace.tensors, mapping)
        except InfeasibleError as fault:
            raise InfeasibleError(
                f"op {op.name!r}: {fault.what}", demand=fault.demand, bound=fault.bound,
                unit=fault.unit, levers=fault.levers,
            ) from None  # fmt: skip
        memo.put(key, plan)
    return plan


def env_of(unit: Unit, buffer: Sram) -> Env:
    """Return the pace that the buffer keeps on an engine's ports."""
    return port_env(buffer, unit.engine.lanes(unit.spec))


# --------------------------------------------------------------------------------------- products


def is_product(unit: Unit, op: Op) -> bool:
    """Return whether the op is tiled as a matrix product: on an array, not on a fallback host."""
    return unit.engine.sum_bits is not None and op_kinds()[op.kind].tiling == "gemm"


def product_of(op: Op, tensors: Tensors, acc_bits: Any) -> Product:
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
    return Product(as_gemm(op), a_bits, b_bits, c_bits, acc_bits, conv)


def machine_of(site: Site) -> Machine:
    """Return what the mapping objective needs to know of an engine in its surroundings."""
    unit, env = site.unit, env_of(site.unit, site.buffer)

    def occupied(jobs: GemmJobs) -> Ints:
        # paced ports enter by their bandwidth: exact stalls of every candidate would cost too much
        timing = unit.engine.time(unit.spec, jobs)
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
        prices = (byte_pj, energy.get("mac", 0.0), energy.get("leak_ps", 0.0))
    return Machine(
        unit.engine.blocks(unit.spec), site.room_bytes, occupied, site.dram.ps_per_byte,
        site.dram.latency_ps, unit.clock.period_ps, *prices,
    )  # fmt: skip


def _plan_product(site: Site, op: Op, tensors: Tensors, given: OpMapping | None) -> Plan:
    engine, spec = site.unit.engine, site.unit.spec
    assert engine.sum_bits is not None
    product = product_of(op, tensors, engine.sum_bits(spec))
    mapping = given or search(product, machine_of(site), site.objective)
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
        lambda step: product_tiles(engine, spec, op, product, loops, extra, step),
        footprint_bytes(product, mapping), g.macs, g.m * g.n * g.groups * results // 8,
    )  # fmt: skip


def extra_bytes(op: Op, tensors: Tensors) -> tuple[int, ...]:
    """Return the bytes of a product's inputs beyond A and B: bias and the like."""
    return tuple(tensors[name].size_bytes for name in op.inputs[2:])


@dataclass(frozen=True, slots=True)
class Tiles:
    """Steps, a row each: the job, how often it runs, and the bytes that move; see `plan.Block`."""

    jobs: Any
    repeat: Ints
    load_bytes: tuple[Ints, ...]
    partial_bytes: Ints
    store_bytes: Ints
    final: Any


def product_tiles(
    engine: Engine,
    spec: Any,
    op: Op,
    product: Product,
    loops: Loops,
    extra: tuple[int, ...],
    step: Ints,
) -> Tiles:
    """Return steps of a product: of one mapping, or with a spec and loops for each row."""
    x = steps_at(product, loops, step)
    once = (size * (step == 0) for size in extra)  # loaded before the first tile
    loads = (x.a_bytes, x.b_bytes, *once)
    return Tiles(engine.lower(spec, op, x), x.repeat, loads, x.c_bytes, x.store_bytes, x.final)


# --------------------------------------------------------------------------------------- slices


@dataclass(frozen=True, slots=True)
class Slices:
    """Even slices of an op: what `Engine.lower` gets for ops that are not products.

    Parameters
    ----------
    work, results
        Of each slice: work in the engine's unit, and elements that it writes.
    all_results, operands, dtypes
        Of the whole op: elements that it writes, elements of each input, types of inputs and
        outputs.
    """

    work: Ints
    results: Ints
    all_results: int
    operands: tuple[int, ...]
    dtypes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """What an op that is not a product reads, writes and works, to be cut into slices.

    Parameters
    ----------
    input_bytes
        By input of the op; what it reads twice counts once.
    work
        In the engine's unit: lane operations, or elements.
    results, operands, dtypes
        See `Slices`.
    element_bits
        By direction: of what the op reads first, and of what it writes.
    """

    input_bytes: tuple[int, ...]
    output_bytes: int
    work: int
    results: int
    operands: tuple[int, ...]
    dtypes: tuple[str, ...]
    element_bits: Mapping[str, int]

    @classmethod
    def of(cls, op: Op, tensors: Tensors) -> Whole:
        output = sum(tensors[name].size_bytes for name in op.outputs)
        # a move reads no more than it writes: a gather, the rows that it picks of its table
        most = output if op.kind == "move" else None
        sizes = {n: min(tensors[n].size_bytes, most or tensors[n].size_bytes) for n in op.inputs}
        inputs = tuple(sizes.pop(name, 0) for name in op.inputs)
        asked = op.attrs.get("work")
        elements = max(sum(tensors[name].elements for name in op.outputs), 1)
        firsts = {"in": op.inputs[:1], "out": op.outputs[:1]}
        return cls(
            inputs, output, asked if isinstance(asked, int) else elements, elements,
            tuple(tensors[name].elements for name in op.inputs),
            tuple(tensors[name].dtype for name in (*op.inputs, *op.outputs)),
            {way: DTYPE_BITS[tensors[n].dtype] for way, names in firsts.items() for n in names},
        )  # fmt: skip

    def slices(self, work: Ints, results: Ints) -> Slices:
        """Return slices of so much work and so many results; an empty one counts as one."""
        return Slices(
            np.maximum(work, 1), np.maximum(results, 1), self.results, self.operands, self.dtypes
        )

    def room_bytes(self, slices: Any) -> Any:
        """Return the buffer bytes of two slices: the one in use and the one being loaded."""
        return STREAM_TILES * (
            -(-sum(self.input_bytes) // slices) + -(-self.output_bytes // slices)
        )


def slice_of(total: int, slices: Any, number: Ints) -> Ints:
    """Return what the numbered slices have of a total: slices differ by at most one."""
    return np.asarray((number + 1) * total // slices - number * total // slices)


def _plan_slices(site: Site, op: Op, tensors: Tensors, given: OpMapping | None) -> Plan:
    whole = Whole.of(op, tensors)
    mapping = _search_slices(site, op, whole) if given is None else given
    if not isinstance(mapping, SliceMapping) or not 0 < mapping.slices <= MAX_SLICES:
        wrong = str(given)
        raise InputError(f"mapping of {op.name!r}", f"must have 1 to {MAX_SLICES} slices", wrong)
    engine, spec, count = site.unit.engine, site.unit.spec, mapping.slices
    return _plan(
        op, site, mapping, count, lambda step: slice_tiles(engine, spec, op, whole, count, step),
        whole.room_bytes(count), op_kinds()[op.kind].macs(op), None, whole.element_bits,
    )  # fmt: skip


def slice_tiles(engine: Engine, spec: Any, op: Op, whole: Whole, slices: Any, step: Ints) -> Tiles:
    """Return slices of an op: of one mapping, or with a spec and a number of slices for each."""
    own = whole.slices(slice_of(whole.work, slices, step), slice_of(whole.results, slices, step))
    loads = tuple(slice_of(size, slices, step) for size in whole.input_bytes)
    store = slice_of(whole.output_bytes, slices, step)
    ones = np.ones_like(step)
    return Tiles(engine.lower(spec, op, own), ones, loads, 0 * ones, store, ones > 0)


def _search_slices(site: Site, op: Op, whole: Whole) -> SliceMapping:
    """Return the power-of-two number of slices with the least time by the mapping objective.

    All of them move the same bytes and do the same work, so that is the least of every objective.
    """
    unit, dram = site.unit, site.dram
    counts = 2 ** np.arange(min(MAX_SLICES, max(whole.work, 1)).bit_length(), dtype=np.int64)
    counts = counts[counts <= MAX_SLICES]
    need = whole.room_bytes(counts)
    fits = need <= site.room_bytes
    if not fits.any():
        raise InfeasibleError(
            "the smallest slice", demand=int(need.min()), bound=site.room_bytes,
            unit="bytes of buffer", levers=("raise memories.buffer.capacity_bytes",),
        )  # fmt: skip
    counts = counts[fits]
    own = whole.slices(-(-whole.work // counts), -(-whole.results // counts))
    jobs = unit.engine.lower(unit.spec, op, own)
    cycles = unit.engine.time(unit.spec, jobs, env_of(unit, site.buffer)).occupied * counts
    period = unit.clock.period_ps
    compute_ps = -(-cycles * period.numerator // period.denominator)
    first = dram.transfer_ps(-(-sum(whole.input_bytes) // counts))
    last = dram.transfer_ps(-(-whole.output_bytes // counts))
    dma_ps = (first + last) * counts
    time_ps = first + last + np.maximum(compute_ps, dma_ps - first - last)
    return SliceMapping(int(counts[np.argmin(time_ps)]))


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
        timing = engine.time(spec, x.jobs, env)
        cycles = timing.occupied * x.repeat
        return x, timing, Block(cycles, x.load_bytes, x.partial_bytes, x.store_bytes, x.final)

    def jobs_of(step: int) -> Any:
        x = tiles(np.array([step], np.int64))
        return x.jobs.take(np.zeros(int(x.repeat[0]), np.int64))

    split: dict[str, int] = {}
    beats: dict[str, int] = {}
    actions: dict[str, int] = {}
    counts: dict[str, int] = {}
    jobs, kinds, kept = 0, set(), []
    for first in range(0, steps, BLOCK_STEPS):
        x, timing, block = timed(first)
        _add(split, timing.split, x.repeat)
        _add(beats, timing.beats, x.repeat)
        _add(actions, engine.actions(spec, x.jobs, timing), x.repeat)
        _add(counts, timing.counts, x.repeat)
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
        "moved_bytes": moved,
        "work": {"jobs": jobs, "macs": macs},
    }
    starts = range(0, steps, BLOCK_STEPS)
    return Plan(
        mapping, steps,
        (lambda: kept) if steps <= BLOCK_STEPS else (lambda: (timed(first)[2] for first in starts)),
        totals, max(kinds, key=KINDS_OF_TIME.index), room_bytes, jobs_of,
    )  # fmt: skip


def _add(totals: dict[str, int], table: Mapping[str, Ints], repeat: Ints) -> None:
    if not table:
        return
    sums = np.stack(list(table.values())) @ repeat
    for name, value in zip(table, sums, strict=True):
        totals[name] = totals.get(name, 0) + int(value)
