"""archsim compare: other tools' accounting beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli import show
from archsim.cli.arguments import Json

if TYPE_CHECKING:
    from archsim.compare.account import Peer

app = typer.Typer(no_args_is_help=True, help="Put other tools' cycle counts beside ours.")

Shapes = Annotated[
    Path, typer.Option(metavar="FILE.csv", help="name,M,N,K, or a SCALE-Sim topology.")
]
Array = Annotated[str, typer.Option(metavar="RxC", help="Rows and columns of the array.")]
Dataflow = Annotated[str, typer.Option(metavar="os|ws|is", help="What stays in the PEs.")]


@app.command()
def scalesim(shapes: Shapes, array: Array, dataflow: Dataflow = "os", json: Json = False) -> None:
    """SCALE-Sim 3.0.0's compute cycles, the array's own, and why they differ."""
    from archsim.compare.scalesim import PEER  # noqa: PLC0415

    _compared(PEER, shapes, array, dataflow, json)


@app.command()
def stonne(shapes: Shapes, array: Array, dataflow: Dataflow = "os", json: Json = False) -> None:
    """Cycles of STONNE's output-stationary mesh, the array's own, and why they differ."""
    from archsim.compare.stonne import PEER  # noqa: PLC0415

    _compared(PEER, shapes, array, dataflow, json)


@app.command()
def onnxim(shapes: Shapes, array: Array, dataflow: Dataflow = "ws", json: Json = False) -> None:
    """Cycles of ONNXim's weight-stationary core, the array's own, and why they differ."""
    from archsim.compare.onnxim import PEER  # noqa: PLC0415

    _compared(PEER, shapes, array, dataflow, json)


def _compared(peer: Peer, shapes: Path, array: str, dataflow: str, json: bool) -> None:
    from archsim.compare.shapes import read, sides  # noqa: PLC0415
    from archsim.compare.table import compare  # noqa: PLC0415

    rows = compare(peer, read(shapes), *sides(array), dataflow)
    if json:
        show.as_json({"rows": [row.to_dict() for row in rows]})
        return
    head = ("name", "M", "N", "K", peer.title.split()[0], "archsim", "why")
    show.table(head, [tuple(row.to_dict().values()) for row in rows])


@app.command()
def explain(
    gemm: Annotated[str, typer.Argument(metavar="MxNxK", help="A is MxK, B is KxN.")],
    array: Array,
    json: Json = False,
) -> None:
    """One product by every account, term by term: why tools give so many answers."""
    from archsim.compare.account import TERMS  # noqa: PLC0415
    from archsim.compare.shapes import product, sides  # noqa: PLC0415
    from archsim.compare.table import explain as accounts_of  # noqa: PLC0415

    shape = product(gemm)
    accounts = accounts_of(shape, *sides(array))
    if json:
        columns = [
            {"tool": x.tool, "dataflow": x.dataflow, "cycles": x.cycles,
             "terms": {term: x[term] for term in TERMS}}
            for x in accounts
        ]  # fmt: skip
        product_ = {"M": shape.m, "N": shape.n, "K": shape.k, "array": array}
        show.as_json({**product_, "accounts": columns})
        return
    head = ("term", *(f"{x.tool.split()[0]} {x.dataflow}" for x in accounts), "what it is")
    rows: list[tuple[show.Cell, ...]] = [
        (term, *(x[term] for x in accounts), meaning) for term, meaning in TERMS.items()
    ]
    rows.append(("cycles", *(x.cycles for x in accounts), ""))
    show.table(head, rows)
