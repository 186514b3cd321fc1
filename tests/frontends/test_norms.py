"""Norms that exporters spell out: found in every spelling, and only where they are norms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.trace import Trace
from tests.frontends.graphs import Array, graph, node, noise, run, trace_of

CONSTANTS: dict[str, Array] = {
    "gamma": noise(6), "beta": noise(6, seed=1), "two": np.float32(2).reshape(()),
    "one": np.float32(1).reshape(()), "eps": np.float32(1e-5).reshape(()),
    "axes": np.array([-1]), "first": np.array([0]),
}  # fmt: skip
SQUARES = {"pow": [("Pow", "IN", "two")], "mul": [("Mul", "IN", "IN")]}
ROOTS = {
    "div": [("Div", "IN", "root")],
    "reciprocal": [("Reciprocal", "root"), ("Mul", "IN", "LAST")],
    "one over": [("Div", "one", "root"), ("Mul", "LAST", "IN")],
}


def spelled(
    square: str, root: str, *, layer: bool, axes: str = "axes", swap: bool = False
) -> list[Any]:
    """Return the nodes of a norm of ``x`` that writes ``y``."""
    nodes: list[Any] = []
    value = "x"
    if layer:
        nodes += [node("ReduceMean", ["x", axes], ["mean"]), node("Sub", ["x", "mean"], ["away"])]
        value = "away"
    last = value
    middle = [("ReduceMean", "LAST", axes), ("Add", "LAST", "eps"), ("Sqrt", "LAST")]
    for operator, *operands in [*SQUARES[square], *middle, *ROOTS[root]]:
        names = [{"IN": value, "LAST": last}.get(o, o) for o in operands]
        last = "root" if operator == "Sqrt" else f"t{len(nodes)}"
        nodes.append(node(operator, names, [last]))
    operands = ["gamma", last] if swap else [last, "gamma"]
    nodes.append(node("Mul", operands, ["scaled" if layer else "y"]))
    if layer:
        nodes.append(node("Add", ["scaled", "beta"], ["y"]))
    return nodes


def traced(nodes: list[Any], folder: Path, outputs: tuple[str, ...] = ("y",)) -> Trace:
    used = {name for n in nodes for name in n.input}
    constants = {name: array for name, array in CONSTANTS.items() if name in used}
    return trace_of(graph(nodes, {"x": [2, 3, 6]}, constants, outputs=outputs), folder)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("square", SQUARES)
@pytest.mark.parametrize("layer", [False, True])
def test_every_spelling_is_one_norm(
    tmp_path: Path, square: str, root: str, layer: bool, swap: bool
) -> None:
    nodes = spelled(square, root, layer=layer, swap=swap)
    (op,) = traced(nodes, tmp_path).ops
    assert (
        op.attrs == {"function": "layer_norm", "work": 7 * 36}
        if layer
        else (op.attrs == {"function": "rms_norm", "work": 4 * 36})
    )
    assert op.inputs == (("x", "gamma", "beta") if layer else ("x", "gamma"))
    # and the spelling is that norm
    x = noise(2, 3, 6, seed=5)
    used = {name for n in nodes for name in n.input}
    (y,) = run(graph(nodes, {"x": [2, 3, 6]}, {n: a for n, a in CONSTANTS.items() if n in used},
                     outputs=["y"]), x=x)  # fmt: skip
    away = x - x.mean(-1, keepdims=True) if layer else x
    normed = away / np.sqrt((away**2).mean(-1, keepdims=True) + 1e-5) * CONSTANTS["gamma"]
    np.testing.assert_allclose(y, normed + CONSTANTS["beta"] * layer, rtol=1e-4, atol=1e-5)


def test_a_mean_over_another_axis_is_no_norm(tmp_path: Path) -> None:
    trace = traced(spelled("pow", "div", layer=False, axes="first"), tmp_path)
    assert "rms_norm" not in {op.attrs["function"] for op in trace.ops}
    assert sum(op.attrs["function"] == "reduce_mean" for op in trace.ops) == 1


def test_a_value_that_is_read_elsewhere_stays(tmp_path: Path) -> None:
    trace = traced(spelled("pow", "div", layer=False), tmp_path, outputs=("y", "root"))
    assert "rms_norm" not in {op.attrs["function"] for op in trace.ops}


def test_casts_in_between_are_looked_through(tmp_path: Path) -> None:
    nodes = spelled("pow", "div", layer=False)
    scale = nodes.pop()
    nodes.append(node("Cast", [nodes[-1].output[0]], ["half"], to=1))
    scale.input[0] = "half"
    trace = traced([*nodes, scale], tmp_path)
    assert [op.attrs["function"] for op in trace.ops] == ["rms_norm"]
