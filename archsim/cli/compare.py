"""archsim compare: other tools' accounting beside ours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from archsim.cli import show
from archsim.cli.arguments import Json

app = typer.Typer(no_args_is_help=True, help="Put other tools' cycle counts beside ours.")


@app.callback()
def peers() -> None:
    """Keep the peer's name a command of its own, though there may be one only."""


@app.command()
def scalesim(
    shapes: Annotated[
        Path, typer.Option(metavar="FILE.csv", help="name,M,N,K, or a SCALE-Sim topology.")
    ],
    array: Annotated[str, typer.Option(metavar="RxC", help="Rows and columns of the array.")],
    dataflow: Annotated[str, typer.Option(metavar="os|ws|is")] = "os",
    json: Json = False,
) -> None:
    """SCALE-Sim 3.0.0's compute cycles, the array's own, and why they differ."""
    from archsim.compare import scalesim as peer  # noqa: PLC0415
    from archsim.errors import InputError  # noqa: PLC0415

    sides = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", array)
    if not sides:
        raise InputError("--array", "must be RxC, as in 32x32", array)
    compared = peer.compare(
        peer.read_shapes(shapes), int(sides[1]), int(sides[2]), dataflow=dataflow
    )
    if json:
        show.as_json({"rows": [row.to_dict() for row in compared]})
        return
    head = ("name", "M", "N", "K", "SCALE-Sim", "archsim", "why")
    show.table(head, [tuple(row.to_dict().values()) for row in compared])
