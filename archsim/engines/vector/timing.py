"""Cycles of the vector unit: a throughput model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import NO_STALLS, Data, Env, Ints, Rate, SpecBatch, Timing
from archsim.engines.vector.spec import VectorJobs, VectorSpec
from archsim.errors import InputError

PIPELINE_CYCLES = 4


def time(
    spec: VectorSpec | SpecBatch, jobs: VectorJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the cycles of slices: full lanes back to back, then the pipeline empties."""
    rate = max((e.q / e.p for e in env.values() if isinstance(e, Rate)), default=1.0)
    passes = -(-jobs.work // np.asarray(spec.lanes))
    busy = np.ceil(passes * rate).astype(np.int64)
    drain = np.full(len(jobs), PIPELINE_CYCLES, np.int64)
    return Timing(
        cycles=busy + drain - 1,
        occupied=busy + drain,
        split={"busy": passes, "drain": drain, "stall.in": busy - passes},
        beats={"in": passes, "out": passes},
        kind="expected",
        lo=busy + drain - 1,
        hi=busy + drain - 1,
    )


def actions(spec: VectorSpec | SpecBatch, jobs: VectorJobs, timing: Timing) -> Mapping[str, Ints]:
    return {"lane_op": jobs.work, "lane_clock": timing.occupied * np.asarray(spec.lanes)}


def reference(spec: VectorSpec, jobs: VectorJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    raise InputError("engine 'vector'", "values are not computed: it is a timing model")
