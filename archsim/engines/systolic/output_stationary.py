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

**Accounts.** ``fill`` is the cycle that takes the command: the first beat already does live work. A
step is ``busy`` while a beat is inside the rows and columns of its fold, as the beat of step s is
until step ``s + fold_rows + fold_cols - 2``; other steps, and the cycles after the last step, are
``drain``. A cycle without a step is charged to the port nearest the output that blocks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import Env, GemmJobs, Ints, Rate, SpecBatch, Timing
from archsim.engines.systolic import cycle_loop, recurrence
from archsim.engines.systolic.distinct import run_distinct
from archsim.engines.systolic.folds import Folds, folds_of
from archsim.engines.systolic.paced import closed_form
from archsim.engines.systolic.spec import PORTS, SystolicSpec


def time(spec: SystolicSpec | SpecBatch, jobs: GemmJobs, ports: Env) -> Timing:
    """Return the exact cycles of each job at ports, of which those not named are ideal."""
    folds = folds_of(spec, jobs)
    ideal = _ideal(folds, jobs)
    if not ports:
        return ideal
    cycles, stalls = _stalled(folds, jobs, ports)
    split = {"busy": ideal.split["busy"], "fill": ideal.split["fill"]}
    split.update({f"stall.{port}": stalls[port] for port in PORTS})
    split["drain"] = cycles + 1 - sum(split.values())
    return Timing(cycles, cycles + 1, split, ideal.beats)


def _ideal(folds: Folds, jobs: GemmJobs) -> Timing:
    """Return what jobs take when no port makes them wait."""
    rows, cols, last_rows, last_cols = folds.rows, folds.cols, folds.last_rows, folds.last_cols
    cycles: Ints = (folds.count - 1) * folds.period + jobs.k + last_rows + cols

    # bubbles outlive the newest beat only in folds with a ragged edge; in the last one, too
    bubbles = folds.period - jobs.k + 2
    dead = cols - last_cols
    dead = dead + (folds.down - 1) * np.maximum(0, bubbles - rows - last_cols)
    dead = dead + (folds.across - 1) * np.maximum(0, bubbles - last_rows - cols)
    none, one = np.zeros_like(cycles), np.ones_like(cycles)
    split = {
        "busy": cycles - 2 - dead,
        "fill": one,
        "drain": dead + 2,
        **{f"stall.{port}": none for port in PORTS},
    }
    beats = folds.count * jobs.k
    results = jobs.m * folds.across
    counts = {"a": beats, "b": beats, "c": results * jobs.accumulate, "result": results}
    return Timing(cycles, cycles + 1, split, counts)


def _stalled(folds: Folds, jobs: GemmJobs, ports: Env) -> tuple[Ints, Mapping[str, Ints]]:
    """Return cycles and stalls by port: in closed form where it holds, else row by row."""
    columns = (folds.rows, folds.cols, jobs.m, jobs.n, jobs.k, jobs.accumulate)
    rates = {name: port for name, port in ports.items() if isinstance(port, Rate)}
    if len(rates) < len(ports):
        return run_distinct(columns, cycle_loop.run, ports, slice(None))
    paced = closed_form(folds, jobs, rates)
    cycles, stalls = paced.cycles, dict(paced.stalls)
    rest = np.flatnonzero(~paced.holds)
    if len(rest):
        cycles = cycles.copy()
        some, some_stalls = run_distinct(columns, recurrence.run, rates, rest)
        cycles[rest] = some
        for port in PORTS:
            stalls[port] = stalls[port].copy()
            stalls[port][rest] = some_stalls[port]
    return cycles, stalls


def actions(spec: SystolicSpec | SpecBatch, jobs: GemmJobs) -> Mapping[str, Any]:
    """Return how often operands pass PEs: real ones times PEs, those beyond an edge included."""
    folds = folds_of(spec, jobs)
    return {
        "a_hop": jobs.m * jobs.k * folds.across * folds.cols,
        "b_hop": jobs.n * jobs.k * folds.down * folds.rows,
    }
