"""Append-only journals of finished points: one file a worker process, one checksummed line a point.

A line is ``CHECKSUM<tab>JSON``. Lines are written and synced a batch at a time, so a kill loses at
most the batch in flight; a line that a kill tore stands last and is dropped. A journal that failed
to take a batch is never written again: what a full disk tore stays last, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIX = ".jsonl"
CHECKSUM_BYTES = 8

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that cannot be believed; its point runs again."""

    place: str  # file:line

    def __str__(self) -> str:
        return f"{self.place}: line fails its checksum; its point counts as not run"


class Journal:
    """One process's journal in a folder; the file appears with the first rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def append(self, rows: Iterable[Row]) -> None:
        """Write rows and wait until they are on the disk.

        Raises
        ------
        OSError
            If they are not; the next call then starts a new file.
        """
        lines = b"".join(map(line_of, rows))
        if not lines:
            return
        if self._file is None:
            self._file = self._create()
        try:
            while lines:
                lines = lines[os.write(self._file, lines) :]
            os.fsync(self._file)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; a later `append` starts another."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _create(self) -> int:
        name = f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        file = os.open(self._folder / name, flags, 0o644)
        sync_folder(self._folder)
        return file


def sync_folder(folder: Path) -> None:
    """Wait until the folder's entries are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def line_of(row: Row) -> bytes:
    """Return a row's line."""
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
    return checksum(text) + b"\t" + text + b"\n"


def checksum(text: bytes) -> bytes:
    """Return a text's checksum as hexadecimal digits."""
    return hashlib.blake2b(text, digest_size=CHECKSUM_BYTES).hexdigest().encode()


def read(folder: Path) -> Iterator[Row | Fault]:
    """Yield the rows of all journals in a folder, and a fault for every line that is damaged."""
    return Reader(folder).new()


class Reader:
    """Reads the journals of a folder, and what is added to them later.

    The order of files is not the order of writing. A last line without its line end is being
    written, or was torn by a kill: it is passed over until its end is there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[int, int]] = {}  # bytes and lines of each file

    def new(self) -> Iterator[Row | Fault]:
        """Yield what was added since the last call."""
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            offset, number = self._read.get(path, (0, 0))
            if path.stat().st_size == offset:
                continue
            with path.open("rb") as file:
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    offset, number = offset + len(line), number + 1
                    self._read[path] = offset, number
                    yield _believed(line[:-1], f"{path}:{number}")


def _believed(line: bytes, place: str) -> Row | Fault:
    check, _, text = line.partition(b"\t")
    if check != checksum(text):
        return Fault(place)
    row: Row = json.loads(text)
    return row
