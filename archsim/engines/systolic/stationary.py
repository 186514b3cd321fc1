"""Cycles and actions of the weight-stationary array.

PE (i, j) holds an element of B; elements of A move right, and partial sums down the columns, one PE
a step: a skewed array of one register a PE. `archsim.engines.gemm.stationary` has its schedule.

In terms of that: PE (i, j) takes its shadow element over in step ``w + i + j``. A row that is fed
in step f reaches it, through an input register and the skew, in step ``f + i + j + 1``, and its
sums are brought level at the bottom in step ``f + rows + cols``, in which they land.

The input-stationary array is this one with A and B exchanged; see `timing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archsim.engines import Env, GemmJobs, SpecBatch, Timing
from archsim.engines.gemm.stationary import StationaryFolds, stationary_times
from archsim.engines.systolic.spec import SystolicSpec


def folds_of(spec: SystolicSpec | SpecBatch, jobs: GemmJobs) -> StationaryFolds:
    return StationaryFolds.of(jobs, spec.rows, spec.cols, spec.acc_rows, skewed=True)


def time(spec: SystolicSpec | SpecBatch, jobs: GemmJobs, ports: Env) -> Timing:
    """Return the exact cycles of each job at ports, of which those not named are ideal."""
    return stationary_times(folds_of(spec, jobs), jobs, ports)


def actions(spec: SystolicSpec | SpecBatch, jobs: GemmJobs) -> Mapping[str, Any]:
    """Return what moves through the PEs and the bank; `timing.actions` says what counts."""
    folds = folds_of(spec, jobs)
    landed = jobs.m * folds.across
    return {
        "stream_hop": jobs.m * jobs.k * folds.across * folds.cols,
        "load_hop": folds.chunks * jobs.n * folds.load_hops,
        "sum_hop": jobs.m * jobs.n * folds.deep * folds.rows,
        "acc_read": landed * (folds.deep - 1),
        "acc_write": landed * (folds.deep - 1),
    }
