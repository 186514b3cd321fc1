"""Lane operations and layout: how much each operator is, and which cost nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from archsim.frontends.operators import fuse, vectors
from archsim.frontends.operators.lower import HANDLERS
from archsim.trace import VECTOR_PASSES, Op
from tests.frontends.graphs import Array, graph, node, noise, run, trace_of

FOUR = [2, 3, 4, 6]  # 144 elements


def lowered(folder: Path, made: Any, inputs: Any = None, **options: Any) -> list[Op]:
    """Return the ops of one node over input ``x``; its output's shape is the reference's."""
    dtype = options.pop("dtype", "int8")
    inputs = inputs or {"x": FOUR}
    model = graph([made], inputs, **options)
    trace = trace_of(model, folder, dtype=dtype)
    if not trace.unsupported:
        expected = run(model, **{n: abs(noise(*s)) for n, s in inputs.items()})
        for name, array in zip(made.output, expected, strict=False):
            if name in trace.tensors:
                assert trace.tensors[name].shape == array.shape
    return list(trace.ops)


@pytest.mark.parametrize(
    ("made", "opset", "function", "work"),
    [
        (node("Relu", ["x"], ["y"]), 21, "relu", 144),
        (node("Clip", ["x"], ["y"]), 21, "clip", 144),
        (node("Sigmoid", ["x"], ["y"]), 21, "sigmoid", 288),
        (node("HardSwish", ["x"], ["y"]), 21, "hard_swish", 432),
        (node("Gelu", ["x"], ["y"]), 21, "gelu", 288),
        (node("Neg", ["x"], ["y"]), 21, "neg", 144),
        (node("Softmax", ["x"], ["y"]), 21, "softmax", 864),
        (node("LogSoftmax", ["x"], ["y"]), 21, "log_softmax", 864),
        (node("ReduceMean", ["x"], ["y"], keepdims=0), 21, "reduce_mean", 144),
        (node("ReduceL2", ["x"], ["y"]), 21, "reduce_l2", 288),
        (node("ArgMax", ["x"], ["y"], axis=3), 21, "arg_max", 144),
        (node("GlobalAveragePool", ["x"], ["y"]), 21, "global_average_pool", 144),
        (node("GlobalMaxPool", ["x"], ["y"]), 21, "global_max_pool", 144),
        # 2 x 3 x 2 x 3 outputs of 9 taps; of 4 taps at 3 x 5 places
        (node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
         21, "max_pool", 36 * 9),
        (node("AveragePool", ["x"], ["y"], kernel_shape=[2, 2]), 21, "average_pool", 90 * 4),
        (node("LRN", ["x"], ["y"], size=5), 21, "lrn", 144 * 7),
        (node("LpNormalization", ["x"], ["y"]), 21, "l2_norm", 576),
        (node("MeanVarianceNormalization", ["x"], ["y"]), 13, "instance_norm", 1008),
    ],
)  # fmt: skip
def test_one_operand(tmp_path: Path, made: Any, opset: int, function: str, work: int) -> None:
    (op,) = lowered(tmp_path, made, opset=opset)
    assert (op.kind, op.attrs) == ("vector", {"function": function, "work": work})
    assert (op.inputs, op.outputs) == (("x",), ("y",))


@pytest.mark.parametrize(
    ("operator", "shapes", "opset", "function", "work"),
    [
        ("LayerNormalization", [(6,), (6,)], 21, "layer_norm", 1008),
        ("InstanceNormalization", [(3,), (3,)], 21, "instance_norm", 1008),
        ("RMSNormalization", [(6,)], 23, "rms_norm", 576),
        ("BatchNormalization", [(3,), (3,), (3,), (3,)], 21, "batch_norm", 288),
        ("PRelu", [(3, 1, 1)], 21, "prelu", 288),
    ],
)
def test_norms_read_their_parameters(
    tmp_path: Path,
    operator: str,
    shapes: list[tuple[int, ...]],
    opset: int,
    function: str,
    work: int,
) -> None:
    constants = {f"p{i}": abs(noise(*s)) + 1 for i, s in enumerate(shapes)}
    (op,) = lowered(
        tmp_path, node(operator, ["x", *constants], ["y"]), constants=constants, opset=opset
    )
    assert op.attrs == {"function": function, "work": work}
    kept = list(constants)[:2]  # a batch norm's mean and variance fold into the other two
    assert op.inputs == ("x", *kept)


def test_group_norm(tmp_path: Path) -> None:
    constants = {"gamma": noise(4), "beta": noise(4)}
    nodes = node("GroupNormalization", ["x", "gamma", "beta"], ["y"], num_groups=2)
    trace = trace_of(graph([nodes], {"x": [2, 4, 3, 3]}, constants), tmp_path)
    assert trace.ops[0].attrs == {"function": "group_norm", "work": 72 * 7}
    assert trace.tensors["y"].shape == (2, 4, 3, 3)


@pytest.mark.parametrize(
    ("operator", "constant", "function", "inputs"),
    [
        ("Add", None, "add", ("x", "z")),
        ("Div", None, "div", ("x", "z")),
        ("Add", noise(), "offset", ("x",)),  # one number is part of the instruction
        ("Mul", noise(1, 1), "scale", ("x",)),
        ("Sub", noise(6), "offset", ("x", "c")),
        ("Div", noise(3, 1, 1), "scale", ("x", "c")),
        ("Add", noise(4, 6), "add", ("x", "c")),  # by place: more than one axis
        ("Mul", noise(2, 3, 4, 6), "mul", ("x", "c")),
        ("Pow", np.float32(2), "square", ("x",)),
        ("Pow", np.float32(0.5), "sqrt", ("x",)),
        ("Pow", np.float32(3), "pow", ("x",)),
        ("Max", np.float32(3), "max", ("x",)),
    ],
)
def test_two_operands(
    tmp_path: Path, operator: str, constant: Array | None, function: str, inputs: tuple[str, ...]
) -> None:
    if constant is None:
        ops = lowered(tmp_path, node(operator, ["x", "z"], ["y"]), {"x": FOUR, "z": [4, 6]})
    else:
        ops = lowered(
            tmp_path, node(operator, ["x", "c"], ["y"]), constants={"c": np.asarray(constant)}
        )
    (op,) = ops
    assert op.attrs == {"function": function, "work": 144 * VECTOR_PASSES[function]}
    assert op.inputs == inputs


@pytest.mark.parametrize(("operator", "function"), [("Div", "div"), ("Sub", "offset")])
def test_a_constant_on_the_left(tmp_path: Path, operator: str, function: str) -> None:
    ops = lowered(
        tmp_path, node(operator, ["c", "x"], ["y"]), constants={"c": np.ones((), np.float32)}
    )
    assert ops[0].attrs["function"] == function


def test_work_is_counted_over_the_broadcast_output(tmp_path: Path) -> None:
    (op,) = lowered(tmp_path, node("Mul", ["x", "z"], ["y"]), {"x": [3, 1], "z": [1, 5]})
    assert op.attrs == {"function": "mul", "work": 15}


def test_a_sum_of_three_is_two_additions(tmp_path: Path) -> None:
    (op,) = lowered(tmp_path, node("Sum", list("xyz"), ["s"]), dict.fromkeys("xyz", FOUR))
    assert op.attrs == {"function": "add", "work": 288}


# ---------------------------------------------------------------------------------------- layout


def i64(*values: int) -> Array:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("made", "constants"),
    [
        (node("Reshape", ["x", "c"], ["y"]), {"c": i64(6, -1)}),
        (node("Flatten", ["x"], ["y"]), {}),
        (node("Unsqueeze", ["x", "c"], ["y"]), {"c": i64(0)}),
        (node("Identity", ["x"], ["y"]), {}),
        (node("Dropout", ["x"], ["y"]), {}),
        (node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16), {}),
        (node("Transpose", ["x"], ["y"], perm=[0, 1, 2, 3]), {}),
        (node("Expand", ["x", "c"], ["y"]), {"c": i64(1, 1)}),
        (node("Slice", ["x", "b", "e"], ["y"]), {"b": i64(0), "e": i64(99)}),
        (node("Concat", ["x"], ["y"], axis=0), {}),
        (node("Pad", ["x", "c"], ["y"]), {"c": i64(0, 0, 0, 0, 0, 0, 0, 0)}),
        (node("ReduceSum", ["x", "c"], ["y"]), {"c": i64(0)}),
    ],
)
def test_new_names_for_the_same_elements_cost_nothing(
    tmp_path: Path, made: Any, constants: dict[str, Array]
) -> None:
    """The product behind reads the input itself."""
    shape = [1, *FOUR] if made.op_type == "ReduceSum" else FOUR
    model = graph([made, node("Relu", ["y"], ["z"])], {"x": shape}, constants)
    (op,) = trace_of(model, tmp_path).ops
    assert (op.inputs, op.outputs) == (("x",), ("z",))


def test_transposing_an_axis_of_one_costs_nothing(tmp_path: Path) -> None:
    nodes = [node("Transpose", ["x"], ["y"], perm=[1, 0, 3, 2]), node("Relu", ["y"], ["z"])]
    assert len(trace_of(graph(nodes, {"x": [1, 5, 7, 1]}), tmp_path).ops) == 1
    assert len(trace_of(graph(nodes, {"x": [1, 5, 7, 2]}), tmp_path).ops) == 2


@pytest.mark.parametrize(
    ("made", "constants", "function"),
    [
        (node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1]), {}, "transpose"),
        (node("Slice", ["x", "b", "e"], ["y"]), {"b": i64(0), "e": i64(1)}, "slice"),
        (node("Slice", ["x", "b", "e", "a", "s"], ["y"]),
         {"b": i64(5), "e": i64(-99), "a": i64(3), "s": i64(-1)}, "slice"),  # a reversal
        (node("Split", ["x", "c"], ["y", "z"], axis=3), {"c": i64(2, 4)}, "split"),
        (node("Concat", ["x", "x"], ["y"], axis=0), {}, "concat"),
        (node("Pad", ["x", "c"], ["y"]), {"c": i64(0, 0, 1, 1, 0, 0, 1, 1)}, "pad"),
        (node("Tile", ["x", "c"], ["y"]), {"c": i64(1, 2, 1, 1)}, "broadcast"),
        (node("DepthToSpace", ["w"], ["y"], blocksize=2), {}, "transpose"),
        (node("Gather", ["x", "c"], ["y"], axis=1), {"c": i64(2, 0)}, "gather"),
        (node("Resize", ["x", "", "c"], ["y"], mode="nearest"),
         {"c": np.array([1, 1, 2, 2], np.float32)}, "resize"),
    ],
)  # fmt: skip
def test_moves(tmp_path: Path, made: Any, constants: dict[str, Array], function: str) -> None:
    name, shape = ("w", [2, 4, 3, 5]) if "w" in made.input else ("x", FOUR)
    (op,) = lowered(tmp_path, made, {name: shape}, constants=constants, outputs=list(made.output))
    assert (op.kind, op.attrs) == ("move", {"function": function})
    assert op.outputs == tuple(made.output)
    assert op.inputs[0] == name


def test_outputs_that_nobody_reads_are_not_written(tmp_path: Path) -> None:
    nodes = [
        node("Split", ["x"], ["a", "b"], axis=3, num_outputs=2),
        node("Relu", ["a"], ["y"]),
    ]
    assert trace_of(graph(nodes, {"x": FOUR}), tmp_path).ops[0].outputs == ("a",)


@pytest.mark.parametrize(("mode", "work"), [("linear", 144 * 4 * 4), ("cubic", 144 * 4 * 16)])
def test_interpolation_counts_its_taps(tmp_path: Path, mode: str, work: int) -> None:
    constants = {"c": np.array([1, 1, 2, 2], np.float32)}
    (op,) = lowered(tmp_path, node("Resize", ["x", "", "c"], ["y"], mode=mode), constants=constants)
    assert op.attrs == {"function": f"resize_{mode}", "work": work}


def test_an_embedding_reads_a_table_by_indices(tmp_path: Path) -> None:
    model = graph(
        [node("Gather", ["table", "ids"], ["y"])],
        {"ids": ["batch", 7]},
        {"table": noise(1000, 8)},
        types={"ids": TensorProto.INT64},
    )
    trace = trace_of(model, tmp_path, batch=3)
    assert trace.ops[0].inputs == ("table", "ids")
    assert trace.tensors["ids"].dtype == "int64"
    assert trace.tensors["table"].role == "weight"
    assert trace.tensors["y"].shape == (3, 7, 8)


def test_casts_between_formats_that_differ_cost_a_pass(tmp_path: Path) -> None:
    model = graph([node("Cast", ["x"], ["y"], to=TensorProto.INT32)], {"x": [5]})
    assert trace_of(model, tmp_path).ops[0].attrs == {"function": "cast", "work": 5}
    halves = graph([node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16)], {"x": [5]})
    assert trace_of(halves, tmp_path, dtype="keep").ops[0].attrs["function"] == "cast"


def test_a_guard_against_nan_costs_nothing_among_integers(tmp_path: Path) -> None:
    nodes = [
        node("Softmax", ["x"], ["p"]),
        node("IsNaN", ["p"], ["bad"]),
        node("Where", ["bad", "zero", "p"], ["y"]),
    ]
    model = graph(nodes, {"x": [4, 6]}, {"zero": np.zeros((), np.float32)})
    assert [op.attrs["function"] for op in trace_of(model, tmp_path).ops] == ["softmax"]
    floats = trace_of(model, tmp_path, dtype="keep")
    assert [op.attrs["function"] for op in floats.ops] == ["softmax", "compare", "where"]


def test_empty_tensors_cost_nothing(tmp_path: Path) -> None:
    nodes = [node("Concat", ["past", "x"], ["all"], axis=0), node("Relu", ["all"], ["y"])]
    trace = trace_of(graph(nodes, {"past": [0, 4], "x": [3, 4]}), tmp_path)
    assert [(op.kind, op.inputs) for op in trace.ops] == [("vector", ("x",))]


def test_what_depends_on_shapes_and_constants_costs_nothing(tmp_path: Path) -> None:
    """As exporters write ``x.view(x.shape[0], -1)``, then a scale computed from the shape."""
    constants = {"zero": i64(0), "minus": i64(-1), "axis": i64(0), "one": i64(1)}
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["n"]),
        node("Concat", ["n", "minus"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["flat"]),
        node("Shape", ["flat"], ["s2"]),
        node("Slice", ["s2", "one", "two"], ["width"]),
        node("Cast", ["width"], ["w"], to=TensorProto.FLOAT),
        node("Sqrt", ["w"], ["root"]),
        node("Div", ["flat", "root"], ["y"]),
    ]
    model = graph(nodes, {"x": ["n", 3, 4]}, constants | {"two": i64(2)})
    (op,) = trace_of(model, tmp_path, n=5).ops
    assert op.attrs == {"function": "scale", "work": 60}
    assert op.inputs == ("x",)


def test_a_shared_constant_is_counted_once(tmp_path: Path) -> None:
    """A head tied to the embedding reads the table transposed."""
    nodes = [
        node("Gather", ["table", "ids"], ["x"]),
        node("Transpose", ["table"], ["turned"]),
        node("MatMul", ["x", "turned"], ["y"]),
    ]
    model = graph(nodes, {"ids": [4]}, {"table": noise(300, 300)}, types={"ids": TensorProto.INT64})
    trace = trace_of(model, tmp_path)
    assert trace.weight_bytes() == 300 * 300
    assert trace.ops[1].inputs == ("x", "table")


def test_onnx_runtimes_own_operators(tmp_path: Path) -> None:
    constants = {"gamma": noise(6), "beta": noise(6), "b": noise(5), "w": noise(6, 5)}
    made = [
        node("SkipLayerNormalization", ["x", "z", "gamma", "beta"], ["n"], domain="com.microsoft"),
        node("MatMul", ["n", "w"], ["m"]),
        node("BiasGelu", ["m", "b"], ["g"], domain="com.microsoft"),
        node("QuickGelu", ["g"], ["y"], domain="com.microsoft"),
    ]
    model = graph(made, {"x": FOUR, "z": FOUR}, constants, domains={"com.microsoft": 1})
    trace = trace_of(model, tmp_path)
    assert not trace.unsupported
    norm, product = trace.ops
    assert (norm.attrs["work"], norm.epilogue) == (144 * 8, ("add",))
    assert product.epilogue == ("bias", "gelu", "quick_gelu", "requantise")
    assert product.inputs == ("n", "w", "b")


def test_unknown_operators_are_counted_and_named(tmp_path: Path) -> None:
    nodes = [
        node("TopK", ["x", "k"], ["top", "at"]),
        node("Relu", ["top"], ["r"]),
        node("TopK", ["r", "k"], ["y", "at2"]),
    ]
    trace = trace_of(graph(nodes, {"x": [4, 9]}, {"k": i64(3)}), tmp_path)
    assert trace.unsupported == {"TopK": 2}
    assert [op.kind for op in trace.ops] == ["unsupported", "vector", "unsupported"]
    assert trace.ops[0].attrs == {"function": "TopK", "work": 12}


def test_every_function_has_its_passes() -> None:
    named = {*vectors._UNARY.values(), *fuse.FUSABLE - {"batch_norm"}}
    named |= {f for pair in vectors._BINARY.values() for f in pair if f}
    named |= {*vectors._REDUCTIONS.values(), *vectors._POOLS.values()}
    named |= {function for function, _ in vectors._NORMS.values()}
    assert named <= VECTOR_PASSES.keys()


def test_handlers_are_declared_once() -> None:
    assert len(HANDLERS) > 130
