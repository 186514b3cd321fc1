"""Conditions on a design: typed comparisons, not an expression language."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from archsim.errors import InputError

Lookup = Callable[[str], Any]  # value at a dotted path of a design

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "not_equals": operator.ne,
    "less_than": operator.lt,
    "at_most": operator.le,
    "more_than": operator.gt,
    "at_least": operator.ge,
}
_ORDERED = ("less_than", "at_most", "more_than", "at_least")


def as_number(value: Any) -> Any:
    """Return text that YAML should have read as a number (``1e9``) as one; all else as it is."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return number if math.isfinite(number) else value
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be finite")
    return value


class PathValue(BaseModel):
    """The value at another path, to compare with."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    path: str


Operand = Annotated[PathValue | bool | int | float | str, BeforeValidator(as_number)]


class Condition(BaseModel):
    """Holds if every comparison given holds for ``path``, or for the ``product`` of several paths.

    What is compared with is a plain value, or ``{path: OTHER}``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    path: str | None = None
    product: tuple[str, ...] | None = Field(default=None, min_length=2)
    equals: Operand | None = None
    not_equals: Operand | None = None
    one_of: tuple[Operand, ...] | None = Field(default=None, alias="in")
    less_than: Operand | None = None
    at_most: Operand | None = None
    more_than: Operand | None = None
    at_least: Operand | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.path is None) == (self.product is None):
            raise ValueError("must have either path or product")
        if self.one_of is None and all(getattr(self, name) is None for name in _COMPARE):
            raise ValueError(f"must have one or more of in, {', '.join(_COMPARE)}")
        return self

    def paths(self) -> tuple[str, ...]:
        """Return every path that the condition looks at."""
        operands = [getattr(self, name) for name in _COMPARE] + list(self.one_of or ())
        others = tuple(o.path for o in operands if isinstance(o, PathValue))
        return (self.product or (self.path or "",)) + others

    def holds(self, lookup: Lookup, where: str) -> bool:
        """Return whether the condition holds.

        Raises
        ------
        InputError
            At ``where``, if the values cannot be compared or multiplied.
        """
        left = self._left(lookup, where)
        for name, compare in _COMPARE.items():
            operand = getattr(self, name)
            if operand is None:
                continue
            right = _value(operand, lookup)
            if name in _ORDERED and not (_is_number(left) and _is_number(right)):
                raise InputError(where, f"{name} must compare numbers", (left, right))
            if not compare(left, right):
                return False
        return self.one_of is None or left in [_value(o, lookup) for o in self.one_of]

    def _left(self, lookup: Lookup, where: str) -> Any:
        if self.path is not None:
            return lookup(self.path)
        result: Any = 1
        for path in self.product or ():
            factor = lookup(path)
            if not _is_number(factor):
                raise InputError(where, f"product must be of numbers; {path} is", factor)
            result *= factor
        return result


def _value(operand: Any, lookup: Lookup) -> Any:
    return lookup(operand.path) if isinstance(operand, PathValue) else operand


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
