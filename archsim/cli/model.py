"""archsim trace and archsim simulate: a model in, figures out."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli import arguments, show
from archsim.cli.arguments import DesignName, Json, Output, Set, writing

if TYPE_CHECKING:
    from archsim.design import Design
    from archsim.report.normalised import Normalised
    from archsim.result import Result
    from archsim.trace import Trace

OBJECTIVES = ("time", "energy", "dram_bytes", "edp")
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A trace, .onnx, .csv, .mtx, package.module:factory or zoo name; then @key=value,...",
    ),
]


def trace(
    model: ModelName,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Trace to write; - is stdout."),
    ] = None,
    times: Annotated[
        str | None,
        typer.Option("--times", metavar="B.mtx", help="Multiply MODEL, a matrix, by this one."),
    ] = None,
    with_data: Annotated[
        bool,
        typer.Option("--with-data", help="Run the model once; keep what its products read."),
    ] = False,
    inputs: Annotated[
        Path | None,
        typer.Option("--inputs", metavar="FILE.npz", help="Inputs by name; random unless given."),
    ] = None,
    keep: Annotated[
        str, typer.Option("--keep", metavar="values|histogram", help="What to keep of operands.")
    ] = "values",
    sample: Annotated[
        int, typer.Option("--sample", min=1, help="Elements to keep of an operand at most.")
    ] = 65536,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of inputs and samples.")] = 0,
    weights: Annotated[
        str,
        typer.Option(
            "--weights", metavar="tensor|channel", help="What shares a scale of float weights."
        ),
    ] = "tensor",
    values_of: Annotated[
        str | None,
        typer.Option(
            "--values-of",
            metavar="TRACE.jsonl",
            help="Give products the counts of another trace's, where a model has no values.",
        ),
    ] = None,
    keep_weights: Annotated[
        str | None,
        typer.Option(
            "--keep-weights", metavar="SHARE|2:4", help="Store weights as if pruned: packed."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Turn a model into a trace, and say what is in it."""
    from archsim.trace_io import trace_lines, write_trace  # noqa: PLC0415

    operands: dict[str, Any] = {}
    options: dict[str, Any] = {} if times is None else {"times": times}
    if with_data:
        loaded, operands = _recorded(model, output, inputs, keep, sample, seed, weights, options)
    else:
        loaded = _load(model, **options)
        operands = dict(loaded.values) if output is not None else {}
    if values_of is not None:
        loaded = _borrowed(loaded, output, values_of)
        operands = dict(loaded.values)
    if keep_weights is not None:
        loaded = _pruned(loaded, keep_weights)
    if output == Path("-"):
        _check_lines(operands)
        for line in trace_lines(loaded):
            typer.echo(line)
        return
    if output is not None:
        with writing(output):
            write_trace(loaded, output, operands)
    summary = _summary(loaded) | ({"operands": _statistics(loaded, operands)} if operands else {})
    if json:
        show.as_json(summary)
    else:
        _print_summary(loaded, summary)


def _pruned(trace: Trace, keep: str) -> Trace:
    from archsim.engines import op_kinds  # noqa: PLC0415
    from archsim.frontends.pruned import pruned  # noqa: PLC0415

    return pruned(trace, keep, op_kinds())


def _check_lines(operands: dict[str, Any]) -> None:
    from archsim.errors import InputError  # noqa: PLC0415

    if operands:
        words = "must be a file: the trace has arrays to be written beside it"
        raise InputError("--output", words, "-", fix="say -o FILE.jsonl")


def _statistics(trace: Trace, operands: dict[str, Any]) -> dict[str, dict[str, float]]:
    from dataclasses import asdict  # noqa: PLC0415

    from archsim.frontends.digits import statistics  # noqa: PLC0415

    return {name: asdict(found) for name, found in statistics(trace, operands).items()}


def _load(model: str, design: Design | None = None, **options: str) -> Trace:
    """Return a model's trace, in number formats that the design takes where none are asked for."""
    from archsim import frontends  # noqa: PLC0415
    from archsim.engines import op_kinds  # noqa: PLC0415
    from archsim.frontends.policy import native_dtype, product_formats  # noqa: PLC0415

    formats = product_formats(design).values() if design else ()
    return frontends.load(model, op_kinds(), native_dtype(formats), **options)


def _recorded(
    model: str,
    output: Path | None,
    inputs: Path | None,
    keep: str,
    sample: int,
    seed: int,
    weights: str,
    options: dict[str, str],
) -> tuple[Trace, dict[str, Any]]:
    """Return a model's trace and its operands' values."""
    from archsim.arrays import read_arrays  # noqa: PLC0415
    from archsim.engines import op_kinds  # noqa: PLC0415
    from archsim.errors import InputError  # noqa: PLC0415
    from archsim.frontends.data import Recording, load_with_data  # noqa: PLC0415

    if keep not in ("values", "histogram"):
        raise InputError("--keep", "must be values or histogram", keep)
    if weights not in ("tensor", "channel"):
        raise InputError("--weights", "must be tensor or channel", weights)
    if output is None or output == Path("-"):
        raise InputError("--with-data", "must have a file to write beside", fix="say -o FILE.jsonl")
    if inputs is not None and inputs.resolve() == output.with_suffix(".npz").resolve():
        raise InputError("--inputs", "must not be the file that operands go to", str(inputs))
    given = read_arrays(inputs) if inputs is not None else {}
    recording = Recording(keep, given, seed, sample, weights)  # type: ignore[arg-type]
    return load_with_data(model, op_kinds(), recording, **options)


def _borrowed(trace: Trace, output: Path | None, donor: str) -> Trace:
    from archsim.engines import op_kinds  # noqa: PLC0415
    from archsim.errors import InputError  # noqa: PLC0415
    from archsim.frontends.borrowed import borrow  # noqa: PLC0415

    if output is None or output == Path("-"):
        raise InputError("--values-of", "must have a file to write beside", fix="say -o FILE.jsonl")
    return borrow(trace, _load(donor), op_kinds())


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
    if summary.get("operands"):
        values = summary["operands"].items()
        show.lines(
            "values that are zero, bits and radix-4 Booth digits that are not",
            (f"{name}: {v['zero_percent']:.1f} %, {v['set_bits']:.2f}, {v['booth_digits']:.2f}"
             for name, v in values),
        )  # fmt: skip
    if trace.unsupported:
        counts = (f"{count}x {operator}" for operator, count in trace.unsupported.items())
        show.lines("not understood; simulates only on a design with a fallback", counts)


def simulate(
    design: DesignName,
    model: ModelName,
    settings: Set = None,
    fidelity: Annotated[str, typer.Option(metavar="analytic|event")] = "analytic",
    objective: Annotated[
        str,
        typer.Option(
            metavar="time|energy|dram_bytes|edp",
            help="What the mapping search minimises, op by op.",
        ),
    ] = "time",
    batches: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Items of a stream: latency, throughput, energy."),
    ] = 1,
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML or JSON: op name to m, n, k, order, resident."),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option("--beside", metavar="DESIGN", help="Compare by area and energy; repeatable."),
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
    loaded = _load(model, chosen)
    result = run(
        chosen,
        loaded,
        fidelity,  # type: ignore[arg-type]
        objective=objective,  # type: ignore[arg-type]
        mappings=read_mappings(mapping) if mapping else None,
        batches=batches,
    )
    view = None
    if beside:
        others = [arguments.design(name, None) for name in beside]
        asked: dict[str, Any] = {"fidelity": fidelity, "objective": objective, "batches": batches}
        again = partial(run, **asked)
        view = _compared(chosen, result, others, partial(_load, model), again)
    if output is not None:
        with writing(output):
            _save(result, output)
    if json:
        show.as_json(result.to_dict() | ({} if view is None else {"beside": view.to_dicts()}))
    else:
        from archsim.report import text  # noqa: PLC0415

        show.rich(text.simulation(result, explain=explain))
        if view is not None:
            show.rich(text.beside(view))


def _compared(
    design: Design, result: Result, others: list[Design], load: Any, run: Any
) -> Normalised:
    """Return a design's result beside those of other designs."""
    from archsim.errors import InputError  # noqa: PLC0415
    from archsim.report.beside import modelled  # noqa: PLC0415
    from archsim.report.normalised import of_one  # noqa: PLC0415

    references = [modelled(other, run(other, load(other))) for other in others]
    view = of_one(design.name, design.node, result.metrics.to_dict(), references)
    if view is None:
        raise InputError("--beside", "needs designs whose time, energy and area are all known")
    return view


def _save(result: Result, folder: Path) -> None:
    import json  # noqa: PLC0415

    from archsim.report.perfetto import perfetto  # noqa: PLC0415

    result.save(folder)
    if result.spans:
        timeline = json.dumps(perfetto(result)) + "\n"
        (folder / "timeline.json").write_text(timeline, "utf-8")
