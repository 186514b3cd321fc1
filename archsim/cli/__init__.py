"""The command line: parse, call, print.

Data goes to stdout, progress and complaints to stderr. Exit status: 0 done, 1 failed or infeasible,
2 refused input.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import archsim
from archsim.cli import about, compare, explore, gpu, hardware, model, reproduce
from archsim.errors import ArchsimError


class Commands(TyperGroup):
    """A group that turns an `ArchsimError` into one message and its exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ArchsimError as fault:
            typer.echo(f"error: {fault}", err=True)
            raise typer.Exit(fault.exit_code) from None


app = typer.Typer(
    name="archsim",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Simulate, explore and generate accelerators: one spec drives model, cost and RTL.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"archsim {archsim.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take options that belong to no command."""


app.command("trace")(model.trace)
app.command("simulate")(model.simulate)
app.add_typer(explore.sweep, name="sweep")
app.command("report")(explore.report)
app.add_typer(hardware.rtl, name="rtl")
app.command("synth")(hardware.synth)
app.command("reproduce")(reproduce.reproduce)
app.add_typer(compare.app, name="compare")
app.add_typer(gpu.app, name="gpu")
app.command("engines")(about.engines)
app.command("designs")(about.designs)
app.command("schema")(about.schema)


def main() -> None:
    """Run the command line of this process."""
    app()
