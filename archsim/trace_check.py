"""Whether a trace is well formed: ops in order, of known kinds, with their kinds' attributes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from archsim.errors import InputError
from archsim.trace import (
    MAX_MACS,
    MAX_NAME,
    Layout,
    Op,
    OpKind,
    Packed,
    Sparse,
    Tensor,
    Trace,
    conv_output,
)


def check_trace(
    trace: Trace, kinds: Mapping[str, OpKind], where: Callable[[str], str] = lambda name: name
) -> None:
    """Raise `InputError` unless ops are well formed, in order, and blocks hang together.

    Parameters
    ----------
    where
        Place of an op, by its name.
    """
    names: set[str] = set()
    written = {t.name for t in trace.tensors.values() if t.role in ("input", "weight")}
    closed: set[str] = set()
    block, repeat = "", 1
    for op in trace.ops:
        place = where(op.name)
        check_op(op, trace.tensors, kinds, place)
        if op.name in names:
            raise InputError(place, "every op must have its own name", op.name)
        names.add(op.name)
        for name in (op.name, *op.outputs):
            if not 0 < len(name) <= MAX_NAME:
                raise InputError(place, f"names must be 1 to {MAX_NAME} characters", name)
        for name in op.inputs:
            if name not in written:
                raise InputError(
                    place, "ops must read inputs, weights or what ops above wrote", name
                )
        for name in op.outputs:
            if name in written:
                raise InputError(place, "a tensor must be written once, and not be an input", name)
            written.add(name)
        if op.block != block:
            closed.add(block)
            block, repeat = op.block, op.repeat
        if block and (block in closed or op.repeat != repeat):
            raise InputError(
                place, "ops of a block must be consecutive and repeat alike", (op.block, op.repeat)
            )


def check_op(
    op: Op, tensors: Mapping[str, Tensor], kinds: Mapping[str, OpKind], where: str
) -> None:
    """Raise `InputError` unless the op has exactly its kind's attributes and known tensors."""
    if op.kind not in kinds:
        raise InputError(where, f"op kind must be one of {', '.join(sorted(kinds))}", op.kind)
    kind = kinds[op.kind]
    missing, extra = kind.attrs.keys() - op.attrs.keys(), op.attrs.keys() - kind.attrs.keys()
    if missing or extra:
        raise InputError(where, f"{op.kind} takes {', '.join(kind.attrs)}", tuple(op.attrs))
    for name, wanted in kind.attrs.items():
        value: Any = op.attrs[name]
        if wanted is int:
            good = type(value) is int and value > 0
        elif wanted is tuple:
            good = type(value) is tuple and all(type(v) is int and v >= 0 for v in value)
        else:
            good = type(value) is wanted
        if not good:
            raise InputError(f"{where}: {name}", f"must be a {_ATTR_WORDS[wanted]}", value)
    for name in (*op.inputs, *op.outputs):
        if name not in tensors:
            raise InputError(where, "inputs and outputs must be declared tensors", name)
    product = kind.tiling == "gemm" or kind.sparse > 0
    if product and (len(op.inputs) < 2 or not op.outputs):
        got = (len(op.inputs), len(op.outputs))
        raise InputError(where, "a product must read A and B and write C", got)
    if op.repeat < 1:
        raise InputError(f"{where}: repeat", "must be a positive integer", op.repeat)
    if op.kind == "conv":
        _check_conv(op, where)
    if kind.sparse:
        _check_sparse(op, tensors, kind, where)
    if kind.tiling == "gemm":
        _check_dense(op, tensors, where)
    for name, turns in op.layouts.items():
        _check_layout(op, tensors, kind, name, turns, f"{where}: layouts: {name}")
    if kind.macs(op) > MAX_MACS:
        raise InputError(where, f"must take at most {MAX_MACS:,} MACs", kind.macs(op))


def _check_layout(
    op: Op,
    tensors: Mapping[str, Tensor],
    kind: OpKind,
    name: str,
    turns: Layout,
    where: str,
) -> None:
    if kind.tiling != "gemm" or name not in ("a", "b"):
        raise InputError(where, "must be of operand a or b of a product", op.kind)
    elements = tensors[op.inputs["ab".index(name)]].elements
    for shape, order in turns:
        if math.prod(shape) != elements or sorted(order) != list(range(len(shape))):
            raise InputError(
                where, f"must be shapes of {elements:,} elements, each with an order of its axes",
                (shape, order),
            )  # fmt: skip


_ATTR_WORDS = {
    int: "positive integer", tuple: "list of non-negative integers", float: "number",
    str: "text", bool: "true or false",
}  # fmt: skip


def _check_sparse(op: Op, tensors: Mapping[str, Tensor], kind: OpKind, where: str) -> None:
    """Refuse products whose matrices are not of the op's extents, or dense and should not be."""
    m, n, k = (op.int_attr(axis) for axis in "mnk")
    names = (*op.inputs[:2], op.outputs[0])
    for name, shape in zip(names, ((m, k), (k, n), (m, n)), strict=True):
        if tensors[name].shape != shape:
            raise InputError(
                f"{where}: {name}", f"must be {list(shape)}", list(tensors[name].shape)
            )
    for name in op.inputs[: kind.sparse]:
        if not isinstance(tensors[name].data, Sparse):
            raise InputError(f"{where}: {name}", "must be a sparse matrix", tensors[name].data)


def _check_dense(op: Op, tensors: Mapping[str, Tensor], where: str) -> None:
    """Refuse dense products of sparse matrices, or of packed tensors that are no weights."""
    for port, name in zip("ab", op.inputs, strict=False):
        found = tensors[name]
        weight = port == "b" and found.role == "weight"
        if isinstance(found.data, Sparse) or (isinstance(found.data, Packed) and not weight):
            raise InputError(
                f"{where}: {name}", "must be dense, or packed weights at b", found.data
            )


def _check_conv(op: Op, where: str) -> None:
    for name, length in (("kernel", 2), ("stride", 2), ("dilation", 2), ("pad", 4)):
        value = op.ints_attr(name)
        if len(value) != length or (name != "pad" and min(value) < 1):
            raise InputError(f"{where}: {name}", f"must be {length} integers in range", value)
    groups = op.int_attr("groups")
    if op.int_attr("channels") % groups or op.int_attr("filters") % groups:
        raise InputError(f"{where}: groups", "must divide channels and filters", groups)
    if min(conv_output(op)) < 1:
        raise InputError(f"{where}: kernel", "must fit the padded input", op.ints_attr("kernel"))
