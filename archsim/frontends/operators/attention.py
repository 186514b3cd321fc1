"""Attention as one operator: two products around a softmax, over a cache where there is one."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from archsim.frontends.operators.lowering import Handler, Lowering
from archsim.frontends.operators.node import Node, Value
from archsim.frontends.operators.products import gemm
from archsim.trace import VECTOR_PASSES, Attr, Layout

_PAST, _LENGTHS, _SCORES = (4, 5), 6, 3  # operands, operand, output


def _attention(low: Lowering, node: Node) -> None:
    """Lower ONNX's own attention; query heads that share key heads are rows of one product."""
    if low.value(node, _LENGTHS) or any(node.outputs[_SCORES:]):
        low.unsupported(node)
        return
    q, k, v = (low.required(node, i) for i in range(3))
    out, mask = low.output(node), low.value(node, 3)
    if len(q.shape) == 4:
        batch, heads, rows, size = q.shape
        shared, columns, depth = k.shape[1], k.shape[2], v.shape[3]
    else:
        batch, rows, columns = q.shape[0], q.shape[1], k.shape[1]
        heads, shared = node.attribute("q_num_heads"), node.attribute("kv_num_heads")
        size, depth = q.shape[2] // heads, v.shape[2] // shared
    past = low.value(node, _PAST[0])
    total = columns + (past.shape[2] if past else 0)
    k = _kept(low, node, k, 0, (batch, shared, total, size))
    v = _kept(low, node, v, 1, (batch, shared, total, depth))
    of_q, of_k, of_v = (_heads(x, n) for x, n in ((q, heads), (k, shared), (v, shared)))
    across = ((batch * shared, total, size), (0, 2, 1))
    groups, m = batch * shared, heads // shared * rows
    shape = (batch, heads, rows, total)
    scores = low.declare(replace(out, name=f"{out.name}.scores", shape=shape))
    weights = low.declare(replace(out, name=f"{out.name}.weights", shape=shape))
    function = "masked_softmax" if mask or node.attribute("is_causal", 0) else "softmax"
    product = gemm(m, total, size, groups)
    operands = (low.tensor(q), low.tensor(k))
    layouts = {"a": (*low.layout(q), *of_q), "b": (*low.layout(k), *of_k, across)}
    low.op(
        node, "gemm", operands, (scores,), product, epilogue=("scale",), part="scores",
        layouts=layouts,
    )  # fmt: skip
    softmax: dict[str, Attr] = {"function": function, "work": prod(shape) * VECTOR_PASSES[function]}
    low.op(node, "vector", (scores, *low.operand(mask)), (weights,), softmax, part="softmax")
    context = gemm(m, depth, total, groups)
    low.op(
        node, "gemm", (weights, low.tensor(v)), (low.declare(out),), context, part="context",
        layouts={"b": (*low.layout(v), *of_v)},
    )  # fmt: skip


def _heads(x: Value, heads: int) -> Layout:
    """Return the turn that brings heads to the front, where features of all lie side by side."""
    if len(x.shape) == 4:
        return ()
    batch, rows, features = x.shape
    return (((batch, rows, heads, features // heads), (0, 2, 1, 3)),)


def _kept(low: Lowering, node: Node, x: Value, index: int, shape: tuple[int, ...]) -> Value:
    """Return keys or values with the past before them, as the present where that is written."""
    past = low.value(node, _PAST[index])
    written = node.outputs[1 + index] if len(node.outputs) > 1 + index else ""
    if past is None and not written:
        return x
    part = ("keys", "values")[index]
    name = written or f"{low.output(node).name}.{part}"
    present = Value(name, shape, x.dtype)
    function = "cache_write" if past is None else "concat"
    moved = (*low.operand(past), low.tensor(x))
    low.op(node, "move", moved, (low.declare(present),), {"function": function}, part=part)
    return present


HANDLERS: dict[str, Handler] = {"Attention": _attention}
