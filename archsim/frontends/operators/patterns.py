"""Activations and norms that exporters spell out: GELU, SiLU, layer norm and their kin.

A pattern is a nested tuple: an operator and its operands. ``X`` is the input, the same wherever it
stands; a number is a constant near it; ``SMALL`` is any one constant, ``GAMMA`` and ``BETA`` are
constants over the last axis; ``Scale`` is a multiplication by a constant or the division by its
inverse. Additions and multiplications match in either order; casts in between are looked through.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archsim.frontends.operators.node import Node, Value

X, GAMMA, BETA, SMALL = "x", "gamma", "beta", "small"
Pattern = Any  # X, a number, or a tuple of an operator's name and its operands' patterns


def _product(x: Pattern, y: Pattern, factor: float) -> tuple[Pattern, ...]:
    """Return the ways to write ``factor * x * y``."""
    return (
        ("Scale", ("Mul", x, y), factor),
        ("Mul", x, ("Scale", y, factor)),
        ("Mul", ("Scale", x, factor), y),
    )


_ERF = ("Add", ("Erf", ("Scale", X, math.sqrt(0.5))), 1.0)
_CUBES = (("Pow", X, 3.0), ("Mul", ("Mul", X, X), X))
_TANHS = tuple(
    ("Add", ("Tanh", ("Scale", ("Add", X, ("Scale", cube, 0.044715)), math.sqrt(2 / math.pi))), 1.0)
    for cube in _CUBES
)
_CLIP = ("Clip", ("Add", X, 3.0), 0.0, 6.0)


def _root(square: Pattern) -> tuple[Pattern, ...]:
    """Return the ways to write ``sqrt(mean(square) + small)``."""
    return ("Sqrt", ("Add", ("ReduceMean", square), SMALL))


def _over(x: Pattern, root: Pattern) -> tuple[Pattern, ...]:
    """Return the ways to divide by a root."""
    return (("Div", x, root), ("Mul", x, ("Reciprocal", root)), ("Mul", x, ("Div", 1.0, root)))


def _squares(x: Pattern) -> tuple[Pattern, ...]:
    return (("Pow", x, 2.0), ("Mul", x, x))


_AWAY = ("Sub", X, ("ReduceMean", X))
_RMS = tuple(o for square in _squares(X) for o in _over(X, _root(square)))
_LAYER = tuple(o for square in _squares(_AWAY) for o in _over(_AWAY, _root(square)))

PATTERNS: tuple[tuple[str, Pattern], ...] = (
    *(("RMSNormalization", ("Mul", norm, GAMMA)) for norm in _RMS),
    *(("LayerNormalization", ("Add", ("Mul", norm, GAMMA), BETA)) for norm in _LAYER),
    *(("Gelu", p) for e in (_ERF, *_TANHS) for p in _product(X, e, 0.5)),
    *(("HardSwish", p) for p in _product(X, _CLIP, 1 / 6)),
    ("HardSwish", ("Mul", X, ("HardSigmoid", X))),
    ("HardSigmoid", ("Scale", _CLIP, 1 / 6)),
    ("Mish", ("Mul", X, ("Tanh", ("Softplus", X)))),
    ("Swish", ("Mul", X, ("Sigmoid", X))),
    ("Swish", ("Mul", X, ("Sigmoid", ("Scale", X, 1.0)))),
    ("QuickGelu", ("Mul", X, ("Sigmoid", ("Scale", X, 1.702)))),
)


@dataclass
class _Match:
    """One attempt: what stands for the pattern's names, and the nodes that it covers."""

    x: str = ""
    constants: dict[str, str] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    @property
    def inputs(self) -> tuple[str, ...]:
        names = (self.x, self.constants.get(GAMMA, ""), self.constants.get(BETA, ""))
        return tuple(name for name in names if name)


class Matcher:
    """Finds patterns that end in a node."""

    def __init__(self, nodes: Sequence[Node], values: Mapping[str, Value]) -> None:
        self._values = values
        self._producer = {name: node for node in nodes for name in node.outputs if name}

    def match(self, pattern: Pattern, node: Node) -> _Match | None:
        found = _Match()
        if not self._node(pattern, node, found) or not found.x:
            return None
        return found if all(self._over_last_axis(n, found) for n in found.nodes) else None

    def _over_last_axis(self, node: Node, found: _Match) -> bool:
        """Say whether a mean is over the last axis of the input alone."""
        if node.op_type != "ReduceMean":
            return True
        shape = self._values[found.x].shape
        return self._values[node.outputs[0]].shape == (*shape[:-1], 1)

    def _value(self, pattern: Pattern, name: str | float, found: _Match) -> bool:
        if isinstance(name, float):  # an operand that the operator holds as an attribute
            return bool(name == pattern)
        if pattern == X:
            found.x = found.x or name
            return found.x == name and not self._values[name].static
        if pattern in (GAMMA, BETA, SMALL):
            return self._constant(pattern, name, found)
        if isinstance(pattern, float):
            number = self._values[name].scalar() if name in self._values else None
            return number is not None and math.isclose(number, pattern, rel_tol=1e-3, abs_tol=1e-6)
        node = self._producer.get(name)
        while node is not None and node.op_type == "Cast" and pattern[0] != "Cast":
            found.nodes.append(node)
            node = self._producer.get(node.inputs[0])
        return node is not None and self._node(pattern, node, found)

    def _constant(self, pattern: str, name: str, found: _Match) -> bool:
        """Take a constant: one number, or one a feature."""
        value = self._values.get(name)
        if value is None or not value.static or (pattern == SMALL and value.elements != 1):
            return False
        if pattern != SMALL and (not value.shape or value.elements != value.shape[-1]):
            return False
        found.constants[pattern] = name
        return True

    def _node(self, pattern: Pattern, node: Node, found: _Match) -> bool:
        for operator, operands in _spellings(pattern):
            inputs: list[str | float] = [*node.inputs, *_clip_bounds(node)]
            if operator == "ReduceMean":
                inputs = inputs[:1]  # axes are judged by what comes out
            if node.op_type != operator or len(inputs) != len(operands):
                continue
            mark = (found.x, len(found.nodes), dict(found.constants))
            found.nodes.append(node)
            if all(self._value(p, i, found) for p, i in zip(operands, inputs, strict=True)):
                return True
            found.x, found.constants = mark[0], mark[2]
            del found.nodes[mark[1] :]
        return False


def _spellings(pattern: Pattern) -> Iterator[tuple[str, tuple[Pattern, ...]]]:
    operator, *operands = pattern
    if operator == "Scale":
        inner, factor = operands
        yield "Mul", (inner, factor)
        yield "Mul", (factor, inner)
        yield "Div", (inner, 1 / factor)
    else:
        yield operator, tuple(operands)
        if operator in ("Add", "Mul"):
            yield operator, tuple(reversed(operands))


def _clip_bounds(node: Node) -> Iterator[float]:
    """Yield the bounds that a ``Clip`` before opset 11 holds as attributes."""
    if node.op_type == "Clip" and len(node.inputs) == 1:
        yield float(node.attribute("min", -math.inf))
        yield float(node.attribute("max", math.inf))


def fold_activations(
    nodes: Sequence[Node], values: Mapping[str, Value], outputs: frozenset[str]
) -> list[Node]:
    """Return the nodes with each pattern replaced by one; values inside it must not leave it."""
    matcher = Matcher(nodes, values)
    readers = Counter(name for node in nodes for name in node.inputs)
    readers.update(outputs)
    absorbed: set[int] = set()
    replaced: dict[int, Node] = {}
    for node in reversed(nodes):
        if id(node) in absorbed or node.op_type not in _ENDS:
            continue
        for operator, pattern in PATTERNS:
            found = matcher.match(pattern, node)
            if found and _closed(found, node, readers):
                absorbed.update(id(inner) for inner in found.nodes)
                names = "+".join(n.name for n in dict.fromkeys(found.nodes) if n.name)
                replaced[id(node)] = Node(operator, found.inputs, node.outputs, names)
                break
    return [
        replaced.get(id(node), node)
        for node in nodes
        if id(node) in replaced or id(node) not in absorbed
    ]


_ENDS = frozenset(("Mul", "Div", "Add"))


def _closed(found: _Match, end: Node, readers: Counter[str]) -> bool:
    """Say whether nothing outside the match reads what its inner nodes write."""
    nodes = dict.fromkeys(found.nodes)  # what is read twice was matched twice
    inside = Counter(name for node in nodes for name in node.inputs)
    inner = {name for node in nodes if node is not end for name in node.outputs}
    return all(readers[name] == inside[name] for name in inner)
