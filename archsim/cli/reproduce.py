"""archsim reproduce: a paper's numbers beside ours."""

from __future__ import annotations

from typing import Annotated

import typer

from archsim.cli import show
from archsim.cli.arguments import Json, Output, writing


def reproduce(
    paper: Annotated[str, typer.Argument(metavar="PAPER", help="Its short name, as tpe.")],
    output: Output = None,
    json: Json = False,
) -> None:
    """Put a paper's numbers beside ours, and say why they differ."""
    from archsim.reproduce import paper as find  # noqa: PLC0415

    found = find(paper)
    sections = found.sections()
    if output is not None:
        from archsim.reproduce.page import write  # noqa: PLC0415

        with writing(output):
            files = write(found, sections, output)
        for file in files:
            typer.echo(file, err=True)
    if json:
        rows = [row.to_dict() for section in sections for row in section.rows]
        notes = [note for section in sections for note in section.notes]
        whole = {"paper": found.citation, "rows": rows, "notes": notes}
        show.as_json({**whole, "not_found": list(found.not_found)})
    else:
        from archsim.reproduce.text import reproduction  # noqa: PLC0415

        show.rich(reproduction(found, sections))
