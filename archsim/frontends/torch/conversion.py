"""What an exported program is converted with: torch's tensors become values of a graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from archsim.errors import InputError
from archsim.frontends.operators.node import (
    MAX_ELEMENTS,
    MAX_RANK,
    Node,
    Shape,
    Value,
)

DTYPES = {
    torch.float32: "fp32", torch.float64: "fp64", torch.float16: "fp16", torch.bfloat16: "bf16",
    torch.float8_e4m3fn: "fp8", torch.float8_e4m3fnuz: "fp8", torch.float8_e5m2: "fp8",
    torch.float8_e5m2fnuz: "fp8", torch.int8: "int8", torch.uint8: "uint8", torch.int16: "int16",
    torch.uint16: "int16", torch.int32: "int32", torch.uint32: "int32", torch.int64: "int64",
    torch.uint64: "int64", torch.bool: "bool",
}  # fmt: skip


class Conversion:
    """A graph in the making.

    Attributes
    ----------
    values, nodes
        What was converted so far.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.values: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self._names: dict[Any, str] = {}  # of torch's nodes
        self._used: Counter[str] = Counter()

    # -- values

    def declare(self, node: Any, name: str, *, static: bool, array: Any = None) -> None:
        """Make a node of torch's a value of one tensor."""
        shape, dtype = self.described(node.meta["val"], node.name)
        self._names[node] = name
        self.values[name] = Value(name, shape, dtype, static, array)

    def described(self, tensor: Any, name: str) -> tuple[Shape, str]:
        """Return a tensor's shape and type, which must be known."""
        where = f"{self.where}: {name}"
        shape = tuple(tensor.shape)
        if not all(isinstance(extent, int) for extent in shape):
            raise InputError(
                where,
                "must have a shape of numbers",
                [str(extent) for extent in shape],
                fix="export without dynamic shapes; give sizes as the factory's options",
            )
        if len(shape) > MAX_RANK or int(np.prod(shape, dtype=object)) > MAX_ELEMENTS:
            raise InputError(where, f"must have at most {MAX_ELEMENTS:,} elements", shape)
        if tensor.dtype not in DTYPES:
            raise InputError(where, "must hold numbers of a known type", str(tensor.dtype))
        return shape, DTYPES[tensor.dtype]

    def name(self, value: Any) -> str:
        """Return the name of a tensor, of a number as a constant, or nothing for nothing."""
        if value is None:
            return ""
        if isinstance(value, torch.fx.Node):
            if value not in self._names:
                raise InputError(f"{self.where}: {value.name}", "must be a tensor")
            return self._names[value]
        return self.constant(np.asarray(value))

    def value(self, argument: Any) -> Value:
        return self.values[self.name(argument)]

    def constant(self, array: NDArray[Any]) -> str:
        """Return the name of a constant with these values."""
        self._used["constant"] += 1
        name = f"constant.{self._used['constant']}"
        dtype = {"f": "fp32", "b": "bool"}.get(array.dtype.kind, "int64")
        named = array.dtype.name if array.dtype.name in ("int8", "uint8", "int16") else dtype
        self.values[name] = Value(name, array.shape, named, True, array)
        return name

    # -- nodes

    def add(self, operator: str, node: Any, inputs: Sequence[str], **attributes: Any) -> None:
        """Add the operator that writes what a node of torch's writes: one tensor or several."""
        results = node.meta["val"]
        several = isinstance(results, (tuple, list))
        outputs = []
        static = self._static(inputs)
        for i, result in enumerate(results if several else (results,)):
            if result is None:
                outputs.append("")
                continue
            name = f"{node.name}.{i}" if several else node.name
            shape, dtype = self.described(result, node.name)
            self.values[name] = Value(name, shape, dtype, static)
            outputs.append(name)
        if not several:
            self._names[node] = outputs[0]
        self._append(operator, inputs, outputs, label(node), attributes)

    def step(
        self,
        operator: str,
        node: Any,
        inputs: Sequence[str],
        shape: Sequence[int],
        **attributes: Any,
    ) -> str:
        """Add an operator on the way to what a node writes, and return its value's name."""
        self._used[node.name] += 1
        name = f"{node.name}.part{self._used[node.name]}"
        dtype = self.values[inputs[0]].dtype
        self.values[name] = Value(name, tuple(shape), dtype, self._static(inputs))
        self._append(operator, inputs, [name], f"{label(node)}.{operator.lower()}", attributes)
        return name

    def item(self, node: Any, source: Any, index: int) -> None:
        """Name one of the tensors that a node writes."""
        self._names[node] = f"{source.name}.{index}"

    def _append(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str,
        attributes: Mapping[str, Any],
    ) -> None:
        domain, _, op_type = operator.rpartition(".")
        self.nodes.append(Node(op_type, tuple(inputs), tuple(outputs), name, domain, attributes))

    def _static(self, inputs: Sequence[str]) -> bool:
        return all(self.values[name].static for name in inputs if name)


def label(node: Any) -> str:
    """Return where in the module a call stands, and what is called."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path = str(stack[-1][0]) if stack else ""
    return f"{path}.{node.name}" if path else str(node.name)
