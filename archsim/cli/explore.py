"""archsim sweep and archsim report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli import show
from archsim.cli.arguments import Json, Output

if TYPE_CHECKING:
    from archsim.sweep import Status

sweep = typer.Typer(no_args_is_help=True, help="Run many designs, or see how a sweep stands.")
SHOWN_REASONS = 5
SHOWN_FRONT = 10


@sweep.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The sweep's YAML.")],
    workers: Annotated[int | None, typer.Option("-j", min=1, help="Worker processes.")] = None,
    output: Output = None,
    subset: Annotated[
        int | None, typer.Option(min=1, help="Run only so many of the designs.")
    ] = None,
    json: Json = False,
) -> None:
    """Run a sweep, or go on with one that was stopped."""
    from archsim import sweep as sweeps  # noqa: PLC0415
    from archsim.sweep.progress import shown  # noqa: PLC0415

    with shown(file.stem) as progress:
        outcome = sweeps.run_sweep(file, output, workers, subset, progress)
    for fault in outcome.faults:
        typer.echo(f"damaged line, run again: {fault}", err=True)
    if json:
        show.as_json(
            {
                "folder": str(outcome.folder), "points": outcome.points,
                "resumed": outcome.resumed, "statuses": dict(outcome.statuses),
                "seconds": outcome.seconds, "stale": outcome.stale,
            }
        )  # fmt: skip
    else:
        counts = ", ".join(f"{count:,} {name}" for name, count in outcome.statuses.items())
        typer.echo(f"{outcome.folder}: {outcome.points:,} points: {counts}")
    if outcome.statuses.get("failed"):
        raise typer.Exit(1)


@sweep.command()
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The sweep's folder.")],
    json: Json = False,
) -> None:
    """Say how a sweep stands: done, left, rate, the front so far."""
    from archsim import sweep as sweeps  # noqa: PLC0415

    now = sweeps.status(folder)
    if json:
        show.as_json(now.to_dict())
    else:
        _print_status(now)


def _print_status(now: Status) -> None:
    from archsim.report.quantities import quantity, typed_text  # noqa: PLC0415
    from archsim.sweep.progress import duration  # noqa: PLC0415

    typer.echo(f"{now.name}: {now.question}".rstrip(": \n"))
    counts = ", ".join(f"{count:,} {name}" for name, count in now.statuses.items())
    state = "running" if now.running else "not running"
    typer.echo(f"{now.done:,} of {now.points:,} points done ({counts or 'none'}), {state}")
    if now.rate is not None:
        left = "" if now.left_s is None else f", {duration(now.left_s)} left"
        typer.echo(f"{now.rate:,.1f} points/s{left}")
    if now.front:
        rows: list[tuple[show.Cell, ...]] = []
        for placed in now.front[:SHOWN_FRONT]:
            best = ", ".join(name for name, x in now.best.items() if x.number == placed.number)
            values = (quantity(name).text(value) for name, value in placed.metrics.items())
            where = " ".join(f"{path}={typed_text(x)}" for path, x in placed.point.items())
            rows.append((placed.number, *values, best, where))
        some = f", {len(rows)} shown" if len(rows) < len(now.front) else ""
        typer.echo(f"front: {len(now.front):,} designs{some}")
        show.table(("#", *now.front[0].metrics, "best", "where"), rows)
    if now.reasons:
        shown = list(now.reasons.items())[:SHOWN_REASONS]
        show.lines("points without a result", (f"{count:,}x {why}" for why, count in shown))
    for fault in now.faults:
        typer.echo(f"damaged line: {fault}", err=True)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The sweep's folder.")],
    against: Annotated[
        Path | None, typer.Option(metavar="DIR2", help="Another sweep to compare with.")
    ] = None,
    records: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Measurements of archsim gpu run.")
    ] = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Write the report of a sweep: one HTML page, figures, the chosen design as YAML."""
    from archsim.report.source import report as write_report  # noqa: PLC0415

    written = write_report(folder, against=against, records=records, output=output)
    if json:
        files = [str(path) for path in written.files]
        other = written.report.against
        compared = {} if other is None else {"against": other.comparison.to_dict()}
        show.as_json({"page": str(written.page), "files": files, **compared})
    else:
        from archsim.report.text import comparison, verdict  # noqa: PLC0415

        show.rich(verdict(written.report))
        if written.report.against is not None:
            show.rich(comparison(written.report.against.comparison))
        typer.echo(written.page)
