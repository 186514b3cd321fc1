"""A hostile input: the files that it is made of and the command that must refuse it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Content = str | bytes | Callable[[], bytes]


@dataclass(frozen=True)
class Case:
    """One input.

    Parameters
    ----------
    name
        In `refusals.yaml`, too, which has the message.
    command
        Arguments of ``archsim``.
    files
        By name, in the folder where the command runs; a function makes what is large.
    exit_code
        2 refused, 1 failed or infeasible.
    prepare
        Called with the folder after its files are there: links, folders, copies.
    """

    name: str
    command: tuple[str, ...]
    files: Mapping[str, Content] = field(default_factory=dict)
    exit_code: int = 2
    prepare: Callable[[Path], None] | None = None

    def lay(self, folder: Path) -> None:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content() if callable(content) else content
            path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
        if self.prepare:
            self.prepare(folder)
