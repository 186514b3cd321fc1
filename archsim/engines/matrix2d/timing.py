"""Cycles of the 2D-matrix array: a closed form, and a recurrence where ports stall.

One job is a grid of folds, each a ``rows x cols`` tile of C, m outer. A *step* takes a beat of A
and one of B to all PEs; with a fold's last beat every sum is complete and is captured in the drain
registers in the same step.

**Fold period.** Folds begin ``period = max(k, rows)`` steps apart: ``k`` steps feed a beat each,
the rest are bubbles that need none. ``rows`` enters for the sake of the drain: rows leave one a
cycle, and the next fold is captured ``period`` steps after this one, all rows at once. So an ideal
output never blocks. A capture waits until the last row of the fold before leaves its register, and
nothing that the array still has to do holds that row back: no deadlock.

**Ideal ports.** Step s runs in cycle ``s + 1``. The last fold is complete in step
``(folds - 1) period + k - 1``. One cycle later its top row leaves its drain register, one more
later the port, and each row below follows a cycle later:
``cycles = (folds - 1) period + k + last_rows + 1``. The next command can be accepted one cycle
after that. Where ``k >= rows`` this is ``folds k`` and at most ``rows + 1`` cycles.

**Late steps.** An array of carry-save PEs is told of a step a cycle after it is taken, so that what
decides on steps, the trees that carry it and a PE have a cycle each. Lanes that make numbers of
pairs take two. A row is so two cycles longer on its way, and a command's last cycle, the one after
its last result, only counts: ``cycles`` is two more, ``occupied`` three. A capture waits until
the rows before have left, which is seen a cycle later: ``period = max(k, rows + 2)``.

**Passes.** In an array of ``pe: opt2`` a fold comes in several passes of ``ceil(k / 4)`` beats. All
that is said here of folds and their k holds of passes and their beats. Rows leave after every pass
and go through the queue, but only those of a fold's last pass are results; the others wait for no
port. Lanes that make each pass's pairs numbers make all of it a cycle later. Where a fold has three
rows or fewer, each waits in its register until what the pass before made of it is in the bank;
passes begin at least four steps apart, so that only a slow output makes them wait. Steps are late.

**Accounts.** ``fill`` is the cycle that takes the command. A step is ``busy`` if it feeds a beat:
every beat has an element of C to add to. Bubbles and the cycles after the last step are ``drain``.
A cycle without a step is charged to the port nearest the output that blocks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import NO_STALLS, Data, Env, GemmJobs, SpecBatch, Timing
from archsim.engines.gemm import PORTS
from archsim.engines.gemm.folds import folds_of
from archsim.engines.gemm.timing import fold_times
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.engines.offers import check_ports, is_ideal


def time(
    spec: Matrix2dSpec | SpecBatch, jobs: GemmJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the exact cycles of each job; a batch of specs pairs with the jobs row by row."""
    check_ports(env, PORTS)
    ports = {name: port for name, port in env.items() if name != "cmd" and not is_ideal(port)}
    late = np.asarray(spec.pe) != "mac"
    folds = folds_of(spec, jobs, skewed=False, slices=spec.slices, passes=spec.passes, late=late)
    return fold_times(folds, jobs, folds.count * folds.beats, ports)


def actions(spec: Matrix2dSpec | SpecBatch, jobs: GemmJobs, timing: Timing) -> Mapping[str, Any]:
    """Return how often each job does what costs energy.

    ``mac`` counts products of real elements; ``resolve`` sums of real elements that leave the PEs;
    ``pe_clock`` PEs times occupied cycles; ``a_beat``, ``b_beat``, ``c_beat``, ``result_beat`` what
    passes the ports, edge lanes included. ``acc_read`` and ``acc_write`` count rows of the bank in
    which the passes of an opt2 array meet; others have none.
    """
    rows = timing.beats["result"] * (spec.passes - 1)
    return {
        "mac": jobs.m * jobs.n * jobs.k,
        "resolve": jobs.m * jobs.n * spec.passes,
        "acc_read": rows,
        "acc_write": rows,
        "pe_clock": spec.rows * spec.cols * timing.occupied,
        **{f"{port}_beat": timing.beats[port] for port in PORTS},
    }
