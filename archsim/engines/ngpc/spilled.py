"""What queries read from DRAM where tables do not fit: misses of a memory that never changes.

An engine keeps the first rows of its level's table, as many as its banks have, for the whole frame.
A corner that lies further on is read from DRAM, in sectors; corners of one query that share a
sector read it once. Nothing is read once for two queries, and no L2 is in between.
"""

from __future__ import annotations

import numpy as np

from archsim.engines import Ints
from archsim.engines.ngpc.jobs import level_rows
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.engines.ngpc.steady import SAMPLE_PORT, grid_of
from archsim.graphics.encoding import Encoding, Level, corners
from archsim.graphics.field import Field
from archsim.patterns import Known

SECTOR_BYTES = 32  # that a GPU's L2 reads at a time
COUNTED = 1 << 13  # queries of the sample that misses are counted over


def missed_bytes(spec: NgpcSpec, field: Field, known: Known) -> float:
    """Return the bytes that a query reads from DRAM, mean over the sample; 0 where all fits."""
    grid = grid_of(spec, field)
    key = ("missed", grid.text, spec.rows, spec.banks, spec.bank_map, spec.feature_bits)
    return known.once(key, lambda: _missed_bytes(spec, grid, known))


def resident_share(spec: NgpcSpec, grid: Encoding, level: Level) -> float:
    """Return how much of a level's table its engine keeps."""
    return min(1.0, spec.rows / level_rows(spec, level, grid.dims))


def _missed_bytes(spec: NgpcSpec, grid: Encoding, known: Known) -> float:
    positions = known.arrays[SAMPLE_PORT][:, : grid.dims]
    positions = positions[:: max(len(positions) // COUNTED, 1)]
    entry_bytes = grid.features * spec.feature_bits // 8
    total = 0
    for level in grid.table:
        share = resident_share(spec, grid, level)
        if share == 1:
            continue
        cells, _ = level.cells(positions)
        entries = level.indices(corners(cells))
        sectors = np.where(entries < share * level.entries, -1, entries * entry_bytes)
        total += _distinct(np.where(sectors < 0, -1, sectors // SECTOR_BYTES))
    return SECTOR_BYTES * total / len(positions)


def _distinct(sectors: Ints) -> int:
    """Return how many numbers of 0 or more each row has, equal ones once: [n, corners]."""
    ordered = np.sort(sectors, axis=1)
    new = np.diff(ordered, axis=1, prepend=-1) != 0
    return int((new & (ordered >= 0)).sum())
