"""Cycles of the dot-product engine.

A dot product takes a cycle for each of its beats and one for its result; nothing overlaps. With
ports that never stall a job ends in cycle ``count (steps + 1)``, cycle 0 taking the command.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archsim.engines import IDEAL, NO_STALLS, Data, Env, Ints, SpecBatch, Timing
from archsim.engines.offers import check_ports, is_ready, may_offer
from archsim_dot.spec import DotJobs, DotSpec, steps

PORTS = ("a", "b", "result")


def time(
    spec: DotSpec | SpecBatch, jobs: DotJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    check_ports(env, PORTS)
    beats = steps(spec, jobs)
    stalls = np.zeros((len(jobs), len(PORTS)), np.int64)
    if env:
        rows = zip(jobs.count.tolist(), beats.tolist(), strict=True)
        stalls = np.array([_stalls(*row, env) for row in rows], np.int64)
    busy, drain, fill = jobs.count * beats, jobs.count, np.ones(len(jobs), np.int64)
    cycles = busy + drain + stalls.sum(axis=1)
    return Timing(
        cycles=cycles,
        occupied=cycles + 1,
        split={
            "busy": busy, "fill": fill, "drain": drain,
            **{f"stall.{port}": stalls[:, i] for i, port in enumerate(PORTS)},
        },
        beats={"a": busy, "b": busy, "result": jobs.count},
    )  # fmt: skip


def _stalls(count: int, beats: int, env: Env) -> list[int]:
    """Return the cycles of one job that each of `PORTS` made it wait: the job, cycle by cycle."""
    a, b, result = (env.get(port, IDEAL) for port in PORTS)
    stalled = dict.fromkeys(PORTS, 0)
    taken = step = given = cycle = 0
    has_a = has_b = False  # a beat once offered stays
    while given < count:
        left = taken < count * beats
        has_a |= left and may_offer(a, taken, cycle)
        has_b |= left and may_offer(b, taken, cycle)
        if cycle == 0:
            pass  # the command's own
        elif step == beats:
            if is_ready(result, cycle):
                given, step = given + 1, 0
            else:
                stalled["result"] += 1
        elif not has_b:
            stalled["b"] += 1
        elif not has_a:
            stalled["a"] += 1
        else:
            taken, step = taken + 1, step + 1
            has_a = has_b = False
        cycle += 1
    return list(stalled.values())


def actions(spec: DotSpec | SpecBatch, jobs: DotJobs, timing: Timing) -> Mapping[str, Ints]:
    return {"mac": jobs.count * jobs.length, "clock": timing.occupied}
