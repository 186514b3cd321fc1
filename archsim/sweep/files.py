"""Files that a sweep names: beside its own file first, then from the working directory."""

from __future__ import annotations

from pathlib import Path

from archsim.errors import InputError
from archsim.sweep.schema import Sweep
from archsim.yaml_file import Document


def beside(name: str, path: Path) -> str:
    """Return the file that a sweep's file means; other names as they are."""
    for file in (path.parent / name, Path(name)):
        if file.is_file():
            return str(file.resolve())  # reports find it from wherever they are written
    return name


def model_beside(model: str, path: Path) -> str:
    """Return the same of a model with its options."""
    name, at, options = model.rpartition("@")
    if not at or "=" not in options:
        return beside(model, path)
    return beside(name, path) + at + options


def records(sweep: Sweep, path: Path, document: Document) -> str:
    """Return the folder of measurements that a sweep means; empty for none.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    if sweep.records is None:
        return ""
    for folder in (path.parent / sweep.records, Path(sweep.records)):
        if folder.is_dir():
            return str(folder.resolve())
    where = f"{document.place(('records',))}: records"
    raise InputError(where, "must be a folder of records, as archsim gpu run writes", sweep.records)
