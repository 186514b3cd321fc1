"""Trained models that ship in packages, against what ONNX Runtime really computes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from archsim.frontends import load
from archsim.frontends.onnx.model import read_model
from archsim.frontends.onnx.shapes import infer
from archsim.frontends.options import Options
from archsim.trace import BASE_OP_KINDS, Trace, as_gemm
from archsim.trace_check import check_trace
from archsim.trace_io import read_trace
from tests.frontends.conftest import FOLDER, ROOT, Trained
from tests.frontends.graphs import Array

SIZES: dict[str, dict[str, str | int]] = {
    "text_detection.onnx": {"x.2": 64, "x.3": 96},
    "text_recognition.onnx": {"x.2": 48, "x.3": 160},
    "text_direction.onnx": {"x.2": 48, "x.3": 192, "batch": 2},
    "minilm.onnx": {"sequence": 20, "batch": 2},
}


def computed(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    """Return every value of the graph, as ONNX Runtime computes it without optimisations."""
    proto = onnx.load(path)
    outputs = {output.name for output in proto.graph.output}
    for name in (name for node in proto.graph.node for name in node.output if name):
        if name not in outputs:
            proto.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    rng = np.random.default_rng(0)
    feed: dict[str, Any] = {}
    for value in session.get_inputs():
        shape = shapes[value.name]
        integer = value.type == "tensor(int64)"
        feed[value.name] = np.ones(shape, np.int64) if integer else rng.random(shape, np.float32)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feed), strict=True))


@pytest.mark.parametrize("name", SIZES)
def test_shapes_and_constants_are_those_that_onnx_runtime_computes(
    trained: Trained, name: str
) -> None:
    path = trained(name)
    model = read_model(path, Options(SIZES[name], name))
    values = infer(model)
    arrays = computed(path, dict(model.inputs))
    assert len(arrays) >= len(model.proto.graph.node)
    for key, array in arrays.items():
        assert (key, values[key].shape) == (key, array.shape)
        known = values[key].array
        if known is not None:
            assert values[key].static
            np.testing.assert_allclose(known, array, rtol=1e-5)


def counted(path: Path, sizes: dict[str, str | int]) -> int:
    """Return multiply-accumulates, counted from the shapes that ONNX Runtime produced."""
    model = read_model(path, Options(sizes, path.name))
    arrays = computed(path, dict(model.inputs))
    shapes = {name: array.shape for name, array in arrays.items()} | dict(model.inputs)
    proto = onnx.load(path)
    shapes |= {tensor.name: tuple(tensor.dims) for tensor in proto.graph.initializer}
    macs = 0
    for node in proto.graph.node:
        if node.op_type == "Conv":  # every output pixel meets every tap of its filter
            macs += prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
        elif node.op_type == "ConvTranspose":  # every input pixel meets every tap of every filter
            macs += prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])
        elif node.op_type == "MatMul":
            macs += prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return macs


@pytest.mark.parametrize("name", SIZES)
def test_macs_equal_a_count_over_what_was_computed(trained: Trained, name: str) -> None:
    trace = load(trained(name), **SIZES[name])
    assert not trace.unsupported
    assert trace.macs() == counted(trained(name), SIZES[name])


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("dtype", ["int8", "keep"])
def test_traces_are_well_formed(trained: Trained, name: str, dtype: str) -> None:
    trace = load(trained(name), dtype=dtype, **SIZES[name])
    check_trace(trace, BASE_OP_KINDS)
    for op in trace.ops:
        if op.kind in ("gemm", "conv"):
            p = as_gemm(op)
            assert trace.tensors[op.outputs[0]].elements == p.groups * p.m * p.n
            assert trace.tensors[op.inputs[1]].elements == p.groups * p.k * p.n
    written = [n for op in trace.ops for n in op.outputs]
    assert {t.name for t in trace.tensors.values() if t.role == "output"} <= set(written)


def products(trace: Trace) -> Counter[str]:
    return Counter(op.kind for op in trace.ops if op.kind in ("gemm", "conv"))


def test_the_detector(trained: Trained) -> None:
    """62 convolutions and two transposed ones, every one with its activation on its way out."""
    trace = load(trained("text_detection.onnx"), **SIZES["text_detection.onnx"])
    assert products(trace) == {"conv": 62, "gemm": 2}
    swishes = [op for op in trace.ops if "hard_swish" in op.epilogue]
    assert len(swishes) == 24
    functions = {op.attrs["function"] for op in trace.ops if op.kind == "vector"}
    assert functions == {"add", "mul", "global_average_pool"}


def test_the_transformer(trained: Trained) -> None:
    """all-MiniLM-L6-v2: six blocks, width 384, twelve heads, as its exporter spells attention."""
    trace = load(trained("minilm.onnx"), sequence=128)
    assert products(trace) == {"gemm": 6 * 8}
    width, tokens = 384, 128
    assert trace.macs() == 6 * (tokens * 12 * width**2 + 2 * tokens**2 * width)
    # tables of words, positions (their first rows, since the length is known) and types; per
    # block four square and two wide layers, their biases, two norms; one norm before them
    block = 12 * width**2 + (4 + 4 + 1) * width + 4 * width
    total = (30522 + tokens + 2) * width + 6 * block + 2 * width
    weights = [t for t in trace.tensors.values() if t.role == "weight"]
    indices = [t for t in weights if t.dtype in ("int64", "bool")]
    assert sum(t.elements for t in weights if t not in indices) == total
    assert sum(t.elements for t in indices) == 3 * tokens  # where the mask is looked up
    assert sum("gelu" in op.epilogue for op in trace.ops) == 6
    softmaxes = [op for op in trace.ops if op.attrs.get("function") == "softmax"]
    assert [op.attrs["work"] for op in softmaxes] == [6 * 12 * tokens**2] * 6


def test_weights_of_the_recogniser_are_the_models(trained: Trained) -> None:
    """Every constant of two axes or more is a weight, and nothing is counted twice."""
    path = trained("text_recognition.onnx")
    trace = load(path, **SIZES["text_recognition.onnx"])
    constants = {
        t.name: prod(t.dims)
        for node in onnx.load(path).graph.node
        for a in node.attribute
        if node.op_type == "Constant"
        for t in [a.t]
        if len([d for d in t.dims if d > 1]) > 1
    }
    assert sum(
        t.elements for t in trace.tensors.values() if t.role == "weight" and len(t.shape) > 1
        and sum(d > 1 for d in t.shape) > 1
    ) == sum(constants.values())  # fmt: skip


COMMITTED = {
    "text_direction.jsonl": ("text_direction.onnx", {"x.2": 48, "x.3": 192}),
    "minilm.jsonl": ("minilm.onnx", {"sequence": 128}),
}


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_traces_are_what_the_models_give(trained: Trained, name: str) -> None:
    model, sizes = COMMITTED[name]
    found = load(trained(model), **sizes)  # type: ignore[arg-type]
    assert read_trace(ROOT / "workloads" / "traces" / name) == found


def test_a_fetched_model_is_not_fetched_again(trained: Trained) -> None:
    path = trained("minilm.onnx")
    before = path.stat().st_mtime_ns
    command = [sys.executable, ROOT / "workloads" / "fetch.py", "transformer", "-o", FOLDER]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(path)]
    assert path.stat().st_mtime_ns == before


def test_a_model_that_is_not_the_pinned_one_is_replaced(trained: Trained, tmp_path: Path) -> None:
    """A file that someone changed does not pass for the model."""
    trained("text_direction.onnx")
    (tmp_path / "minilm.onnx").write_bytes(b"not the model")
    command = [sys.executable, ROOT / "workloads" / "fetch.py", "transformer", "-o", tmp_path]
    subprocess.run(command, capture_output=True, check=True)
    assert (tmp_path / "minilm.onnx").stat().st_size > 20_000_000
