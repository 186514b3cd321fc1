"""The quality of pictures with an engine's tables and features, where it was measured.

`archsim.engines.ngpc.psnr` says how. A design is told the row of its own tables; of others nothing
is said.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np

from archsim.engines.ngpc.spec import NgpcSpec
from archsim.engines.ngpc.steady import grid_of, is_grid
from archsim.graphics.apps import APPS
from archsim.graphics.field import KIND, Field
from archsim.metric import Picture
from archsim.trace import Trace

PSNR = "ngpc_psnr_db"  # the metric
FILE, PICTURES = "psnr.csv", "psnr.npz"


@dataclass(frozen=True, slots=True)
class Quality:
    """PSNR of a picture, against the scene's own.

    Parameters
    ----------
    entries
        Of all tables: sizes that make the same tables have the same.
    """

    app: str
    scene: str
    log2_table: int
    entries: int
    parity: bool
    bits: int
    psnr_db: float


def quality(spec: NgpcSpec, trace: Trace) -> Mapping[str, float]:
    """Return the PSNR of a trace's picture, by the metric's name; nothing if it is not known."""
    ops = [op for op in trace.ops if op.kind == KIND]
    if len(ops) != 1:
        return {}
    field = Field.of(ops[0])
    if not is_grid(field):
        return {}
    grid = grid_of(spec, field)
    plain = replace(APPS[field.app].encoding("hash"), log2_table=grid.log2_table)
    if replace(grid, parity=False) != plain:
        return {}
    key = (field.app, field.scene, grid.entries, grid.parity, spec.feature_bits)
    return {PSNR: known()[key].psnr_db} if key in known() else {}


@cache
def known() -> Mapping[tuple[str, str, int, bool, int], Quality]:
    """Return what was measured, by application, scene, entries, parity and bits."""
    return {(r.app, r.scene, r.entries, r.parity, r.bits): r for r in shipped()}


@cache
def shipped() -> tuple[Quality, ...]:
    """Return what was measured."""
    with (files(__package__) / FILE).open(encoding="utf-8") as file:
        return tuple(
            Quality(
                row["app"], row["scene"], int(row["log2_table"]), int(row["entries"]),
                row["parity"] == "True", int(row["bits"]), float(row["psnr_db"]),
            )
            for row in csv.DictReader(file)
        )  # fmt: skip


def pictures(app: str, scene: str, entries: int) -> list[Picture]:
    """Return a scene's picture and that of the field whose tables have so many entries, if known.

    The field's has features of 8 bits, as small as they were measured.
    """
    name = f"{app} {scene}"
    with (files(__package__) / PICTURES).open("rb") as file, np.load(file) as found:
        if f"{name} {entries}" not in found:
            return []
        row = known()[app, scene, entries, False, 8]
        return [
            Picture("the scene", found[name]),
            Picture(
                f"tables of 2^{row.log2_table}: {row.psnr_db:.1f} dB", found[f"{name} {entries}"]
            ),
        ]
