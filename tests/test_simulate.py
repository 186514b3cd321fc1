"""The two fidelities against each other, conservation laws, and what simulate() refuses."""

from __future__ import annotations

import dataclasses
from collections import Counter
from functools import partial
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archsim import analytic, kernel
from archsim.design import Design, design_from, load_design, shipped
from archsim.engines import discover
from archsim.errors import ArchsimError, InfeasibleError, InputError
from archsim.frontends import load
from archsim.mapping import GemmMapping, SliceMapping
from archsim.plan import Memo
from archsim.result import Result
from archsim.schedule import build
from archsim.simulate import CONVOLUTION, simulate, units_of
from archsim.tech import load as load_tech
from archsim.timeline import fold_repeats
from archsim.trace import Op, Tensor, Trace
from tests.traces import LENGTH, designs, traces


def both(design: Design, trace: Trace) -> tuple[Result, Result]:
    memo = Memo()
    try:
        return simulate(design, trace, memo=memo), simulate(design, trace, "event", memo=memo)
    except InfeasibleError:
        assume(False)  # a tile that no buffer of this size holds
        raise


@settings(max_examples=120, deadline=None)
@given(designs(), traces())
def test_analytic_equals_event_for_one_engine(design: Design, trace: Trace) -> None:
    bound, event = both(design, trace)
    assert bound.per_op == event.per_op
    assert bound.per_resource == event.per_resource
    assert dataclasses.replace(bound.metrics, fidelity="event") == event.metrics


@pytest.mark.slow
@settings(max_examples=250 * LENGTH, deadline=None)
@given(designs(), traces())
def test_analytic_equals_event_for_one_engine_at_length(design: Design, trace: Trace) -> None:
    bound, event = both(design, trace)
    assert bound.per_resource == event.per_resource


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(designs(vector=True), traces(vector=True))
def test_analytic_equals_event_for_two_engines(design: Design, trace: Trace) -> None:
    bound, event = both(design, trace)
    assert bound.per_op == event.per_op
    assert bound.per_resource == event.per_resource
    assert dataclasses.replace(bound.metrics, fidelity="event") == event.metrics


@settings(max_examples=80, deadline=None)
@given(designs(vector=True), traces(vector=True))
def test_time_bytes_work_and_energy_are_conserved(design: Design, trace: Trace) -> None:
    for result in both(design, trace):
        for row in result.per_resource:
            parts = (row.busy_ps, row.idle_ps, *row.stall_ps.values())
            assert min(parts) >= 0
            assert sum(parts) == row.total_ps
        rows = {row.name: row for row in result.per_resource}
        moved = sum(op.dram_read_bytes + op.dram_write_bytes for op in result.per_op)
        assert moved == rows["dram"].size_bytes == result.metrics.dram_bytes
        assert moved == sum(r.size_bytes for r in result.per_resource if r.kind == "dma")
        assert result.metrics.macs == trace.macs() == sum(op.macs for op in result.per_op)
        for name in design.engines:
            mine = [op for op in result.per_op if op.engine == name]
            held = sum(op.occupied_ps for op in mine)
            waits: Counter[str] = Counter()
            for op in mine:
                waits.update(op.wait_ps)
            assert held + waits.total() + rows[name].idle_ps == rows[name].total_ps
        assert result.metrics.energy_pj == pytest.approx(sum(result.energy_pj.values()))
        assert result.metrics.area_mm2 == pytest.approx(sum(result.area_um2.values()) / 1e6)


@settings(max_examples=40, deadline=None)
@given(designs(vector=True), traces(vector=True))
def test_spans_of_a_resource_never_overlap_and_fill_its_busy_time(
    design: Design, trace: Trace
) -> None:
    trace = dataclasses.replace(
        trace, ops=tuple(dataclasses.replace(op, block="", repeat=1) for op in trace.ops)
    )
    _, event = both(design, trace)
    busy: Counter[str] = Counter()
    end: Counter[str] = Counter()
    for span in event.spans:
        assert span.start_ps >= end[span.resource]
        end[span.resource] = span.end_ps
        busy[span.resource] += span.end_ps - span.start_ps
    for row in event.per_resource:
        if row.kind == "dma":
            assert busy[row.name] == row.busy_ps


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(designs(vector=True), traces(vector=True), st.sampled_from([analytic.run, kernel.run]))
def test_folding_repeats_changes_nothing(design: Design, trace: Trace, run: Any) -> None:
    check_folding(design, trace, run)


@pytest.mark.slow
@settings(max_examples=250 * LENGTH, deadline=None)
@given(designs(vector=True), traces(vector=True), st.sampled_from([analytic.run, kernel.run]))
def test_folding_repeats_changes_nothing_at_length(design: Design, trace: Trace, run: Any) -> None:
    check_folding(design, trace, run)


def check_folding(design: Design, trace: Trace, run: Any) -> None:
    """Counting the periodic rounds of a block equals running every one of them."""
    units, _ = units_of(design, load_tech(design.node))
    try:
        program = build(design, trace, units, None)
    except InfeasibleError:
        assume(False)
    folded = fold_repeats(program, partial(run, program), 10**7)
    full = run(program, {})
    assert folded.total_ps == full.total_ps
    occupied: Counter[Any] = Counter()
    for execution, weight in folded.weighted():
        occupied[execution.op] += execution.occupied_ps * weight
        for cause, ps in execution.wait_ps.items():
            occupied[execution.op, cause] += ps * weight
    for execution in full.executions:
        occupied[execution.op] -= execution.occupied_ps
        for cause, ps in execution.wait_ps.items():
            occupied[execution.op, cause] -= ps
    assert not any(occupied.values())


def test_the_memo_changes_nothing() -> None:
    design, trace = load_design("tpu_like"), load("mobilenet_v2")
    memo = Memo(max_steps=50)  # far too small: plans come and go
    cold = simulate(design, trace)
    assert simulate(design, trace, memo=memo) == cold
    assert simulate(design, trace, memo=memo) == cold


def of_networks() -> list[str]:
    """Return the shipped designs that take whole networks: products of any two operands too."""
    any_two = {k for k, e in discover().items() if e.sum_bits is not None and not e.weight_bytes}
    every = {name: load_design(name).engines.values() for name in shipped()}
    return [name for name, specs in every.items() if any_two & {spec.kind for spec in specs}]


@pytest.mark.parametrize("name", of_networks())
@pytest.mark.parametrize("model", ["resnet50", "mobilenet_v2", "bert_base", "gpt2_decode"])
def test_shipped_designs_stay_within_the_published_margin(name: str, model: str) -> None:
    bound, event = both(load_design(name), load(model))
    assert 0.8 <= bound.metrics.time_us / event.metrics.time_us <= 1
    assert 0 < bound.metrics.utilisation <= 1


def test_results_that_fit_stay_on_chip() -> None:
    trace = load("resnet50")
    small = simulate(load_design("tpu_like", {"memories.buffer.tile_share": 1.0}), trace)
    large = simulate(load_design("tpu_like", {"memories.buffer.capacity_bytes": 1 << 26}), trace)
    assert not any(op.on_chip for op in small.per_op)
    assert all(op.on_chip for op in large.per_op)
    # weights, the image and the scores are all that is left
    assert large.metrics.dram_bytes < small.metrics.dram_bytes
    assert large.metrics.dram_bytes == pytest.approx(trace.weight_bytes() + 224 * 224 * 3, rel=0.02)


# ------------------------------------------------------------------------------------ refusals


def gemm_trace(dtype: str = "int8", kind: str = "gemm") -> Trace:
    tensors = [
        Tensor("a", (8, 8), dtype, "input"),
        Tensor("b", (8, 8), dtype, "weight"),
        Tensor("c", (8, 8), dtype, "output"),
    ]
    attrs: dict[str, int | str] = {"m": 8, "n": 8, "k": 8, "groups": 1}
    if kind != "gemm":
        attrs = {"function": "Mystery", "work": 64}
    op = Op("op0", kind, ("a", "b"), ("c",), attrs)
    return Trace("t", {t.name: t for t in tensors}, (op,))


ARRAY = {"kind": "systolic", "rows": 4, "cols": 4}


def test_only_what_applies_is_assumed_and_columns_repeat_no_group() -> None:
    result = simulate(load_design("tpu_like"), gemm_trace())
    assert CONVOLUTION not in result.assumptions
    clock = result.provenance["clocks_mhz"]["mxu"]
    assert any(f": one clock of {clock:.2f} MHz, " in line for line in result.assumptions)
    assert "split.stall.a_cycles" in result.per_op_frame()
    columns = set(result.per_resource_frame())
    assert {"stall.a_ps", "stall.fill_ps", "stall.load_ps"} <= columns


def test_ops_that_no_engine_accepts_are_named() -> None:
    with pytest.raises(
        ArchsimError,
        match=r"^1 of 1 op has no engine that accepts it, and the design names no fallback:\n"
        r"  op0 \(gemm\): mxu: computes on int4, int8, not fp32$",
    ):
        simulate(design_from({"engines": {"mxu": ARRAY}}), gemm_trace("fp32"))


def test_a_fallback_runs_them_at_its_price() -> None:
    host = {"ns_per_element": 2.0, "pj_per_element": 5.0, "reason": "runs on the host"}
    design = design_from({"engines": {"mxu": ARRAY}, "fallback": host})
    result = simulate(design, gemm_trace(kind="unsupported"))
    assert [op.engine for op in result.per_op] == ["fallback"]
    assert result.per_op[0].occupied_ps >= 64 * 2000
    assert result.metrics.tied_percent == 0
    assert any("runs on the host" in line for line in result.assumptions)


def test_a_clock_above_fmax_is_infeasible_unless_assumed() -> None:
    fast = {**ARRAY, "clock_mhz": 9000}
    with pytest.raises(
        InfeasibleError,
        match=r"^engines\.mxu needs 9,000\.0 MHz, and there are [\d,.]+; lower clock_mhz or mark "
        r"it as assumed: \{mhz: \.\.\., assumed: reason\}$",
    ):
        simulate(design_from({"engines": {"mxu": fast}}), gemm_trace())
    fast["clock_mhz"] = {"mhz": 9000, "assumed": "a paper's convention"}
    result = simulate(design_from({"engines": {"mxu": fast}}), gemm_trace())
    assert "mxu: clock of 9000 MHz is assumed: a paper's convention" in result.assumptions


def test_mappings_can_be_given_and_are_checked() -> None:
    design = design_from({"engines": {"mxu": ARRAY}})
    given_mapping = GemmMapping(4, 8, 4, "nmk", "b")
    result = simulate(design, gemm_trace(), mappings={"op0": given_mapping})
    assert result.mappings["op0"] == given_mapping
    assert result.per_op[0].jobs == 4
    refused = (
        (GemmMapping(9, 8, 8), "m=9 n=8 k=8 mnk"),
        (GemmMapping(4, 4, 4, "mmm"), "m=4 n=4 k=4 mmm"),
        (SliceMapping(2), "2 slices"),
    )
    for wrong, said in refused:
        with pytest.raises(
            InputError,
            match=r"^mapping of 'op0': must have m, n, k within 8, 8, 8, an order of mnk, resident "
            r"operands of abc, and groups within 1, above 1 only for whole products, "
            rf"not '{said}'$",
        ):
            simulate(design, gemm_trace(), mappings={"op0": wrong})
    with pytest.raises(InputError, match=r"^mapping: must name ops of trace 't', not 'nowhere'$"):
        simulate(design, gemm_trace(), mappings={"nowhere": given_mapping})
    tiny = design_from({"engines": {"mxu": ARRAY}, "memories": {"buffer": {"capacity_bytes": 200}}})
    with pytest.raises(
        InfeasibleError,
        match=r"^op 'op0': the given mapping m=8 n=8 k=8 mnk needs 384 bytes of buffer",
    ):
        simulate(tiny, gemm_trace(), mappings={"op0": GemmMapping(8, 8, 8)})


def test_unknown_fidelity_is_refused() -> None:
    with pytest.raises(InputError, match=r"^fidelity: must be one of analytic, event, not 'exact'"):
        simulate(load_design("tpu_like"), gemm_trace(), "exact")  # type: ignore[arg-type]


def test_a_mapping_of_too_many_tiles_is_refused() -> None:
    tensors = [
        Tensor("a", (600, 600), role="input"), Tensor("b", (600, 600), role="weight"),
        Tensor("c", (600, 600), role="output"),
    ]  # fmt: skip
    attrs = {"m": 600, "n": 600, "k": 600, "groups": 1}
    trace = Trace(
        "t", {t.name: t for t in tensors}, (Op("big", "gemm", ("a", "b"), ("c",), attrs),)
    )
    with pytest.raises(
        ArchsimError,
        match=r"^op 'big': m=1 n=1 k=1 mnk makes 216,000,000 buffer tiles, and at most 50,000,000 "
        r"are planned; raise memories.buffer.capacity_bytes or give a mapping with larger tiles$",
    ):
        simulate(load_design("tpu_like"), trace, mappings={"big": GemmMapping(1, 1, 1)})
