"""Shapes and constant values of everything in an ONNX graph, node by node.

All input shapes are numbers, so every shape is a number: each node's comes from ONNX's own
inference, fed with the values of small constants; what depends on constants and shapes alone is
computed with ONNX's reference evaluator.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, checker, defs, helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from archsim.errors import InputError
from archsim.frontends.onnx.model import Model
from archsim.frontends.operators.node import (
    MAX_ELEMENTS,
    MAX_RANK,
    VALUE_ELEMENTS,
    Shape,
    Value,
)

DTYPES = {
    TensorProto.FLOAT: "fp32", TensorProto.DOUBLE: "fp64", TensorProto.FLOAT16: "fp16",
    TensorProto.BFLOAT16: "bf16", TensorProto.FLOAT8E4M3FN: "fp8",
    TensorProto.FLOAT8E4M3FNUZ: "fp8", TensorProto.FLOAT8E5M2: "fp8",
    TensorProto.FLOAT8E5M2FNUZ: "fp8", TensorProto.INT4: "int4", TensorProto.UINT4: "int4",
    TensorProto.INT8: "int8", TensorProto.UINT8: "uint8", TensorProto.INT16: "int16",
    TensorProto.UINT16: "int16", TensorProto.INT32: "int32", TensorProto.UINT32: "int32",
    TensorProto.INT64: "int64", TensorProto.UINT64: "int64", TensorProto.BOOL: "bool",
}  # fmt: skip
# by storage: unsigned types stand as the signed type of their width where traces have no other

# operators without inference of their own whose first output is shaped like their first input
_SHAPED_LIKE_INPUT = frozenset(
    "GroupNormalization MeanVarianceNormalization Gelu FastGelu BiasGelu QuickGelu "
    "SkipLayerNormalization SimplifiedLayerNormalization SkipSimplifiedLayerNormalization "
    "LayerNormalization".split()
)


@dataclass(frozen=True, slots=True)
class Typed(Value):
    """A value with its ONNX type, which several types of a trace's tensors share."""

    elem_type: int = 0


def _typed(
    name: str, shape: Shape, elem_type: int, static: bool = False, array: Any = None
) -> Typed:
    return Typed(name, shape, DTYPES[elem_type], static, array, elem_type)


_COMPARISONS = frozenset({"GreaterOrEqual", "LessOrEqual"})


def infer(model: Model) -> dict[str, Typed]:
    """Return every value of the graph by name.

    Raises
    ------
    InputError
        Naming the node whose output has no shape that can be known.
    """
    graph = model.proto.graph
    context = checker.C.CheckerContext()
    context.ir_version = model.proto.ir_version
    context.opset_imports = dict(model.opsets)
    values: dict[str, Typed] = {}
    for tensor in graph.initializer:
        values[tensor.name] = _constant(tensor.name, tensor, model.where)
    for value in graph.input:
        if value.name in model.inputs:
            kind = value.type.tensor_type.elem_type
            values[value.name] = _value(value.name, model.inputs[value.name], kind, model.where)
    declared = {value.name: value.type for value in (*graph.value_info, *graph.output)}
    for node in graph.node:
        where = f"{model.where}: node {node.name or ', '.join(node.output)!r}"
        for name in node.input:
            if name and name not in values:
                raise InputError(where, "must read inputs or what nodes above it wrote", name)
        _check(node, context, where)
        for value in _infer_node(node, values, model, declared, where):
            if value.name in values:
                raise InputError(where, "must write a value of its own", value.name)
            values[value.name] = value
    return values


def _check(node: Any, context: Any, where: str) -> None:
    """Refuse a node whose attributes or operands are not its operator's.

    The checker cannot judge constants without their values, nor branches without their scope.
    """
    if not any(node.output):
        raise InputError(where, "must write something", list(node.output))
    if node.op_type == "Constant" or _has_subgraph(node):
        return
    try:
        checker.check_node(node, context)
    except checker.ValidationError as fault:
        reason = str(fault).strip().splitlines()[0]
        raise InputError(where, f"must be a well-formed {node.op_type}: {reason}") from None


def _value(name: str, shape: Shape, elem_type: int, where: str) -> Typed:
    if elem_type not in DTYPES:
        kind = TensorProto.DataType.Name(elem_type) if elem_type in _ALL_TYPES else elem_type
        raise InputError(f"{where}: {name}", "must hold numbers of a known type", kind)
    if len(shape) > MAX_RANK or math.prod(shape) > MAX_ELEMENTS or any(d < 0 for d in shape):
        raise InputError(f"{where}: {name}", f"must have at most {MAX_ELEMENTS:,} elements", shape)
    return _typed(name, shape, elem_type)


_ALL_TYPES = frozenset(TensorProto.DataType.values())


def _constant(name: str, tensor: Any, where: str) -> Typed:
    plain = _value(name, tuple(tensor.dims), tensor.data_type, where)
    array = None
    if plain.elements <= VALUE_ELEMENTS:
        try:
            array = numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as fault:
            raise InputError(f"{where}: constant {name!r}", f"must be whole: {fault}") from None
    return _typed(name, plain.shape, plain.elem_type, True, array)


def _infer_node(
    node: Any,
    values: Mapping[str, Typed],
    model: Model,
    declared: Mapping[str, Any],
    where: str,
) -> Iterator[Typed]:
    inputs = [values[name] for name in node.input if name]
    if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
        yield _constant(node.output[0], _constant_tensor(node, where), where)
        return
    static = all(v.static for v in inputs) and not _has_subgraph(node) and not _random(node)
    if node.op_type in ("Shape", "Size"):
        static = True
    shapes = _infer_shapes(node, inputs, values, model, where)
    arrays = _evaluate(node, inputs, shapes, model) if static else {}
    for name in filter(None, node.output):
        shape, elem_type = shapes.get(name, (None, 0))
        if name in arrays:
            shape, elem_type = (
                arrays[name].shape,
                helper.np_dtype_to_tensor_dtype(arrays[name].dtype),
            )
        if shape is None and name in declared:
            shape = _known_shape(declared[name])
            elem_type = elem_type or declared[name].tensor_type.elem_type
        if shape is None and node.op_type in _SHAPED_LIKE_INPUT and name == node.output[0]:
            shape, elem_type = inputs[0].shape, inputs[0].elem_type
        if shape is None and node.op_type in _COMPARISONS:  # before opset 16
            shape, elem_type = _broadcast(inputs, where), TensorProto.BOOL
        if shape is None:
            raise InputError(
                where,
                f"the shape of {name!r}, which {node.op_type} writes, must be known beforehand",
                fix="it may depend on values, or the operator is unknown; declare it in value_info",
            )
        checked = _value(name, shape, elem_type, where)
        yield _typed(name, checked.shape, elem_type, static, arrays.get(name))


def _infer_shapes(
    node: Any, inputs: list[Typed], values: Mapping[str, Typed], model: Model, where: str
) -> dict[str, tuple[Shape | None, int]]:
    """Return what ONNX infers of a node's outputs; a shape is None where it cannot."""
    try:
        version = model.opsets.get("" if node.domain == "ai.onnx" else node.domain, 1)
        schema = defs.get_schema(node.op_type, version, node.domain)
    except defs.SchemaError:
        return {}
    scope = values.values() if _has_subgraph(node) else inputs
    types = {v.name: helper.make_tensor_type_proto(v.elem_type, v.shape) for v in scope}
    known = {v.name: numpy_helper.from_array(v.array) for v in inputs if v.array is not None}
    try:
        found = shape_inference.infer_node_outputs(
            schema,
            node,
            types,
            known,
            opset_imports=list(model.proto.opset_import),
            ir_version=model.proto.ir_version,
        )
    except (
        shape_inference.InferenceError, checker.ValidationError, RuntimeError, ValueError,
    ) as fault:  # fmt: skip
        reason = str(fault).strip().splitlines()[0]
        raise InputError(where, f"must be a well-formed {node.op_type}: {reason}") from None
    return {name: (_known_shape(kind), kind.tensor_type.elem_type) for name, kind in found.items()}


def _broadcast(inputs: list[Typed], where: str) -> Shape:
    try:
        return np.broadcast_shapes(*(value.shape for value in inputs))
    except ValueError:
        shapes = [value.shape for value in inputs]
        raise InputError(where, "must have operands that broadcast", shapes) from None


def _known_shape(kind: Any) -> Shape | None:
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return tuple(d.dim_value for d in dims) if all(d.HasField("dim_value") for d in dims) else None


def _evaluate(
    node: Any,
    inputs: list[Typed],
    shapes: Mapping[str, tuple[Shape | None, int]],
    model: Model,
) -> dict[str, NDArray[Any]]:
    """Return a static node's small outputs; nothing where they are large or cannot be computed."""
    bounded = node.op_type in _BOUNDED_BY_INPUT
    for shape, _ in shapes.values():
        if not bounded and (shape is None or math.prod(shape) > VALUE_ELEMENTS):
            return {}
    arrays = {v.name: v.array for v in inputs}
    if node.op_type in ("Shape", "Size"):  # look at no value
        arrays = {v.name: np.broadcast_to(np.float32(0), v.shape) for v in inputs}
    if not shapes or any(array is None for array in arrays.values()):
        return {}
    try:
        with np.errstate(all="ignore"):
            evaluator = ReferenceEvaluator(node, opsets=dict(model.opsets))
            results = evaluator.run(None, arrays)
    except _NOT_EVALUATED:
        return {}  # the evaluator lacks this operator or form: the value stays unknown
    outputs = zip(node.output, results, strict=False)
    return {name: np.asarray(result) for name, result in outputs if name}


_NOT_EVALUATED = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
_BOUNDED_BY_INPUT = frozenset({"NonZero", "Compress", "Unique"})


def _constant_tensor(node: Any, where: str) -> Any:
    """Return what a ``Constant`` node holds, as a tensor."""
    if len(node.attribute) != 1:
        raise InputError(where, "a Constant must have one value", len(node.attribute))
    attribute = node.attribute[0]
    kind, dtype = _CONSTANTS.get(attribute.name, (None, None))
    if attribute.type != kind:
        raise InputError(where, "a Constant must hold numbers, densely", attribute.name)
    value = helper.get_attribute_value(attribute)
    return value if dtype is None else numpy_helper.from_array(np.asarray(value, dtype))


_CONSTANTS: Mapping[str, tuple[Any, type | None]] = {
    "value": (AttributeProto.TENSOR, None),
    "value_float": (AttributeProto.FLOAT, np.float32),
    "value_floats": (AttributeProto.FLOATS, np.float32),
    "value_int": (AttributeProto.INT, np.int64),
    "value_ints": (AttributeProto.INTS, np.int64),
}


def _has_subgraph(node: Any) -> bool:
    graphs = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    return any(attribute.type in graphs for attribute in node.attribute)


def _random(node: Any) -> bool:
    return node.op_type.startswith("Random") or node.op_type in ("Bernoulli", "Multinomial")
