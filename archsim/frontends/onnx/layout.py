"""Operators that compute nothing: new names for the same elements, and moves of bytes."""

from __future__ import annotations

from typing import Any

from archsim.frontends.onnx.lowering import Handler, Lowering, attribute

_FREE = (
    "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout",
    "DequantizeLinear",  # products take the integers, the scale joins their requantisation
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


def _free(low: Lowering, node: Any) -> None:
    low.alias(node)


def _move(low: Lowering, node: Any) -> None:
    """Lower to a move, or to nothing where the output is the one input that has elements."""
    function, positions = _MOVES[node.op_type]
    operands = low.operands(node, positions)
    x, out = low.required(node, 0), low.output(node)
    same = (
        [v for n in node.input if n and (v := low.values[n]).elements]
        if function == "concat"
        else [x]
    )
    unchanged = len(same) == 1 and same[0].shape == out.shape
    if (
        unchanged
        and function in ("concat", "pad", "broadcast", "slice", "split")
        and _forward(low, node)
    ):
        low.alias(node, same[0].name)
    else:
        low.move(node, function, operands)


def _forward(low: Lowering, node: Any) -> bool:
    """Say whether an operator that keeps the shape keeps the order too: a slice may reverse it."""
    if node.op_type == "Trilu":
        return False
    steps = low.value(node, 4) if node.op_type == "Slice" else None
    return steps is None or (steps.array is not None and bool((steps.array > 0).all()))


def _transpose(low: Lowering, node: Any) -> None:
    """Lower to a move, unless only axes of one element change places."""
    x = low.required(node, 0)
    order = attribute(node, "perm") or list(reversed(range(len(x.shape))))
    kept = [axis for axis in order if x.shape[axis] > 1]
    if kept == sorted(kept):
        low.alias(node)
    else:
        low.move(node, "transpose")


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_FREE, _free),
    **dict.fromkeys(_MOVES, _move),
    "Transpose": _transpose,
}
FREE_OF_CONSTANTS = frozenset((*_FREE, "Transpose", "Cast"))
