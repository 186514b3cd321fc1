"""What each ATen operator is in the vocabulary that frontends share."""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import torch

from archsim.errors import InputError
from archsim.frontends.torch import products
from archsim.frontends.torch.conversion import DTYPES, Conversion, label
from archsim.frontends.torch.operands import Call

Handler = Callable[[Call], None]

# operators of so many leading tensors (or numbers), which have ONNX's name but for case
_ELEMENTWISE: dict[str, tuple[str, int]] = {
    **{name: (onnx, 1) for name, onnx in {
        "abs": "Abs", "bitwise_not": "BitwiseNot", "ceil": "Ceil", "celu": "Celu", "elu": "Elu",
        "erf": "Erf", "exp": "Exp", "floor": "Floor", "gelu": "Gelu",
        "hardsigmoid": "HardSigmoid", "hardswish": "HardSwish", "hardtanh": "Clip",
        "relu6": "Clip", "isinf": "IsInf", "isnan": "IsNaN", "leaky_relu": "LeakyRelu",
        "log": "Log", "mish": "Mish", "neg": "Neg", "logical_not": "Not",
        "reciprocal": "Reciprocal", "relu": "Relu", "round": "Round", "selu": "Selu",
        "sigmoid": "Sigmoid", "sign": "Sign", "softplus": "Softplus", "softsign": "Softsign",
        "sqrt": "Sqrt", "silu": "Swish", "tanh": "Tanh", "threshold": "ThresholdedRelu",
        "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan",
        "atanh": "Atanh", "cos": "Cos", "cosh": "Cosh", "sin": "Sin", "sinh": "Sinh", "tan": "Tan",
        "clamp": "Clip", "clip": "Clip", "clamp_min": "Clip", "clamp_max": "Clip",
        "softmax": "Softmax", "_softmax": "Softmax", "special_softmax": "Softmax",
        "log_softmax": "LogSoftmax", "_log_softmax": "LogSoftmax", "cumsum": "CumSum",
        "log_sigmoid": "Softplus",
    }.items()},
    **{name: (onnx, 2) for name, onnx in {
        "mul": "Mul", "div": "Div", "true_divide": "Div", "pow": "Pow", "maximum": "Max",
        "minimum": "Min", "fmod": "Mod", "remainder": "Mod", "floor_divide": "Div",
        "prelu": "PRelu", "_prelu_kernel": "PRelu",
        "eq": "Equal", "ne": "Equal", "gt": "Greater", "ge": "GreaterOrEqual", "lt": "Less",
        "le": "LessOrEqual", "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor",
        "bitwise_and": "BitwiseAnd", "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor",
        "bitwise_left_shift": "BitShift", "bitwise_right_shift": "BitShift",
        "matmul": "MatMul", "mm": "MatMul", "bmm": "MatMul", "mv": "MatMul", "dot": "MatMul",
    }.items()},
    "where": ("Where", 3),
}  # fmt: skip

_REDUCTIONS = {
    "mean": "ReduceMean", "sum": "ReduceSum", "amax": "ReduceMax", "amin": "ReduceMin",
    "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd", "argmax": "ArgMax",
    "argmin": "ArgMin", "any": "ReduceMax", "all": "ReduceMin", "logsumexp": "ReduceLogSumExp",
}  # fmt: skip
_VIEWS = (
    "alias clone contiguous detach dropout expand_as flatten lift lift_fresh lift_fresh_copy "
    "reshape squeeze unflatten unsqueeze view view_as _unsafe_view _reshape_alias "
    "feature_dropout native_dropout"
).split()
_MOVES: dict[str, tuple[str, int]] = {  # operator, and its leading tensors
    "expand": ("Expand", 1), "repeat": ("Tile", 1), "repeat_interleave": ("Tile", 1),
    "slice": ("Slice", 1), "select": ("Slice", 1), "narrow": ("Slice", 1), "split": ("Split", 1),
    "split_with_sizes": ("Split", 1), "chunk": ("Split", 1), "unbind": ("Split", 1),
    "constant_pad_nd": ("Pad", 1), "pad": ("Pad", 1), "embedding": ("Gather", 2),
    "tril": ("Trilu", 1), "triu": ("Trilu", 1), "flip": ("ReverseSequence", 1),
    "roll": ("ReverseSequence", 1), "pixel_shuffle": ("DepthToSpace", 1),
    "pixel_unshuffle": ("SpaceToDepth", 1), "reflection_pad2d": ("Pad", 1),
    "replication_pad2d": ("Pad", 1),
}  # fmt: skip
_CREATED = frozenset(
    "arange full full_like ones ones_like zeros zeros_like empty empty_like new_zeros new_ones "
    "new_full new_empty scalar_tensor linspace eye".split()
)
_NOTHING = frozenset({"_assert_tensor_metadata", "_assert_scalar", "_assert_async"})


def packet(target: Any) -> str:
    """Return an operator's name without namespace and overload; nothing for no operator."""
    if not isinstance(target, torch._ops.OpOverload):
        return ""
    name: str = target._schema.name.rpartition("::")[2]
    return name.rstrip("_") if not name.startswith("__") else name


def known(target: Any) -> bool:
    """Say whether a call of an operator is understood."""
    return packet(target) in HANDLERS or packet(target) in _NOTHING | _CREATED


def convert(conversion: Conversion, node: Any) -> None:
    """Add what a call of torch's is to the graph."""
    if node.target is operator.getitem:
        conversion.item(node, *node.args)
        return
    name = packet(node.target)
    if name in _NOTHING:
        return
    if not isinstance(node.meta.get("val"), (torch.Tensor, tuple, list)):
        raise InputError(
            f"{conversion.where}: {label(node)}",
            "must compute tensors of known shape; it computes a number that depends on values",
            str(node.target),
        )
    call = Call(conversion, node)
    if name in _CREATED:
        conversion.declare(node, node.name, static=True)
    elif name in HANDLERS:
        HANDLERS[name](call)
    else:
        domain = "torch" if node.target._schema.name.startswith("aten::") else "torch.other"
        call.result(f"{domain}.{name}", call.all_tensors())


# ------------------------------------------------------------------------------------ element-wise


def _elementwise(call: Call) -> None:
    name, count = _ELEMENTWISE[packet(call.node.target)]
    call.result(name, call.leading(count))


def _scaled_sum(call: Call) -> None:
    """Add or subtract, the second operand times alpha."""
    name = {"add": "Add", "sub": "Sub", "rsub": "Sub"}[packet(call.node.target)]
    x, y = call.leading(2)
    if call.get("alpha", 1) != 1:
        y = call.step("Mul", [y, call.constant(call.get("alpha"))], call.shape(y))
    call.result(name, [y, x] if packet(call.node.target) == "rsub" else [x, y])


def _rsqrt(call: Call) -> None:
    x = call.leading(1)[0]
    call.result("Reciprocal", [call.step("Sqrt", [x], call.shape(x))])


def _masked_fill(call: Call) -> None:
    x, mask, value = call.leading(3)
    call.result("Where", [mask, value, x])


def _cast(call: Call) -> None:
    x = call.leading(1)[0]
    same = call.conversion.values[x].dtype == DTYPES[call.node.meta["val"].dtype]
    call.result("Identity" if same else "Cast", [x])


def _reduction(call: Call) -> None:
    x = call.leading(1)[0]
    operator_name = _REDUCTIONS[packet(call.node.target)]
    if packet(call.node.target) in ("max", "min") and call.is_tensor("other"):
        call.result(operator_name.removeprefix("Reduce"), call.leading(2))
    else:
        call.result(operator_name, [x])


def _variance(call: Call) -> None:
    """Convert a variance or its root: mean, difference, square, mean."""
    x = call.leading(1)[0]
    shape = tuple(call.node.meta["val"].shape)
    away = call.step("Sub", [x, call.step("ReduceMean", [x], shape)], call.shape(x))
    square = call.step("Pow", [away, call.constant(2.0)], call.shape(x))
    if packet(call.node.target) == "var":
        call.result("ReduceMean", [square])
    else:
        call.result("Sqrt", [call.step("ReduceMean", [square], shape)])


# -------------------------------------------------------------------------------------------- norms


def _norm(name: str, *parameters: str) -> Handler:
    """Return the handler of a norm of ``input`` with such parameters."""

    def handle(call: Call) -> None:
        call.result(name, [call.named("input"), *(call.named(p) for p in parameters)])

    return handle


def _batch_norm(call: Call) -> None:
    if call.get("training", False):
        raise InputError(
            f"{call.conversion.where}: {label(call.node)}", "must be in evaluation mode"
        )
    parameters = ("weight", "bias", "running_mean", "running_var")
    call.result("BatchNormalization", [call.named("input"), *(call.named(p) for p in parameters)])


# -------------------------------------------------------------------------------------------- pools


def _pool(name: str) -> Handler:
    def handle(call: Call) -> None:
        rank = _spatial(packet(call.node.target))
        call.result(name, call.leading(1), kernel_shape=call.extents("kernel_size", rank))

    return handle


def _adaptive_pool(kind: str) -> Handler:
    """Return the handler of a pool by its output's extents."""

    def handle(call: Call) -> None:
        x = call.leading(1)[0]
        rank = _spatial(packet(call.node.target))
        results = call.node.meta["val"]
        result = results[0] if isinstance(results, (tuple, list)) else results
        after, before = tuple(result.shape)[-rank:], call.shape(x)[-rank:]
        if prod(after) == 1:
            call.result(f"Global{kind}Pool", [x])
        else:
            taps = [-(-b // a) for b, a in zip(before, after, strict=True)]
            call.result(f"{kind}Pool", [x], kernel_shape=taps)

    return handle


def _spatial(name: str) -> int:
    return next(int(c) for c in name if c.isdigit())


def _resize(mode: str) -> Handler:
    return lambda call: call.result("Resize", call.leading(1), mode=mode)


# ------------------------------------------------------------------------------------------- layout


def _view(call: Call) -> None:
    results = call.node.meta["val"]
    if isinstance(results, (tuple, list)):  # a dropout and its mask, which nobody reads
        call.result("Identity", call.leading(1))
    else:
        call.result("Reshape", call.leading(1))


def _move(call: Call) -> None:
    name, count = _MOVES[packet(call.node.target)]
    inputs = call.leading(count)
    result = call.node.meta["val"]
    whole = isinstance(result, torch.Tensor) and prod(result.shape) == prod(call.shape(inputs[0]))
    call.result("Reshape" if name == "Slice" and whole else name, inputs)


def _gather(call: Call) -> None:
    call.result("GatherND", [call.leading(1)[0], *call.all_tensors()[1:]])


def _copy(call: Call) -> None:
    """Convert a copy over all of a tensor: what was there before does not count."""
    before, source = call.leading(2)
    call.result("Reshape" if call.shape(source) == call.shape(before) else "Expand", [source])


def _scatter(call: Call) -> None:
    call.result("ScatterND", call.all_tensors())


def _permute(call: Call) -> None:
    x = call.leading(1)[0]
    rank = len(call.shape(x))
    name = packet(call.node.target)
    order = list(range(rank))
    if name in ("transpose", "swapaxes", "t", "mT", "numpy_T", "adjoint"):
        pair = (call.get("dim0", -2) % rank, call.get("dim1", -1) % rank) if rank > 1 else (0, 0)
        order[pair[0]], order[pair[1]] = order[pair[1]], order[pair[0]]
    else:
        order = [axis % rank for axis in call.get("dims")]
    call.result("Transpose", [x], perm=order)


def _join(call: Call) -> None:
    call.result("Concat", call.all_tensors())


# ----------------------------------------------------------------------------------- fixed numbers


def _quantise(call: Call) -> None:
    """Convert a (de)quantisation of the namespace ``quantized_decomposed``."""
    name = packet(call.node.target)
    per_channel = name.endswith("per_channel")
    scale = call.get("scales" if per_channel else "scale")
    zero = call.get("zero_points" if per_channel else "zero_point")
    integer = np.dtype(str(call.get("dtype")).removeprefix("torch."))
    zeros = call.values_of(zero)
    points = call.constant(np.asarray(zeros).astype(integer)) if zeros is not None else ""
    axis = call.get("axis", 0) if per_channel else 1
    operator_name = "QuantizeLinear" if name.startswith("quantize") else "DequantizeLinear"
    inputs = [call.leading(1)[0], call.conversion.name(scale), points or call.conversion.name(zero)]
    call.result(operator_name, inputs, axis=axis)
    if (call.get("quant_min"), call.get("quant_max")) in ((-8, 7), (-7, 7)):
        for value in (call.node.name, inputs[0]):
            call.narrow(value, "int4")


def _handlers() -> dict[str, Handler]:
    parameters = ("weight", "bias")
    return {
        **dict.fromkeys(_ELEMENTWISE, _elementwise),
        **dict.fromkeys(("add", "sub", "rsub"), _scaled_sum),
        "rsqrt": _rsqrt,
        "masked_fill": _masked_fill,
        **dict.fromkeys(("to", "_to_copy", "type_as"), _cast),
        **dict.fromkeys(_REDUCTIONS, _reduction),
        **dict.fromkeys(("var", "std"), _variance),
        "layer_norm": _norm("LayerNormalization", *parameters),
        "native_layer_norm": _norm("LayerNormalization", *parameters),
        "rms_norm": _norm("RMSNormalization", "weight"),
        "_fused_rms_norm": _norm("RMSNormalization", "weight"),
        "group_norm": _norm("GroupNormalization", *parameters),
        "native_group_norm": _norm("GroupNormalization", *parameters),
        "instance_norm": _norm("InstanceNormalization", *parameters),
        **dict.fromkeys(("batch_norm", "_native_batch_norm_legit_no_training"), _batch_norm),
        **{f"max_pool{n}d": _pool("MaxPool") for n in (1, 2)},
        **{f"max_pool{n}d_with_indices": _pool("MaxPool") for n in (1, 2)},
        **{f"avg_pool{n}d": _pool("AveragePool") for n in (1, 2)},
        **{f"adaptive_avg_pool{n}d": _adaptive_pool("Average") for n in (1, 2)},
        **{f"_adaptive_avg_pool{n}d": _adaptive_pool("Average") for n in (1, 2)},
        **{f"adaptive_max_pool{n}d": _adaptive_pool("Max") for n in (1, 2)},
        **dict.fromkeys(("upsample_nearest1d", "upsample_nearest2d"), _resize("nearest")),
        **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d"), _resize("linear")),
        "upsample_bicubic2d": _resize("cubic"),
        **dict.fromkeys(_VIEWS, _view),
        **dict.fromkeys(_MOVES, _move),
        "copy": _copy,
        **dict.fromkeys(("index", "index_select", "gather", "take"), _gather),
        **dict.fromkeys(
            ("index_put", "scatter", "scatter_add", "slice_scatter", "select_scatter",
             "index_copy"),
            _scatter,
        ),
        **dict.fromkeys(
            ("permute", "transpose", "swapaxes", "t", "mT", "numpy_T", "adjoint"), _permute
        ),
        **dict.fromkeys(("cat", "concat", "stack"), _join),
        **{
            f"{way}_per_{kind}": _quantise
            for way in ("quantize", "dequantize")
            for kind in ("tensor", "channel")
        },
        **products.HANDLERS,
    }  # fmt: skip


HANDLERS = _handlers()
