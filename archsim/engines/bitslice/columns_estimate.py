"""About what arrays of columns take, in closed form: for mappings to be compared by.

What a result says is `columns_expected`'s, which runs the recurrence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archsim.engines import Ints, Timing
from archsim.engines.bitslice.column_means import Shares, chunk_cycles
from archsim.engines.bitslice.column_schedule import LOAD_CYCLES, OUT_CYCLES
from archsim.engines.bitslice.columns_timing import beats, extents
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import shares
from archsim.engines.bitslice.spec import BitsliceSpec


def estimate(spec: BitsliceSpec, jobs: BitsliceJobs) -> Timing:
    """Return about what jobs take at ports that do not stall: see `Engine.estimate`."""
    found = np.zeros(len(jobs), np.int64)
    tall, wide = extents(spec, jobs)
    for row, here in jobs.alike():
        (likely,) = shares(spec, row)
        found[here] = occupied(spec, tall[here], wide[here], jobs.k[here], tuple(likely.tolist()))
    work = {"busy": found}
    return Timing(found - 1, found, work, beats(spec, jobs), {}, "expected", found - 1, found - 1)


def occupied(spec: BitsliceSpec, tall: Ints, wide: Ints, k: Ints, likely: Shares) -> Ints:
    """Return about how long products occupy an array at ports that do not stall.

    Parameters
    ----------
    tall, wide
        Extents of C along columns, and along the PEs of a column.
    """
    tiles, across = -(-tall // spec.cols), -(-wide // spec.rows)
    last = tall - (tiles - 1) * spec.cols
    whole, rest = k // spec.depth, k % spec.depth

    def fold(live: Any) -> Any:
        def chunk(elements: Any) -> Any:
            works = chunk_cycles(spec, elements, live, likely)
            loads = -(-elements // spec.lanes)
            in_turn = (works + loads + LOAD_CYCLES) / 2  # each waits for the other
            return np.maximum(np.maximum(works, loads), in_turn)

        return whole * chunk(np.int64(spec.depth)) + (rest > 0) * chunk(np.maximum(rest, 1))

    first = -(-np.minimum(k, spec.depth) // spec.lanes) + LOAD_CYCLES + OUT_CYCLES + spec.cols
    cycles = across * ((tiles - 1) * fold(spec.cols) + fold(last)) + first
    return np.asarray(np.ceil(np.maximum(cycles, tall * across)), np.int64) + 1
