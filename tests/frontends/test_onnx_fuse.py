"""Epilogues: what rides on an op's way out, what folds into weights, what must stay."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.trace import Trace
from tests.frontends.graphs import Array, graph, node, noise, trace_of

IMAGE = {"x": [1, 3, 6, 6]}
WEIGHTS = {"w": noise(4, 3, 3, 3), "b": noise(4)}
NORM: dict[str, Array] = {n: abs(noise(4)) for n in ("scale", "shift", "mean", "var")}


def shown(trace: Trace) -> list[tuple[str, tuple[str, ...]]]:
    """Return each op's kind or function, and its epilogue."""
    return [(str(op.attrs.get("function", op.kind)), op.epilogue) for op in trace.ops]


def test_a_batch_norm_and_activation_join_their_convolution(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"], name="conv"),
        node("BatchNormalization", ["c", *NORM], ["n"], name="norm"),
        node("Relu", ["n"], ["y"], name="relu"),
    ]
    trace = trace_of(graph(nodes, IMAGE, WEIGHTS | NORM), tmp_path)
    assert shown(trace) == [("conv", ("bias", "relu", "requantise"))]
    (op,) = trace.ops
    assert (op.inputs, op.outputs) == (("x", "w", "shift"), ("y",))
    assert op.source == "conv + norm + relu"
    assert trace.tensors["shift"].dtype == "int32"
    assert set(trace.tensors) == {"x", "w", "shift", "y"}
    assert trace.tensors["y"].role == "output"


def test_a_convolution_with_a_bias_keeps_it_through_its_norm(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"]),
        node("BatchNormalization", ["c", *NORM], ["y"]),
    ]
    trace = trace_of(graph(nodes, IMAGE, WEIGHTS | NORM), tmp_path)
    assert trace.ops[0].inputs == ("x", "w", "b")
    assert trace.ops[0].epilogue == ("bias", "requantise")


@pytest.mark.parametrize(
    ("tail", "epilogue", "inputs"),
    [
        ([("Add", "p")], ("bias",), ("x", "w", "p")),
        ([("Mul", "p")], (), ("x", "w")),  # weights are scaled beforehand
        ([("Mul", "p"), ("Add", "q")], ("bias",), ("x", "w", "q")),
        ([("Add", "p"), ("Mul", "q")], ("bias",), ("x", "w", "p")),
        ([("Add", "p"), ("Add", "q")], ("bias",), ("x", "w", "p")),
        ([("Add", "one")], ("offset",), ("x", "w")),
        ([("Mul", "one")], (), ("x", "w")),
        ([("Relu", ""), ("Mul", "p")], ("relu", "scale"), ("x", "w", "p")),
        ([("Add", "p"), ("Relu", ""), ("Add", "q")], ("bias", "relu", "offset"),
         ("x", "w", "p", "q")),
        ([("Sigmoid", ""), ("Mul", "one"), ("Add", "one")], ("sigmoid", "scale", "offset"),
         ("x", "w")),
    ],
)  # fmt: skip
def test_constants_behind_a_convolution(
    tmp_path: Path, tail: list[tuple[str, str]], epilogue: tuple[str, ...], inputs: tuple[str, ...]
) -> None:
    constants = {"p": noise(4, 1, 1), "q": noise(1, 4, 1, 1), "one": np.ones((), np.float32)}
    nodes = [node("Conv", ["x", "w"], ["t0"])]
    for i, (operator, constant) in enumerate(tail):
        nodes.append(node(operator, [f"t{i}", *([constant] if constant else [])], [f"t{i + 1}"]))
    trace = trace_of(graph(nodes, IMAGE, WEIGHTS | constants), tmp_path, dtype="keep")
    assert shown(trace) == [("conv", epilogue)]
    assert trace.ops[0].inputs == inputs


def test_what_others_read_is_not_swallowed(tmp_path: Path) -> None:
    """A residual reads the convolution's own output."""
    nodes = [
        node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("Add", ["r", "c"], ["y"]),
    ]
    trace = trace_of(graph(nodes, IMAGE, {"w": noise(3, 3, 3, 3)}), tmp_path)
    assert shown(trace) == [("conv", ("requantise",)), ("relu", ()), ("add", ())]


def test_what_the_model_returns_is_not_swallowed(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["y"])]
    trace = trace_of(graph(nodes, IMAGE, WEIGHTS, outputs=["c", "y"]), tmp_path)
    assert [name for name, _ in shown(trace)] == ["conv", "relu"]
    assert {n for n, t in trace.tensors.items() if t.role == "output"} == {"c", "y"}


def test_an_activation_behind_a_residual_joins_it(tmp_path: Path) -> None:
    nodes = [node("Add", ["x", "z"], ["s"]), node("Relu", ["s"], ["y"])]
    (op,) = trace_of(graph(nodes, {"x": [4, 5], "z": [4, 5]}), tmp_path).ops
    assert op.attrs == {"function": "add", "work": 40}
    assert (op.epilogue, op.inputs, op.outputs) == (("relu",), ("x", "z"), ("y",))


def test_a_position_embedding_stays_an_addition(tmp_path: Path) -> None:
    constants = {"w": noise(8, 6), "position": noise(5, 6)}
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "position"], ["y"])]
    trace = trace_of(graph(nodes, {"x": [2, 5, 8]}, constants), tmp_path)
    assert shown(trace) == [("gemm", ("requantise",)), ("add", ())]
    assert trace.ops[1].inputs == ("m", "position")


def test_a_constant_along_another_axis_stays(tmp_path: Path) -> None:
    constants = {"w": noise(8, 6), "rows": noise(5, 1)}
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Mul", ["m", "rows"], ["y"])]
    trace = trace_of(graph(nodes, {"x": [2, 5, 8]}, constants), tmp_path)
    assert shown(trace) == [("gemm", ("requantise",)), ("scale", ())]


def test_a_scale_rides_past_a_transposition(tmp_path: Path) -> None:
    """As exporters write ``q.transpose(1, 2) * scale``: the projection's weights absorb it."""
    constants = {"w": noise(8, 8), "b": noise(8), "s": np.array(0.3, np.float32),
                 "heads": np.array([2, 5, 4, 2])}  # fmt: skip
    nodes = [
        node("MatMul", ["x", "w"], ["m"]),
        node("Add", ["m", "b"], ["a"]),
        node("Reshape", ["a", "heads"], ["h"]),
        node("Transpose", ["h"], ["t"], perm=[0, 2, 1, 3]),
        node("Mul", ["t", "s"], ["y"]),
    ]
    trace = trace_of(graph(nodes, {"x": [2, 5, 8]}, constants), tmp_path)
    assert shown(trace) == [("gemm", ("bias", "requantise")), ("transpose", ())]
    assert trace.ops[1].outputs == ("y",)
    assert trace.ops[1].inputs == trace.ops[0].outputs


def test_two_activations_product_is_scaled_on_its_way_out(tmp_path: Path) -> None:
    constants = {"s": np.array(8.0, np.float32)}
    nodes = [node("MatMul", ["q", "k"], ["m"]), node("Div", ["m", "s"], ["y"])]
    trace = trace_of(graph(nodes, {"q": [4, 5, 8], "k": [4, 8, 5]}, constants), tmp_path)
    assert shown(trace) == [("gemm", ("scale", "requantise"))]


def test_a_batch_norm_alone_is_a_pass_of_two(tmp_path: Path) -> None:
    nodes = [node("BatchNormalization", ["x", *NORM], ["y"])]
    (op,) = trace_of(graph(nodes, {"x": [1, 4, 5, 5]}, NORM), tmp_path).ops
    assert op.attrs == {"function": "batch_norm", "work": 200}
    assert op.inputs == ("x", "scale", "shift")


# ---------------------------------------------------------------------------------------- patterns

NUMBERS = {
    name: np.array(value, np.float32)
    for name, value in {
        "half": 0.5, "one": 1.0, "three": 3.0, "six": 6.0, "zero": 0.0, "sixth": 1 / 6,
        "root2": math.sqrt(2), "root_half": math.sqrt(0.5), "cubic": 0.044715,
        "tanh_scale": math.sqrt(2 / math.pi), "quick": 1.702, "seven": 7.0,
    }.items()
}  # fmt: skip

SPELLINGS: dict[str, tuple[str, list[tuple[str, str]]]] = {
    # each step: operator, then operands; the step's number names its result, x the input
    "gelu of torch": ("gelu", [("Div", "x root2"), ("Erf", "0"), ("Add", "1 one"),
                               ("Mul", "x 2"), ("Mul", "3 half")]),
    "gelu halved first": ("gelu", [("Mul", "x half"), ("Mul", "x root_half"), ("Erf", "1"),
                                   ("Add", "one 2"), ("Mul", "0 3")]),
    "gelu halved last": ("gelu", [("Mul", "root_half x"), ("Erf", "0"), ("Add", "1 one"),
                                  ("Mul", "half 2"), ("Mul", "3 x")]),
    "gelu by tanh": ("gelu", [("Pow", "x three"), ("Mul", "0 cubic"), ("Add", "x 1"),
                              ("Mul", "2 tanh_scale"), ("Tanh", "3"), ("Add", "4 one"),
                              ("Mul", "x half"), ("Mul", "6 5")]),
    "gelu by tanh of products": ("gelu", [("Mul", "x x"), ("Mul", "0 x"), ("Mul", "cubic 1"),
                                          ("Add", "x 2"), ("Mul", "3 tanh_scale"), ("Tanh", "4"),
                                          ("Add", "5 one"), ("Mul", "x 6"), ("Mul", "7 half")]),
    "silu": ("silu", [("Sigmoid", "x"), ("Mul", "x 0")]),
    "silu with a factor of one": ("silu", [("Mul", "x one"), ("Sigmoid", "0"), ("Mul", "1 x")]),
    "quick gelu": ("quick_gelu", [("Mul", "quick x"), ("Sigmoid", "0"), ("Mul", "x 1")]),
    "hard swish": ("hard_swish", [("Add", "x three"), ("Clip", "0 zero six"), ("Mul", "x 1"),
                                  ("Div", "2 six")]),
    "hard swish divided first": ("hard_swish", [("Add", "three x"), ("Clip", "0 zero six"),
                                                ("Div", "1 six"), ("Mul", "2 x")]),
    "hard swish of hard sigmoid": ("hard_swish", [("HardSigmoid", "x"), ("Mul", "x 0")]),
    "hard sigmoid": ("hard_sigmoid", [("Add", "x three"), ("Clip", "0 zero six"),
                                      ("Mul", "1 sixth")]),
    "mish": ("mish", [("Softplus", "x"), ("Tanh", "0"), ("Mul", "x 1")]),
}  # fmt: skip


def spelled(steps: list[tuple[str, str]], first: str = "x") -> list[Any]:
    def name(operand: str) -> str:
        return first if operand == "x" else f"t{operand}" if operand.isdigit() else operand

    return [
        node(operator, [name(o) for o in operands.split()], [f"t{i}"])
        for i, (operator, operands) in enumerate(steps)
    ]


@pytest.mark.parametrize("case", SPELLINGS)
def test_spelled_out_activations_are_found(tmp_path: Path, case: str) -> None:
    function, steps = SPELLINGS[case]
    nodes = [node("MatMul", ["a", "w"], ["m"]), *spelled(steps, "m")]
    model = graph(nodes, {"a": [4, 8]}, NUMBERS | {"w": noise(8, 6)})
    trace = trace_of(model, tmp_path, dtype="keep")
    assert shown(trace) == [("gemm", (function,))]
    assert trace.ops[0].outputs == tuple(nodes[-1].output)


def test_hard_swish_with_bounds_as_attributes(tmp_path: Path) -> None:
    """As before opset 11."""
    nodes = [
        node("Add", ["x", "three"], ["a"]),
        node("Clip", ["a"], ["c"], min=0.0, max=6.0),
        node("Mul", ["x", "c"], ["m"]),
        node("Div", ["m", "six"], ["y"]),
    ]
    (op,) = trace_of(graph(nodes, {"x": [4]}, NUMBERS, opset=10), tmp_path).ops
    assert op.attrs["function"] == "hard_swish"


@pytest.mark.parametrize(
    "steps",
    [
        [("Add", "x three"), ("Clip", "0 zero seven"), ("Mul", "x 1"), ("Div", "2 six")],
        [("Add", "x one"), ("Clip", "0 zero six"), ("Mul", "x 1"), ("Div", "2 six")],
        [("Add", "x three"), ("Clip", "0 zero six"), ("Mul", "x 1"), ("Div", "2 seven")],
        [("Div", "x root_half"), ("Erf", "0"), ("Add", "1 one"), ("Mul", "x 2"), ("Mul", "3 half")],
        [("Sigmoid", "x"), ("Mul", "z 0")],
    ],
)
def test_lookalikes_are_not_found(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    model = graph(spelled(steps), {"x": [4], "z": [4]}, NUMBERS)
    names = {name for op in trace_of(model, tmp_path).ops for name in
             (op.attrs["function"], *op.epilogue)}  # fmt: skip
    assert not names & {"hard_swish", "gelu", "silu"}


def test_an_activation_whose_inside_is_read_elsewhere_stays_spelled_out(tmp_path: Path) -> None:
    nodes = [node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])]
    trace = trace_of(graph(nodes, {"x": [4]}, outputs=["s", "y"]), tmp_path)
    assert [name for name, _ in shown(trace)] == ["sigmoid", "mul"]


def test_notes_say_what_was_folded(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("BatchNormalization", ["c", *NORM], ["n"]),
        node("Relu", ["n"], ["y"]),
    ]
    trace = trace_of(graph(nodes, IMAGE, WEIGHTS | NORM), tmp_path)
    assert trace.notes[-1] == (
        "0 of 3 nodes depend on constants and shapes alone and cost nothing; 1 scales, offsets "
        "and batch norms folded into weights and biases; 1 element-wise ops ride on another op's "
        "way out"
    )
