"""Cycles of the output-stationary array: a closed form, and a recurrence where ports stall.

One job is ``folds_m x folds_n`` folds of an ``rows x cols`` tile of C, m outer. A *step* moves
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

from archsim.engines import NO_STALLS, Data, Env, GemmJobs, Ints, Rate, SpecBatch, Timing
from archsim.engines.offers import check_ports, is_ideal
from archsim.engines.systolic import cycle_loop, recurrence
from archsim.engines.systolic.spec import SystolicSpec

PORTS = ("a", "b", "c", "result")


def time(
    spec: SystolicSpec | SpecBatch, jobs: GemmJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the exact cycles of each job; a batch of specs pairs with the jobs row by row."""
    check_ports(env, PORTS)
    ideal = _ideal(spec, jobs)
    if all(is_ideal(port) for name, port in env.items() if name != "cmd"):
        return ideal
    cycles, split = _stalled(spec, jobs, env)
    split["busy"], split["fill"] = ideal.split["busy"], ideal.split["fill"]
    split["drain"] = cycles + 1 - sum(split.values())
    return Timing(cycles, cycles + 1, split, ideal.beats)


def _ideal(spec: SystolicSpec | SpecBatch, jobs: GemmJobs) -> Timing:
    """Return what jobs take when no port makes them wait."""
    rows, cols = np.asarray(spec.rows), np.asarray(spec.cols)
    folds_m, folds_n = -(-jobs.m // rows), -(-jobs.n // cols)
    last_rows, last_cols = jobs.m - (folds_m - 1) * rows, jobs.n - (folds_n - 1) * cols
    period = np.maximum(jobs.k, np.maximum(rows, cols))
    folds = folds_m * folds_n
    cycles: Ints = (folds - 1) * period + jobs.k + last_rows + cols

    # bubbles outlive the newest beat only in folds with a ragged edge; in the last one, too
    bubbles = period - jobs.k + 2
    dead = cols - last_cols
    dead = dead + (folds_m - 1) * np.maximum(0, bubbles - rows - last_cols)
    dead = dead + (folds_n - 1) * np.maximum(0, bubbles - last_rows - cols)
    none, one = np.zeros_like(cycles), np.ones_like(cycles)
    split = {
        "busy": cycles - 2 - dead,
        "fill": one,
        "drain": dead + 2,
        **{f"stall.{port}": none for port in PORTS},
    }
    beats = folds * jobs.k
    results = jobs.m * folds_n
    counts = {"a": beats, "b": beats, "c": results * jobs.accumulate, "result": results}
    return Timing(cycles, cycles + 1, split, counts)


def _stalled(
    spec: SystolicSpec | SpecBatch, jobs: GemmJobs, env: Env
) -> tuple[Ints, dict[str, Ints]]:
    """Return cycles and stalls by port, computing equal rows once."""
    columns = (spec.rows, spec.cols, jobs.m, jobs.n, jobs.k, jobs.accumulate)
    table = np.stack(np.broadcast_arrays(*columns), axis=1).astype(np.int64)
    unique, where = np.unique(table, axis=0, return_inverse=True)
    found = np.array([_one(env, *row) for row in unique.tolist()], np.int64)
    found = found.reshape(-1, 1 + len(PORTS))[where.reshape(-1)]
    return found[:, 0], {f"stall.{port}": found[:, i + 1] for i, port in enumerate(PORTS)}


def _one(
    env: Env, rows: int, cols: int, m: int, n: int, k: int, accumulate: int
) -> tuple[int, ...]:
    rates = {name: port for name, port in env.items() if isinstance(port, Rate) and name != "cmd"}
    if all(isinstance(port, Rate) for name, port in env.items() if name != "cmd"):
        result = recurrence.run(rows, cols, m, n, k, accumulate, rates)
    else:
        result = cycle_loop.run(rows, cols, m, n, k, accumulate, env)
    return (result.cycles, *(result.stalls[port] for port in PORTS))


def actions(spec: SystolicSpec | SpecBatch, jobs: GemmJobs, timing: Timing) -> Mapping[str, Any]:
    """Return how often each job does what costs energy.

    ``mac`` counts products of real elements; ``pe_clock`` PEs times occupied cycles; ``a_beat``,
    ``b_beat``, ``c_beat``, ``result_beat`` what passes the ports, edge lanes included; ``a_hop``
    and ``b_hop`` real operands times the PEs that they pass, idle PEs beyond an edge included.
    """
    folds_m, folds_n = -(-jobs.m // spec.rows), -(-jobs.n // spec.cols)
    return {
        "mac": jobs.m * jobs.n * jobs.k,
        "a_hop": jobs.m * jobs.k * folds_n * spec.cols,
        "b_hop": jobs.n * jobs.k * folds_m * spec.rows,
        "pe_clock": spec.rows * spec.cols * timing.occupied,
        **{f"{port}_beat": timing.beats[port] for port in PORTS},
    }
