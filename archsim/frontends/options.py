"""Options of a model, ``@key=value,...``: taken by name and type, what is left over is refused."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping

from archsim.errors import InputError

Value = str | int


class Options:
    """The options that came with a model.

    A frontend takes those that it knows; `done` refuses the others, naming the known ones.

    Parameters
    ----------
    where
        What messages call the model.
    native_dtype
        What number format suits the design, where one is known and none is asked for.

    Attributes
    ----------
    taken
        What was taken so far, defaults included.
    """

    def __init__(self, values: Mapping[str, Value], where: str, native_dtype: str = "int8") -> None:
        self._left = dict(values)
        self.native_dtype = native_dtype
        self.taken: dict[str, Value] = {}
        self._known: list[str] = []
        self.where = where

    def count(self, key: str, default: int, *, least: int = 1, most: int = 1 << 20) -> int:
        """Take a whole number."""
        value = self._left.pop(key, default)
        words = f"must be a whole number from {least:,} to {most:,}"
        try:
            number = int(value) if type(value) in (int, str) else least - 1
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise InputError(f"{self.where}: {key}", words, value)
        self.taken[key] = number
        return number

    def number(self, key: str, default: float, *, least: float = 0.0, most: float = 1.0) -> float:
        """Take a decimal number."""
        value = self._left.pop(key, str(default))
        words = f"must be a number from {least:g} to {most:g}"
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise InputError(f"{self.where}: {key}", words, value)
        self.taken[key] = str(number)
        return number

    def choice(self, key: str, choices: Iterable[str], default: str) -> str:
        """Take one of several words."""
        value = self._left.pop(key, default)
        words = tuple(choices)
        if value not in words:
            raise InputError(f"{self.where}: {key}", f"must be one of {', '.join(words)}", value)
        self.taken[key] = str(value)
        return str(value)

    def text(self, key: str) -> Value:
        """Take a value that was given, as it is."""
        self.taken[key] = self._left.pop(key)
        return self.taken[key]

    def known(self, key: str) -> None:
        """Let a key that was not given count as known, in messages."""
        self._known.append(key)

    def has(self, key: str) -> bool:
        """Say whether a key was given and not yet taken."""
        return key in self._left

    def done(self) -> None:
        """Refuse what nobody took."""
        for key in self._left:
            keys = (*self.taken, *self._known)
            close = difflib.get_close_matches(key, keys, n=1)
            known = ", ".join(keys) or "none at all"
            raise InputError(
                f"{self.where}: options",
                f"must be of {known}",
                key,
                fix=f"did you mean {close[0]}?" if close else "",
            )
