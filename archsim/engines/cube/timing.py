"""Cycles of the cube: a closed form, and a recurrence where ports stall.

One job is a grid of folds, each a ``rows x cols`` tile of C, m outer. A beat holds ``depth`` slices
of k, so a fold has ``ceil(k / depth)`` beats; lanes beyond k are zero. A *step* moves every operand
one PE on: along columns, along rows, and the sums along the depth. In step ``s`` PE (i, j, d) works
on the beat that was fed in step ``s - i - j - d``.

**A chain behind.** A product of the beat of step s leaves PE (i, j, depth - 1) in step
``s + i + j + depth - 1``; one step later it is added to its sum. So sums see their beats as those
of an output-stationary systolic array do, ``depth`` steps later, and all else follows from
`archsim.engines.systolic.output_stationary`: captures, drain, and the least period of a fold,
``max(beats, rows, cols)``. The chain holds beats of two folds where one follows the other; nothing
waits for it.

**Ideal ports.** ``cycles = (folds - 1) period + ceil(k / depth) + last_rows + cols + depth``.

**Late steps.** An array of carry-save PEs is told of a step a cycle after it is taken, so that what
decides on steps, the trees that carry it and a PE have a cycle each. Lanes that make numbers of
pairs take two. A row is so two cycles longer on its way, and a command's last cycle, the one after
its last result, only counts: ``cycles`` is two more, ``occupied`` three. A capture waits until
the row before has left, which is seen a cycle later: ``period = max(beats, rows, cols + 2)``.

**Accounts.** As in that array; a step is ``busy`` while a product of a real element is in a chain
or is added to its sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import NO_STALLS, Data, Env, GemmJobs, SpecBatch, Timing
from archsim.engines.cube.spec import CubeSpec
from archsim.engines.gemm import PORTS
from archsim.engines.gemm.folds import Folds, folds_of
from archsim.engines.gemm.timing import fold_times, skewed_busy
from archsim.engines.offers import check_ports, is_ideal


def time(
    spec: CubeSpec | SpecBatch, jobs: GemmJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the exact cycles of each job; a batch of specs pairs with the jobs row by row."""
    check_ports(env, PORTS)
    ports = {name: port for name, port in env.items() if name != "cmd" and not is_ideal(port)}
    folds = _folds(spec, jobs)
    return fold_times(folds, jobs, skewed_busy(folds), ports)


def _folds(spec: CubeSpec | SpecBatch, jobs: GemmJobs) -> Folds:
    late = np.asarray(spec.pe) != "mac"
    return folds_of(spec, jobs, slices=spec.depth, behind=spec.depth, late=late)


def actions(spec: CubeSpec | SpecBatch, jobs: GemmJobs, timing: Timing) -> Mapping[str, Any]:
    """Return how often each job does what costs energy.

    ``mac`` counts products of real elements; ``a_hop`` and ``b_hop`` real operands times the PEs
    that they pass, idle PEs beyond an edge included; ``sum_hop`` sums of real rows and columns
    times the PEs that they pass, all of a chain; ``sum_add`` what chains give to accumulators;
    ``pe_clock`` PEs times occupied cycles; ``a_beat``, ``b_beat``, ``c_beat``, ``result_beat`` what
    passes the ports, edge lanes included.
    """
    folds = _folds(spec, jobs)
    chains = jobs.m * jobs.n * folds.beats
    return {
        "mac": jobs.m * jobs.n * jobs.k,
        "a_hop": jobs.m * jobs.k * folds.across * folds.cols,
        "b_hop": jobs.n * jobs.k * folds.down * folds.rows,
        "sum_hop": chains * spec.depth,
        "sum_add": chains,
        "pe_clock": spec.pes * timing.occupied,
        **{f"{port}_beat": timing.beats[port] for port in PORTS},
    }
