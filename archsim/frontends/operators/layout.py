"""Operators that compute nothing: new names for the same elements, and moves of bytes."""

from __future__ import annotations

from archsim.frontends.operators.lowering import Handler, Lowering
from archsim.frontends.operators.node import Node

_FREE = (
    "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout",
)  # fmt: skip

# function, and the positions of operands whose bytes move; all of them where None
_MOVES: dict[str, tuple[str, tuple[int, ...] | None]] = {
    "Concat": ("concat", None), "Slice": ("slice", (0,)), "Split": ("split", (0,)),
    "Gather": ("gather", (0, 1)), "GatherND": ("gather", (0, 1)),
    "GatherElements": ("gather", (0, 1)), "Pad": ("pad", (0,)), "Expand": ("broadcast", (0,)),
    "Tile": ("broadcast", (0,)), "DepthToSpace": ("transpose", (0,)),
    "SpaceToDepth": ("transpose", (0,)), "ReverseSequence": ("transpose", (0, 1)),
    "ScatterND": ("scatter", (0, 1, 2)), "ScatterElements": ("scatter", (0, 1, 2)),
    "Scatter": ("scatter", (0, 1, 2)), "Trilu": ("slice", (0,)), "OneHot": ("scatter", (0,)),
}  # fmt: skip


def _free(low: Lowering, node: Node) -> None:
    low.alias(node)


def constant(low: Lowering, node: Node) -> None:
    """Make what rearranges a constant another name for it, so that a shared one counts once."""
    low.alias(node, order=_order(low, node) if node.op_type == "Transpose" else ())


def _order(low: Lowering, node: Node) -> list[int]:
    """Return the order in which a transposition has its input's axes."""
    rank = len(low.required(node, 0).shape)
    return list(node.attribute("perm") or reversed(range(rank)))


def _dequantise(low: Lowering, node: Node) -> None:
    """Lower to nothing: who reads takes the integers. Accumulators are converted on the way out."""
    x = low.required(node, 0)
    if x.dtype == "int32" and not x.static:
        low.vector(node, "cast", low.output(node).elements, low.operand(x))
    else:
        low.alias(node)


def _quantise(low: Lowering, node: Node) -> None:
    """Lower to a requantisation, or to nothing where an input is stored quantised anyway."""
    x, out = low.required(node, 0), low.output(node)
    comes_in = low.builder.tensors.get(low.root(x.name))
    if comes_in and comes_in.role == "input" and comes_in.dtype == out.dtype:
        low.alias(node)
    else:
        low.vector(node, "requantise", out.elements, low.operand(x))


def _move(low: Lowering, node: Node) -> None:
    """Lower to a move, or to nothing where an input passes as it is."""
    function, positions = _MOVES[node.op_type]
    unmoved = _unmoved(low, node, function)
    if unmoved:
        low.alias(node, unmoved)
    else:
        low.move(node, function, low.operands(node, positions))


def _unmoved(low: Lowering, node: Node, function: str) -> str:
    """Return the input that passes as it is, or nothing."""
    if function == "concat":
        filled = [name for name in node.inputs if low.values[name].elements]
        return filled[0] if len(filled) == 1 else ""
    x = low.required(node, 0)
    if node.op_type not in ("Pad", "Expand", "Tile", "Slice", "Split"):
        return ""
    steps = low.value(node, 4) if node.op_type == "Slice" else None
    forward = steps is None or (steps.array is not None and bool((steps.array > 0).all()))
    return x.name if forward and x.shape == low.output(node).shape else ""


def _transpose(low: Lowering, node: Node) -> None:
    """Lower to a move, unless only axes of one element change places."""
    x = low.required(node, 0)
    kept = [axis for axis in _order(low, node) if x.shape[axis] > 1]
    if kept == sorted(kept):
        low.alias(node)
    else:
        low.move(node, "transpose")


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_FREE, _free),
    **dict.fromkeys(_MOVES, _move),
    "Transpose": _transpose,
    "DequantizeLinear": _dequantise,
    "QuantizeLinear": _quantise,
}
FREE_OF_CONSTANTS = frozenset((*_FREE, "Transpose", "Cast", "DequantizeLinear"))
