"""What operators are lowered with: graph values become trace tensors, nodes become ops."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from archsim.errors import InputError
from archsim.frontends.builder import TraceBuilder
from archsim.frontends.operators.node import Node, Value
from archsim.trace import VECTOR_PASSES, Attr, Layout, Op, as_gemm


class Lowering:
    """A graph on its way into a trace.

    Attributes
    ----------
    builder
        The trace in the making.
    values
        Every value of the graph by name.
    filters
        Filters of products by op, where that is not what a product's columns are.
    off_centre
        Quantised values whose zero point is not known to be zero.
    sums
        How many products need sums of an operand, because of the other's zero point.
    """

    def __init__(
        self,
        builder: TraceBuilder,
        values: Mapping[str, Value],
        readers: Counter[str],
        where: str,
        off_centre: frozenset[str] = frozenset(),
    ) -> None:
        self.builder, self.values, self._where = builder, values, where
        self.off_centre, self.sums = off_centre, 0
        self.filters: dict[str, int] = {}
        self._readers = readers
        self._root: dict[str, str] = {}  # a value that is another's elements under a new name
        self._layout: dict[str, Layout] = {}  # of such a value, where they lie in another order
        self._false: set[str] = set()
        self._op_names: Counter[str] = Counter()

    def value(self, node: Node, index: int) -> Value | None:
        """Return a node's input, or None where it is left out."""
        if index >= len(node.inputs) or not node.inputs[index]:
            return None
        return self.values[node.inputs[index]]

    def required(self, node: Node, index: int) -> Value:
        """Return a node's input that shape inference has found to be there."""
        return self.values[node.inputs[index]]

    def output(self, node: Node) -> Value:
        """Return the first output that a node has: a recurrent one may leave out its sequence."""
        return self.values[next(filter(None, node.outputs))]

    def root(self, name: str) -> str:
        """Return the tensor whose elements a value holds."""
        return self._root.get(name, name)

    def layout(self, value: Value) -> Layout:
        """Return the turns that make a value of the tensor that holds its elements."""
        return self._layout.get(value.name, ())

    def alias(self, node: Node, source: str | None = None, order: Sequence[int] = ()) -> None:
        """Make a node's output another name for its first input's elements, at no cost.

        Parameters
        ----------
        order
            Of the input's axes, where the output has them in another.
        """
        name = source or node.inputs[0]
        before, after = self.values[name], self.output(node)
        if before.elements != after.elements:
            raise InputError(
                f"{self._where}: node {node.source!r}",
                f"{node.op_type} must keep all {before.elements:,} elements",
                after.shape,
            )
        self._root[node.outputs[0]] = self.root(name)
        turn = ((before.shape, tuple(order)),) if order else ()
        self._layout[node.outputs[0]] = (*self.layout(before), *turn)

    def set_false(self, node: Node) -> None:
        """Declare that a node's output is false throughout."""
        self._false.add(node.outputs[0])

    def is_false(self, name: str) -> bool:
        return name in self._false

    def tensor(self, value: Value) -> str:
        """Return the tensor that holds a value."""
        if not value.static:
            return self.root(value.name)
        source = self.values[self.root(value.name)]
        return self.builder.tensor(source.name, source.shape, "weight", source.dtype)

    def operand(self, value: Value | None) -> tuple[str, ...]:
        """Return the tensor that holds a value; none if it is left out, empty or one constant."""
        if value is None or not value.elements or value.name in self._false:
            return ()
        return () if value.static and value.elements == 1 else (self.tensor(value),)

    def operands(self, node: Node, indices: Sequence[int] | None = None) -> tuple[str, ...]:
        """Return the tensors of a node's inputs, all unless indices are given."""
        chosen = range(len(node.inputs)) if indices is None else indices
        return tuple(t for i in chosen for t in self.operand(self.value(node, i)))

    def results(self, node: Node) -> tuple[str, ...]:
        """Declare and return the tensors that a node writes: its first output and those read."""
        read = [n for i, n in enumerate(node.outputs) if n and (not i or self._readers[n])]
        return tuple(self.declare(self.values[name]) for name in read if self.values[name].elements)

    def declare(self, value: Value, name: str = "") -> str:
        """Declare the tensor of a value that is written."""
        return self.builder.tensor(name or value.name, value.shape, "activation", value.dtype)

    def op_name(self, node: Node, part: str = "") -> str:
        """Return a name of its own for an op: the node's, or its output's."""
        name = node.source + (f".{part}" if part else "")
        self._op_names[name] += 1
        count = self._op_names[name]
        return name if count == 1 else f"{name}#{count}"

    def op(
        self,
        node: Node,
        kind: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attrs: Mapping[str, Attr],
        *,
        epilogue: Sequence[str] = (),
        part: str = "",
        layouts: Mapping[str, Layout] | None = None,
    ) -> str:
        """Add an op and return its name; ``part`` tells several of one node apart."""
        name = self.op_name(node, part)
        self.builder.op(
            kind, name, inputs, outputs, attrs,
            epilogue=epilogue, source=node.source, layouts=layouts,
        )  # fmt: skip
        return name

    def product(
        self,
        node: Node,
        kind: str,
        operands: tuple[Value, Value],
        added: Sequence[str],
        attrs: Mapping[str, Attr],
        *,
        outputs: Sequence[str] | None = None,
        epilogue: Sequence[str] = (),
        turns: tuple[Layout, Layout] = ((), ()),
    ) -> str:
        """Add a product ``a b`` of quantised or other operands and return its op's name.

        ``turns`` make of both values what the product reads; see `Op.layouts`.

        With zero points za, zb it is ``sum(a b) - zb sum(a) - za sum(b) + k za zb``: sums of
        weights are constants and go into the bias, sums of activations are computed where the
        other zero point is not zero.
        """
        a, b = operands
        sums = []
        if b.name in self.off_centre and not a.static:
            sums.append(self._sums(node, a, "row_sums", kind, attrs))
        if a.name in self.off_centre and not b.static:
            sums.append(self._sums(node, b, "column_sums", kind, attrs))
        out = self.results(node) if outputs is None else tuple(outputs)
        inputs = (self.tensor(a), self.tensor(b), *added, *sums)
        layouts = {
            port: (*self.layout(x), *turn)
            for port, x, turn in zip("ab", operands, turns, strict=True)
        }
        every = (*("add",) * len(sums), *epilogue)
        return self.op(node, kind, inputs, out, attrs, epilogue=every, layouts=layouts)

    def _sums(self, node: Node, x: Value, part: str, kind: str, attrs: Mapping[str, Attr]) -> str:
        """Add the sums of an operand over ``k`` and return their tensor.

        A convolution's are the sums over channels, then over taps.
        """
        self.sums += 1
        shape = as_gemm(Op("", kind, (), (), attrs))
        count = shape.groups * (shape.m if part == "row_sums" else shape.n)
        taps = count * math.prod(attrs["kernel"]) if kind == "conv" else 0  # type: ignore[arg-type]
        name = f"{next(filter(None, node.outputs))}.{part}"
        out = self.builder.tensor(name, (count,), "activation", "int32")
        work = (x.elements + taps) * VECTOR_PASSES["reduce_sum"]
        sums: dict[str, Attr] = {"function": "reduce_sum", "work": work}
        self.op(node, "vector", (self.tensor(x),), (out,), sums, part=part)
        return out

    def vector(
        self, node: Node, function: str, elements: int, inputs: Sequence[str] | None = None
    ) -> None:
        """Add lane operations over so many elements."""
        operands = self.operands(node) if inputs is None else inputs
        name, source = self.op_name(node), node.source
        self.builder.vector(function, name, operands, self.results(node), elements, source=source)

    def move(self, node: Node, function: str, inputs: Sequence[str] | None = None) -> None:
        """Add a rearrangement of bytes."""
        operands = self.operands(node) if inputs is None else inputs
        self.op(node, "move", operands, self.results(node), {"function": function})

    def unsupported(self, node: Node) -> None:
        """Record a node that nobody understands."""
        operator = node.operator
        counts = self.builder.unsupported
        counts[operator] = counts.get(operator, 0) + 1
        outputs = self.results(node)
        elements = sum(self.values[name].elements for name in outputs)
        attrs: dict[str, Attr] = {"function": operator, "work": elements}
        self.op(node, "unsupported", self.operands(node), outputs, attrs)


Handler = Callable[[Lowering, Node], None]
