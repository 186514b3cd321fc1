"""A reproduction in a terminal: a table a section, then what of the paper is not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from archsim.report.layout import bullets, plain_table, spaced, titled
from archsim.report.quantities import NOTHING, number
from archsim.reproduce.row import Paper, Row, Section

if TYPE_CHECKING:
    from rich.console import RenderableType

LEAST_SHOWN_PERCENT = 0.05
HEADS = ("quantity", ">published", ">ours", "unit", ">deviation", "published in")
HEADS_ALONE = ("quantity", ">ours", "unit")


def reproduction(paper: Paper, sections: Sequence[Section]) -> RenderableType:
    """Return all rows of a paper for people."""
    parts = [Text(paper.citation), *(_section(section) for section in sections)]
    if paper.not_found:
        parts.append(bullets("What could not be found", paper.not_found))
    return Group(*map(spaced, parts))


def _section(section: Section) -> RenderableType:
    table = plain_table(*HEADS_ALONE) if section.is_alone else plain_table(*HEADS)
    for row in section.rows:
        if section.is_alone:
            table.add_row(Text(row.quantity), value(row.ours), row.unit)
        else:
            table.add_row(
                Text(row.quantity), value(row.published), value(row.ours), row.unit,
                deviation(row), Text(row.tag),
            )  # fmt: skip
    remarks = [*section.notes, *_causes(section)]
    return titled(section.title, Group(table, *([bullets("", remarks)] if remarks else [])))


def _causes(section: Section) -> list[str]:
    """Return why rows differ, rows of one cause together."""
    by_cause: dict[str, list[str]] = {}
    for row in section.rows:
        if row.cause:
            by_cause.setdefault(row.cause, []).append(row.quantity)
    return [f"{'; '.join(names)}: {cause}" for cause, names in by_cause.items()]


def value(of: float | None) -> str:
    """Return a number as rows show it."""
    if of is None:
        return NOTHING
    return f"{of:,.0f}" if float(of).is_integer() else number(of)


def deviation(row: Row) -> str:
    """Return a row's deviation as text, with its sign."""
    percent = row.deviation_percent
    if percent is None:
        return NOTHING
    return f"{percent:+.1f} %" if abs(percent) >= LEAST_SHOWN_PERCENT else "0"
