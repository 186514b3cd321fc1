"""The fields of a trace's line: taken one by one, each of the type that it must have."""

from __future__ import annotations

from typing import Any

from archsim.errors import InputError
from archsim.trace import MAX_NAME

MAX_COUNT = 1 << 48  # elements of a tensor, and any other integer
Line = dict[str, Any]


class Fields:
    """Takes a line's fields one by one, checking types; `done` refuses what is left."""

    def __init__(self, line: Line, place: str) -> None:
        self._left, self._place = dict(line), place

    def take(self, key: str, kind: type, words: str, default: Any = None) -> Any:
        if key not in self._left and default is not None:
            return default
        value = self._left.pop(key, None)
        if type(value) is not kind:
            raise InputError(f"{self._place}: {key}", f"must be {words}", value)
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value: str = self.take(key, str, "text", default)
        return self._encodable(key, value)

    def _encodable(self, key: str, value: str) -> str:
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(f"{self._place}: {key}", "must be text in UTF-8", value) from None
        return value

    def name(self, key: str) -> str:
        value = self.text(key)
        if not 0 < len(value) <= MAX_NAME:
            raise InputError(f"{self._place}: {key}", f"must be 1 to {MAX_NAME} characters", value)
        return value

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self.take(
            key, list, "a list of text", list(default) if default is not None else None
        )
        if not all(type(v) is str for v in value):
            raise InputError(f"{self._place}: {key}", "must be a list of text", value)
        return tuple(self._encodable(key, v) for v in value)

    def count(self, key: str, least: int, default: int | None = None) -> int:
        value: int = self.take(key, int, "an integer", default)
        if not least <= value <= MAX_COUNT:
            raise InputError(
                f"{self._place}: {key}", f"must be an integer from {least} to {MAX_COUNT:,}", value
            )
        return value

    def done(self, takes: str) -> None:
        if self._left:
            raise InputError(self._place, f"{takes}", next(iter(self._left)))
