"""ONNX's and ONNX Runtime's quantised operators, said with their float operators.

``QLinearAdd`` of integers is ``DequantizeLinear`` on each, ``Add``, ``QuantizeLinear``: the two say
the same, so a model in operator form becomes one in QDQ form before anything looks at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from archsim.errors import InputError
from archsim.frontends.operators.node import MAX_ELEMENTS, VALUE_ELEMENTS

MICROSOFT = "com.microsoft"
MAX_EXTENT = 1 << 31


@dataclass(frozen=True, slots=True)
class _Form:
    """How a quantised operator lays out its operands.

    Attributes
    ----------
    operator
        The float operator that it is.
    triples
        Where each operand stands, its scale and zero point behind it.
    result
        Where the result's scale stands, its zero point behind it.
    plain
        Where operands stand that are not quantised, and come first.
    bias
        Where an optional int32 bias stands; it is scaled as the last triple is.
    """

    operator: str
    triples: tuple[int, ...]
    result: int
    plain: tuple[int, ...] = ()
    bias: int | None = None


_UNARY = (
    "Sigmoid", "LeakyRelu", "Softmax", "GlobalAveragePool", "AveragePool", "ReduceMean",
)  # fmt: skip
_FORMS: Mapping[tuple[str, str], _Form] = {
    ("", "QLinearConv"): _Form("Conv", (0, 3), 6, bias=8),
    ("", "QLinearMatMul"): _Form("MatMul", (0, 3), 6),
    (MICROSOFT, "QLinearConv"): _Form("Conv", (0, 3), 6, bias=8),
    (MICROSOFT, "QLinearAdd"): _Form("Add", (0, 3), 6),
    (MICROSOFT, "QLinearMul"): _Form("Mul", (0, 3), 6),
    (MICROSOFT, "QLinearWhere"): _Form("Where", (1, 4), 7, plain=(0,)),
    (MICROSOFT, "QGemm"): _Form("Gemm", (0, 3), 7, bias=6),
    **{(MICROSOFT, f"QLinear{name}"): _Form(name, (0,), 3) for name in _UNARY},
}
_NOT_OF_FLOAT = ("channels_last", "opset")  # attributes that the float operators do not have


def spell_out(proto: Any, where: str) -> None:
    """Replace the quantised operators of a model, in place."""
    nodes = proto.graph.node
    if not any(_rule(node) for node in nodes):
        return
    spelled = []
    for node in nodes:
        rule = _rule(node)
        place = f"{where}: node {node.name or ', '.join(node.output)!r}"
        spelled += list(rule(_Speller(node, place, proto.graph))) if rule else [node]
    del nodes[:]
    nodes.extend(spelled)


class _Speller:
    """One quantised node and the names of what it is spelled with."""

    def __init__(self, node: Any, where: str, graph: Any) -> None:
        self.node, self.where, self.graph = node, where, graph
        if not node.output or not node.output[0]:
            raise InputError(where, "must write something", list(node.output))
        self.output = node.output[0]

    def input(self, index: int) -> str:
        """Return an operand that must be there."""
        name = self.optional(index)
        if not name:
            raise InputError(
                self.where, f"{self.node.op_type} must have operand {index}", list(self.node.input)
            )
        return name

    def optional(self, index: int) -> str:
        return self.node.input[index] if index < len(self.node.input) else ""

    def attributes(self) -> dict[str, Any]:
        return {
            a.name: helper.get_attribute_value(a)
            for a in self.node.attribute
            if a.name not in _NOT_OF_FLOAT
        }

    def dequantised(self, part: str, x: str, scale: str, zero: str = "", **attributes: int) -> Any:
        inputs = [x, scale, zero] if zero else [x, scale]
        name = f"{self.output}/{part}"
        return helper.make_node("DequantizeLinear", inputs, [name], **attributes)

    def real(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
        return helper.make_node(operator, inputs, [output], self.node.name, **attributes)


def _form(speller: _Speller) -> Iterator[Any]:
    node = speller.node
    form = _FORMS[_key(node)]
    inputs = [speller.input(i) for i in form.plain]
    axes = {"Conv": 0, "Gemm": int(not _flag(node, "transB"))}  # of a weight's filters
    for i in form.triples:
        triple = (speller.input(i), speller.input(i + 1), speller.optional(i + 2))
        axis = axes.get(form.operator, 1)
        yield speller.dequantised(f"operand{i}", *triple, axis=axis)
        inputs.append(f"{speller.output}/operand{i}")
    if form.bias is not None and (bias := speller.optional(form.bias)):
        yield speller.dequantised("bias", bias, speller.input(form.triples[-1] + 1), axis=0)
        inputs.append(f"{speller.output}/bias")
    if not speller.optional(form.result):  # a QGemm that returns floats
        yield speller.real(form.operator, inputs, speller.output, **speller.attributes())
        return
    real = f"{speller.output}/real"
    yield speller.real(form.operator, inputs, real, **speller.attributes())
    yield _quantised(speller, real, form.result)


def _quantised(speller: _Speller, real: str, scale: int) -> Any:
    inputs = [real, *speller.node.input[scale : scale + 2]]
    return helper.make_node("QuantizeLinear", [n for n in inputs if n], [speller.output])


def _concat(speller: _Speller) -> Iterator[Any]:
    names = []
    for i in range(2, len(speller.node.input), 3):
        triple = (speller.input(i), speller.input(i + 1), speller.optional(i + 2))
        yield speller.dequantised(f"operand{i}", *triple)
        names.append(f"{speller.output}/operand{i}")
    real = f"{speller.output}/real"
    yield speller.real("Concat", names, real, **speller.attributes())
    yield _quantised(speller, real, 0)


def _matmul(
    speller: _Speller, a: tuple[str, str, str], b: tuple[str, str, str], bias: str
) -> Iterator[Any]:
    yield speller.dequantised("a", *a)
    yield speller.dequantised("b", *b)
    product = f"{speller.output}/product" if bias else speller.output
    yield speller.real("MatMul", [f"{speller.output}/a", f"{speller.output}/b"], product)
    if bias:
        yield helper.make_node("Add", [product, bias], [speller.output])


def _integers_to_float(speller: _Speller) -> Iterator[Any]:
    a = (speller.input(0), speller.input(2), speller.optional(4))
    b = (speller.input(1), speller.input(3), speller.optional(5))
    yield from _matmul(speller, a, b, speller.optional(6))


def _dynamic(speller: _Speller) -> Iterator[Any]:
    names = [f"{speller.output}/{part}" for part in ("quantised", "scale", "zero")]
    yield helper.make_node("DynamicQuantizeLinear", [speller.input(0)], names)
    b = (speller.input(1), speller.input(2), speller.optional(3))
    yield from _matmul(speller, (names[0], names[1], names[2]), b, speller.optional(4))


def _n_bits(speller: _Speller) -> Iterator[Any]:
    """Spell a product with weights of few bits: rows of blocks, each with a scale of its own."""
    given = speller.attributes()
    k, n, bits, block = (given.get(a, 0) for a in ("K", "N", "bits", "block_size"))
    sizes_are_good = all(type(v) is int and 0 < v <= MAX_EXTENT for v in (k, n, block))
    if not sizes_are_good or k * n > MAX_ELEMENTS or bits not in (4, 8):
        got = {"K": k, "N": n, "bits": bits, "block_size": block}
        raise InputError(speller.where, "must have K, N and block_size, and 4 or 8 bits", got)
    weight = f"{speller.output}/weight"
    packed = next((t for t in speller.graph.initializer if t.name == speller.input(1)), None)
    speller.graph.initializer.append(_unpacked(weight, packed, k, n, bits))
    # the layout of scales is MatMulNBits's own; only their number is looked at
    triple = (weight, speller.input(2), speller.optional(3))
    yield speller.dequantised("b", *triple, block_size=block, axis=0)
    bias = speller.optional(5)
    product = f"{speller.output}/product" if bias else speller.output
    yield speller.real("MatMul", [speller.input(0), f"{speller.output}/b"], product)
    if bias:
        yield helper.make_node("Add", [product, bias], [speller.output])


def _unpacked(name: str, packed: Any, k: int, n: int, bits: int) -> Any:
    """Return the weights [k, n] as a constant, with values where they are there and few.

    They are stored unsigned, and are less half the range where no zero point says otherwise.
    """
    kind = onnx.TensorProto.INT4 if bits == 4 else onnx.TensorProto.INT8
    array = None
    if packed is not None and k * n <= VALUE_ELEMENTS:
        try:
            array = numpy_helper.to_array(packed).reshape(n, -1)
        except (TypeError, ValueError):
            array = None  # left out, and so are the values
    if array is None or array.dtype != np.uint8 or array.size * 8 < k * n * bits:
        values = np.zeros((k, n), np.int16) if k * n <= VALUE_ELEMENTS else None
    else:
        nibbles = np.stack([array & 15, array >> 4], -1).reshape(n, -1) if bits == 4 else array
        values = nibbles[:, :k].T.astype(np.int16) - (1 << bits - 1)
    if values is None:
        return onnx.TensorProto(name=name, dims=(k, n), data_type=kind)
    return helper.make_tensor(name, kind, (k, n), values.ravel().tolist())


def _renamed(speller: _Speller) -> Iterator[Any]:
    speller.node.domain = ""
    yield speller.node


_RULES: Mapping[tuple[str, str], Callable[[_Speller], Iterator[Any]]] = {
    **dict.fromkeys(_FORMS, _form),
    (MICROSOFT, "QLinearConcat"): _concat,
    (MICROSOFT, "MatMulIntegerToFloat"): _integers_to_float,
    (MICROSOFT, "DynamicQuantizeMatMul"): _dynamic,
    (MICROSOFT, "MatMulNBits"): _n_bits,
    (MICROSOFT, "QuantizeLinear"): _renamed,
    (MICROSOFT, "DequantizeLinear"): _renamed,
}


def _key(node: Any) -> tuple[str, str]:
    return ("" if node.domain == "ai.onnx" else node.domain, node.op_type)


def _rule(node: Any) -> Callable[[_Speller], Iterator[Any]] | None:
    if _flag(node, "channels_last"):
        return None
    return _RULES.get(_key(node))


def _flag(node: Any, name: str) -> bool:
    return any(a.name == name and a.i for a in node.attribute)
