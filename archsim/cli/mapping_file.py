"""Mappings as people write them: a YAML or JSON file of op names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from archsim.errors import InputError
from archsim.mapping import ORDERS, RESIDENT, GemmMapping, Mapping, SliceMapping
from archsim.yaml_file import Document, validate

Extent = Annotated[int, Field(gt=0)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Gemm(_Entry):
    """Buffer tile of a product: the fields of `archsim.mapping.GemmMapping`."""

    m: Extent
    n: Extent
    k: Extent
    order: str = "mnk"
    resident: str = ""
    groups: Extent = 1

    @field_validator("order", "resident")
    @classmethod
    def _known(cls, value: str, info: Any) -> str:
        words = ORDERS if info.field_name == "order" else RESIDENT
        if value not in words:
            raise ValueError(f"must be one of {', '.join(repr(word) for word in words)}")
        return value


class _Slice(_Entry):
    slices: Extent = 1


def read_mappings(path: Path) -> dict[str, Mapping]:
    """Return the mapping of each op that a file names.

    Raises
    ------
    InputError
        With file and line of every fault.
    """
    document = Document.load(path)
    if not isinstance(document.value, dict):
        raise InputError(str(path), "must map op names to mappings", document.value)
    found: dict[str, Mapping] = {}
    for name, fields in document.value.items():
        if not isinstance(fields, dict):
            place = f"{document.place((name,))}: {name}"
            raise InputError(place, "must have fields m, n, k or slices", fields)
        if "slices" in fields:
            cut = validate(_Slice, fields, document, under=(name,))
            found[name] = SliceMapping(**cut.model_dump())
        else:
            tile = validate(_Gemm, fields, document, under=(name,))
            found[name] = GemmMapping(**tile.model_dump())
    return found
