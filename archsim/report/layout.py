"""How tables and lists look in a terminal: no boxes, titles in bold, numbers to the right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType


def titled(title: str, part: RenderableType) -> RenderableType:
    return Group(Text(title, style="bold"), part)


def plain_table(*columns: str, show_header: bool = True) -> Table:
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=show_header, header_style="dim"
    )
    for column in columns:
        add_column(table, column)
    return table


def add_column(table: Table, title: str) -> None:
    """Add a column; ``>`` before its title aligns it to the right."""
    right = title.startswith(">")
    justify: JustifyMethod = "right" if right else "left"
    table.add_column(title.removeprefix(">"), justify=justify, no_wrap=right, overflow="fold")


def bullets(title: str, lines: Iterable[str]) -> RenderableType:
    items = Table.grid("", "", padding=(0, 1, 0, 0))
    for line in lines:
        items.add_row("-", Text(line))
    return titled(title, items)


def spaced(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 1, 0))
