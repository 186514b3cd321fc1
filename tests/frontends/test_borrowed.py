"""Counts that named models borrow: by traits, in order, by type; and what says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from archsim.cli import app
from archsim.errors import InputError
from archsim.frontends import load
from archsim.frontends.borrowed import borrow
from archsim.trace import BASE_OP_KINDS, Histogram, Op, Tensor, Trace
from archsim.trace_io import read_operands, read_trace, write_trace


def donor(count: int = 3, dtype: str = "int8") -> Trace:
    """Return a trace of convolutions, a depthwise one among them, and a linear layer.

    What product i reads is i throughout, its weight 10 + i.
    """
    tensors = {"x0": Tensor("x0", (1, 4, 6, 6), dtype, "input", "a0")}
    values: dict[str, Any] = {"a0": np.full((1, 4, 6, 6), 0)}
    ops = []
    for i in range(count):
        groups = 4 if i == 1 else 1
        tensors[f"w{i}"] = Tensor(f"w{i}", (4, 4 // groups, 1, 1), dtype, "weight", f"b{i}")
        tensors[f"x{i + 1}"] = Tensor(f"x{i + 1}", (1, 4, 6, 6), dtype, data=f"a{i + 1}")
        values[f"b{i}"] = np.full((4, 4 // groups, 1, 1), 10 + i)
        values[f"a{i + 1}"] = np.full((1, 4, 6, 6), i + 1)
        attrs: Any = {
            "batch": 1, "channels": 4, "height": 6, "width": 6, "filters": 4, "kernel": (1, 1),
            "stride": (1, 1), "pad": (0,) * 4, "dilation": (1, 1), "groups": groups,
        }  # fmt: skip
        ops.append(Op(f"conv{i}", "conv", (f"x{i}", f"w{i}"), (f"x{i + 1}",), attrs))
    tensors["w"] = Tensor("w", (144, 2), dtype, "weight", "b")
    tensors["y"] = Tensor("y", (1, 2), dtype, "output")
    values["b"] = np.full((144, 2), 99)
    attrs = {"m": 1, "n": 2, "k": 144, "groups": 1}
    ops.append(Op("linear", "gemm", (f"x{count}", "w"), ("y",), attrs))
    return Trace("donor", tensors, tuple(ops), ("operand values: some",), {}, "a file", values)


def the_integer(trace: Trace, name: str) -> int | None:
    """Return the one integer that a tensor's counts hold."""
    data = trace.tensors[name].data
    assert isinstance(data, Histogram)
    counts = trace.values[data.ref]
    assert np.count_nonzero(counts) == 1
    return int(np.argmax(counts)) - 128


def test_products_borrow_from_those_most_like_them_in_order() -> None:
    trace = borrow(load("mobilenet_v2"), donor(), BASE_OP_KINDS)
    products = [op for op in trace.ops if op.kind in ("conv", "gemm")]
    weights = {op.name: the_integer(trace, op.inputs[1]) for op in products}
    depthwise = [op.name for op in products if op.attrs["groups"] != 1]
    dense = [op.name for op in products if op.kind == "conv" and op.attrs["groups"] == 1]
    assert len(depthwise) == 17
    assert {weights[name] for name in depthwise} == {11}
    half = -(-len(dense) // 2)
    assert [weights[name] for name in dense] == [10] * half + [12] * (len(dense) - half)
    assert weights[products[-1].name] == 99
    assert the_integer(trace, products[0].inputs[0]) == 0
    assert the_integer(trace, products[-1].inputs[0]) == 3
    assert trace.notes[-2:] == (
        (
            f"operand values: counts of {len(trace.values)} operands are those of 'donor' "
            "(a file), each of the product there that is most like its own, in order"
        ),
        "operand values: some",
    )


def test_where_none_is_alike_the_nearest_lends() -> None:
    """Attention's products have no weight, no convolution, but groups: one trait of each donor."""
    trace = borrow(load("bert_base"), donor(), BASE_OP_KINDS)
    products = [op for op in trace.ops if op.kind == "gemm"]
    grouped = [op for op in products if op.attrs["groups"] != 1]
    assert {the_integer(trace, op.inputs[1]) for op in grouped} == {11, 99}
    assert {the_integer(trace, op.inputs[1]) for op in products if op not in grouped} == {99}


def test_types_must_agree() -> None:
    with pytest.raises(InputError) as caught:
        borrow(load("resnet50@dtype=int4"), donor(), BASE_OP_KINDS)
    assert str(caught.value) == (
        "values of 'donor': must be of integers that 'resnet50' has, too; "
        "record them with: archsim trace MODEL --with-data -o FILE"
    )


def test_on_the_command_line(tmp_path: Path) -> None:
    write_trace(donor(), tmp_path / "donor.jsonl", donor().values)
    command = ["trace", "resnet50", "--values-of", str(tmp_path / "donor.jsonl")]
    done = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "t.jsonl")])
    assert done.exit_code == 0, done.output
    assert "are those of 'donor'" in done.output
    trace = read_trace(tmp_path / "t.jsonl")
    assert trace == borrow(load("resnet50"), donor(), BASE_OP_KINDS)
    assert len(read_operands(tmp_path / "t.jsonl")) == len(trace.values) > 50
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "--values-of: must have a file to write beside; say -o FILE.jsonl" in refused.output
