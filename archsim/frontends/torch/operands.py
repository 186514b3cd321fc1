"""A call of torch's with its arguments by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from archsim.frontends.torch.conversion import Conversion


class Call:
    """One call on its way into a graph.

    Attributes
    ----------
    node
        Torch's node.
    """

    def __init__(self, conversion: Conversion, node: Any) -> None:
        self.conversion, self.node = conversion, node
        schema = node.target._schema.arguments
        self._order = [argument.name for argument in schema]
        self._arguments = {a.name: a.default_value for a in schema if a.has_default_value()}
        self._arguments |= dict(zip(self._order, node.args, strict=False))
        self._arguments |= node.kwargs

    # -- arguments

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument as torch has it."""
        value = self._arguments.get(name)
        return default if value is None else value

    def named(self, name: str) -> str:
        """Return the value that an argument is, or nothing where it is left out."""
        return self.conversion.name(self._arguments.get(name))

    def is_tensor(self, name: str) -> bool:
        return isinstance(self._arguments.get(name), torch.fx.Node)

    def leading(self, count: int) -> list[str]:
        """Return the first arguments as values; numbers are constants."""
        given = [self._arguments.get(name) for name in self._order[:count]]
        return [self.conversion.name(argument) for argument in given]

    def all_tensors(self) -> list[str]:
        """Return every tensor among the arguments and in their lists."""
        found = []
        for name in self._order:
            argument = self._arguments.get(name)
            several = argument if isinstance(argument, (list, tuple)) else [argument]
            found += [self.conversion.name(a) for a in several if isinstance(a, torch.fx.Node)]
        return found

    def extents(self, name: str, rank: int) -> list[int]:
        """Return an argument that holds a number an axis, or one for all."""
        value = self._arguments.get(name)
        numbers = [value] if isinstance(value, int) else list(value or [])
        return [int(n) for n in (numbers * rank if len(numbers) == 1 else numbers)]

    def values_of(self, argument: Any) -> Any:
        """Return a number's or a small constant's values; None where they are not known."""
        if isinstance(argument, torch.fx.Node):
            return self.conversion.value(argument).array
        return argument

    # -- graph

    def shape(self, value: str) -> tuple[int, ...]:
        return self.conversion.values[value].shape

    def constant(self, number: Any) -> str:
        return self.conversion.constant(np.asarray(number))

    def step(
        self, operator: str, inputs: Sequence[str], shape: Sequence[int], **attributes: Any
    ) -> str:
        """Add an operator on the way to the result; return its value."""
        return self.conversion.step(operator, self.node, inputs, shape, **attributes)

    def result(self, operator: str, inputs: Sequence[str], **attributes: Any) -> None:
        """Add the operator that writes the result."""
        self.conversion.add(operator, self.node, inputs, **attributes)

    def narrow(self, value: str, dtype: str) -> None:
        """Say that a value of integers needs fewer bits than it is stored with."""
        known = self.conversion.values[value]
        if known.dtype in ("int8", "uint8"):
            self.conversion.values[value] = replace(known, dtype=dtype)
