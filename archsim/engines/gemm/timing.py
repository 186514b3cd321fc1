"""Times of jobs on arrays that keep the sums, whatever their ports are made to wait for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from archsim.engines import Env, GemmJobs, Ints, Rate, Timing
from archsim.engines.gemm import PORTS, cycle_loop, recurrence
from archsim.engines.gemm.cycle_loop import Stalled
from archsim.engines.gemm.distinct import run_distinct
from archsim.engines.gemm.folds import Folds
from archsim.engines.gemm.paced import closed_form


def fold_times(folds: Folds, jobs: GemmJobs, busy: Ints, ports: Env) -> Timing:
    """Return the exact cycles of each job at ports, of which those not named are ideal.

    Parameters
    ----------
    busy
        Steps of each job in which some PE works on its fold.
    """
    if ports:
        cycles, stalls = _stalled(folds, jobs, ports)
    else:
        last = folds.beats + folds.last_rows + folds.tail + folds.way
        cycles = (folds.count - 1) * folds.period + last + 1
        stalls = dict.fromkeys(PORTS, np.zeros_like(cycles))
    occupied = cycles + 1 + folds.late  # the last charge is counted late, too
    split = {"busy": busy, "fill": np.ones_like(cycles)}
    split.update({f"stall.{port}": stalls[port] for port in PORTS})
    split["drain"] = occupied - sum(split.values())
    beats = folds.count * folds.beats
    results = jobs.m * folds.across
    counts = {"a": beats, "b": beats, "c": results * jobs.accumulate, "result": results}
    return Timing(cycles, occupied, split, counts)


def skewed_busy(folds: Folds) -> Ints:
    """Return the steps in which some beat is inside its fold's rows and columns, or behind them.

    Bubbles outlive the newest beat only in folds with a ragged edge; in the last one, too.
    """
    steps = (folds.count - 1) * folds.period + folds.beats + folds.behind
    steps = steps + folds.last_rows + folds.cols - 2
    bubbles = folds.period - folds.beats + 2 - folds.behind
    dead = folds.cols - folds.last_cols
    dead = dead + (folds.down - 1) * np.maximum(0, bubbles - folds.rows - folds.last_cols)
    dead = dead + (folds.across - 1) * np.maximum(0, bubbles - folds.last_rows - folds.cols)
    return np.asarray(steps - dead)


def _stalled(folds: Folds, jobs: GemmJobs, ports: Env) -> tuple[Ints, Mapping[str, Ints]]:
    """Return cycles and stalls by port: in closed form where it holds, else row by row."""
    columns = (
        *(folds.rows, folds.cols, jobs.m, jobs.n, folds.beats, jobs.accumulate),
        *(folds.passes, folds.behind, folds.late),
    )
    rates = {name: port for name, port in ports.items() if isinstance(port, Rate)}
    if len(rates) < len(ports):
        run = partial(_run, cycle_loop.run, folds.skewed)
        return run_distinct(columns, run, ports, slice(None))
    paced = closed_form(folds, jobs, rates)
    cycles, stalls = paced.cycles, dict(paced.stalls)
    rest = np.flatnonzero(~paced.holds)
    if len(rest):
        cycles = cycles.copy()
        run = partial(_run, recurrence.run, folds.skewed)
        some, some_stalls = run_distinct(columns, run, rates, rest)
        cycles[rest] = some
        for port in PORTS:
            stalls[port] = stalls[port].copy()
            stalls[port][rest] = some_stalls[port]
    return cycles, stalls


def _run(run: Callable[..., Stalled], skewed: bool, *job: Any) -> Stalled:
    """Run one job, whose passes, steps behind and lateness come before the ports."""
    *extents, passes, behind, late, ports = job
    return run(*extents, ports, skewed=skewed, passes=passes, behind=behind, late=late)
