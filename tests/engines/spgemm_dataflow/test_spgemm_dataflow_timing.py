"""Time and traffic of sparse products on designs: bounds, what is known of dataflows, refusals."""

from __future__ import annotations

import heapq
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from archsim import batch
from archsim.design import design_from, load_design
from archsim.engines import Rate, SpecBatch
from archsim.engines.spgemm_dataflow import ENGINE, FLOWS, SpgemmDataflowSpec
from archsim.engines.spgemm_dataflow.stored import Stored, fetch_bytes
from archsim.errors import ArchsimError, InputError
from archsim.frontends import load
from archsim.frontends.products import trace_of
from archsim.mapping import SliceMapping, WindowMapping
from archsim.result import OpRow, Result
from archsim.simulate import simulate
from archsim.sparse import Csr
from archsim.sparse.generate import poisson, rmat, uniform
from archsim.sparse.product import SparseProduct
from tests.engines.spgemm_dataflow.test_spgemm_dataflow_values import matrices, spec, windows

WIDE = 1 << 26  # bytes of buffer: everything fits
GRAPH, GRID = "rmat@scale=8,edge_factor=8", "poisson@side=6"


def squared(a: Csr) -> SparseProduct:
    return SparseProduct(a, a, a.shape[1])


def run(flow: str, model: str = GRAPH, fidelity: Any = "analytic", **more: Any) -> Result:
    given = {f"engines.spgemm.{name}": value for name, value in more.items() if "__" not in name}
    given |= {name.replace("__", "."): value for name, value in more.items() if "__" in name}
    design = load_design("spgemm_dataflow_like", {"engines.spgemm.dataflow": flow, **given})
    return simulate(design, load(model), fidelity)


def row(result: Result) -> OpRow:
    (found,) = result.per_op
    return found


# ------------------------------------------------------------------------------------- bounds


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 6))
def test_rows_handed_to_pes_in_any_order_take_what_the_bounds_say(
    seed: int, m: int, pes: int
) -> None:
    a, b = (Csr.of(x) for x in matrices(seed, m, 8, 8))
    product, made = SparseProduct(a, b, 8), spec(pes=pes, merge_pes=1)
    _, jobs = windows(made, product, WIDE)
    timing = ENGINE.time(made, jobs)
    free = [0] * pes
    for work in np.random.default_rng(seed).permutation(product.row_products).tolist():
        heapq.heappush(free, heapq.heappop(free) + work)
    assert timing.lo is not None and timing.hi is not None
    ports = timing.lo - timing.split["busy"]  # entries of A that meet nothing come in, too
    assert timing.lo.sum() <= max(*free, 1) + ports.sum() <= timing.hi.sum()
    assert (timing.cycles == timing.lo).all()


@pytest.mark.parametrize("flow", FLOWS)
def test_a_slow_buffer_is_a_stall_and_nothing_else_changes(flow: Any) -> None:
    made, product = spec(dataflow=flow), squared(rmat(6, 256))
    _, jobs = windows(made, product, 4000)
    ideal = ENGINE.time(made, jobs)
    slow = ENGINE.time(made, jobs, {"b": Rate(3, 1, 9), "results": Rate(0, 1, 2)})
    for timing in (ideal, slow):
        assert (sum(timing.split.values()) == timing.occupied).all()
        assert (timing.occupied == timing.cycles + 1).all()
    assert (slow.split["busy"] == ideal.split["busy"]).all()
    beats = ideal.beats["b"]
    assert (slow.cycles >= np.where(beats > 0, 3 + 9 * beats, 0)).all()
    assert slow.split["stall.b"].sum() > 0 == ideal.split["stall.b"].sum()


def test_many_specs_at_once_are_each_of_them() -> None:
    specs = [spec(pes=pes, merge_pes=pes, value_bits=bits) for pes, bits in ((1, 8), (7, 64))]
    _, jobs = windows(specs[0], squared(rmat(6, 256)), 4000)
    jobs = jobs.take(np.array([0, 0]))
    both = ENGINE.time(SpecBatch(specs), jobs)
    for i, one in enumerate(specs):
        alone = ENGINE.time(one, jobs.take(np.array([i])))
        assert both.cycles[i] == alone.cycles[0]
        assert both.hi is not None and alone.hi is not None and both.hi[i] == alone.hi[0]


# ------------------------------------------------------------------------------------- designs


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("model", [GRAPH, "uniform@rows=200,density=0.02,columns=9"])
def test_traffic_and_work_add_up_in_a_design(flow: Any, model: str) -> None:
    small = {"memories__buffer__capacity_bytes": 1 << 15}
    result, event = (run(flow, model, fidelity, **small) for fidelity in ("analytic", "event"))
    assert result.per_op == event.per_op
    op = row(result)
    parts = [op.counts[name] for name in ("a_bytes", "b_bytes", "partial_bytes", "c_bytes")]
    assert op.dram_read_bytes + op.dram_write_bytes == sum(parts)
    assert op.macs == op.counts["products"] == load(model).macs()
    assert op.kind_of_time == "bound"
    assert op.bounds_cycles["lo"] == sum(op.split_cycles.values()) <= op.bounds_cycles["hi"]
    assert result.metrics.tied_percent == 0
    ratio = result.metrics.extra["spgemm_traffic_ratio"]
    assert ratio == pytest.approx(sum(parts) / op.figures["least_bytes"])
    assert ratio >= 1
    assert isinstance(result.mappings["product"], WindowMapping)


def test_designs_go_together_with_it() -> None:
    trace = load(GRAPH)
    given = [{"engines.spgemm.pes": pes, "engines.spgemm.merge_pes": 1} for pes in (2, 16)]
    designs = [load_design("spgemm_dataflow_like", x) for x in given]
    alone = [simulate(design, trace) for design in designs]
    together = batch.evaluate(designs, trace, [x.mappings for x in alone])
    assert together.cycles.tolist() == [x.metrics.cycles for x in alone]
    assert together.dram_bytes.tolist() == [x.metrics.dram_bytes for x in alone]


def test_a_layer_of_a_graph_network_is_two_products() -> None:
    result = run("row_merge", "gcn@scale=8,features=100,hidden=8")
    combine, aggregate = result.per_op
    assert (combine.kind, aggregate.kind) == ("spmm", "spmm")
    assert "combined" in aggregate.on_chip  # its result waits in the buffer
    assert result.metrics.macs == load("gcn@scale=8,features=100,hidden=8").macs()


def test_a_host_takes_what_no_engine_does() -> None:
    host = {"reason": "a host", "ns_per_element": 1, "pj_per_element": 1}
    design = load_design("tpu_like", {"fallback": host})
    result = simulate(design, load(GRAPH))
    assert row(result).engine == "fallback"
    assert row(result).occupied_ps >= 1000 * load(GRAPH).macs()


# ------------------------------------------------------------------------------------- trends

MATRICES = {
    "graph": rmat(9, 4096), "mild graph": rmat(10, 8192, (0.48, 0.11, 0.11)),
    "grid": poisson(27, 8), "even": uniform(500, 500, 1500),
}  # fmt: skip


def bytes_of(flow: str, product: SparseProduct, room: int = WIDE, **fields: Any) -> dict[str, int]:
    _, jobs = windows(spec(dataflow=flow, **fields), product, room)
    parts = ("a_bytes", "b_bytes", "partial_bytes", "c_bytes")
    return {part: int(getattr(jobs, part).sum()) for part in parts}


@pytest.mark.parametrize("name", MATRICES)
def test_outer_over_row_merge_tends_to_twice_the_compression_and_one(name: str) -> None:
    product = squared(MATRICES[name])
    room = min(product.products, 8000) * 12  # all of B fits, partial products do not
    room = max(room, 2 * product.a.entries * 12)
    outer, rows = (
        sum(bytes_of(flow, product, room, line_bytes=8).values()) for flow in ("outer", "row_merge")
    )
    compression = product.products / product.results
    limit, operands = 2 * compression + 1, 2 * product.a.entries / product.results
    assert outer / rows == pytest.approx(limit, rel=1.5 * operands + 0.1)
    assert outer > rows


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_inner_products_of_single_rows_never_beat_rows_fetched_each_time(
    seed: int, m: int, k: int, n: int
) -> None:
    a, b = (Csr.of(x) for x in matrices(seed, m, k, n))
    product = SparseProduct(a, b, n)
    single = {"stationary_share": 1e-9}  # neither a second row of A nor any of B has room
    inner = bytes_of("inner", product, WIDE, **single)["b_bytes"]
    fetched = bytes_of("row_merge", product, WIDE, line_bytes=8, **single)["b_bytes"]
    stored = Stored.of(product)
    each = fetch_bytes(product, stored, 8)
    assert fetched == each[a.indices].sum()
    assert inner >= product.products * stored.b  # what rows are without pointers and lines


@pytest.mark.parametrize("name", MATRICES)
def test_a_larger_buffer_never_moves_more(name: str) -> None:
    product = squared(MATRICES[name])
    for flow in FLOWS:
        moved = [sum(bytes_of(flow, product, 1 << size).values()) for size in (14, 17, 20, 26)]
        pointers = 8 * product.m * 60  # windows are cut elsewhere: a few pointers more
        assert all(more <= less + pointers for less, more in pairwise(moved))


def test_short_rows_want_small_lines_and_long_ones_do_not_care() -> None:
    """A few entries a row against 27: DRAM bytes with lines of 64 bytes over those with 8."""
    short, long = (
        [bytes_of("row_merge", squared(a), 4000, line_bytes=size)["b_bytes"] for size in (8, 64)]
        for a in (uniform(3000, 3000, 7500), poisson(27, 10))
    )
    assert short[1] / short[0] > 1.7
    assert 1 < long[1] / long[0] < 1.2


def test_skewed_rows_leave_pes_idle_and_even_ones_do_not() -> None:
    def imbalance(a: Csr) -> float:
        made = spec(pes=64)
        _, jobs = windows(made, squared(a), 1 << 22)
        timing = ENGINE.time(made, jobs)
        return float(timing.split["busy"].sum() / timing.counts["even_cycles"].sum())

    assert imbalance(rmat(10, 16_384)) > 1.5
    assert imbalance(poisson(27, 12)) < 1.05


def test_bandwidth_helps_what_waits_for_it() -> None:
    slow = {"memories__dram__channels": 1, "memories__buffer__capacity_bytes": 1 << 17}
    slow |= {"pes": 4, "merge_pes": 4}
    gains = {
        flow: run(flow, **slow).metrics.time_us
        / run(flow, **{**slow, "memories__dram__channels": 2}).metrics.time_us
        for flow in FLOWS
    }
    assert gains["outer"] > 1.6  # partial products go to DRAM and back
    assert gains["inner"] < 1.1  # comparisons of rows and columns that have little in common


def test_no_order_of_loops_is_best_everywhere() -> None:
    times = {
        model: {flow: run(flow, model, merge_ways=2).metrics.time_us for flow in FLOWS}
        for model in (GRAPH, "pruned@outputs=64,inputs=64,vectors=64,density=0.6")
    }
    assert min(times[GRAPH], key=times[GRAPH].__getitem__) == "row_merge"
    assert times[GRAPH]["inner"] > 2 * times[GRAPH]["row_merge"]
    layer = times["pruned@outputs=64,inputs=64,vectors=64,density=0.6"]
    assert layer["inner"] <= layer["row_merge"]


# ------------------------------------------------------------------------------------- refusals


def test_what_no_engine_takes_is_named() -> None:
    with pytest.raises(ArchsimError) as refused:
        simulate(load_design("tpu_like"), load(GRAPH))
    assert str(refused.value).startswith(
        "1 of 1 op has no engine that accepts it, and the design names no fallback:\n"
        "  product (spgemm): mxu: a systolic array multiplies matrices (gemm, conv); it has no "
        "spgemm; vpu: "
    )
    with pytest.raises(ArchsimError) as refused:
        simulate(load_design("spgemm_dataflow_like"), load("resnet50"))
    assert "spgemm: a sparse-product engine runs spgemm and spmm, not conv" in str(refused.value)
    a = sparse.csr_array(np.eye(3) * 1j)
    with pytest.raises(ArchsimError, match=r"computes on bf16, bool, .*, not complex128$"):
        simulate(load_design("spgemm_dataflow_like"), trace_of(a))


def test_patterns_leave_no_choice_of_mapping() -> None:
    with pytest.raises(InputError) as refused:
        simulate(
            load_design("spgemm_dataflow_like"), load(GRAPH), mappings={"product": SliceMapping(2)}
        )
    assert str(refused.value) == (
        "mapping of 'product': must be left out: its engine cuts it by its operands, not '2 slices'"
    )


def test_mergers_are_pes() -> None:
    with pytest.raises(ValueError, match="merge_pes must be at most pes, 4, not 5"):
        spec(merge_pes=5)


# ------------------------------------------------------------------------------------- cost


def test_cost_is_that_of_measured_lanes_and_the_clock_is_assumed() -> None:
    from archsim.tech import load as load_tech

    tech, made = load_tech("freepdk45"), SpgemmDataflowSpec(pes=8, merge_pes=8)
    lanes = [tech.lane(bits) for bits in (64, 32)]
    assert ENGINE.area_um2(made, tech)["pes"] == 8 * sum(x.area_um2 for x in lanes)
    energy = ENGINE.energy_pj(made, tech)
    assert energy["multiply"] == pytest.approx(lanes[0].op_pj)
    assert energy["step"] == lanes[1].op_pj
    many = SpecBatch([made, SpgemmDataflowSpec(value_bits=16)])
    for face in (ENGINE.area_um2, ENGINE.energy_pj):
        both = face(many, tech)
        for i, one in enumerate(many.specs()):
            each = {name: np.broadcast_to(x, 2)[i] for name, x in both.items()}
            assert each == pytest.approx(dict(face(one, tech)))
    assert np.isinf(ENGINE.fmax_mhz(made, tech).mhz)
    tree = {"engines": {"x": {"kind": "spgemm_dataflow"}}}
    with pytest.raises(ArchsimError, match="no engine of the design has a synthesised one"):
        simulate(design_from(tree), load(GRAPH))
