"""What follows from a value and is found once a key, whatever the designs that ask for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, ClassVar, TypeVar

T = TypeVar("T")


class Finds:
    """A value that keeps the last few things that were found of it, in ``_found``."""

    most_found: ClassVar[int]
    _found: dict[Hashable, Any]

    def once(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return what ``find`` does, which is called once a key; the last few finds are kept."""
        if key not in self._found:
            self._found[key] = find()
            if len(self._found) > self.most_found:
                del self._found[next(iter(self._found))]
        found: T = self._found[key]
        return found
