"""Commands for one neural-fields processor: slices of positions, and the grids they are read by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints, Jobs
from archsim.engines.ngpc.spec import AXES, POSITION_BITS, SCALE_BITS, SCALE_FRACTION, NgpcSpec
from archsim.graphics.encoding import Encoding, Level

PADDED = 8  # banks that padding is made for
Positions = NDArray[np.int64]  # [queries, dims], in 2^-24


@dataclass(frozen=True, slots=True)
class NgpcJobs(Jobs):
    """Slices of queries on one processor, whose tables and weights lie in it.

    Parameters
    ----------
    queries
        Of the slice, at least one.
    encoding
        Grid of each job (`Encoding`), an array of objects.
    layers
        Matrices that a query goes through.
    shift
        Bits by which each layer's sums are moved down [jobs, MOST_LAYERS].
    load
        Whether tables and weights come first; else they are as the job before left them.

    Refs, where values are wanted: ``x`` [queries, dims], positions in 2^-24 (`fixed`); ``table``
    [entries of all levels, features]; ``weight`` [layers, width, width], by output and input. Time
    depends on ``x`` alone. A job that does not load names what was loaded.
    """

    queries: Ints
    encoding: NDArray[Any]
    layers: Ints
    shift: Ints
    load: NDArray[np.bool_]


def encodings(*given: Encoding) -> NDArray[Any]:
    """Return encodings as a column of jobs."""
    found = np.empty(len(given), object)
    found[:] = given
    return found


def fixed(positions: Any) -> Positions:
    """Return positions from 0 to 1 in 2^-24, the nearest; one is the largest number below it."""
    scaled = np.rint(np.asarray(positions, np.float64) * 2**POSITION_BITS)
    return np.asarray(np.clip(scaled, 0, 2**POSITION_BITS - 1), np.int64)


def mapped(spec: NgpcSpec, encoding: Encoding) -> Encoding:
    """Return an encoding as an engine reads it: by parity where its banks go by it."""
    return replace(encoding, parity=spec.bank_map == "parity")


def parallel(spec: NgpcSpec, encoding: Encoding) -> int:
    """Return how many queries are encoded in parallel: a power of two, by engines and levels."""
    most = min(spec.parallel, spec.engines // encoding.levels)
    return 1 << most.bit_length() - 1 if most else 0


def strides(spec: NgpcSpec, level: Level) -> tuple[int, int, int]:
    """Return how far apart neighbours along each axis lie in a table that is not hashed.

    By parity it is neighbours of one parity. Padded rows begin two banks on, and padded planes
    four, so that the corners of a cell lie in eight.
    """
    if spec.bank_map == "parity":
        along = level.resolution // 2 + 1
        return 1, along, along**2
    along = level.resolution
    if spec.bank_map != "padded":
        return 1, along, along**2
    row = along + 1 + (1 - along) % PADDED
    plane = row * (along + 1) + (4 - row * (along + 1)) % PADDED
    return 1, row, plane


def level_slots(spec: NgpcSpec, level: Level, dims: int) -> int:
    """Return the places that a level's table takes in an engine's memory."""
    if level.hashed or spec.bank_map in ("index", "fold"):
        return level.entries
    along = strides(spec, level)[:dims]
    if spec.bank_map == "parity":
        return int(along[1] ** dims) << AXES
    return level.resolution * sum(along) + 1


def level_rows(spec: NgpcSpec, level: Level, dims: int) -> int:
    """Return the rows of every bank that a level's table takes."""
    return -(-level_slots(spec, level, dims) // spec.banks)


def refusal(spec: NgpcSpec, encoding: Encoding, layers: int) -> str | None:
    """Return why a processor cannot hold a grid and so many layers, or None."""
    if encoding.levels > spec.engines:
        return f"{encoding.levels} levels on {spec.engines} engines"
    if encoding.features != spec.features:
        return f"entries of {encoding.features} features, and the engine's have {spec.features}"
    if encoding.outputs > spec.mlp_width:
        return f"{encoding.outputs} features, and the MLP takes {spec.mlp_width}"
    if layers > spec.mlp_layers:
        return f"{layers} layers, and the MLP keeps {spec.mlp_layers}"
    if any(not x.hashed and x.resolution**encoding.dims > x.entries for x in encoding.table):
        return "a tiled level of fewer entries than vertices, for which the engine has no remainder"
    if max(level.scale for level in encoding.table) >= 1 << SCALE_BITS - SCALE_FRACTION:
        return f"a level finer than {1 << SCALE_BITS - SCALE_FRACTION:,} cells along an axis"
    rows = max(level_rows(spec, level, encoding.dims) for level in encoding.table)
    if rows > spec.rows:
        return f"a table of {rows:,} rows in each bank, which has {spec.rows:,}"
    return None


def padded(positions: Positions) -> Positions:
    """Return positions of three coordinates; what is missing is zero."""
    missing = AXES - positions.shape[1]
    return np.pad(positions, ((0, 0), (0, missing)))
