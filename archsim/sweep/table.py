"""From finished points to tables, and to Parquet through DuckDB."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.metric import COMMON, product
from archsim.sweep import journal
from archsim.sweep.columns import ENERGY, KEY, metric_names
from archsim.sweep.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

PARTIAL = ".part"  # suffix of a file that is being written

PointKey = tuple[str, str]  # design digest, workload; fidelity and version are the plan's


def table(plan: Plan, rows: Mapping[PointKey, journal.Row]) -> pd.DataFrame:
    """Return the table of finished points; a function of the plan and the answers alone."""
    import pandas as pd  # noqa: PLC0415

    designs = {d.digest: d for d in plan.designs}
    ordered = [rows[key] for key in sorted(rows)]
    columns: dict[str, list[Any]] = {name: [row[name] for row in ordered] for name in KEY}
    for flag in ("swept", "baseline"):
        columns[flag] = [getattr(designs[row["design"]], flag) for row in ordered]
    columns["status"] = [row["status"] for row in ordered]
    columns["reason"] = [row.get("reason", "") for row in ordered]
    for path in dict.fromkeys(p for d in plan.designs for p in d.point):
        values = _as_column([d.point.get(path) for d in plan.designs])
        by_design = dict(zip(designs, values, strict=True))
        columns[path] = [by_design[row["design"]] for row in ordered]
    found = {name for row in ordered for name in row.get("columns", ())}
    for name in [*metric_names(), *sorted(found - {*metric_names()}, key=_breakdown_order)]:
        if name in found or name in COMMON or name in plan.sweep.objectives:
            columns[name] = [row.get("columns", {}).get(name) for row in ordered]
    frame = pd.DataFrame({name: _typed(values) for name, values in columns.items()})
    own = {name: product(powers, frame) for name, powers in plan.sweep.metrics.items()}
    return frame.assign(**own)


def _breakdown_order(name: str) -> tuple[bool, str]:
    return (not name.startswith(ENERGY[0]), name)


def _as_column(values: list[Any]) -> list[Any]:
    """Return values of one type: numbers stay so only if all are, anything else turns to text."""
    plain = [v for v in values if v is not None]
    if all(isinstance(v, bool) for v in plain) or all(isinstance(v, str) for v in plain):
        return values
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in plain):
        return values
    return [None if v is None else v if isinstance(v, str) else json.dumps(v) for v in values]


def _typed(values: list[Any]) -> pd.Series[Any]:
    """Return a column; missing numbers are NaN."""
    import pandas as pd  # noqa: PLC0415

    given = [v for v in values if v is not None]
    if given and all(type(v) is bool for v in given):
        return pd.Series(values, dtype="bool" if len(given) == len(values) else "boolean")
    if any(isinstance(v, str) for v in given):
        return pd.Series(values, dtype="str")
    whole = len(given) == len(values) and all(type(v) is int for v in given)
    return pd.Series(values, dtype="int64" if whole else "float64")


def wall_times(rows: Mapping[PointKey, journal.Row]) -> pd.DataFrame:
    """Return key, duration and end of each finished point."""
    import pandas as pd  # noqa: PLC0415

    ordered = [rows[key] for key in sorted(rows)]
    names = (*KEY, "wall_s", "at_s")
    return pd.DataFrame({name: _typed([row[name] for row in ordered]) for name in names})


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame by an atomic rename; equal frames make equal files."""
    import duckdb  # noqa: PLC0415

    part = path.with_name(path.name + PARTIAL)
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:  # one order of rows
        connection.register("frame", frame)
        connection.execute(f"COPY frame TO '{_quoted(part)}' (FORMAT parquet, COMPRESSION zstd)")
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    journal.sync_folder(path.parent)


def read_parquet(path: Path) -> pd.DataFrame:
    """Return a frame as it was written."""
    import duckdb  # noqa: PLC0415

    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        frame: pd.DataFrame = connection.execute(
            f"SELECT * FROM read_parquet('{_quoted(path)}')"
        ).df()
    return frame


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
