"""archsim gpu: reference kernels on a GPU, in the interpreter, and compiled without a GPU."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli import show
from archsim.cli.arguments import Json, Output, writing

if TYPE_CHECKING:
    from archsim.gpu.record import Record
    from archsim.gpu.without import Build

app = typer.Typer(no_args_is_help=True, help="Run and compile reference kernels for GPUs.")
KernelName = Annotated[str, typer.Argument(metavar="KERNEL", help="See archsim gpu list.")]
Shape = Annotated[
    list[str] | None,
    typer.Option("--shape", metavar="NAME=EXTENT", help="A dimension; several with commas."),
]


@app.command("list")
def list_(json: Json = False) -> None:
    """List the kernels and their dimensions; as JSON also formats, and where they do not run."""
    from archsim.gpu.kernels import kernels  # noqa: PLC0415

    found = kernels().values()
    if json:
        rows = [
            {
                "name": kernel.name, "computes": kernel.computes, "formats": dict(kernel.formats),
                "shape": kernel.default_shape, "small_shape": kernel.small_shape,
                "steps": {name: extent.step for name, extent in kernel.extents.items()},
                "refused": dict(kernel.refused),
            }
            for kernel in found
        ]  # fmt: skip
        show.as_json({"rows": rows})
        return
    show.table(
        ("kernel", "computes", "shape"),
        [
            (
                kernel.name, kernel.computes,
                ",".join(f"{name}={extent}" for name, extent in kernel.default_shape.items()),
            )
            for kernel in found
        ],
    )  # fmt: skip


@app.command()
def run(
    kernel: KernelName,
    shape: Shape = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the operands.")] = 0,
    values: Annotated[
        str, typer.Option(metavar="normal|zeros|extreme|special", help="What operands are drawn.")
    ] = "normal",
    records: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to keep the measurement in.")
    ] = None,
    interpret: Annotated[
        bool, typer.Option("--interpret", help="On the CPU, for its values alone.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a kernel, compare it with its oracle, and measure it on this machine's GPU."""
    from archsim.gpu.kernel import check_draw  # noqa: PLC0415
    from archsim.gpu.kernels import kernel as find  # noqa: PLC0415

    chosen, drawn = find(kernel), check_draw(values)
    given = _extents(shape)
    if interpret:
        from archsim.errors import InputError  # noqa: PLC0415
        from archsim.gpu.without import interpreted  # noqa: PLC0415

        if records is not None:
            raise InputError("--records", "needs a GPU: the interpreter measures nothing")
        verdict = interpreted(chosen, chosen.shape(given, chosen.small_shape), seed, drawn)
        if json:
            show.as_json(verdict.to_dict())
        else:
            typer.echo(verdict.text)
        if verdict.disagreements:
            raise typer.Exit(1)
        return
    from archsim.gpu.measure import measure  # noqa: PLC0415
    from archsim.gpu.nvidia import open_gpu  # noqa: PLC0415

    full = chosen.shape(given, chosen.default_shape)
    record = measure(
        chosen, full, open_gpu(), seed=seed, values=drawn,
        command=shlex.join(["archsim", *sys.argv[1:]]),
    )  # fmt: skip
    file = None
    if records is not None:
        from archsim.gpu.record import write  # noqa: PLC0415

        with writing(records):
            file = write(record, records)
    _print_record(record, file, json)
    if record.disagreements:
        raise typer.Exit(1)


@app.command("compile")
def compile_(
    kernel: KernelName,
    target: Annotated[str, typer.Option(metavar="sm_80|sm_86|sm_89|sm_90|sm_100|sm_120")],
    output: Output = None,
    json: Json = False,
) -> None:
    """Compile a kernel without a GPU: PTX, cubin, machine instructions, registers, spills."""
    from archsim.gpu.kernels import kernel as find  # noqa: PLC0415
    from archsim.gpu.without import compile_for  # noqa: PLC0415

    (build,) = compile_for([(find(kernel), target)])
    if output is not None:
        with writing(output):
            output.mkdir(parents=True, exist_ok=True)
            for name, content in build.files.items():
                (output / name).write_bytes(content)
                typer.echo(output / name, err=True)
    if json:
        show.as_json(build.to_dict())
    else:
        _print_build(build)
    if build.tensor != build.expected or build.spills:
        raise typer.Exit(1)


def _extents(texts: list[str] | None) -> dict[str, int]:
    """Return ``NAME=EXTENT,...`` texts as extents by name."""
    from archsim.errors import InputError  # noqa: PLC0415

    extents = {}
    for text in ",".join(texts or []).split(",") if texts else []:
        name, _, extent = text.partition("=")
        if not name or not extent.isascii() or not extent.isdigit() or len(extent) > 9:
            raise InputError("--shape", "must be NAME=EXTENT with a positive integer", text)
        if name in extents:
            raise InputError("--shape", "must name a dimension once", name)
        extents[name] = int(extent)
    return extents


def _print_record(record: Record, file: Path | None, json: bool) -> None:
    from archsim.measured import beside_model  # noqa: PLC0415

    model = beside_model(record)
    if json:
        show.as_json({**record.model_dump(mode="json"), **model.to_dict()})
        return
    low, high = record.spread_us
    alone = f"{record.median_us:.4g} us, quartiles {low:.4g} and {high:.4g} us"
    figures = {
        "GPU": f"{record.gpu.name} ({record.gpu.target}, {record.gpu.sms} SMs)",
        "time": f"{alone}, {len(record.times_us)} launches",
        "back to back": f"{record.sustained_us:.4g} us",
        "rate": f"{record.tera_operations_per_s:.4g} x 10^12 operations/s, "
        f"{record.gb_per_s:.4g} GB/s",
    }
    if model.time_us is not None:
        ratio = record.median_us / model.time_us
        figures["modelled"] = f"{model.time_us:.4g} us, measured / modelled {ratio:.3g}"
    if (state := record.state) is not None and record.energy_pj is not None:
        figures |= {
            "clocks": f"SM {state.sm_mhz:.4g} MHz, memory {state.memory_mhz:.4g} MHz",
            "power": f"{state.power_w:.4g} W of {state.power_limit_w:.4g} W",
            "energy": f"{record.energy_pj * 1e-9:.4g} mJ a launch, the whole board",
        }
    show.table(("figure", record.kernel), list(figures.items()))
    bits = [
        f"{share:.4g} of the first results {name} are to the bit those of the tensor-core model"
        for name, share in record.same_bits.items()
    ]
    notes = [text for text in (*bits, record.state_missing, model.why) if text]
    agreed = record.disagreements or ("results are what the oracle allows",)
    show.lines("notes", [*agreed, *notes, *([f"recorded in {file}"] if file else [])])


def _print_build(build: Build) -> None:
    show.table(
        ("function", "tensor instructions", "in SASS", "registers", "spills", "shared bytes"),
        [
            (
                function["function"], _counts(function["tensor_ptx"]),
                _counts(function["tensor_sass"]), function["registers"], function["spills"],
                function["shared_bytes"],
            )
            for function in build.functions
        ],
    )  # fmt: skip
    faults = []
    if build.tensor != build.expected:
        faults.append(f"{_counts(build.tensor)}, not {_counts(build.expected)}")
    if build.spills:
        faults.append(f"{build.spills} spill{'s' * (build.spills != 1)}")
    named = f"{build.kernel.name} for {build.target}"
    if faults:
        typer.echo(f"{named}: NOT as expected: {'; '.join(faults)}")
    else:
        typer.echo(f"{named}: as expected: {_counts(build.expected)}")


def _counts(counts: Any) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
