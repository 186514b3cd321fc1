"""How a job's matrix C falls into folds of the array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.engines import GemmJobs, Ints, SpecBatch
from archsim.engines.systolic.spec import SystolicSpec


@dataclass(frozen=True, slots=True)
class Folds:
    """Folds of n jobs; arrays have shape [n], or none where a single spec gives them.

    Parameters
    ----------
    rows, cols
        Of the array.
    down, across, count
        Folds along m, along n, and all of them.
    last_rows, last_cols
        Rows of C in the folds at the bottom, columns in those at the right edge.
    period
        Steps from fold to fold.
    """

    rows: Ints
    cols: Ints
    down: Ints
    across: Ints
    count: Ints
    last_rows: Ints
    last_cols: Ints
    period: Ints


def folds_of(spec: SystolicSpec | SpecBatch, jobs: GemmJobs) -> Folds:
    rows, cols = np.asarray(spec.rows), np.asarray(spec.cols)
    down, across = -(-jobs.m // rows), -(-jobs.n // cols)
    return Folds(
        rows=rows,
        cols=cols,
        down=down,
        across=across,
        count=down * across,
        last_rows=jobs.m - (down - 1) * rows,
        last_cols=jobs.n - (across - 1) * cols,
        period=np.maximum(jobs.k, np.maximum(rows, cols)),
    )
