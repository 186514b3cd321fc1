"""archsim rtl and archsim synth."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli import arguments, show
from archsim.cli.arguments import DesignName, Json, Set

if TYPE_CHECKING:
    from archsim.hdl.synth import SynthResult
    from archsim.verify import Row
    from archsim.verify.system import SystemRow

rtl = typer.Typer(no_args_is_help=True, help="Write Verilog, or prove it equal to the model.")
EngineName = Annotated[
    str | None, typer.Option("--engine", metavar="NAME", help="Which engine of the design.")
]


@rtl.command()
def build(
    design: DesignName,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write into.")
    ],
    top: Annotated[
        str,
        typer.Option(
            metavar="engine|stream|axi",
            help="stream: behind AXI4-Lite and AXI4-Stream; axi: with DMA and scratchpad on AXI4.",
        ),
    ] = "engine",
    engine: EngineName = None,
    settings: Set = None,
    json: Json = False,
) -> None:
    """Write an engine's Verilog with bench, FuseSoC core, manifest and README."""
    chosen = arguments.design(design, settings)
    need("amaranth", "rtl")
    from archsim.engines import discover  # noqa: PLC0415
    from archsim.hdl.build import build as write  # noqa: PLC0415

    layers = None
    if top == "axi":
        from archsim.verify.system_example import example  # noqa: PLC0415

        layers = example(chosen, engine)
    built = write(chosen, discover(), output, top=top, engine=engine, layers=layers)
    if json:
        show.as_json({"folder": str(built.folder), **built.manifest})
        return
    for name in built.files:
        typer.echo(output / name)


@rtl.command()
def check(
    engine: Annotated[
        str, typer.Argument(metavar="ENGINE|system", help="Kind of engine, or a whole system.")
    ],
    cases: Annotated[int, typer.Option(min=1, max=100_000)] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the cases.")] = 0,
    settings: Set = None,
    case: Annotated[str | None, typer.Option(help="Run this case alone.")] = None,
    simulator: Annotated[
        str | None, typer.Option(metavar="verilator|amaranth", help="Default: what is there.")
    ] = None,
    json: Json = False,
) -> None:
    """Run random jobs on the generated Verilog and compare values and cycles with the model.

    `system`: layers and chains of them on DMA, scratchpad and engine, against the event fidelity.
    """
    from archsim.design import one_of  # noqa: PLC0415
    from archsim.engines import discover  # noqa: PLC0415
    from archsim.errors import InputError  # noqa: PLC0415

    known = discover()
    if engine not in (*known, "system"):
        raise InputError("engine", f"must be {one_of([*known, 'system'], engine)}", engine)
    if simulator not in (None, "verilator", "amaranth"):
        raise InputError("--simulator", "must be one of verilator, amaranth", simulator)
    if engine == "system":
        if settings:
            raise InputError("--set", "is for the specs of engines; a system's cases have designs")
        need("amaranth", "rtl")
        _check_system(cases, seed, simulator, case, json)
        return
    spec = arguments.spec(engine, settings) if settings else None
    need("amaranth", "rtl")
    from archsim import verify  # noqa: PLC0415

    rows = verify.check(known[engine], cases, seed, spec, simulator, case)  # type: ignore[arg-type]
    if json:
        show.as_json({"rows": [row.as_dict() for row in rows]})
    else:
        _print_verdict(engine, rows)
    if not all(row.ok for row in rows):
        raise typer.Exit(1)


def _check_system(
    cases: int, seed: int, simulator: str | None, case: str | None, json: bool
) -> None:
    from archsim.verify.system import check_system  # noqa: PLC0415

    rows = check_system(cases, seed, simulator, case)  # type: ignore[arg-type]
    if json:
        show.as_json({"rows": [row.as_dict() for row in rows]})
    else:
        _print_system(rows)
    if not all(row.ok for row in rows):
        raise typer.Exit(1)


def _print_system(rows: list[SystemRow]) -> None:
    show.table(
        ("case", "event", "RTL", "more", "bound", "transfers", "jobs"),
        [
            (
                row.case, row.event_cycles, row.rtl_cycles,
                None if row.rtl_cycles is None else row.rtl_cycles - row.event_cycles,
                row.bound_cycles, row.transfers, row.jobs,
            )
            for row in rows
        ],
    )  # fmt: skip
    bad = [row for row in rows if not row.ok]
    for row in bad:
        typer.echo(f"{row.case}: {row.command}")
        for text in row.disagreements:
            typer.echo(f"  {text}")
    verdict = f"{_cases(rows)} in values, and with event within their bounds"
    if bad:
        verdict = f"{len(bad)} of {len(rows)} cases disagree"
    typer.echo(f"system: {verdict} ({rows[0].simulator}, seed {rows[0].seed})")


def _print_verdict(engine: str, rows: list[Row]) -> None:
    bad = [row for row in rows if not row.ok]
    for row in bad:
        typer.echo(f"{row.case}: {row.command}")
        for text in row.disagreements:
            typer.echo(f"  {text}")
    specs = len({str(row.spec) for row in rows})
    cycles = sum(row.rtl_cycles or 0 for row in rows)
    simulators = ", ".join(sorted({row.simulator for row in rows}))
    verdict = f"{_cases(rows)} in values and cycles"
    if bad:
        verdict = f"{len(bad)} of {len(rows)} cases disagree in values or cycles"
    typer.echo(
        f"{engine}: {verdict} ({specs} spec{'s' * (specs != 1)}, {cycles:,} RTL cycles, "
        f"{simulators}, seed {rows[0].seed})"
    )


def _cases(rows: Sized) -> str:
    return f"{len(rows)} cases agree" if len(rows) != 1 else "1 case agrees"


def synth(
    name: Annotated[
        str, typer.Argument(metavar="DESIGN|ENGINE", help="A design or file, or a kind of engine.")
    ],
    target: Annotated[str, typer.Option(metavar="generic|liberty|ecp5|ice40|xilinx")] = "generic",
    liberty: Annotated[Path | None, typer.Option(metavar="FILE", help="Your cells.")] = None,
    pnr: Annotated[bool, typer.Option("--pnr", help="Place and route (ecp5, ice40).")] = False,
    engine: EngineName = None,
    settings: Set = None,
    json: Json = False,
) -> None:
    """Synthesise an engine: gates, area and delay in a cell library, FPGA resources."""
    from archsim.engines import discover  # noqa: PLC0415

    known = discover()
    if name in known:
        spec: Any = arguments.spec(name, settings)
    else:
        from archsim.hdl.choose import chosen_engine  # noqa: PLC0415

        design = arguments.design(name, settings)
        spec = design.engines[chosen_engine(design, known, engine)]
    need("amaranth", "rtl")
    from archsim.hdl.choose import rtl_of  # noqa: PLC0415
    from archsim.hdl.emit import to_verilog  # noqa: PLC0415
    from archsim.hdl.synth import synthesise  # noqa: PLC0415

    verilog = to_verilog(rtl_of(known, spec).build(spec), "engine")
    result = synthesise(verilog, "engine", target, liberty=liberty, pnr=pnr)  # type: ignore[arg-type]
    if json:
        show.as_json({"spec": spec.model_dump(mode="json"), **result.to_json()})
    else:
        _print_synthesis(result)


def _print_synthesis(result: SynthResult) -> None:
    figures = {
        "area (um2)": result.area_um2, "of it flip-flops (um2)": result.sequential_um2,
        "gate equivalents": result.gate_equivalents, "logic levels": result.levels,
        "delay (ps)": result.delay_ps, "Fmax (MHz)": result.fmax_mhz,
        "Fmax from": result.fmax_source or None, "recipe": result.recipe or None,
        "library": result.library or None,
        "tools": ", ".join(f"{tool} {version}" for tool, version in result.tools.items()),
    }  # fmt: skip
    show.table(("figure", result.target), [row for row in figures.items() if row[1] is not None])
    typer.echo()
    show.table(("cell", "count"), list(result.cells.items()))
    show.lines("notes", result.notes)


def need(package: str, extra: str) -> None:
    """Raise `MissingExtra` unless a package is installed."""
    from importlib.util import find_spec  # noqa: PLC0415

    from archsim.errors import MissingExtra  # noqa: PLC0415

    if find_spec(package) is None:
        raise MissingExtra(package, extra)
