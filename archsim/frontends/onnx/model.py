"""Reading an ONNX file that nobody vouches for, and giving its open dimensions sizes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import inliner

from archsim.errors import InputError
from archsim.files import check_file
from archsim.frontends.operators.node import MAX_ELEMENTS, MAX_RANK, VALUE_ELEMENTS, Shape
from archsim.frontends.options import Options

MAX_FILE_BYTES = (1 << 31) - 1  # protobuf's own limit; larger models keep weights outside
MAX_NODES = 200_000


@dataclass(frozen=True, slots=True)
class Model:
    """A model with all input shapes known.

    Attributes
    ----------
    proto
        The model, without the values of large constants.
    inputs
        Shapes of the inputs, initialisers not among them.
    where
        The file, for messages.
    digest
        SHA-256 of the file, shortened.
    """

    proto: Any
    inputs: Mapping[str, Shape]
    where: str
    digest: str

    @property
    def opsets(self) -> Mapping[str, int]:
        return {_domain(o.domain): o.version for o in self.proto.opset_import}


def read_model(path: Path, options: Options) -> Model:
    """Read a model and bind its open dimensions to options.

    ``batch`` sets open first dimensions and is 1 unless given; others must be given, by name
    (``sequence=128``) or by input and axis (``image.2=224``).
    """
    proto, digest = _read(path)
    _check_texts(proto, path)
    _check_sizes(proto, path)
    _check_external(proto, path)
    _drop_large_values(proto)
    if proto.functions:
        try:
            proto = inliner.inline_local_functions(proto)
        except (RuntimeError, ValueError, onnx.checker.ValidationError) as fault:
            raise InputError(str(path), f"functions must be inlinable: {fault}") from None
        _check_texts(proto, path)
        _check_sizes(proto, path)
    _check_attributes(proto, path)
    return Model(proto, _bind(proto.graph, options), str(path), digest)


def tensors(proto: Any) -> Iterator[Any]:
    """Yield every constant of the graph: initialisers and values of ``Constant`` nodes."""
    yield from proto.graph.initializer
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _read(path: Path) -> tuple[Any, str]:
    try:
        check_file(path, MAX_FILE_BYTES, fix="save its weights as external data")
        content = path.read_bytes()
    except OSError as fault:
        raise InputError(str(path), f"must be a readable file: {fault.strerror}") from None
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError:
        raise InputError(str(path), "must be an ONNX model in protobuf form") from None
    if not proto.graph.node or not proto.opset_import:
        raise InputError(str(path), "must be an ONNX model with nodes and an opset")
    newest = onnx.defs.onnx_opset_version()
    for number in (proto.ir_version, *(opset.version for opset in proto.opset_import)):
        if not 0 <= number < 1 << 31:
            raise InputError(str(path), "must have versions of 31 bits", number)
    for opset in proto.opset_import:
        if _domain(opset.domain) == "" and not 0 < opset.version <= newest:
            raise InputError(
                f"{path}: opset", f"must be from 1 to {newest}, the newest that is known",
                opset.version,
            )  # fmt: skip
    return proto, hashlib.sha256(content).hexdigest()[:16]


def _check_texts(proto: Any, path: Path) -> None:
    """Refuse names that are no UTF-8: protobuf hands them over as bytes."""
    values = (*proto.graph.input, *proto.graph.output, *proto.graph.value_info)
    texts = [value.name for value in values]
    texts += [d.dim_param for value in values for d in value.type.tensor_type.shape.dim]
    for node in proto.graph.node:
        texts += [node.name, node.op_type, node.domain, *node.input, *node.output]
        texts += [attribute.name for attribute in node.attribute]
    for tensor in tensors(proto):
        texts.append(tensor.name)
        texts += [text for entry in tensor.external_data for text in (entry.key, entry.value)]
    texts += [opset.domain for opset in proto.opset_import]
    for text in texts:
        if not isinstance(text, str):
            raise InputError(str(path), "must hold names in UTF-8", text)


def _check_attributes(proto: Any, path: Path) -> None:
    """Refuse attributes without a value: of no type, or a function's outside of one."""
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.ref_attr_name or attribute.type == onnx.AttributeProto.UNDEFINED:
                where = f"{path}: node {node.name or next(iter(node.output), node.op_type)!r}"
                raise InputError(where, "must hold the values of its attributes", attribute.name)


def _check_sizes(proto: Any, path: Path) -> None:
    if len(proto.graph.node) > MAX_NODES:
        raise InputError(str(path), f"must have at most {MAX_NODES:,} nodes", len(proto.graph.node))
    if proto.graph.sparse_initializer:
        raise InputError(str(path), "must hold its constants densely; it has sparse initialisers")
    for tensor in tensors(proto):
        dims = tuple(tensor.dims)
        good = len(dims) <= MAX_RANK and all(d >= 0 for d in dims)
        if not good or math.prod(dims) > MAX_ELEMENTS:
            raise InputError(
                f"{path}: constant {tensor.name!r}",
                f"must have at most {MAX_RANK} dimensions and {MAX_ELEMENTS:,} elements",
                dims[:MAX_RANK],
            )


def _check_external(proto: Any, path: Path) -> None:
    """Refuse constants that lie outside the model's folder, and load the small ones inside it."""
    folder = path.resolve().parent
    for tensor in tensors(proto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        where = f"{path}: external data of {tensor.name!r}"
        try:
            file = (folder / location).resolve()
        except (OSError, ValueError, RuntimeError):  # a null byte, a loop of links
            raise InputError(where, "must name a file", location) from None
        if not location or not file.is_relative_to(folder):
            raise InputError(where, "must lie in the model's folder", location)
        if math.prod(tensor.dims) <= VALUE_ELEMENTS:
            _load_external(tensor, file, entries, where)


def _load_external(tensor: Any, file: Path, entries: Mapping[str, str], where: str) -> None:
    try:
        length = (
            math.prod(tensor.dims) * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        )
    except KeyError:
        raise InputError(where, "must hold numbers of a known type", tensor.data_type) from None
    try:
        check_file(file, MAX_FILE_BYTES)
        offset = int(entries.get("offset", "0"))
        with file.open("rb") as stream:
            stream.seek(offset)
            content = stream.read(length)
    except (OSError, ValueError) as fault:
        raise InputError(where, f"must be readable: {fault}") from None
    if len(content) < length:
        raise InputError(where, f"must hold {length:,} bytes at offset {offset:,}", len(content))
    tensor.raw_data = content
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]


_VALUE_FIELDS = (
    "raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data",
    "string_data", "external_data",
)  # fmt: skip


def _drop_large_values(proto: Any) -> None:
    for tensor in tensors(proto):
        if math.prod(tensor.dims) > VALUE_ELEMENTS:
            for name in _VALUE_FIELDS:
                tensor.ClearField(name)


def _bind(graph: Any, options: Options) -> dict[str, Shape]:
    """Return input shapes: numbers as they stand, open dimensions from the options."""
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    for value in inputs:
        if not value.type.tensor_type.HasField("shape"):
            where = f"{options.where}: input {value.name!r}"
            raise InputError(where, "must be a tensor of known rank")
    sizes = _sizes(inputs, options)
    missing: dict[str, str] = {}
    shapes = {}
    for value in inputs:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for axis, keys in _open(value):
            shape[axis] = next((sizes[key] for key in keys if key in sizes), 0)
            if not shape[axis]:
                missing[keys[-1]] = f"{keys[-1]} (axis {axis} of {value.name})"
        if len(shape) > MAX_RANK or math.prod(shape) > MAX_ELEMENTS:
            where = f"{options.where}: input {value.name!r}"
            raise InputError(where, "must be of sane size", shape)
        shapes[value.name] = tuple(shape)
    if missing:
        raise InputError(
            f"{options.where}: inputs",
            f"sizes must be given for open dimensions: {', '.join(missing.values())}",
            fix=f"say {options.where}@{','.join(f'{key}=SIZE' for key in missing)}",
        )
    return shapes


def _sizes(inputs: list[Any], options: Options) -> dict[str, int]:
    """Return sizes by key: those given, then ``batch`` for open first axes that have none."""
    sizes: dict[str, int] = {}
    for key in (key for value in inputs for _, keys in _open(value) for key in keys):
        if key not in sizes and options.has(key):
            sizes[key] = options.count(key, 1)
    for value in inputs:
        several = len(value.type.tensor_type.shape.dim) > 1
        for axis, keys in _open(value):
            if axis == 0 and several and not any(key in sizes for key in keys):
                if "batch" not in sizes:
                    sizes["batch"] = options.count("batch", 1)
                sizes |= dict.fromkeys(keys, sizes["batch"])
    return sizes


def _open(value: Any) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield an input's open axes, each with the keys that may set it: INPUT.AXIS, then its name."""
    for axis, dim in enumerate(value.type.tensor_type.shape.dim):
        if not dim.HasField("dim_value") or dim.dim_value < 0:
            usable = dim.dim_param and not set(dim.dim_param) & set("?@=, ")
            names = (dim.dim_param,) if usable else ()
            yield axis, (f"{value.name}.{axis}", *names)
