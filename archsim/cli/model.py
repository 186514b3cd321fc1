"""archsim trace and archsim simulate: a model in, figures out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli import arguments, show
from archsim.cli.arguments import DesignName, Json, Output, Set

if TYPE_CHECKING:
    from archsim.result import Result
    from archsim.trace import Trace

OBJECTIVES = ("time", "energy", "edp")
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A trace, .onnx, .csv or zoo name; options as NAME@key=value,..."
    ),
]


def trace(
    model: ModelName,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Trace to write; - is stdout."),
    ] = None,
    json: Json = False,
) -> None:
    """Turn a model into a trace, and say what is in it."""
    from archsim.trace_io import trace_lines, write_trace  # noqa: PLC0415

    loaded = _load(model)
    if output == Path("-"):
        for line in trace_lines(loaded):
            typer.echo(line)
        return
    if output is not None:
        _try_to_write(output, lambda: write_trace(loaded, output))
    summary = _summary(loaded)
    if json:
        show.as_json(summary)
    else:
        _print_summary(loaded, summary)


def _load(model: str) -> Trace:
    from archsim import frontends  # noqa: PLC0415
    from archsim.engines import op_kinds  # noqa: PLC0415

    return frontends.load(model, op_kinds())


def _summary(trace: Trace) -> dict[str, Any]:
    from archsim.engines import op_kinds  # noqa: PLC0415

    return {
        "name": trace.name,
        "source": trace.source,
        "ops": len(trace.ops),
        "executions": sum(op.repeat for op in trace.ops),
        "kinds": dict(Counter(op.kind for op in trace.ops)),
        "macs": trace.macs(op_kinds()),
        "weight_bytes": trace.weight_bytes(),
        "notes": list(trace.notes),
        "unsupported": dict(trace.unsupported),
    }


def _print_summary(trace: Trace, summary: dict[str, Any]) -> None:
    kinds = ", ".join(f"{count} {kind}" for kind, count in summary["kinds"].items())
    typer.echo(f"{trace.name}: {summary['ops']:,} ops ({kinds})")
    typer.echo(f"{summary['executions']:,} executions, repeats counted")
    typer.echo(f"{summary['macs']:,} MACs, {summary['weight_bytes']:,} bytes of weights")
    if trace.notes:
        show.lines("notes", trace.notes)
    if trace.unsupported:
        counts = (f"{count}x {operator}" for operator, count in trace.unsupported.items())
        show.lines("not understood; simulates only on a design with a fallback", counts)


def simulate(
    design: DesignName,
    model: ModelName,
    settings: Set = None,
    fidelity: Annotated[str, typer.Option(metavar="analytic|event")] = "analytic",
    objective: Annotated[
        str, typer.Option(metavar="time|energy|edp", help="What the mapping search minimises.")
    ] = "time",
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML or JSON: op name to m, n, k, order, resident."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also bounds, mappings, breakdowns and sources.")
    ] = False,
    output: Output = None,
    json: Json = False,
) -> None:
    """Say what a model costs on a design: time, energy, area, and what stalled."""
    from archsim.cli.mapping_file import read_mappings  # noqa: PLC0415
    from archsim.errors import InputError  # noqa: PLC0415
    from archsim.simulate import simulate as run  # noqa: PLC0415

    if objective not in OBJECTIVES:
        raise InputError("--objective", f"must be one of {', '.join(OBJECTIVES)}", objective)
    chosen = arguments.design(design, settings)
    loaded = _load(model)
    result = run(
        chosen,
        loaded,
        fidelity,  # type: ignore[arg-type]
        objective=objective,  # type: ignore[arg-type]
        mappings=read_mappings(mapping) if mapping else None,
    )
    if output is not None:
        _try_to_write(output, lambda: _save(result, output))
    if json:
        show.as_json(result.to_dict())
    else:
        from archsim.report.text import simulation  # noqa: PLC0415

        show.rich(simulation(result, explain=explain))


def _save(result: Result, folder: Path) -> None:
    import json  # noqa: PLC0415

    from archsim.report.perfetto import perfetto  # noqa: PLC0415

    result.save(folder)
    if result.spans:
        timeline = json.dumps(perfetto(result)) + "\n"
        (folder / "timeline.json").write_text(timeline, "utf-8")


def _try_to_write(path: Path, write: Any) -> None:
    from archsim.errors import ArchsimError  # noqa: PLC0415

    try:
        write()
    except OSError as fault:
        raise ArchsimError(f"{path}: cannot be written: {fault.strerror}") from None
