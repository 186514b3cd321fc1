"""Cycles of the output-stationary array: a closed form, and a recurrence where ports stall.

One job is a grid of folds, each a ``rows x cols`` tile of C, m outer. A *step* moves
every operand one PE on; in step ``s`` PE (i, j) works on the beat that was fed in step
``s - i - j``.

**Fold period.** Folds begin ``period = max(k, rows, cols)`` steps apart: ``k`` steps feed a beat
each, the rest are bubbles that need none. ``rows`` and ``cols`` enter for the sake of the drain.
Row i of a fold ends its sum in column 0 at step ``begin + k - 1 + i``, the capture, and in the last
column ``cols - 1`` steps later: it is complete. The next fold captures the same row ``period``
steps after this one, so

- ``period >= cols``: when a row is captured again, its last sum is complete. What blocks the array
  is then only the output, never a step that the array itself still has to take: no deadlock.
- ``period >= rows``: rows are captured one a step and leave one a cycle; a fold's rows are gone
  when the next fold's come, and an ideal output never blocks.

**Ideal ports.** Step s runs in cycle ``s + 1``. The last fold has ``last_rows`` rows; its bottom
row is complete in step ``(folds - 1) period + k + last_rows + cols - 3``. One cycle later it leaves
its drain register, one more later the port: ``cycles = (folds - 1) period + k + last_rows + cols``.
The next command can be accepted one cycle after that.

**Late steps.** An array of carry-save PEs is told of a step a cycle after it is taken, so that what
decides on steps, the trees that carry it and a PE have a cycle each. Lanes that make numbers of
pairs take two. A row is so two cycles longer on its way, and a command's last cycle, the one after
its last result, only counts: ``cycles`` is two more, ``occupied`` three. A capture waits until
the row before has left, which is seen a cycle later: ``period = max(k, rows, cols + 2)``.

**Accounts.** ``fill`` is the cycle that takes the command: the first beat already does live work. A
step is ``busy`` while a beat is inside the rows and columns of its fold, as the beat of step s is
until step ``s + fold_rows + fold_cols - 2``; other steps, and the cycles after the last step, are
``drain``. A cycle without a step is charged to the port nearest the output that blocks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import Env, GemmJobs, SpecBatch, Timing
from archsim.engines.gemm.folds import folds_of
from archsim.engines.gemm.timing import fold_times, skewed_busy
from archsim.engines.systolic.spec import SystolicSpec


def time(spec: SystolicSpec | SpecBatch, jobs: GemmJobs, ports: Env) -> Timing:
    """Return the exact cycles of each job at ports, of which those not named are ideal."""
    folds = folds_of(spec, jobs, late=np.asarray(spec.pe) != "mac")
    return fold_times(folds, jobs, skewed_busy(folds), ports)


def actions(spec: SystolicSpec | SpecBatch, jobs: GemmJobs) -> Mapping[str, Any]:
    """Return how often operands pass PEs: real ones times PEs, those beyond an edge included."""
    folds = folds_of(spec, jobs)
    return {
        "a_hop": jobs.m * jobs.k * folds.across * folds.cols,
        "b_hop": jobs.n * jobs.k * folds.down * folds.rows,
    }
