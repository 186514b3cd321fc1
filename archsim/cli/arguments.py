"""Arguments that several commands take, and how their text becomes values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from archsim.design import Design
    from archsim.engines import EngineSpec

DesignName = Annotated[str, typer.Argument(metavar="DESIGN", help="A shipped design or a file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder to write into.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override part of the design; repeatable."),
]


def overrides(settings: list[str] | None) -> dict[str, Any]:
    """Return ``PATH=VALUE`` texts as values by path; the last of equal paths counts."""
    from archsim.design import override_value  # noqa: PLC0415
    from archsim.errors import InputError  # noqa: PLC0415

    values = {}
    for text in settings or []:
        path, equals, value = text.partition("=")
        if not path or not equals:
            raise InputError("--set", "must be PATH=VALUE", text)
        values[path] = override_value(value)
    return values


def design(name: str, settings: list[str] | None) -> Design:
    from archsim.design import load_design  # noqa: PLC0415

    return load_design(name, overrides(settings))


def spec(kind: str, settings: list[str] | None) -> EngineSpec:
    """Return an engine's spec: its defaults, changed by ``spec.FIELD=VALUE``."""
    from archsim.engines import discover  # noqa: PLC0415
    from archsim.errors import InputError  # noqa: PLC0415
    from archsim.yaml_file import Document, validate  # noqa: PLC0415

    fields: dict[str, Any] = {"kind": kind}
    for path, value in overrides(settings).items():
        head, _, field = path.partition(".")
        if head != "spec" or not field or "." in field:
            raise InputError("--set", "must be spec.FIELD=VALUE for an engine", path)
        fields[field] = value
    # an empty document gives faults their place: the option
    return validate(discover()[kind].spec, fields, Document("", "--set"), under=("spec",))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a fault of the file system inside into the command's own."""
    from archsim.errors import ArchsimError  # noqa: PLC0415

    try:
        yield
    except OSError as fault:
        raise ArchsimError(f"{path}: cannot be written: {fault.strerror}") from None
