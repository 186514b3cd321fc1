"""A graph as frontends hand it over: nodes in ONNX's vocabulary, and what is known of values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Shape = tuple[int, ...]
MAX_RANK = 16
MAX_ELEMENTS = 1 << 44
VALUE_ELEMENTS = 1 << 16  # values of larger constants are dropped: no shape depends on them


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of a graph's value.

    Attributes
    ----------
    static
        Whether it depends on constants and shapes alone, so that it costs nothing at run time.
    array
        Its values, where it is static and small.
    """

    name: str
    shape: Shape
    dtype: str
    static: bool = False
    array: NDArray[Any] | None = None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def scalar(self) -> float | None:
        """Return the one number that it holds, if it is static and holds one."""
        if self.array is None or self.array.size != 1 or self.array.dtype.kind not in "fiub":
            return None
        return float(self.array.reshape(()))


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator at work. Two nodes are never equal.

    Attributes
    ----------
    op_type, domain
        ONNX's name of the operator, and its domain where that is not ONNX's own.
    name
        What the model calls it; may be empty.
    inputs, outputs
        Values by name; empty where an optional one is left out.
    """

    op_type: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    name: str = ""
    domain: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def operator(self) -> str:
        """The operator's name, its domain before it where that is not ONNX's own."""
        return f"{self.domain}.{self.op_type}" if self.domain else self.op_type

    @property
    def source(self) -> str:
        """The node's name, or its first output's."""
        return self.name or next(filter(None, self.outputs))

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.attributes.get(name, default)


@dataclass(frozen=True, slots=True)
class Graph:
    """A model's graph with all shapes known.

    Attributes
    ----------
    nodes
        In order of execution, those that depend on constants alone among them.
    inputs
        Names of the values that come from outside.
    outputs
        Names of the values that leave.
    where
        The model, for messages.
    """

    nodes: Sequence[Node]
    values: Mapping[str, Value]
    inputs: Sequence[str]
    outputs: frozenset[str]
    where: str

    def static(self, node: Node) -> bool:
        """Say whether a node computes at load time and not at run time."""
        return all(self.values[name].static for name in node.outputs if name)
