"""Models that come quantised: products and lane work on integers, where they have that form.

Scales need no ops of their own: between two quantised values a product or lane operation takes
integers and its requantisation carries the scales. Unsigned values are held less half their range,
signed, which only moves their zero point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from archsim.frontends.operators.node import Graph, Node, Value

HALF_RANGE = {"uint8": 128, "uint4": 8, "uint16": 1 << 15}
_SIGNED = {"uint8": "int8"}  # as what a trace's tensor is held

# operators whose outputs are their inputs' values: function of none, so integers stay integers
_KEEPS_VALUES = frozenset(
    "Reshape Squeeze Unsqueeze Flatten Identity Transpose MaxPool GlobalMaxPool Slice Split Gather "
    "GatherElements GatherND Concat Expand Tile DepthToSpace SpaceToDepth Pad ReduceMax ReduceMin "
    "Relu Clip Dropout Trilu".split()
)


@dataclass(frozen=True, slots=True)
class Quantisation:
    """How integers stand for numbers: scale and zero point, by value where it is known.

    Attributes
    ----------
    centred
        Whether the zero point is known to be zero, or half the range of an unsigned type.
    """

    scale: object
    zero: object
    axis: int
    centred: bool


@dataclass(slots=True)
class Integers:
    """A graph whose quantised values are integers.

    Attributes
    ----------
    graph
        The graph, without what quantisation only spelled.
    off_centre
        Values whose zero point is not known to be zero, by name.
    """

    graph: Graph
    off_centre: frozenset[str]
    notes: list[str]


def as_integers(graph: Graph) -> Integers:
    """Return a graph with integer types carried through it, and what there is to say of it."""
    if not any(node.op_type in _QUANTISERS for node in graph.nodes):
        return Integers(graph, frozenset(), [])
    spread = _Spread(graph)
    nodes = [spread.node(node) for node in spread.without_spelled_scales()]
    found = replace(graph, nodes=nodes, values=spread.values)
    return Integers(found, frozenset(spread.off_centre), spread.notes())


_QUANTISERS = frozenset(
    "QuantizeLinear DequantizeLinear DynamicQuantizeLinear MatMulInteger ConvInteger".split()
)


@dataclass
class _Spread:
    """Carries integer types from quantisers onwards, in the order of execution."""

    graph: Graph
    off_centre: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.values: dict[str, Value] = dict(self.graph.values)
        self._of: dict[str, Quantisation] = {}
        self._counts: Counter[str] = Counter()
        self._unsigned: set[str] = set()

    # -- nodes

    def node(self, node: Node) -> Node:
        """Return a node with its outputs' types settled; an idle requantisation is a new name."""
        if node.op_type == "DequantizeLinear":
            self._dequantise(node)
        elif node.op_type == "QuantizeLinear":
            return self._quantise(node)
        elif node.op_type == "DynamicQuantizeLinear":
            self._counts["dynamic"] += 1
            self._integer(node.outputs[0])
            self.off_centre.add(node.outputs[0])
        elif node.op_type in ("MatMulInteger", "ConvInteger"):
            self._product(node)
        elif node.op_type in _KEEPS_VALUES:
            self._keep(node)
        return node

    def _dequantise(self, node: Node) -> None:
        name, out = node.inputs[0], node.outputs[0]
        source = self.values[name]
        if source.dtype == "int32":
            if source.static:  # a bias, in units of its accumulator
                self._retype(out, "int32")
            return
        how = self._read(node, name)
        self._integer(name)
        self._retype(out, self.values[name].dtype)
        self._of[out] = how
        if not how.centred:
            self.off_centre |= {name, out}
        if source.static:
            blocks = node.attribute("block_size", 0)
            scales = self._elements(node, 1)
            kind = "blocks" if blocks else "per_channel" if scales > 1 else "per_tensor"
            self._counts[f"weight_{kind}"] += 1

    def _quantise(self, node: Node) -> Node:
        name, out = node.inputs[0], node.outputs[0]
        how = self._read(node, out)
        static = all(self.values[n].static for n in node.inputs[1:] if n)
        if not self.values[out].static:
            self._counts["static" if static else "dynamic"] += 1
        self._integer(out)
        if not how.centred:
            self.off_centre.add(out)
        before = self._of.get(name)
        if before == how and self.values[name].dtype == self.values[out].dtype:
            return Node("Identity", (name,), (out,), node.name)
        return node

    def _product(self, node: Node) -> None:
        """Take the operands of an integer product; what it writes are accumulators."""
        for i in (0, 1):
            name = node.inputs[i]
            centred = self._centred(name, node, i + 2)
            self._integer(name)
            if not centred:
                self.off_centre.add(name)
            if self.values[name].static:
                per_channel = self._elements(node, i + 2) > 1
                self._counts["weight_per_channel" if per_channel else "weight_per_tensor"] += 1

    def _keep(self, node: Node) -> None:
        several = node.op_type == "Concat"
        names = [n for n in (node.inputs if several else node.inputs[:1]) if n]
        found = [self._of.get(name) for name in names]
        if not found or found[0] is None or any(how != found[0] for how in found):
            return
        dtype = self.values[names[0]].dtype
        for out in filter(None, node.outputs):
            self._retype(out, dtype)
            self._of[out] = found[0]
            if not found[0].centred:
                self.off_centre.add(out)

    # -- values

    def _read(self, node: Node, integer: str) -> Quantisation:
        """Return how a node's integer value stands for numbers."""
        scale, zero = (self._known(node, i) for i in (1, 2))
        axis = node.attribute("axis", 1) if self._elements(node, 1) > 1 else 0
        return Quantisation(scale, zero, axis, self._centred(integer, node, 2))

    def _known(self, node: Node, index: int) -> object:
        """Return an operand's values, or its name where they are not known; None if left out."""
        if index >= len(node.inputs) or not node.inputs[index]:
            return None
        value = self.values[node.inputs[index]]
        return value.name if value.array is None else (value.shape, value.array.tobytes())

    def _elements(self, node: Node, index: int) -> int:
        given = index < len(node.inputs) and node.inputs[index]
        return self.values[node.inputs[index]].elements if given else 1

    def _centred(self, integer: str, node: Node, index: int) -> bool:
        """Say whether a zero point is known to be the middle of its type's range."""
        if index >= len(node.inputs) or not node.inputs[index]:
            return self.graph.values[integer].dtype not in HALF_RANGE
        zero = self.values[node.inputs[index]].array
        if zero is None:
            return False
        middle = HALF_RANGE.get(zero.dtype.name, 0)
        if middle:
            self._unsigned.add(integer)
        return bool(np.all(zero.astype(np.int64) == middle))

    def _integer(self, name: str) -> None:
        """Hold an unsigned value as a signed one."""
        dtype = self.values[name].dtype
        if dtype in HALF_RANGE:
            self._unsigned.add(name)
        self._retype(name, _SIGNED.get(dtype, dtype))

    def _retype(self, name: str, dtype: str) -> None:
        self.values[name] = replace(self.values[name], dtype=dtype)

    # -- scales of integer products

    def without_spelled_scales(self) -> list[Node]:
        """Return the nodes with every ``Cast, Mul(scales)`` behind an accumulator dequantised.

        The multiplication of the two operands' scales goes with it.
        """
        nodes = list(self.graph.nodes)
        readers: dict[str, list[Node]] = {}
        for node in nodes:
            for name in node.inputs:
                readers.setdefault(name, []).append(node)
        scales = self._scales(nodes)
        replaced: dict[Node, Node | None] = {}
        for node in nodes:
            if node.op_type not in ("MatMulInteger", "ConvInteger"):
                continue
            cast = self._sole(readers, node.outputs[0], "Cast")
            scaled = cast and self._sole(readers, cast.outputs[0], "Mul")
            if not cast or not scaled:
                continue
            scale = next((n for n in scaled.inputs if n != cast.outputs[0]), "")
            if scale in scales:
                replaced[cast] = None
                inputs = (node.outputs[0], scale)
                replaced[scaled] = Node("DequantizeLinear", inputs, scaled.outputs, scaled.name)
        kept = [n for node in nodes if (n := replaced.get(node, node)) is not None]
        used = {n for node in kept for n in node.inputs[: _OPERANDS.get(node.op_type)]}
        used |= self.graph.outputs
        return [n for n in kept if n.outputs[0] not in scales or scales[n.outputs[0]] is not n
                or n.outputs[0] in used]  # fmt: skip

    def _scales(self, nodes: list[Node]) -> Mapping[str, Node]:
        """Return what is a product of run-time scales, and the node that multiplies."""
        found: dict[str, Node] = {}
        run_time = set()
        for node in nodes:
            if node.op_type == "DynamicQuantizeLinear" and len(node.outputs) > 1:
                run_time.add(node.outputs[1])
            elif node.op_type == "Mul" and any(n in run_time for n in node.inputs):
                if all(n in run_time or self.values[n].static for n in node.inputs):
                    run_time.add(node.outputs[0])
                    found[node.outputs[0]] = node
        return found

    def _sole(self, readers: Mapping[str, list[Node]], name: str, op_type: str) -> Node | None:
        """Return the one node that reads a value, if it is of that operator."""
        reading = readers.get(name, [])
        if len(reading) != 1 or name in self.graph.outputs or reading[0].op_type != op_type:
            return None
        return reading[0]

    # -- words

    def notes(self) -> list[str]:
        """Return what a report says of a quantised model."""
        c = self._counts
        weights = [
            f"{c[key]} {words}"
            for key, words in (
                ("weight_per_tensor", "with one scale"),
                ("weight_per_channel", "with a scale a channel"),
                ("weight_blocks", "with a scale a block"),
            )
            if c[key]
        ]
        said = "quantised by the model's own scales and zero points"
        parts = [f"weights: {', '.join(weights)}"] if weights else []
        if c["static"]:
            parts.append(f"{c['static']} activations by constants of the file")
        if c["dynamic"]:
            parts.append(f"{c['dynamic']} activations by what is measured at run time")
        notes = [f"{said} ({'; '.join(parts)})" if parts else said]
        if self._unsigned:
            notes.append(
                f"{len(self._unsigned)} unsigned values are held less half their range, as signed "
                "ones: an exact change of their zero points"
            )
        if c["weight_blocks"]:
            notes.append(
                "products whose weights have a scale a block are taken as one accumulation each; "
                "scaling partial sums block by block is not counted"
            )
        return notes


_OPERANDS = {"DequantizeLinear": 1}  # operands that are read as values; scales ride along
