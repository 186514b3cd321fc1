"""Columns of one type, and tables to Parquet and back through DuckDB."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.sweep import journal

if TYPE_CHECKING:
    import pandas as pd

PARTIAL = ".part"  # suffix of a file that is being written


def as_column(values: list[Any]) -> list[Any]:
    """Return values of one type: numbers stay so only if all are, anything else turns to text."""
    types = set(map(type, values)) - {type(None)}
    if (len(types) < 2 and types <= {bool, str}) or types <= {int, float}:
        return values
    return [None if v is None else v if isinstance(v, str) else json.dumps(v) for v in values]


def typed(values: list[Any]) -> pd.Series[Any]:
    """Return a column; missing numbers are NaN."""
    import pandas as pd  # noqa: PLC0415

    types = set(map(type, values))
    if str in types:
        return pd.Series(values, dtype="str")
    if bool in types and types <= {bool, type(None)}:
        return pd.Series(values, dtype="boolean" if type(None) in types else "bool")
    return pd.Series(values, dtype="int64" if types == {int} else "float64")


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame by an atomic rename; equal frames make equal files.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    import duckdb  # noqa: PLC0415

    part = path.with_name(path.name + PARTIAL)
    copy = f"COPY frame TO '{_quoted(part)}' (FORMAT parquet, COMPRESSION zstd)"
    try:
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:  # one order of rows
            connection.register("frame", frame)
            connection.execute(copy)
    except duckdb.IOException as fault:
        raise OSError(str(fault)) from None
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    journal.sync_folder(path.parent)


def read_parquet(path: Path) -> pd.DataFrame | None:
    """Return a frame as it was written, or None if the file is damaged or not there."""
    import duckdb  # noqa: PLC0415

    try:
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:
            frame: pd.DataFrame = connection.execute(
                f"SELECT * FROM read_parquet('{_quoted(path)}')"
            ).df()
    except duckdb.Error:
        return None
    return frame


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
