"""An engine that archsim has never heard of: its own op kinds, tiles, ports and process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pytest

from archsim import batch
from archsim.design import design_from
from archsim.engines import (
    NO_STALLS,
    Data,
    Engine,
    EngineSpec,
    Env,
    Fmax,
    GemmJobs,
    Ints,
    Jobs,
    NoRtl,
    Port,
    SpecBatch,
    Timing,
    Windows,
    op_kinds,
)
from archsim.errors import ArchsimError
from archsim.mapping import GemmMapping, SliceMapping
from archsim.patterns import Known
from archsim.plan import Memo
from archsim.result import Result
from archsim.simulate import simulate
from archsim.sparse import Csr
from archsim.sparse.product import SparseProduct
from archsim.trace import Op, OpKind, Sampled, Sparse, Tensor, Trace
from archsim.trace_check import check_trace

PRODUCT = OpKind(
    "boolean_product", {"m": int, "n": int, "k": int},
    lambda op: op.int_attr("m") * op.int_attr("n") * op.int_attr("k"), "gemm",
)  # fmt: skip
COUNT = OpKind("popcount", {"work": int})


class GridSpec(EngineSpec):
    """No rows, no cols, no acc_bits: nothing that archsim knows by name."""

    kind: Literal["grid"] = "grid"
    side: int = 8
    dram_ps: int = 0  # that each job holds the DRAM for, all by itself


@dataclass(frozen=True, slots=True)
class CountJobs(Jobs):
    work: Ints


def lower(spec: GridSpec, op: Op, tiles: Any, data: Data | None = None) -> Jobs:
    if op.kind == "popcount":
        return CountJobs(tiles.work)
    return GemmJobs(tiles.m, tiles.n, tiles.k, tiles.accumulate)


def time(spec: GridSpec, jobs: Any, env: Env = NO_STALLS, data: Data | None = None) -> Timing:
    if isinstance(jobs, CountJobs):
        busy, results = -(-jobs.work // 64), np.ones_like(jobs.work)
    else:
        busy = -(-jobs.m // spec.side) * -(-jobs.n // spec.side) * jobs.k
        results = jobs.m
    beats = {"left": busy, "above": busy, "sums": results}
    return Timing(busy, busy + 1, {"busy": busy + 1}, beats, kind="expected", lo=busy, hi=busy)


def process(sim: Any, spec: GridSpec, jobs: Any, ports: Mapping[str, Any]) -> Iterator[Any]:
    """Run jobs one after the other, each fetching something from DRAM half-way."""
    for cycles in time(spec, jobs).occupied.tolist():
        yield sim.timeout(cycles * 1000)
        if spec.dram_ps:
            yield from ports["dram"](spec.dram_ps)


GRID = Engine(
    kind="grid",
    spec=GridSpec,
    accepts=lambda spec, op: op.kind in ("boolean_product", "popcount"),  # type: ignore[arg-type,return-value]
    lower=lower,
    reference=lambda spec, jobs, data: [],
    time=time,
    actions=lambda spec, jobs, timing: {"step": timing.occupied},
    energy_pj=lambda spec, tech: {"step": 2.0},
    area_um2=lambda spec, tech: {"cells": 100.0 * spec.side**2},
    fmax_mhz=lambda spec, tech: Fmax(1000.0, "nobody measured it"),
    lanes=lambda spec: {
        "left": Port("in", spec.side, 1), "above": Port("in", spec.side, 1),
        "sums": Port("out", spec.side, 24),
    },
    rtl=NoRtl("a made-up engine"),
    sum_bits=lambda spec: 24 + 0 * np.asarray(spec.side),
    blocks=lambda spec: (spec.side, spec.side, None),
    op_kinds=(PRODUCT, COUNT),
)  # fmt: skip


def trace() -> Trace:
    tensors = {
        t.name: t
        for t in (
            Tensor("x", (40, 64), "bool", "input"), Tensor("w", (64, 48), "bool", "weight"),
            Tensor("y", (40, 48), "int16"), Tensor("z", (40,), "int32", "output"),
        )
    }  # fmt: skip
    ops = (
        Op("product", "boolean_product", ("x", "w"), ("y",), {"m": 40, "n": 48, "k": 64}),
        Op("count", "popcount", ("y",), ("z",), {"work": 40 * 48}),
    )
    return Trace("t", tensors, ops)


def run(fidelity: Any = "analytic", policy: str = "first", **spec: Any) -> Result:
    engines = {"one": {"kind": "grid", "clock_mhz": 1000, **spec}}
    if policy != "first":
        engines["two"] = engines["one"]
    buffer = {"capacity_bytes": 4096}
    tree = {"engines": engines, "policy": policy, "memories": {"buffer": buffer}}
    return simulate(design_from(tree), trace(), fidelity, batches=3 if policy != "first" else 1)


def test_its_ops_are_planned_and_run_with_no_edit(install: Any) -> None:
    install(GRID)
    check_trace(trace(), op_kinds())
    result, event = run(), run("event")
    assert result.per_op == event.per_op
    product, count = result.per_op
    assert isinstance(result.mappings["product"], GemmMapping)
    assert isinstance(result.mappings["count"], SliceMapping)
    assert product.macs == 40 * 48 * 64
    assert product.jobs > 1  # the buffer does not hold it whole
    assert product.energy_pj["one"] == 2 * sum(product.split_cycles.values())
    assert count.buffer_read_bytes >= 40 * 48 // 64 * 16 // 8
    piped = run(policy="pipeline")
    assert [row.engine for row in piped.per_op] == ["one", "two"]
    assert piped.per_op == run("event", policy="pipeline").per_op


def test_many_designs_go_together(install: Any) -> None:
    install(GRID)
    tree = {"engines": {"one": {"kind": "grid"}}, "memories": {"buffer": {"capacity_bytes": 4096}}}
    sides = (4, 8, 16)
    designs = [design_from(tree | {"engines": {"one": {"kind": "grid", "side": s}}}) for s in sides]
    results = [simulate(design, trace()) for design in designs]
    together = batch.evaluate(designs, trace(), [result.mappings for result in results])
    assert together.cycles.tolist() == [result.metrics.cycles for result in results]


def test_a_process_that_adds_nothing_changes_nothing(install: Any) -> None:
    install(GRID)
    plain = run("event")
    install(replace(GRID, process=process))
    assert run("event").per_resource == plain.per_resource


def test_contention_inside_jobs_makes_event_later_and_is_accounted_for(install: Any) -> None:
    install(replace(GRID, process=process))
    bound, event = run(dram_ps=5000), run("event", dram_ps=5000)
    jobs = sum(row.jobs for row in event.per_op)
    assert event.metrics.time_us > bound.metrics.time_us
    rows = {row.name: row for row in event.per_resource}
    dma_ps = rows["one.dma"].busy_ps
    assert rows["dram"].busy_ps == dma_ps + 5000 * jobs
    assert rows["one"].stall_ps["contention"] >= 5000 * jobs
    for row in event.per_resource:
        assert row.busy_ps + sum(row.stall_ps.values()) + row.idle_ps == row.total_ps


def test_a_process_faster_than_time_is_a_bug_of_the_engine(install: Any) -> None:
    install(replace(GRID, process=lambda sim, spec, jobs, ports: iter(())))
    with pytest.raises(ValueError, match=r"^engine 'grid': process\(\) took \d+ ps less than time"):
        run("event")


def test_a_kind_tiled_as_a_product_needs_its_extents() -> None:
    with pytest.raises(ValueError, match="'half' is tiled as a product: it needs m, n and k"):
        OpKind("half", {"m": int, "n": int}, tiling="gemm")


def clocked(
    spec: GridSpec | SpecBatch, jobs: Any, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """A job takes 100 us, whatever the clock."""
    cycles = (np.asarray(spec.clock_mhz, float) * 100).astype(np.int64) + 0 * jobs.k
    beats = {"left": jobs.k, "above": jobs.k, "sums": jobs.m}
    return Timing(cycles, cycles + 1, {"busy": cycles + 1}, beats)


def test_designs_go_together_where_cycles_depend_on_the_clock(install: Any) -> None:
    install(replace(GRID, accepts=lambda spec, op: True, time=clocked, reads_clock=True))
    tensors = trace().tensors
    small = Trace("s", tensors, trace().ops[:1])
    designs = [
        design_from({"engines": {"one": {"kind": "grid", "clock_mhz": mhz}}}) for mhz in (100, 500)
    ]
    results = [simulate(design, small) for design in designs]
    together = batch.evaluate(designs, small, [result.mappings for result in results])
    assert together.time_ps.tolist() == [round(r.metrics.time_us * 1e6) for r in results]


# --------------------------------------------------------------- weights in a form of their own


def packed(spec: GridSpec | SpecBatch, op: Op, k: Ints, n: Ints) -> Ints:
    """A form of weights that depends on the spec: a word a column and one a row of the array."""
    assert op.kind == "boolean_product"
    return np.asarray(4 * n + -(-k // spec.side))


def test_bytes_of_weights_are_those_of_their_form(install: Any) -> None:
    install(replace(GRID, weight_bytes=packed))
    design = design_from({"engines": {"one": {"kind": "grid", "side": 16, "clock_mhz": 1000}}})
    whole, cut = (
        simulate(design, trace(), mappings={"product": GemmMapping(40, n, 64)}).per_op[0]
        for n in (48, 20)
    )
    assert whole.dram_read_bytes == 40 * 64 + (4 * 48 + 4)
    assert cut.dram_read_bytes == 40 * 64 + 2 * (4 * 20 + 4) + (4 * 8 + 4)
    assert run("event").per_op == run().per_op


def test_designs_go_together_with_weights_of_any_form(install: Any) -> None:
    install(replace(GRID, weight_bytes=packed))
    buffer = {"capacity_bytes": 4096}
    trees = [{"engines": {"one": {"kind": "grid", "side": s}}} for s in (4, 8, 16)]
    designs = [design_from(tree | {"memories": {"buffer": buffer}}) for tree in trees]
    results = [simulate(design, trace()) for design in designs]
    together = batch.evaluate(designs, trace(), [result.mappings for result in results])
    assert together.cycles.tolist() == [result.metrics.cycles for result in results]
    assert together.dram_bytes.tolist() == [result.metrics.dram_bytes for result in results]


def test_what_an_engine_is_programmed_with_is_a_weight(install: Any) -> None:
    install(replace(GRID, weight_bytes=packed))
    given = trace()
    cached = replace(given, tensors={**given.tensors, "w": Tensor("w", (64, 48), "bool", "input")})
    design = design_from({"engines": {"one": {"kind": "grid", "clock_mhz": 1000}}})
    with pytest.raises(ArchsimError) as refused:
        simulate(design, cached)
    assert str(refused.value) == (
        "1 of 2 ops has no engine that accepts it, and the design names no fallback:\n"
        "  product (boolean_product): one: is programmed with B, so it must be a weight, not 'w'"
    )


# ------------------------------------------------------------------------- power that always flows


def test_standing_power_is_shown_by_part_and_charged_for_the_whole_run(install: Any) -> None:
    prices = {"step": 2.0, "leak_ps": 0.5, "leak_ps.readout": 3.0}
    install(replace(GRID, energy_pj=lambda spec, tech: prices))
    result, event = run(), run("event")
    assert result.energy_pj == event.energy_pj
    total_ps = result.per_resource[0].total_ps
    assert result.energy_pj["one.readout"] == 3.0 * total_ps
    assert result.energy_pj["one.leakage"] == 0.5 * total_ps
    assert sum(result.energy_pj.values()) == pytest.approx(result.metrics.energy_pj)


# --------------------------------------------------------------- products cut by patterns

GATHER = OpKind(
    "gather_product", {"m": int, "n": int, "k": int, "products": int},
    lambda op: op.int_attr("products"), "windows", sparse=1,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GatherJobs(Jobs):
    first: Ints
    stop: Ints


def four_rows(spec: GridSpec, op: Op, product: SparseProduct, room_bytes: int) -> Windows:
    """Cut at every fourth row; what is loaded of A are its entries, a byte each."""
    first = np.arange(0, product.m, 4)
    stop = np.minimum(first + 4, product.m)
    none, entries = np.zeros_like(first), product.a.indptr[stop] - product.a.indptr[first]
    return Windows(
        none, first, stop, none, none + product.n, (entries, none), none, stop - first,
        none == 0, room_bytes,
    )  # fmt: skip


def entries_of(
    spec: GridSpec, jobs: GatherJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Take a cycle an entry of A, which the arrays of its pattern tell."""
    assert data is not None
    busy = data["a.indptr"][jobs.stop] - data["a.indptr"][jobs.first]
    return Timing(busy, busy + 1, {"busy": busy + 1}, {"left": busy}, kind="expected")


GATHERER = replace(
    GRID, accepts=lambda spec, op: op.kind == "gather_product", windows=four_rows, time=entries_of,
    lower=lambda spec, op, cut, product: GatherJobs(cut.first, cut.stop), op_kinds=(GATHER,),
    actions=lambda spec, jobs, timing: {"step": timing.occupied},
)  # fmt: skip


def test_an_engine_cuts_products_by_their_patterns(install: Any) -> None:
    install(GATHERER)
    a = Csr.of(np.tril(np.ones((10, 10))))
    tensors = {
        "a": Tensor("a", (10, 10), "int8", "input", Sparse(55, "a")),
        "b": Tensor("b", (10, 3), "int8", "input"), "c": Tensor("c", (10, 3), "int32", "output"),
    }  # fmt: skip
    op = Op("x", "gather_product", ("a", "b"), ("c",), {"m": 10, "n": 3, "k": 10, "products": 165})
    gathered = Trace("t", tensors, (op,), values=a.arrays("a"))
    check_trace(gathered, op_kinds())
    design = design_from({"engines": {"one": {"kind": "grid", "clock_mhz": 1000}}})
    result, event = (simulate(design, gathered, x) for x in ("analytic", "event"))
    assert result.per_op == event.per_op
    (row,) = result.per_op
    assert (row.macs, row.jobs, row.mapping) == (165, 3, "3 windows")
    assert sum(row.split_cycles.values()) == 55 + 3
    assert (row.dram_read_bytes, row.dram_write_bytes) == (55, 10)
    again = simulate(design, gathered, mappings=result.mappings)
    assert again.per_op == result.per_op


# --------------------------------------------------------------- ops cut by their values

SORTED = OpKind("sorted_runs", {"work": int}, lambda op: 2 * op.int_attr("work"), "windows",
                ports=("keys",))  # fmt: skip


def runs_of(spec: GridSpec, op: Op, known: Known, room_bytes: int) -> Windows:
    """Cut a sample where a key is less than the one before it; each stands for ``scale`` others."""
    keys = known.arrays["keys"]
    assert known.scales == {"keys": 4.0}
    cuts = known.once("cuts", lambda: np.flatnonzero(np.diff(keys, prepend=keys[0] + 1) < 0))
    stop = np.append(cuts[1:], len(keys))
    none = np.zeros_like(cuts)
    moved = 4 * (stop - cuts)
    return Windows(none, cuts, stop, none, none, (moved,), none, moved, none == 0, room_bytes)


RUNNER = replace(
    GRID, accepts=lambda spec, op: op.kind == "sorted_runs", windows=runs_of, op_kinds=(SORTED,),
    lower=lambda spec, op, cut, known: CountJobs(64 * (cut.stop - cut.first)),
)  # fmt: skip


def test_an_engine_cuts_ops_by_their_values(install: Any) -> None:
    install(RUNNER)
    keys = np.array([3, 5, 9, 2, 4, 1, 8, 8, 8])
    tensors = {
        "x": Tensor("x", (36,), "int8", "input", Sampled("x.sample", 4.0)),
        "y": Tensor("y", (36,), "int8", "output"),
    }
    trace = Trace("t", tensors, (Op("s", "sorted_runs", ("x",), ("y",), {"work": 36}),),
                  values={"x.sample": keys})  # fmt: skip
    check_trace(trace, op_kinds())
    design = design_from({"engines": {"one": {"kind": "grid", "clock_mhz": 1000}}})
    memo = Memo()
    result, event = (simulate(design, trace, x, memo=memo) for x in ("analytic", "event"))
    assert result.per_op == event.per_op
    (row,) = result.per_op
    assert (row.macs, row.jobs, row.mapping) == (72, 3, "3 windows")
    assert (row.dram_read_bytes, row.dram_write_bytes) == (36, 36)
    assert sum(row.split_cycles.values()) == len(keys) + 3
    values = {"x.sample": np.array([3, 5, 9, 2, 4, 1, 1, 0, 8])}
    assert simulate(design, replace(trace, values=values), memo=memo).per_op[0].jobs == 4
