"""How a job's matrix C falls into folds of an array that keeps the sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import GemmJobs, Ints
from archsim.engines.gemm.cycle_loop import LATE_STEPS, PASS_STEPS


@dataclass(frozen=True, slots=True)
class Folds:
    """Folds of n jobs; arrays have shape [n], or none where a single spec gives them.

    Parameters
    ----------
    skewed
        Whether PE (i, j) works ``i + j`` steps behind PE (0, 0), or all on the same beat.
    rows, cols
        Of the array.
    down, across
        Folds along m, along n.
    passes
        How often each fold's operands pass; rows of sums leave the array after every pass, and
        results after the last.
    count
        Passes of all folds.
    beats
        Steps of a pass that take a beat.
    last_rows, last_cols
        Rows of C in the folds at the bottom, columns in those at the right edge.
    period
        Steps from pass to pass.
    lag
        Steps from a row's capture to its last sum.
    behind
        Steps from a fold's last beat to the capture of its top row: those that products take to
        reach their sum.
    late
        1 where a step reaches the PEs a cycle after it is taken and lanes that add take two.
    """

    skewed: bool
    rows: Ints
    cols: Ints
    down: Ints
    across: Ints
    passes: Ints
    count: Ints
    beats: Ints
    last_rows: Ints
    last_cols: Ints
    period: Ints
    lag: Ints
    behind: Ints
    late: Ints

    @property
    def tail(self) -> Ints:
        """Steps from a fold's last beat to the last sum of its top row."""
        return self.behind + self.lag

    @property
    def way(self) -> Ints:
        """Cycles by which a row's way from its last sum to the port exceeds two."""
        return 2 * self.late + (self.passes > 1)


def folds_of(
    spec: Any,
    jobs: GemmJobs,
    *,
    skewed: bool = True,
    slices: Any = 1,
    passes: Any = 1,
    behind: Any = 0,
    late: Any = 0,
) -> Folds:
    """Return the folds of jobs on an array with ``rows`` and ``cols``, or on a batch of them.

    Parameters
    ----------
    slices
        Of k in a beat.
    passes
        In which each fold's operands come; rows leave after each, results after the last.
    behind
        Steps that a product takes to reach its sum.
    late
        Whether steps are late; those of several passes are.
    """
    rows, cols, passes = (np.asarray(x) for x in (spec.rows, spec.cols, passes))
    late = np.asarray(late, int)
    down, across = -(-jobs.m // rows), -(-jobs.n // cols)
    beats = -(-jobs.k // slices)
    wait = LATE_STEPS * late
    drain = np.maximum(rows, cols + wait) if skewed else rows + wait
    least = np.maximum(drain, np.where(passes > 1, PASS_STEPS, 1))
    return Folds(
        skewed=skewed,
        rows=rows,
        cols=cols,
        down=down,
        across=across,
        passes=passes,
        count=down * across * passes,
        beats=beats,
        last_rows=jobs.m - (down - 1) * rows,
        last_cols=jobs.n - (across - 1) * cols,
        period=np.maximum(beats, least),
        lag=cols - 1 if skewed else np.zeros_like(cols),
        behind=np.asarray(behind),
        late=late,
    )
