"""Where a product's operands lie: what is read by their layouts multiplies to what the model says.

Products of operands taken from the model's own tensors have the elements of its output, in whatever
order; noise makes any other arrangement differ.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.frontends.data import Recording, load_with_data
from archsim.operands import Stack, matrix_of
from archsim.trace import Op, Trace
from archsim.trace_io import read_trace, write_trace
from tests.frontends.graphs import Array, graph, node, noise, run_onnxruntime, trace_of


def traced(model: Any, folder: Path, **inputs: Array) -> tuple[Op, dict[str, Array], Trace]:
    """Return a model's product and what its tensors hold, as floats."""
    onnx.save(model, folder / "model.onnx")
    recording = Recording(given=inputs, sample=1 << 20)
    trace, kept = load_with_data(folder / "model.onnx", recording=recording, dtype="keep")
    (op,) = (op for op in trace.ops if op.kind == "gemm")
    held = {
        name: kept[tensor.data].reshape(tensor.shape)
        for name, tensor in trace.tensors.items()
        if isinstance(tensor.data, str)
    }
    return op, held, trace


def check(model: Any, folder: Path, expected: Array, **inputs: Array) -> Op:
    op, held, trace = traced(model, folder, **inputs)
    a, b = (matrix_of(op, port, held[name]) for port, name in zip("ab", op.inputs[:2], strict=True))
    assert isinstance(a, Stack)
    assert isinstance(b, Stack)
    found = np.sort((a.values @ b.values).ravel())
    np.testing.assert_allclose(found, np.sort(expected.ravel()), rtol=1e-4, atol=1e-5)
    write_trace(trace, folder / "again.jsonl")
    assert read_trace(folder / "again.jsonl").ops == trace.ops
    return op


@st.composite
def stacks(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of two stacks of matrices that NumPy multiplies."""
    m, n, k = (draw(st.integers(1, 4)) for _ in range(3))
    lead = draw(st.lists(st.integers(1, 3), max_size=3))
    sides = draw(st.lists(st.sampled_from("ab="), min_size=len(lead), max_size=len(lead)))
    a = [1 if side == "b" else x for x, side in zip(lead, sides, strict=True)]
    b = [1 if side == "a" else x for x, side in zip(lead, sides, strict=True)]
    cut = draw(st.integers(0, len(lead)))
    return (*a, m, k), (*(b[cut:] if all(x == 1 for x in b[:cut]) else b), k, n)


@settings(deadline=None, max_examples=40)
@given(stacks(), st.sampled_from(["", "a", "b"]))
def test_stacks(
    tmp_path_factory: pytest.TempPathFactory,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    constant: str,
) -> None:
    values = {"a": noise(*shapes[0]), "b": noise(*shapes[1], seed=1)}
    inputs = {name: x for name, x in values.items() if name != constant}
    constants = {name: x for name, x in values.items() if name == constant}
    model = graph(
        [node("MatMul", ["a", "b"], ["y"])], {n: x.shape for n, x in inputs.items()}, constants
    )
    check(model, tmp_path_factory.getbasetemp(), values["a"] @ values["b"], **inputs)


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("constants", ["b", "a", "bc", "ac"])
def test_gemm(tmp_path: Path, trans_a: int, trans_b: int, constants: str) -> None:
    shapes = {"a": (5, 5), "b": (5, 5), "c": (5, 5)}  # where shapes say nothing
    values = {name: noise(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
    a, b = (values[n].T if t else values[n] for n, t in (("a", trans_a), ("b", trans_b)))
    held = {name: values[name] for name in constants}
    inputs = {name: x for name, x in values.items() if name not in held}
    operands = ["a", "b", "c"] if "c" in constants else ["a", "b"]
    inputs = {name: x for name, x in inputs.items() if name in operands}
    nodes = [node("Gemm", operands, ["y"], transA=trans_a, transB=trans_b)]
    check(graph(nodes, {n: x.shape for n, x in inputs.items()}, held), tmp_path, a @ b, **inputs)


@pytest.mark.parametrize(
    ("equation", "a", "b"),
    [
        ("ij,jk->ik", (4, 4), (4, 4)),
        ("ij,kj->ki", (4, 4), (4, 4)),
        ("ji,kj->ik", (4, 4), (4, 4)),
        ("bhqd,bhkd->bhqk", (2, 3, 4, 4), (2, 3, 4, 4)),
        ("bqhd,bkhd->bhqk", (2, 4, 3, 5), (2, 4, 3, 5)),
        ("ab,acb->ca", (3, 4), (3, 2, 4)),
        ("abc,bc->a", (3, 2, 4), (2, 4)),
    ],
)
def test_einsum(tmp_path: Path, equation: str, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    values = {"a": noise(*a), "b": noise(*b, seed=1)}
    model = graph([node("Einsum", ["a", "b"], ["y"], equation=equation)], {"a": a, "b": b})
    check(model, tmp_path, np.einsum(equation, *values.values()), **values)


@pytest.mark.parametrize("group", [1, 2])
def test_transposed_convolutions(tmp_path: Path, group: int) -> None:
    """Kernels that do not overlap: the output's elements are the product's."""
    x, w = noise(2, 4, 5, 6), noise(4, 3, 2, 2, seed=1)
    nodes = [node("ConvTranspose", ["x", "w"], ["y"], group=group, strides=[2, 2])]
    model = graph(nodes, {"x": x.shape}, {"w": w})
    check(model, tmp_path, run_onnxruntime(model, x=x)[0], x=x)


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_fused_products(tmp_path: Path, trans_a: int, trans_b: int) -> None:
    a, b = noise(3, 4, 4), noise(3, 4, 4, seed=1)
    nodes = [
        node("FusedMatMul", ["a", "b"], ["y"], domain="com.microsoft", transA=trans_a,
             transB=trans_b)
    ]  # fmt: skip
    model = graph(nodes, {"a": a.shape, "b": b.shape}, opset=17, domains={"com.microsoft": 1})
    declared = model.graph.output[0].type.tensor_type
    declared.elem_type = onnx.TensorProto.FLOAT
    for extent in a.shape:
        declared.shape.dim.add().dim_value = extent
    check(model, tmp_path, run_onnxruntime(model, a=a, b=b)[0], a=a, b=b)


def test_constants_that_are_turned_and_cut_anew(tmp_path: Path) -> None:
    """A linear layer as exporters write it, its weight rearranged twice."""
    x, w = noise(2, 6), noise(3, 2, 6, seed=1)
    shape = np.array([6, 6])
    nodes = [
        node("Transpose", ["w"], ["turned"], perm=[1, 2, 0]),
        node("Reshape", ["turned", "shape"], ["flat"]),
        node("Transpose", ["flat"], ["across"]),
        node("MatMul", ["x", "across"], ["y"]),
    ]
    model = graph(nodes, {"x": x.shape}, {"w": w, "shape": shape})
    op = check(model, tmp_path, x @ w.transpose(1, 2, 0).reshape(6, 6).T, x=x)
    assert op.inputs == ("x", "w")
    assert op.layouts == {"b": (((3, 2, 6), (1, 2, 0)), ((6, 6), (1, 0)))}


@pytest.mark.parametrize("rank", [3, 4])
def test_attention(tmp_path: Path, rank: int) -> None:
    """Query heads that share key heads are rows of one product; keys are read transposed."""
    batch, heads, shared, rows, columns, size, depth = 2, 4, 2, 3, 5, 6, 7
    q, k, v = (
        noise(batch, *extents, seed=seed)
        for seed, extents in enumerate(
            ((heads, rows, size), (shared, columns, size), (shared, columns, depth))
        )
    )
    given = {"q": q, "k": k, "v": v}
    attrs = {}
    if rank == 3:
        given = {
            n: x.transpose(0, 2, 1, 3).reshape(batch, x.shape[2], -1) for n, x in given.items()
        }
        attrs = {"q_num_heads": heads, "kv_num_heads": shared}
    nodes = [node("Attention", ["q", "k", "v"], ["y"], **attrs)]
    model = graph(nodes, {n: x.shape for n, x in given.items()}, opset=23)
    trace = trace_of(model, tmp_path, dtype="keep")
    scores, context = (op for op in trace.ops if op.kind == "gemm")
    groups = batch * shared
    wanted = (
        (scores, "a", "q", q.reshape(groups, heads // shared * rows, size)),
        (scores, "b", "k", k.reshape(groups, columns, size).transpose(0, 2, 1)),
        (context, "b", "v", v.reshape(groups, columns, depth)),
    )
    for op, port, name, expected in wanted:
        found = matrix_of(op, port, given[name])
        assert isinstance(found, Stack)
        np.testing.assert_array_equal(found.values, expected)
    assert prod(given["q"].shape) == scores.int_attr("m") * size * groups
