"""Quantised networks on a design: what is tied to RTL, and the bytes of narrow tensors."""

from __future__ import annotations

import pytest

from archsim.design import load_design
from archsim.frontends import load
from archsim.result import Result
from archsim.simulate import simulate
from archsim.trace import Trace


@pytest.fixture(scope="module", params=["resnet50", "mobilenet_v2"])
def network(request: pytest.FixtureRequest) -> tuple[Trace, Result]:
    trace = load(request.param)
    return trace, simulate(load_design("tpu_like"), trace)


def test_quantised_networks_are_tied_to_rtl(network: tuple[Trace, Result]) -> None:
    _, result = network
    assert result.metrics.tied_percent > 95
    assert {"exact"} == {row.kind_of_time for row in result.per_op}


def test_their_sums_are_requantised_and_their_biases_wide(network: tuple[Trace, Result]) -> None:
    trace, _ = network
    products = [op for op in trace.ops if op.kind in ("conv", "gemm")]
    assert all("requantise" == op.epilogue[-1] for op in products)
    assert {"int32"} == {trace.tensors[op.inputs[2]].dtype for op in products}
    assert {"int8"} == {trace.tensors[op.outputs[0]].dtype for op in trace.ops}


def test_the_buffer_moves_bytes_and_not_lanes(network: tuple[Trace, Result]) -> None:
    trace, result = network
    for op, row in zip(trace.ops, result.per_op, strict=True):
        if op.attrs.get("function") == "add":
            elements = trace.tensors[op.outputs[0]].elements
            # operands and results, a byte each, padded to beats of 32, and parameters by slice
            read = row.buffer_read_bytes - row.dram_write_bytes - 2 * elements
            assert 0 <= read <= row.jobs * (32 * 70 // 8 + 2 * 32)


def test_the_rest_of_a_transformer_is_not_tied() -> None:
    result = simulate(load_design("tpu_like"), load("bert_base"))
    kinds = {row.name.rsplit(".", 1)[-1]: row.kind_of_time for row in result.per_op}
    assert ("expected", "expected") == (kinds["softmax"], kinds["norm1"])
    assert ("exact", "exact") == (kinds["add1"], kinds["split_heads"])
    assert 80 < result.metrics.tied_percent < 95


@pytest.mark.parametrize("lanes", [8, 32])
def test_more_lanes_take_fewer_cycles(lanes: int) -> None:
    def add_cycles(count: int) -> int:
        design = load_design("tpu_like", {"engines.vpu.lanes": count})
        result = simulate(design, load("mobilenet_v2"))
        return sum(
            sum(row.split_cycles.values()) for row in result.per_op if row.name.endswith(".add")
        )

    assert 1.7 < add_cycles(lanes) / add_cycles(2 * lanes) < 2.1
