"""Commands that say what there is: engines, designs, schemas."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from archsim.cli import show
from archsim.cli.arguments import Json


def engines(json: Json = False) -> None:
    """List the engines, the fields of their specs, and whether RTL backs them."""
    from archsim.engines import NoRtl, discover  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    for kind, engine in discover().items():
        schema = engine.spec.model_json_schema()["properties"]
        fields = {name: field for name, field in schema.items() if name != "kind"}
        rows.append(
            {
                "kind": kind,
                "summary": (engine.spec.__doc__ or "").strip().splitlines()[0].replace("``", ""),
                "rtl": not isinstance(engine.rtl, NoRtl),
                "model_only": engine.rtl.reason if isinstance(engine.rtl, NoRtl) else "",
                "fields": {name: field.get("default") for name, field in fields.items()},
                "choices": {n: field["enum"] for n, field in fields.items() if "enum" in field},
            }
        )
    if json:
        show.as_json({"rows": rows})
        return
    for row in rows:
        backing = "RTL" if row["rtl"] else f"model only: {row['model_only']}"
        typer.echo(f"{row['kind']}: {row['summary']} [{backing}]")
        choices = {name: "|".join(map(str, values)) for name, values in row["choices"].items()}
        shown = (f"{name}={choices.get(name, value)}" for name, value in row["fields"].items())
        typer.echo("  " + ", ".join(shown))


def designs(json: Json = False) -> None:
    """List the designs that come with archsim."""
    from archsim.design import load_design, shipped  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    for name in shipped():
        design = load_design(name)
        kinds = {n: getattr(spec, "kind", "") for n, spec in design.engines.items()}
        rows.append(
            {
                "name": name, "description": design.description, "node": design.node,
                "engines": kinds,
            }
        )  # fmt: skip
    if json:
        show.as_json({"rows": rows})
    else:
        head = ("design", "node", "engines", "what")
        show.table(
            head,
            [(r["name"], r["node"], " ".join(r["engines"]), r["description"]) for r in rows],
        )


def schema(what: Annotated[str, typer.Argument(metavar="design|sweep|trace|record")]) -> None:
    """Print the JSON Schema of what people type, for editors."""
    from archsim import schema as schemas  # noqa: PLC0415
    from archsim.errors import InputError  # noqa: PLC0415

    if what not in schemas.SCHEMAS:
        raise InputError("schema", f"must be one of {', '.join(schemas.SCHEMAS)}", what)
    show.as_json(schemas.SCHEMAS[what]())
