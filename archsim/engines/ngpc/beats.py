"""What the ports of a processor carry, and how values become beats and beats become values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, Ints, Port
from archsim.engines.ngpc import addresses
from archsim.engines.ngpc.jobs import NgpcJobs, level_rows, mapped, padded, parallel, strides
from archsim.engines.ngpc.spec import (
    AXES,
    POSITION_BITS,
    RESULT_BITS,
    SHIFT_BITS,
    NgpcSpec,
)
from archsim.graphics.encoding import Encoding, Level

LEVEL_LANES, LANE_BITS = 6, 32  # scale, strides along y and z, entries, rows, flags
HASHED, FLAT = 1, 2  # flags


def ports(spec: NgpcSpec) -> Mapping[str, Port]:
    """Return the streams.

    ``level``: a level's scale, strides along y and z, entries (less one where hashed), rows of each
    bank, flags. ``table``: a row of all banks. ``weight``: an output's weights. ``x``: a position.
    ``result``: a query's outputs.
    """
    return {
        "level": Port("in", LEVEL_LANES, LANE_BITS, signed=False, shares=False),
        "table": Port("in", spec.banks * spec.features, spec.feature_bits, shares=False),
        "weight": Port("in", spec.mlp_width, spec.act_bits, shares=False),
        "x": Port("in", AXES, POSITION_BITS, signed=False),
        "result": Port("out", spec.outputs, RESULT_BITS),
    }


def pack(spec: NgpcSpec, jobs: NgpcJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    assert jobs.refs is not None
    refs, load = jobs.refs[row], bool(jobs.load[row])
    encoding = mapped(spec, jobs.encoding[row])
    layers, shifts = int(jobs.layers[row]), jobs.shift[row].tolist()
    command = {
        "queries": int(jobs.queries[row]),
        "levels": encoding.levels,
        "parallel_log2": parallel(spec, encoding).bit_length() - 1,
        "layers": layers,
        "shifts": sum(shift << SHIFT_BITS * i for i, shift in enumerate(shifts)),
        "load": int(load),
    }
    levels = np.array([_described(spec, encoding, level) for level in encoding.table], np.int64)
    weights = np.asarray(data[refs["weight"]], np.int64)[:layers].reshape(-1, spec.mlp_width)
    return {
        "cmd": command,
        "level": levels[: len(levels) * load],
        "table": stored(spec, encoding, data[refs["table"]])[: None if load else 0],
        "weight": weights[: len(weights) * load],
        "x": padded(np.asarray(data[refs["x"]], np.int64)),
    }


def unpack(
    spec: NgpcSpec, jobs: NgpcJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [queries, outputs]."""
    return {"result": beats["result"]}


def _described(spec: NgpcSpec, encoding: Encoding, level: Level) -> tuple[int, ...]:
    """Return a beat of ``level``; entries are past any place where each vertex has its own."""
    _, along_y, along_z = (0, 0, 0) if level.hashed else strides(spec, level)
    own = not level.hashed and spec.bank_map in ("padded", "parity")
    return (
        addresses.scale_of(level),
        along_y,
        along_z if encoding.dims == AXES else 0,
        2 * spec.entries - 1 if own else level.entries - level.hashed,
        level_rows(spec, level, encoding.dims),
        HASHED * level.hashed + FLAT * (encoding.dims < AXES),
    )


def stored(spec: NgpcSpec, encoding: Encoding, table: Ints) -> Ints:
    """Return tables [entries, features] as rows of banks: [rows, banks x features]."""
    found, first = [], 0
    for level in encoding.table:
        rows = level_rows(spec, level, encoding.dims)
        memory = np.zeros((rows, spec.banks, spec.features), np.int64)
        places, entries = _layout(spec, encoding, level)
        row = places >> spec.banks.bit_length() - 1
        memory[row, addresses.banks(spec, places)] = table[first : first + level.entries][entries]
        found.append(memory.reshape(rows, -1))
        first += level.entries
    return np.concatenate(found)


def _layout(spec: NgpcSpec, encoding: Encoding, level: Level) -> tuple[Ints, Ints]:
    """Return places in a table memory and the entries that lie there."""
    if level.hashed or spec.bank_map in ("index", "fold"):
        every = np.arange(level.entries)
        return every, every
    along = np.arange(level.resolution + 1)  # the last one is past the grid, and read by none but
    grid = np.meshgrid(*[along] * encoding.dims, indexing="ij")  # positions at its very end
    corners = np.stack([x.ravel() for x in grid], axis=-1)
    return addresses.slots(spec, level, corners, encoding.dims), level.indices(corners)
