"""Operators that are matrix products: convolutions, MatMul, Gemm, Einsum."""

from __future__ import annotations

from math import prod

from archsim.frontends.operators.lowering import Handler, Lowering
from archsim.frontends.operators.node import Node, Value
from archsim.trace import VECTOR_PASSES, Attr, Layout

# -------------------------------------------------------------------------------------- convolution


def _conv(low: Lowering, node: Node, bias: int | None = 2) -> None:
    """Lower a 1-D or 2-D convolution; ``bias`` is that operand's position."""
    x, w = low.required(node, 0), low.required(node, 1)
    spatial = len(x.shape) - 2
    if spatial > 2:
        low.unsupported(node)
        return
    batch, channels, *extents = x.shape
    filters, _, *kernel = w.shape
    stride = node.attribute("strides") or [1] * spatial
    dilation = node.attribute("dilations") or [1] * spatial
    pad = _pads(node, extents, kernel, stride, dilation)
    if spatial == 1:  # a single row
        extents, kernel, stride, dilation = ([1, *v] for v in (extents, kernel, stride, dilation))
        pad = (0, pad[0], 0, pad[1])
    attrs: dict[str, Attr] = {
        "batch": batch, "channels": channels, "height": extents[0], "width": extents[1],
        "filters": filters, "kernel": tuple(kernel), "stride": tuple(stride), "pad": pad,
        "dilation": tuple(dilation), "groups": node.attribute("group", 1),
    }  # fmt: skip
    added = low.value(node, bias) if bias is not None else None
    epilogue = ("bias",) if added is not None else ()
    low.product(node, "conv", (x, w), _bias(low, added), attrs, epilogue=epilogue)


def _pads(
    node: Node, extents: list[int], kernel: list[int], stride: list[int], dilation: list[int]
) -> tuple[int, ...]:
    """Return begins, then ends."""
    mode = node.attribute("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return tuple(node.attribute("pads") or [0] * 2 * len(kernel))
    begins, ends = [], []
    for extent, taps, step, gap in zip(extents, kernel, stride, dilation, strict=True):
        reach = (taps - 1) * gap + 1
        total = max(0, (-(-extent // step) - 1) * step + reach - extent) if mode != "VALID" else 0
        less, more = total // 2, total - total // 2
        begins.append(more if mode == "SAME_LOWER" else less)
        ends.append(less if mode == "SAME_LOWER" else more)
    return (*begins, *ends)


def _bias(low: Lowering, value: Value | None) -> tuple[str, ...]:
    """Return the tensor of what is added to accumulators."""
    if value is None or not value.static:
        return low.operand(value)
    root = low.root(value.name)  # as stored, where it was quantised
    return (low.builder.bias(root, value.elements, low.values[root].dtype),)


def _conv_transpose(low: Lowering, node: Node) -> None:
    """Lower to the product that gives every input pixel's contribution, then their overlapped sum.

    Where kernels do not overlap (kernel = stride, no padding) the product's columns are the output,
    written by address.
    """
    x, w, bias = low.required(node, 0), low.required(node, 1), low.value(node, 2)
    out = low.output(node)
    groups = node.attribute("group", 1)
    taps = prod(w.shape[2:])
    pixels = prod((x.shape[0], *x.shape[2:]))
    depth = x.shape[1] // groups
    dims = (pixels, w.shape[1] * taps, depth, groups)
    turns = ((((x.shape[0], groups, depth, prod(x.shape[2:])), (1, 0, 3, 2)),), ())
    epilogue = ("bias",) if bias is not None else ()
    columns = pixels * w.shape[1] * groups * taps
    if columns == out.elements and list(w.shape[2:]) == node.attribute("strides"):
        added = _bias(low, bias)
        name = low.product(node, "gemm", (x, w), added, gemm(*dims), epilogue=epilogue, turns=turns)
        low.filters[name] = w.shape[1] * groups
        return
    shape = (pixels, groups * w.shape[1] * taps)
    partial = low.declare(Value(f"{out.name}.columns", shape, out.dtype))
    low.product(node, "gemm", (x, w), (), gemm(*dims), outputs=(partial,), turns=turns)
    passes = VECTOR_PASSES["col2im"] * columns + (
        VECTOR_PASSES["bias"] * out.elements if bias else 0
    )
    low.op(
        node,
        "vector",
        (partial, *low.operand(bias)),
        low.results(node),
        {"function": "col2im", "work": passes},
        epilogue=epilogue,
        part="col2im",
    )


# ----------------------------------------------------------------------------------------- products


def gemm(m: int, n: int, k: int, groups: int = 1) -> dict[str, Attr]:
    """Return the attributes of a product."""
    return {"m": m, "n": n, "k": k, "groups": groups}


def _product(
    low: Lowering,
    node: Node,
    a: Value,
    b: Value,
    dims: tuple[int, int, int, int],
    *,
    bias: tuple[str, ...] = (),
    outputs: tuple[str, ...] | None = None,
    epilogue: tuple[str, ...] = (),
    turns: tuple[Layout, Layout] = ((), ()),
) -> None:
    """Add ``a b`` with (m, n, k, groups); a constant on the left changes sides, transposed."""
    m, n, k, groups = dims
    if not m * n * k * groups:
        return
    if a.static and not b.static:
        across: tuple[Layout, Layout] = (
            (*turns[1], ((groups, k, n), (0, 2, 1))), (*turns[0], ((groups, m, k), (0, 2, 1))),
        )  # fmt: skip
        a, b, m, n, turns = b, a, n, m, across
    low.product(
        node, "gemm", (a, b), bias, gemm(m, n, k, groups),
        outputs=outputs, epilogue=epilogue, turns=turns,
    )  # fmt: skip


def _matmul(low: Lowering, node: Node) -> None:
    """Lower a product of stacks.

    Per leading axis: extents on both sides make groups, an extent on the left alone joins the rows
    that share the right operand, one on the right alone joins its columns.
    """
    a, b = low.required(node, 0), low.required(node, 1)
    shape_a = a.shape if len(a.shape) > 1 else (1, *a.shape)
    shape_b = b.shape if len(b.shape) > 1 else (*b.shape, 1)
    rank = max(len(shape_a), len(shape_b)) - 2
    lead_a = (1,) * (rank + 2 - len(shape_a)) + shape_a[:-2]
    lead_b = (1,) * (rank + 2 - len(shape_b)) + shape_b[:-2]
    m, n, groups = shape_a[-2], shape_b[-1], 1
    shared, left, right = [], [], []  # axes
    for axis, (x, y) in enumerate(zip(lead_a, lead_b, strict=True)):
        if x == y:
            groups *= x
            shared.append(axis)
        elif y == 1:
            m *= x
            left.append(axis)
        else:
            n *= y
            right.append(axis)
    rows = (*shared, *left, *right, rank, rank + 1)
    columns = (*shared, *left, rank, *right, rank + 1)
    turns = (((*lead_a, *shape_a[-2:]), rows),), (((*lead_b, *shape_b[-2:]), columns),)
    _product(low, node, a, b, (m, n, shape_a[-1], groups), turns=turns)


def _turned(shape: tuple[int, ...], transposed: bool) -> Layout:
    """Return the turn of a stack of matrices that are taken transposed, if they are."""
    rank = len(shape)
    return ((shape, (*range(rank - 2), rank - 1, rank - 2)),) if transposed else ()


def _gemm_node(low: Lowering, node: Node) -> None:
    a, b, c = low.required(node, 0), low.required(node, 1), low.value(node, 2)
    m, k = reversed(a.shape) if node.attribute("transA", 0) else a.shape
    n = b.shape[0] if node.attribute("transB", 0) else b.shape[1]
    swapped = a.static and not b.static
    turns = (
        _turned(a.shape, bool(node.attribute("transA", 0))),
        _turned(b.shape, bool(node.attribute("transB", 0))),
    )
    scaled = node.attribute("alpha", 1.0) != 1.0 and not (a.static or b.static)
    epilogue: tuple[str, ...] = ("scale",) if scaled else ()
    if c is None:
        _product(low, node, a, b, (m, n, k, 1), epilogue=epilogue, turns=turns)
        return
    if c.static and c.elements in (1, n) and c.shape[-1:] in ((), (1,), (n,)) and not swapped:
        every = (*epilogue, "bias")
        _product(low, node, a, b, (m, n, k, 1), bias=_bias(low, c), epilogue=every, turns=turns)
        return
    out = low.output(node)
    partial = low.declare(Value(f"{out.name}.product", out.shape, out.dtype))
    _product(low, node, a, b, (m, n, k, 1), outputs=(partial,), epilogue=epilogue, turns=turns)
    attrs: dict[str, Attr] = {"function": "add", "work": out.elements * VECTOR_PASSES["add"]}
    low.op(node, "vector", (partial, *low.operand(c)), low.results(node), attrs, part="add")


def _einsum(low: Lowering, node: Node) -> None:
    """Lower a product of two operands in which no index repeats and none is summed alone."""
    terms = node.attribute("equation").replace(" ", "").split("->")
    inputs = terms[0].split(",")
    plain = all(set(t) <= _LETTERS and len(set(t)) == len(t) for t in (*inputs, *terms[1:]))
    if len(terms) != 2 or len(inputs) != 2 or not plain:
        low.unsupported(node)
        return
    left, right, out = set(inputs[0]), set(inputs[1]), set(terms[1])
    a, b = low.required(node, 0), low.required(node, 1)
    if out != (left ^ right) | (left & right & out):
        low.unsupported(node)
        return
    size = dict(zip(inputs[0], a.shape, strict=True)) | dict(zip(inputs[1], b.shape, strict=True))
    rows, columns, summed, shared = (
        sorted(x) for x in (left - right, right - left, left & right - out, left & right & out)
    )
    m, n, k, groups = (prod(size[i] for i in x) for x in (rows, columns, summed, shared))
    turns = (
        ((a.shape, tuple(inputs[0].index(i) for i in (*shared, *rows, *summed))),),
        ((b.shape, tuple(inputs[1].index(i) for i in (*shared, *summed, *columns))),),
    )
    _product(low, node, a, b, (m, n, k, groups), turns=turns)


_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _fused_matmul(low: Lowering, node: Node) -> None:
    """Lower ONNX Runtime's MatMul with transpositions of the last two axes."""
    a, b = low.required(node, 0), low.required(node, 1)
    batched = node.attribute("transBatchA", 0) or node.attribute("transBatchB", 0)
    if batched or len(a.shape) != len(b.shape) or a.shape[:-2] != b.shape[:-2]:
        low.unsupported(node)
        return
    m, k = reversed(a.shape[-2:]) if node.attribute("transA", 0) else a.shape[-2:]
    n = b.shape[-2] if node.attribute("transB", 0) else b.shape[-1]
    scaled = node.attribute("alpha", 1.0) != 1.0
    epilogue = ("scale",) if scaled else ()
    turns = (
        _turned(a.shape, bool(node.attribute("transA", 0))),
        _turned(b.shape, bool(node.attribute("transB", 0))),
    )
    dims = (m, n, k, prod(a.shape[:-2]))
    _product(low, node, a, b, dims, epilogue=epilogue, turns=turns)


HANDLERS: dict[str, Handler] = {
    "Conv": _conv,
    "ConvInteger": lambda low, node: _conv(low, node, bias=None),
    "ConvTranspose": _conv_transpose,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "Gemm": _gemm_node,
    "Einsum": _einsum,
    "com.microsoft.FusedMatMul": _fused_matmul,
}
