"""Operators that are lane operations: element-wise arithmetic, norms, pools, reductions."""

from __future__ import annotations

from math import prod

from archsim.frontends.operators.lowering import Handler, Lowering
from archsim.frontends.operators.node import Node, Value

# operator to function, one operand
_UNARY = {
    "Abs": "abs", "BitwiseNot": "not", "Ceil": "ceil", "Celu": "celu", "Clip": "clip",
    "Elu": "elu", "Erf": "erf", "Exp": "exp", "Floor": "floor", "Gelu": "gelu",
    "HardSigmoid": "hard_sigmoid", "HardSwish": "hard_swish", "IsInf": "compare",
    "LeakyRelu": "leaky_relu", "Log": "log", "Mish": "mish", "Neg": "neg", "Not": "not",
    "QuickGelu": "quick_gelu", "Reciprocal": "reciprocal",
    "Relu": "relu", "Round": "round", "Selu": "selu", "Sigmoid": "sigmoid", "Sign": "sign",
    "Softplus": "softplus", "Softsign": "softsign", "Sqrt": "sqrt", "Swish": "silu",
    "Tanh": "tanh", "ThresholdedRelu": "relu",
    **dict.fromkeys(
        ("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Sin", "Sinh", "Tan"),
        "trigonometric",
    ),
}  # fmt: skip

# operator to function and, where one operand is a constant of at most one axis, to that function
_BINARY = {
    "Add": ("add", "offset"), "Sub": ("sub", "offset"), "Mul": ("mul", "scale"),
    "Div": ("div", "scale"), "And": ("and", ""), "Or": ("or", ""), "Xor": ("xor", ""),
    "BitwiseAnd": ("and", ""), "BitwiseOr": ("or", ""), "BitwiseXor": ("xor", ""),
    "BitShift": ("shift", ""), "Mod": ("mod", ""), "Pow": ("pow", "pow"),
    "PRelu": ("prelu", "prelu"), "Max": ("max", "max"), "Min": ("min", "min"),
    "Sum": ("add", "offset"), "Mean": ("add", ""),
    **dict.fromkeys(
        ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), ("compare", "")
    ),
}  # fmt: skip

_REDUCTIONS = {
    "ReduceL1": "reduce_l1", "ReduceL2": "reduce_l2", "ReduceLogSum": "reduce_log_sum",
    "ReduceLogSumExp": "reduce_log_sum_exp", "ReduceMax": "reduce_max",
    "ReduceMean": "reduce_mean", "ReduceMin": "reduce_min", "ReduceProd": "reduce_prod",
    "ReduceSum": "reduce_sum", "ReduceSumSquare": "reduce_sum_square", "ArgMax": "arg_max",
    "ArgMin": "arg_min", "GlobalAveragePool": "global_average_pool",
    "GlobalMaxPool": "global_max_pool", "GlobalLpPool": "lp_pool",
}  # fmt: skip

_NORMS = {  # function, and the positions of operands that carry work
    "Softmax": ("softmax", (0,)), "LogSoftmax": ("log_softmax", (0,)),
    "Hardmax": ("arg_max", (0,)), "LayerNormalization": ("layer_norm", (0, 1, 2)),
    "GroupNormalization": ("group_norm", (0, 1, 2)),
    "InstanceNormalization": ("instance_norm", (0, 1, 2)),
    "MeanVarianceNormalization": ("instance_norm", (0,)),
    "RMSNormalization": ("rms_norm", (0, 1)), "SimplifiedLayerNormalization": ("rms_norm", (0, 1)),
    "LpNormalization": ("l2_norm", (0,)), "CumSum": ("cumsum", (0,)),
    "BatchNormalization": ("batch_norm", (0, 1, 2)),  # mean and variance fold into these two
    "DynamicQuantizeLinear": ("quantise_dynamic", (0,)),
}  # fmt: skip

_POOLS = {"MaxPool": "max_pool", "AveragePool": "average_pool", "LpPool": "lp_pool"}


def _unary(low: Lowering, node: Node) -> None:
    low.vector(node, _UNARY[node.op_type], low.output(node).elements, low.operands(node, (0,)))


def _binary(low: Lowering, node: Node) -> None:
    """Lower arithmetic of two operands or more; operands broadcast."""
    function, with_constant = _BINARY[node.op_type]
    operands = [low.required(node, i) for i in range(len(node.inputs))]
    elements = low.output(node).elements
    if len(operands) != 2:
        low.vector(node, function, elements * max(1, len(operands) - 1))
        return
    x, y = operands
    if x.static and not y.static:
        x, y = y, x
    inputs = (*low.operand(x), *low.operand(y))
    if y.static and _along_one_axis(y) and x.elements == elements:
        function = _with_constant(node, function, with_constant, y.scalar(), y is operands[1])
    low.vector(node, function, elements, inputs)


def _along_one_axis(value: Value) -> bool:
    return sum(extent > 1 for extent in value.shape) <= 1


def _with_constant(
    node: Node, function: str, with_constant: str, number: float | None, on_right: bool
) -> str:
    """Return the function that an operator amounts to with a constant operand."""
    if node.op_type == "Pow" and on_right:
        return {2.0: "square", 0.5: "sqrt"}.get(number or 0.0, function)
    if node.op_type == "Div" and not on_right:
        return function
    return with_constant or function


def _is_nan(low: Lowering, node: Node) -> None:
    """Lower a guard against not-a-number, which integers cannot be."""
    if low.builder.policy.integer:
        low.set_false(node)
    else:
        low.vector(node, "compare", low.output(node).elements)


def _where(low: Lowering, node: Node) -> None:
    otherwise = low.required(node, 2)
    if low.is_false(node.inputs[0]) and otherwise.shape == low.output(node).shape:
        low.alias(node, otherwise.name)
    else:
        low.vector(node, "where", low.output(node).elements)


def _norm(low: Lowering, node: Node) -> None:
    function, positions = _NORMS[node.op_type]
    low.vector(node, function, low.output(node).elements, low.operands(node, positions))


def _skip_norm(low: Lowering, node: Node) -> None:
    """Lower ONNX Runtime's norm of a sum: of input, skip and bias, before gamma and beta."""
    function = "rms_norm" if "Simplified" in node.op_type else "layer_norm"
    low.builder.vector(
        function,
        low.op_name(node),
        low.operands(node),
        low.results(node),
        low.output(node).elements,
        epilogue=("add",),
        source=node.source,
    )


def _bias_gelu(low: Lowering, node: Node) -> None:
    biased = low.value(node, 1) is not None
    low.builder.vector(
        "offset" if biased else "gelu",
        low.op_name(node),
        low.operands(node),
        low.results(node),
        low.output(node).elements,
        epilogue=("gelu",) if biased else (),
        source=node.source,
    )


def _reduction(low: Lowering, node: Node) -> None:
    x = low.required(node, 0)
    if x.elements == low.output(node).elements and not node.op_type.startswith("Arg"):
        low.alias(node)  # every reduced axis has one element
    else:
        low.vector(node, _REDUCTIONS[node.op_type], x.elements, low.operand(x))


def _pool(low: Lowering, node: Node) -> None:
    taps = prod(node.attribute("kernel_shape"))
    low.vector(node, _POOLS[node.op_type], low.output(node).elements * taps)


def _lrn(low: Lowering, node: Node) -> None:
    low.vector(node, "lrn", low.output(node).elements * (node.attribute("size") + 2))


def _cast(low: Lowering, node: Node) -> None:
    """Lower a change of number format, which costs nothing where the policy stores both alike."""
    dtype = low.builder.policy.dtype
    x, out = low.required(node, 0), low.output(node)
    if dtype(x.dtype) == dtype(out.dtype):
        low.alias(node)
    else:
        low.vector(node, "cast", out.elements, low.operand(x))


def _resize(low: Lowering, node: Node) -> None:
    x, out = low.required(node, 0), low.output(node)
    mode = node.attribute("mode", "nearest")
    axes = sum(a != b for a, b in zip(x.shape, out.shape, strict=True))
    if not axes:
        low.alias(node)
    elif mode == "nearest":
        low.move(node, "resize", low.operand(x))
    else:
        taps = (4 if mode == "cubic" else 2) ** axes
        function = "resize_cubic" if mode == "cubic" else "resize_linear"
        low.vector(node, function, out.elements * taps, low.operand(x))


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_BINARY, _binary),
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(_NORMS, _norm),
    **dict.fromkeys(_POOLS, _pool),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    **dict.fromkeys(("Cast", "CastLike"), _cast),
    **dict.fromkeys(
        ("com.microsoft.SkipLayerNormalization", "com.microsoft.SkipSimplifiedLayerNormalization"),
        _skip_norm,
    ),
    **dict.fromkeys(
        ("com.microsoft.Gelu", "com.microsoft.FastGelu", "com.microsoft.BiasGelu"), _bias_gelu
    ),
    "com.microsoft.QuickGelu": _unary,
    "IsNaN": _is_nan,
    "Where": _where,
    "LRN": _lrn,
}
