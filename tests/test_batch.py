"""A batch says of each design what `simulate` says of it alone, to the picosecond.

Where several engines wait for DRAM its time is a lower bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim import batch
from archsim.batch import evaluate
from archsim.design import Design, design_from
from archsim.engines import SpecBatch
from archsim.engines.systolic.spec import SystolicSpec
from archsim.errors import ArchsimError, InfeasibleError, InputError
from archsim.mapping import ORDERS, RESIDENT, GemmMapping, Mapping
from archsim.memory import DramBatch, DramTiming
from archsim.plan import Memo
from archsim.result import Result
from archsim.simulate import simulate
from archsim.trace import Op, Tensor, Trace, as_gemm
from tests.traces import LENGTH, designs, traces

Answer = tuple[int, int, int, int]


def answer(result: Result) -> Answer:
    return (
        result.metrics.dram_bytes,
        sum(row.occupied_ps for row in result.per_op),
        result.per_resource[0].total_ps,
        result.metrics.cycles,
    )


def waits_for_dram(result: Result) -> bool:
    return any(row.stall_ps.get("dram") for row in result.per_resource)


@st.composite
def variants(draw: st.DrawFn, base: Design) -> Design:
    """A design that differs from another in numbers that matter to time, or in having a host."""
    tree = base.model_dump()
    mxu, buffer = tree["engines"]["mxu"], tree["memories"]["buffer"]
    mxu["rows"], mxu["cols"] = draw(st.sampled_from([2, 4, 8])), draw(st.sampled_from([2, 4, 8]))
    mxu["acc_bits"] = draw(st.sampled_from([20, 32]))
    mxu["dataflow"] = draw(st.sampled_from(["os", "ws", "is"]))
    mxu["acc_rows"] = draw(st.sampled_from([3, 256]))
    mhz = draw(st.sampled_from([100, 250.5, 333.3, 412.123456789]))
    mxu["clock_mhz"] = {"mhz": mhz, "assumed": "test"}
    buffer["capacity_bytes"] = draw(st.sampled_from([4096, 16384, 1 << 20]))
    buffer["tile_share"] = draw(st.sampled_from([0.5, 0.75, 1]))
    dram = tree["memories"]["dram"]
    dram["latency_ns"] = draw(st.sampled_from([0, 7, 60, 500]))
    dram["channel_gb_per_s"] = draw(st.sampled_from([0.05, 1.7, 6.4, 3.14159265358979]))
    if draw(st.integers(0, 4)) == 0:
        ns = draw(st.sampled_from([0.5, 1.3]))
        tree["fallback"] = {"ns_per_element": ns, "pj_per_element": 1, "reason": "test"}
        if draw(st.booleans()):
            tree["engines"].pop("vpu", None)
    return design_from(tree)


@st.composite
def mapped(draw: st.DrawFn, design: Design, trace: Trace) -> tuple[dict[str, Mapping], Result]:
    """Mappings of a trace, some as searched and some at random, and what comes of them."""
    memo = Memo()
    result = simulate(design, trace, memo=memo)
    chosen = dict(result.mappings)
    for op in trace.ops:
        if op.kind not in ("gemm", "conv") or draw(st.booleans()):
            continue
        gemm = as_gemm(op)
        m, n, k = (draw(st.integers(-(-x // 4), x)) for x in (gemm.m, gemm.n, gemm.k))
        order, resident = draw(st.sampled_from(ORDERS)), draw(st.sampled_from(RESIDENT))
        groups = draw(st.integers(1, gemm.groups)) if (m, n, k) == (gemm.m, gemm.n, gemm.k) else 1
        attempt = {**chosen, op.name: GemmMapping(m, n, k, order, resident, groups)}
        try:
            result = simulate(design, trace, mappings=attempt, memo=memo)
        except InfeasibleError:
            continue  # it does not fit this buffer: stay with what does
        chosen = attempt
    return chosen, result


def check(data: st.DataObject, base: Design, trace: Trace, count: int) -> None:
    many: list[Design] = []
    given_mappings: list[dict[str, Mapping]] = []
    expected: list[Result] = []
    for _ in range(count):
        design = data.draw(variants(base))
        try:
            mappings, wanted = data.draw(mapped(design, trace))
        except ArchsimError:
            continue  # a trace that this design cannot hold
        many.append(design)
        given_mappings.append(mappings)
        expected.append(wanted)
    found = evaluate(many, trace, given_mappings)
    columns = (found.dram_bytes, found.occupied_ps, found.time_ps, found.cycles)
    got = list(zip(*(x.tolist() for x in columns), strict=True))
    for mine, result in zip(got, expected, strict=True):
        whole = answer(result)
        if waits_for_dram(result):
            assert mine[0] == whole[0]
            assert max(mine[2] - whole[2], mine[3] - whole[3]) <= 0
        else:
            assert mine == whole


@settings(max_examples=25, deadline=None)
@given(st.data(), designs(), traces())
def test_a_batch_equals_simulate_with_one_engine(
    data: st.DataObject, base: Design, trace: Trace
) -> None:
    check(data, base, trace, 4)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.data(), designs(vector=True), traces(vector=True))
def test_a_batch_equals_simulate_with_two_engines_and_a_host(
    data: st.DataObject, base: Design, trace: Trace
) -> None:
    check(data, base, trace, 4)


@pytest.mark.slow
@settings(max_examples=60 * LENGTH, deadline=None)
@given(st.data(), designs(vector=True), traces(vector=True))
def test_a_batch_equals_simulate_at_length(data: st.DataObject, base: Design, trace: Trace) -> None:
    check(data, base, trace, 8)


# ---------------------------------------------------------------------------- a small fixed case


def chain() -> Trace:
    """Two products, the first kept on chip where there is room; and they run three times."""
    tensors = {
        t.name: t
        for t in (
            Tensor("x", (40, 24), role="input"), Tensor("w", (24, 32), role="weight"),
            Tensor("y", (40, 32)), Tensor("v", (32, 16), role="weight"),
            Tensor("z", (40, 16), role="output"),
        )
    }  # fmt: skip
    ops = (
        Op("first", "gemm", ("x", "w"), ("y",), {"m": 40, "n": 32, "k": 24, "groups": 1}),
        Op("second", "gemm", ("y", "v"), ("z",), {"m": 40, "n": 16, "k": 32, "groups": 1}),
    )
    return Trace("chain", tensors, ops)


def array(rows: int = 4, **buffer: Any) -> Design:
    mxu = {"kind": "systolic", "rows": rows, "cols": 4, "clock_mhz": 100}
    return design_from({"engines": {"mxu": mxu}, "memories": {"buffer": buffer}})


MAPPING = {"first": GemmMapping(8, 32, 24), "second": GemmMapping(8, 16, 16, "mnk")}


def test_batches_are_split_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [array(rows, capacity_bytes=size) for rows in (2, 4, 8) for size in (1 << 14, 1 << 20)]
    whole = evaluate(many, chain(), [MAPPING] * len(many))
    monkeypatch.setattr(batch, "MAX_DESIGNS", 4)
    monkeypatch.setattr(batch, "MAX_ROWS", 25)
    parts = evaluate(many, chain(), [MAPPING] * len(many))
    for column in ("time_ps", "cycles", "dram_bytes", "occupied_ps"):
        assert getattr(parts, column).tolist() == getattr(whole, column).tolist()
    assert len(set(whole.time_ps.tolist())) > 2  # not all alike


def test_no_designs_no_answers() -> None:
    assert evaluate([], chain(), []).time_ps.tolist() == []


def test_every_op_needs_a_mapping() -> None:
    with pytest.raises(
        InputError, match=r"^mappings: must name each op of trace 'chain', once, not 'second'$"
    ):
        evaluate([array()], chain(), [{"first": MAPPING["first"]}])
    with pytest.raises(InputError, match=r"^mappings: must be 2, one a design, not 1$"):
        evaluate([array(), array()], chain(), [MAPPING])


@pytest.mark.parametrize(
    "mapping",
    [GemmMapping(41, 32, 24), GemmMapping(8, 32, 24, "kmm"), GemmMapping(8, 8, 8, groups=2)],
)
def test_what_simulate_refuses_is_refused_in_its_words(mapping: GemmMapping) -> None:
    wrong = {**MAPPING, "first": mapping}
    with pytest.raises(InputError) as alone:
        simulate(array(), chain(), mappings=wrong)
    with pytest.raises(InputError) as together:
        evaluate([array(), array()], chain(), [MAPPING, wrong])
    assert str(together.value) == str(alone.value)


def test_what_does_not_fit_is_infeasible_in_the_words_of_simulate() -> None:
    small = array(capacity_bytes=2048)
    with pytest.raises(InfeasibleError) as alone:
        simulate(small, chain(), mappings=MAPPING)
    with pytest.raises(InfeasibleError) as together:
        evaluate([array(), small], chain(), [MAPPING, MAPPING])
    assert str(together.value) == str(alone.value)
    assert "op 'first'" in str(alone.value)


def test_times_beyond_64_bits_are_refused() -> None:
    slow = array().model_dump()
    slow["memories"]["dram"]["channel_gb_per_s"] = 1e-10
    with pytest.raises(InputError, match=r"^design 1 of a batch: must take less than .* ps, not "):
        evaluate([array(), design_from(slow)], chain(), [MAPPING, MAPPING])


# ---------------------------------------------------------------------------- what rows are made of


def test_rows_of_a_spec_batch_are_its_specs() -> None:
    specs = [SystolicSpec(rows=r, cols=r + 1) for r in (1, 2, 3)]
    taken = SpecBatch(specs).take(np.array([2, 0, 0])).take(np.array([1, 0]))
    assert len(taken) == 2
    assert taken.rows.tolist() == [1, 3]
    assert taken.pes.tolist() == [2, 12]  # derived properties too
    with pytest.raises(TypeError, match="one or more specs of one kind"):
        SpecBatch([])


@settings(max_examples=30, deadline=None)
@given(designs(), designs(), st.lists(st.integers(0, 10**6), min_size=1, max_size=9))
def test_transfers_of_many_designs_take_what_each_alone_does(
    one: Design, two: Design, sizes: list[int]
) -> None:
    timings = [DramTiming.of(one), DramTiming.of(two)]
    size_bytes = np.array(sizes * 2, np.int64)
    rows = np.repeat([0, 1], len(sizes))
    alone = np.concatenate([x.transfer_ps(np.array(sizes, np.int64)) for x in timings])
    assert DramBatch.of(timings).transfer_ps(size_bytes, rows).tolist() == alone.tolist()
