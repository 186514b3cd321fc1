"""A paper's numbers, as a YAML file has them: tables, each with its place and how it was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers of one table or figure.

    Parameters
    ----------
    place
        Where they stand: ``Table VII``.
    trust
        How they were read, in a reader's words.
    units
        Column to unit; empty for a plain number.
    rows
        Row to its values, in the order of the columns; None where the paper has none.
    """

    place: str
    trust: str
    units: Mapping[str, str]
    rows: Mapping[str, tuple[float | None, ...]]

    @property
    def tag(self) -> str:
        """Where a number of it stands and how far it can be trusted."""
        return f"{self.place}, {self.trust}"

    def value(self, row: str, column: str) -> float:
        """Return a number that is there."""
        found = self.get(row, column)
        if found is None:
            raise KeyError(f"{self.place}: no {column} of {row}")
        return found

    def get(self, row: str, column: str) -> float | None:
        """Return a number, or None."""
        return self.rows[row][list(self.units).index(column)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)


@dataclass(frozen=True, slots=True)
class Published:
    """All that is known of a paper's numbers."""

    citation: str
    tables: Mapping[str, Table]
    not_found: tuple[str, ...]

    def __getitem__(self, name: str) -> Table:
        return self.tables[name]


def read(file: Traversable) -> Published:
    """Return the numbers in a file of the package.

    Raises
    ------
    ValueError
        If a row has not one value a column, or a table is read in a way that the file does not
        describe.
    """
    content: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    tables = {name: _table(name, t, content["trust"]) for name, t in content["tables"].items()}
    return Published(content["citation"], tables, tuple(content["not_found"]))


def _table(name: str, content: Mapping[str, Any], trust: Mapping[str, str]) -> Table:
    units = {column: unit or "" for column, unit in content["columns"].items()}
    rows = {}
    for row, values in content["rows"].items():
        if len(values) != len(units):
            raise ValueError(f"{name}: {row} must have {len(units)} values, not {len(values)}")
        rows[str(row)] = tuple(values)
    if content["trust"] not in trust:
        raise ValueError(f"{name}: trust must be one of {', '.join(trust)}")
    return Table(content["place"], trust[content["trust"]], units, rows)
