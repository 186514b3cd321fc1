"""Products: what the trace says of them against ONNX's reference and counts by hand."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from archsim.trace import Gemm, Op, Trace, as_gemm, conv_output
from tests.frontends.graphs import Array, graph, node, noise, run, run_onnxruntime, trace_of


def product(trace: Trace) -> Op:
    (op,) = (op for op in trace.ops if op.kind in ("gemm", "conv"))
    return op


def convolve(op: Op, x: Array, w: Array) -> Array:
    """Convolve by the op's attributes alone, tap by tap."""
    batch, channels, height, width = (
        op.int_attr(a) for a in ("batch", "channels", "height", "width")
    )
    top, left, bottom, right = op.ints_attr("pad")
    x = np.pad(
        x.reshape(batch, channels, height, width), ((0, 0), (0, 0), (top, bottom), (left, right))
    )
    (kh, kw), (sh, sw), (dh, dw) = (op.ints_attr(a) for a in ("kernel", "stride", "dilation"))
    rows, columns = conv_output(op)
    filters, groups = op.int_attr("filters"), op.int_attr("groups")
    x = x.reshape(batch, groups, channels // groups, *x.shape[2:])
    w = w.reshape(groups, filters // groups, channels // groups, kh, kw)
    y = np.zeros((batch, groups, filters // groups, rows, columns), np.float32)
    for i in range(kh):
        for j in range(kw):
            seen = x[..., i * dh :, j * dw :][..., ::sh, ::sw][..., :rows, :columns]
            y += np.einsum("bgchw,gfc->bgfhw", seen, w[..., i, j])
    return y.reshape(batch, filters, rows, columns)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[list[int], list[int], dict[str, Any]]:
    """Return shapes of x and w and the attributes of a 1-D or 2-D convolution."""
    rank = draw(st.integers(1, 2))
    several = st.lists(st.integers(1, 3), min_size=rank, max_size=rank)
    groups, filters, channels = (draw(st.integers(1, 3)) for _ in range(3))
    attrs: dict[str, Any] = {"group": groups}
    if draw(st.booleans()):
        attrs["kernel_shape"] = kernel = draw(several)
    else:
        kernel = draw(several)
    if draw(st.booleans()):
        attrs["strides"] = draw(several)
    mode = draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if mode != "NOTSET":
        attrs["auto_pad"] = mode
    elif draw(st.booleans()):
        pads = st.lists(st.integers(0, 3), min_size=2 * rank, max_size=2 * rank)
        attrs["pads"] = draw(pads)
    if draw(st.booleans()):
        attrs["dilations"] = draw(several)
    extents = draw(st.lists(st.integers(3, 9), min_size=rank, max_size=rank))
    x = [draw(st.integers(1, 2)), groups * channels, *extents]
    return x, [groups * filters, channels, *kernel], attrs


@settings(deadline=None, max_examples=150)
@given(convolutions())
def test_convolutions_compute_what_the_model_does(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[list[int], list[int], dict[str, Any]]
) -> None:
    x_shape, w_shape, attrs = case
    rank = len(x_shape) - 2
    reach = [d * (k - 1) for d, k in zip(attrs.get("dilations", [1, 1]), w_shape[2:], strict=False)]
    assume(all(r < e for r, e in zip(reach, x_shape[2:], strict=True)))
    if attrs.get("auto_pad", "")[:4] == "SAME":
        attrs.pop("dilations", None)  # the reference and ONNX Runtime differ on the two together
    x, w = noise(*x_shape), noise(*w_shape, seed=1)
    model = graph([node("Conv", ["x", "w"], ["y"], **attrs)], {"x": x_shape}, {"w": w})
    (expected,) = run(model, x=x)
    op = product(trace_of(model, tmp_path_factory.getbasetemp(), dtype="keep"))
    found = convolve(op, x, w).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    taps = prod(w_shape[1:])
    assert as_gemm(op).macs == expected.size * taps
    assert rank == 2 or op.ints_attr("kernel")[0] == 1


def test_same_padding_with_dilation(tmp_path: Path) -> None:
    """By hand: 9 wide, stride 2, reach 5: 5 outputs need 13 of 9, two more on each side."""
    attrs = {"auto_pad": "SAME_UPPER", "dilations": [2, 2], "strides": [2, 2]}
    w = {"w": noise(4, 3, 3, 3)}
    model = graph([node("Conv", ["x", "w"], ["y"], **attrs)], {"x": [1, 3, 9, 10]}, w)
    op = product(trace_of(model, tmp_path))
    assert op.ints_attr("pad") == (2, 1, 2, 2)
    assert conv_output(op) == (5, 5)


def test_a_depthwise_convolution_has_one_product_a_channel(tmp_path: Path) -> None:
    w = {"w": noise(8, 1, 3, 3), "b": noise(8)}
    nodes = [node("Conv", ["x", "w", "b"], ["y"], group=8, pads=[1, 1, 1, 1])]
    trace = trace_of(graph(nodes, {"x": [1, 8, 6, 6]}, w), tmp_path)
    op = product(trace)
    assert as_gemm(op) == Gemm(m=36, n=1, k=9, groups=8)
    assert op.inputs == ("x", "w", "b")
    assert op.epilogue == ("bias", "requantise")
    assert trace.tensors["b"].dtype == "int32"


def test_volumes_are_unsupported_and_counted(tmp_path: Path) -> None:
    w = {"w": noise(4, 3, 3, 3, 3)}
    nodes = [node("Conv", ["x", "w"], ["y"]), node("Relu", ["y"], ["z"])]
    trace = trace_of(graph(nodes, {"x": [1, 3, 5, 5, 5]}, w), tmp_path)
    assert trace.unsupported == {"Conv": 1}
    assert trace.ops[0].kind == "unsupported"
    assert trace.ops[0].attrs == {"function": "Conv", "work": 4 * 27}
    assert trace.ops[0].inputs == ("x", "w")


@pytest.mark.parametrize(
    ("attrs", "kernel"),
    [
        ({"strides": [2, 2]}, (2, 2)),
        ({"strides": [2, 2]}, (3, 3)),
        ({"strides": [2, 1], "pads": [1, 0, 1, 0], "output_padding": [1, 0]}, (3, 2)),
        ({"strides": [3, 3]}, (2, 2)),
    ],
)
@pytest.mark.parametrize("group", [1, 2])
def test_transposed_convolutions_are_their_contributions(
    tmp_path: Path, attrs: dict[str, Any], kernel: tuple[int, int], group: int
) -> None:
    """Every input pixel multiplies every tap of every filter once."""
    x, w, b = noise(2, 4, 5, 6), noise(4, 3, *kernel), noise(3 * group)
    nodes = [node("ConvTranspose", ["x", "w", "b"], ["y"], group=group, **attrs)]
    model = graph(nodes, {"x": x.shape}, {"w": w, "b": b})
    (expected,) = run_onnxruntime(model, x=x)  # the reference cannot group
    trace = trace_of(model, tmp_path, dtype="keep")
    assert product(trace).kind == "gemm"
    assert trace.macs() == 2 * 5 * 6 * 4 * 3 * prod(kernel)
    assert trace.tensors["y"].shape == expected.shape
    overlap = [op for op in trace.ops if op.kind == "vector"]
    if kernel == (2, 2) and attrs["strides"] == [2, 2]:
        assert not overlap
        assert product(trace).epilogue == ("bias",)
    else:
        (sum_,) = overlap
        columns = 2 * 5 * 6 * 3 * group * prod(kernel)
        assert sum_.attrs == {"function": "col2im", "work": columns + expected.size}
        assert sum_.epilogue == ("bias",)


def test_what_follows_a_pixel_shuffle_folds_by_filter(tmp_path: Path) -> None:
    constants = {"w": noise(4, 3, 2, 2), "b": noise(1, 3, 1, 1)}
    nodes = [
        node("ConvTranspose", ["x", "w"], ["c"], strides=[2, 2]),
        node("Add", ["c", "b"], ["d"]),
        node("Relu", ["d"], ["y"]),
    ]
    trace = trace_of(graph(nodes, {"x": [1, 4, 5, 5]}, constants), tmp_path)
    assert [op.epilogue for op in trace.ops] == [("bias", "relu", "requantise")]


# ---------------------------------------------------------------------------------------- MatMul


@st.composite
def stacks(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return two shapes that multiply, their leading axes broadcasting either way."""
    m, k, n = (draw(st.integers(1, 4)) for _ in range(3))
    lead = draw(st.lists(st.tuples(st.integers(1, 3), st.sampled_from("=<>")), max_size=3))
    a = [1 if way == "<" else e for e, way in lead]
    b = [1 if way == ">" else e for e, way in lead]
    left, right = (*a[draw(st.integers(0, len(a))) :], m, k), (*b, k, n)
    if draw(st.booleans()):
        left, right = (*a, m, k), (*b[draw(st.integers(0, len(b))) :], k, n)
    if draw(st.integers(0, 5)) == 0:
        left = (k,)
    elif draw(st.integers(0, 5)) == 0:
        right = (k,)
    return left, right


@settings(deadline=None, max_examples=150)
@given(stacks(), st.booleans(), st.booleans())
def test_stacks_of_products(
    tmp_path_factory: pytest.TempPathFactory,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    left_constant: bool,
    right_constant: bool,
) -> None:
    assume(not (left_constant and right_constant))
    arrays = {"a": noise(*shapes[0]), "b": noise(*shapes[1])}
    constants = {n: v for n, v in arrays.items() if (left_constant, right_constant)[n == "b"]}
    inputs = {n: v.shape for n, v in arrays.items() if n not in constants}
    expected = np.matmul(arrays["a"], arrays["b"])
    model = graph([node("MatMul", ["a", "b"], ["y"])], inputs, constants)
    trace = trace_of(model, tmp_path_factory.getbasetemp())
    op = product(trace)
    p = as_gemm(op)
    a, b = (trace.tensors[name] for name in op.inputs)
    assert p.macs == expected.size * shapes[0][-1]
    assert p.k == shapes[0][-1]
    # nothing is read twice over or left out, whichever side broadcasts
    assert (a.elements, b.elements) == (p.groups * p.m * p.k, p.groups * p.k * p.n)
    assert trace.tensors["y"].elements == expected.size == p.groups * p.m * p.n
    assert (b.role == "weight") == (left_constant or right_constant)


@pytest.mark.parametrize(
    ("a", "b", "gemm"),
    [
        ((2, 3, 5, 7), (7, 4), Gemm(m=30, n=4, k=7)),  # a shared right operand: more rows
        ((5, 7), (2, 3, 7, 4), Gemm(m=5, n=24, k=7)),  # a shared left operand: more columns
        ((2, 3, 5, 7), (2, 3, 7, 4), Gemm(m=5, n=4, k=7, groups=6)),
        ((2, 8, 5, 7), (2, 1, 7, 4), Gemm(m=40, n=4, k=7, groups=2)),  # heads share their keys
        ((2, 1, 5, 7), (1, 3, 7, 4), Gemm(m=10, n=12, k=7)),
        ((7,), (2, 7, 4), Gemm(m=1, n=8, k=7)),
        ((7,), (7,), Gemm(m=1, n=1, k=7)),
    ],
)
def test_broadcasting_by_hand(
    tmp_path: Path, a: tuple[int, ...], b: tuple[int, ...], gemm: Gemm
) -> None:
    model = graph([node("MatMul", ["a", "b"], ["y"])], {"a": a, "b": b})
    assert as_gemm(product(trace_of(model, tmp_path))) == gemm


def test_a_constant_on_the_left_changes_sides(tmp_path: Path) -> None:
    model = graph([node("MatMul", ["w", "x"], ["y"])], {"x": [7, 4]}, {"w": noise(5, 7)})
    op = product(trace_of(model, tmp_path))
    assert (op.inputs, as_gemm(op)) == (("x", "w"), Gemm(m=4, n=5, k=7))


# ---------------------------------------------------------------------------------------- Gemm


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize(
    ("c", "epilogue", "ops"),
    [
        (None, (), 1),
        ((4,), ("bias",), 1),
        ((1, 4), ("bias",), 1),
        ((), ("bias",), 1),
        ((1,), ("bias",), 1),
        ((5, 1), (), 2),
        ((5, 4), (), 2),
    ],
)
def test_gemm(
    tmp_path: Path,
    trans_a: int,
    trans_b: int,
    c: tuple[int, ...] | None,
    epilogue: tuple[str, ...],
    ops: int,
) -> None:
    a = noise(*((7, 5) if trans_a else (5, 7)))
    constants = {"b": noise(*((4, 7) if trans_b else (7, 4)))}
    names = ["a", "b"]
    if c is not None:
        constants["c"] = noise(*c)
        names.append("c")
    nodes = [node("Gemm", names, ["y"], transA=trans_a, transB=trans_b, alpha=0.5)]
    model = graph(nodes, {"a": a.shape}, constants)
    (expected,) = run(model, a=a)
    trace = trace_of(model, tmp_path, dtype="keep")
    op = product(trace)
    assert as_gemm(op) == Gemm(m=5, n=4, k=7)
    assert trace.macs() == expected.size * 7
    assert trace.tensors["y"].shape == expected.shape
    assert op.epilogue == epilogue
    assert len(trace.ops) == ops
    if ops == 2:
        assert trace.ops[1].attrs == {"function": "add", "work": 20}


def test_a_gemm_of_two_activations_is_scaled_on_its_way_out(tmp_path: Path) -> None:
    nodes = [node("Gemm", ["a", "b"], ["y"], alpha=0.5)]
    trace = trace_of(graph(nodes, {"a": [5, 7], "b": [7, 4]}), tmp_path)
    assert product(trace).epilogue == ("scale", "requantise")


# ---------------------------------------------------------------------------------------- Einsum


@pytest.mark.parametrize(
    ("equation", "a", "b", "gemm"),
    [
        ("ij,jk->ik", (5, 7), (7, 4), Gemm(5, 4, 7)),
        ("bhqd,bhkd->bhqk", (2, 3, 5, 7), (2, 3, 4, 7), Gemm(5, 4, 7, 6)),
        ("bqhd,bkhd->bhqk", (2, 5, 3, 7), (2, 4, 3, 7), Gemm(5, 4, 7, 6)),
        ("bsd,de->bse", (2, 5, 7), (7, 4), Gemm(10, 4, 7)),
        ("ij, kl -> ijkl", (2, 3), (4, 5), Gemm(6, 20, 1)),
        ("i,i->", (7,), (7,), Gemm(1, 1, 7)),
    ],
)
def test_einsum(
    tmp_path: Path, equation: str, a: tuple[int, ...], b: tuple[int, ...], gemm: Gemm
) -> None:
    model = graph([node("Einsum", ["a", "b"], ["y"], equation=equation)], {"a": a, "b": b})
    (expected,) = run(model, a=noise(*a), b=noise(*b))
    trace = trace_of(model, tmp_path)
    assert as_gemm(product(trace)) == gemm
    assert trace.tensors["y"].shape == expected.shape


@pytest.mark.parametrize("equation", ["ij,jk", "ij,jk->i", "ii,ik->ik", "...ij,jk->...ik"])
def test_other_einsums_are_unsupported(tmp_path: Path, equation: str) -> None:
    model = graph(
        [node("Einsum", ["a", "b"], ["y"], equation=equation)], {"a": [5, 5], "b": [5, 5]}
    )
    trace = trace_of(model, tmp_path)
    assert trace.unsupported == {"Einsum": 1}


# ---------------------------------------------------------------------------------------- attention


def test_attention_with_shared_key_heads(tmp_path: Path) -> None:
    """Eight query heads, two key heads: every key head meets four times the rows."""
    inputs = {"q": [3, 8, 5, 16], "k": [3, 2, 7, 16], "v": [3, 2, 7, 12]}
    model = graph([node("Attention", ["q", "k", "v"], ["y"])], inputs, opset=23)
    (expected,) = run(model, **{n: noise(*s) for n, s in inputs.items()})
    trace = trace_of(model, tmp_path)
    scores, softmax, context = trace.ops
    assert as_gemm(scores) == Gemm(m=20, n=7, k=16, groups=6)
    assert softmax.attrs == {"function": "softmax", "work": 3 * 8 * 5 * 7 * 6}
    assert as_gemm(context) == Gemm(m=20, n=12, k=7, groups=6)
    assert trace.tensors["y"].shape == expected.shape


def test_attention_over_flat_heads_with_a_mask(tmp_path: Path) -> None:
    inputs = {"q": [3, 5, 128], "k": [3, 7, 128], "v": [3, 7, 128], "mask": [5, 7]}
    nodes = [node("Attention", list(inputs), ["y"], q_num_heads=8, kv_num_heads=8)]
    trace = trace_of(graph(nodes, inputs, opset=23), tmp_path)
    assert trace.macs() == 2 * 3 * 8 * 5 * 7 * 16
    assert trace.ops[1].attrs["function"] == "masked_softmax"
    assert trace.ops[1].inputs[1] == "mask"


@pytest.mark.parametrize("present", [("now_k", "now_v"), ("", "")])
def test_attention_over_a_cache(tmp_path: Path, present: tuple[str, str]) -> None:
    """Eight query heads share two of keys; five tokens follow eleven."""
    inputs = {"q": [3, 8, 5, 16], **{n: [3, 2, 5, 16] for n in ("k", "v")}}
    inputs |= {n: [3, 2, 11, 16] for n in ("past_k", "past_v")}
    nodes = [node("Attention", ["q", "k", "v", "", "past_k", "past_v"], ["y", *present])]
    outputs = ["y", *filter(None, present)]
    trace = trace_of(graph(nodes, inputs, outputs=outputs, opset=23), tmp_path)
    keys, values, scores, _, context = trace.ops
    assert [op.attrs["function"] for op in (keys, values)] == ["concat", "concat"]
    assert (as_gemm(scores), as_gemm(context)) == (Gemm(20, 16, 16, 6), Gemm(20, 16, 16, 6))
    joined = [trace.tensors[op.outputs[0]] for op in (keys, values)]
    assert [t.shape for t in joined] == [(3, 2, 16, 16)] * 2
    assert {t.role for t in joined} == {"output" if present[0] else "activation"}
    assert scores.inputs[1] == keys.outputs[0]
    assert context.inputs[1] == values.outputs[0]


def test_attention_with_lengths_of_its_own_is_unsupported(tmp_path: Path) -> None:
    inputs = {n: [1, 2, 4, 8] for n in ("q", "k", "v")}
    nodes = [node("Attention", ["q", "k", "v"], ["y", "", "", "scores"])]
    trace = trace_of(graph(nodes, inputs, outputs=["y", "scores"], opset=23), tmp_path)
    assert trace.unsupported == {"Attention": 1}


# ---------------------------------------------------------------------------------------- integers


def test_integer_models_keep_their_types(tmp_path: Path) -> None:
    x, w = np.uint8(0), noise(6, 4)
    constants = {"w": (w * 10).astype(np.int8), "zero": np.array(x)}
    model = graph(
        [node("MatMulInteger", ["x", "w", "zero"], ["y"])],
        {"x": [5, 6]},
        constants,
        types={"x": TensorProto.UINT8},
    )
    trace = trace_of(model, tmp_path)
    op = product(trace)
    assert (as_gemm(op), op.inputs, op.epilogue) == (Gemm(5, 4, 6), ("x", "w"), ())
    assert {n: t.dtype for n, t in trace.tensors.items()} == {
        "x": "int8", "w": "int8", "y": "int32",
    }  # fmt: skip


def test_a_quantised_convolution(tmp_path: Path) -> None:
    constants = {
        "w": np.ones((4, 3, 3, 3), np.int8), "b": np.zeros(4, np.int32),
        "s": np.array(0.1, np.float32), "z": np.array(0, np.uint8), "zw": np.array(0, np.int8),
    }  # fmt: skip
    nodes = [node("QLinearConv", ["x", "s", "z", "w", "s", "zw", "s", "z", "b"], ["y"])]
    types = {"x": TensorProto.UINT8}
    trace = trace_of(graph(nodes, {"x": [1, 3, 5, 5]}, constants, types=types), tmp_path)
    op = product(trace)
    assert as_gemm(op) == Gemm(9, 4, 27)
    assert (op.inputs, op.epilogue) == (("x", "w", "b"), ("bias", "requantise"))
    assert trace.tensors["y"].dtype == "int8"  # less 128


def test_a_product_between_quantisers_takes_integers(tmp_path: Path) -> None:
    """Dequantising costs nothing, quantising rides on the product's way out."""
    constants = {
        "w": np.ones((6, 4), np.int8), "s": np.array(0.1, np.float32), "z": np.array(0, np.int8),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        node("DequantizeLinear", ["w", "s", "z"], ["wd"]),
        node("MatMul", ["xd", "wd"], ["y"]),
        node("QuantizeLinear", ["y", "s", "z"], ["yq"]),
        node("DequantizeLinear", ["yq", "s", "z"], ["yd"]),
    ]
    for dtype, kinds, x in (("keep", ["vector", "gemm"], "xq"), ("int8", ["gemm"], "x")):
        trace = trace_of(graph(nodes, {"x": [5, 6]}, constants), tmp_path, dtype=dtype)
        assert [op.kind for op in trace.ops] == kinds
        op = product(trace)
        assert (op.inputs, op.outputs) == ((x, "w"), ("yq",))
        assert op.epilogue == ("requantise",)
        assert {trace.tensors[n].dtype for n in (x, "w", "yq")} == {"int8"}


def test_a_fused_product(tmp_path: Path) -> None:
    nodes = [node("FusedMatMul", ["a", "b"], ["y"], domain="com.microsoft", transB=1, alpha=0.125)]
    model = graph(nodes, {"a": [2, 5, 7], "b": [2, 4, 7]}, domains={"com.microsoft": 1})
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    for extent in (2, 5, 4):
        model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = extent
    op = product(trace_of(model, tmp_path))
    assert as_gemm(op) == Gemm(5, 4, 7, 2)
    assert op.epilogue == ("scale", "requantise")
