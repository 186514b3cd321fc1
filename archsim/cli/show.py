"""What commands print: JSON for programs, aligned columns for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPE_COLUMNS = 160  # where there is no terminal to ask

Cell = str | int | float | bool | None


def as_json(value: Any) -> None:
    """Print plain values as JSON; what JSON lacks (NaN, infinity) is an error."""
    typer.echo(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False))


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows under a head, numbers to the right."""
    cells = [[_text(cell) for cell in row] for row in rows]
    right = [False] * len(head)
    widths = [len(title) for title in head]
    for original, row in zip(rows, cells, strict=True):
        for i, (cell, text) in enumerate(zip(original, row, strict=True)):
            right[i] = right[i] or (isinstance(cell, int | float) and not isinstance(cell, bool))
            widths[i] = max(widths[i], len(text))
    for line in (list(head), *cells):
        aligned = (
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        )
        typer.echo("  ".join(aligned).rstrip())


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    return cell


def lines(title: str, texts: Iterable[str]) -> None:
    """Print a titled list."""
    typer.echo(f"\n{title}")
    for text in texts:
        typer.echo(f"  {text}")


def rich(part: RenderableType) -> None:
    """Print a rich renderable; to a pipe, without the blanks that it pads lines with."""
    from rich.console import Console  # noqa: PLC0415

    if sys.stdout.isatty():
        Console(highlight=False).print(part)
        return
    console = Console(width=PIPE_COLUMNS, color_system=None)
    with console.capture() as printed:
        console.print(part)
    typer.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))
