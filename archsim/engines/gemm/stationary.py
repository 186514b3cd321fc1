"""Cycles of arrays in which a tile of an operand stays: a closed form; a recurrence at slow ports.

A *fold* is a ``rows x cols`` tile of B that stays in the PEs, `depth` rows of it real, while rows
of A stream past. Each row becomes a row of sums over the fold; those are added up over the folds
along k in a bank of ``acc_rows`` rows of C; what the last fold along k adds goes out instead of
into the bank. A command with more rows than the bank is cut into *chunks* of ``acc_rows``. Folds
run chunk outermost, then n, then k.

**Steps.** One enable moves everything left of the result queue, a step at a time, and the schedule
says what beats a step needs: so steps do not depend on the ports, only when they are taken does. A
PE holds two elements of B: one that it works with, one in a shadow register. The next fold's tile
is shifted down through the shadow registers, a row of B a step, bottom row first, while the array
works on the current fold.

**Lags.** In a ``skewed`` array operands and sums move one PE a step: PE (i, j) does what PE (0, 0)
does ``i + j`` steps later. In one that is not, all PEs work on the same row at the same time. An
operand is in its PE's register one step after it was fed, and what becomes of it passes ``stages``
more registers, one of them at least:

    span(depth, width) = stages + (depth + width - 2 if skewed)    steps that a row works for
    landing = 1 + span(rows, cols)    steps from a row's feeding to its *landing* in the bank

**Window.** A fold's window begins with the step ``w`` in which PE (0, 0) takes its shadow element
over; the fold's rows of A are fed in steps ``w, w + 1, ...``. The next tile's beats are fed in the
same steps: beat x enters row 0 in step ``w + x`` and moves down a row a step, so nothing reaches
row i before step ``w + i``, in or after the one in which the PE there takes its old element over
(in a skewed array, columns lag in all of this alike). Rows stop shifting with the last beat, which
leaves every row of B in its own. So loading may begin with the window itself, and must have ended
before the next one begins, as must the rows of A:

    period = max(rows of the chunk, depth of the next fold)

Nothing else sets a bound: folds of different columns or chunks follow each other like any others,
and a ragged fold loads its own rows of B only (the shadow registers below hold zero or what lanes
of zeros make harmless).

**The bank.** A row lands in registers of the array; in that step it is added to what the bank holds
for it, which was read one step before, and written. Two folds along k land the same row ``period``
steps apart, 1 at the least; then the row is read in the very step that writes it, and the read
gives the new value. No hazard is left to wait for.

**Ideal ports.** Steps ``0 ... first_depth - 1`` load the first tile, then windows follow each
other; step s runs in cycle ``s + 1``. A row that lands in step x stands at the head of the result
queue one cycle later and leaves in that cycle:

    cycles = first_depth + sum of periods + last chunk's rows + landing + 1

with the periods of all folds but the last. The next command can be accepted one cycle after that.

**Accounts.** A row that is fed in step f works in steps ``f + 1 ... f + span`` of its fold's depth
and width; a step in which some row does is ``busy``. Other steps up to the last that feeds a row
are ``fill`` (elements of B are loaded and nothing works), as is the cycle of the command; those
after it, and cycles after the last step, are ``drain``. A cycle without a step is charged to the
output if a row would land and the queue is full, else to the stationary operand if the step needs a
beat of it that is not offered, else to the streamed one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import Env, GemmJobs, Ints, Rate, Timing
from archsim.engines.gemm import PORTS, stationary_loop, stationary_recurrence
from archsim.engines.gemm.distinct import run_distinct


@dataclass(frozen=True, slots=True)
class StationaryFolds:
    """Folds of n jobs; arrays have shape [n], or none where a single spec gives them.

    Parameters
    ----------
    skewed
        Whether PE (i, j) works ``i + j`` steps behind PE (0, 0), or all on the same row.
    stages
        Registers that a PE's work passes.
    rows, cols
        Of the array.
    chunks, across, deep
        Pieces along m, n and k.
    full_rows, last_rows
        Rows of C in all chunks but the last, and in the last.
    last_cols
        Columns in the folds at the right edge.
    first_depth, last_depth
        Rows of B in the first fold along k, and in the last.
    """

    skewed: bool
    stages: Ints
    rows: Ints
    cols: Ints
    chunks: Ints
    across: Ints
    deep: Ints
    full_rows: Ints
    last_rows: Ints
    last_cols: Ints
    first_depth: Ints
    last_depth: Ints

    @classmethod
    def of(
        cls, jobs: GemmJobs, rows: Any, cols: Any, bank: Any, *, skewed: bool, stages: Any = 1
    ) -> StationaryFolds:
        """Return the folds of jobs on an array, or each on its own of several arrays."""
        rows, cols, bank, stages = (np.asarray(x) for x in (rows, cols, bank, stages))
        chunks, across, deep = -(-jobs.m // bank), -(-jobs.n // cols), -(-jobs.k // rows)
        return cls(
            skewed=skewed,
            stages=stages,
            rows=rows,
            cols=cols,
            chunks=chunks,
            across=across,
            deep=deep,
            full_rows=bank,
            last_rows=jobs.m - (chunks - 1) * bank,
            last_cols=jobs.n - (across - 1) * cols,
            first_depth=np.minimum(jobs.k, rows),
            last_depth=jobs.k - (deep - 1) * rows,
        )

    def span(self, depth: Ints, width: Ints) -> Ints:
        """Return the steps in which a row works in a fold of some extents."""
        return np.asarray(self.stages + (depth + width - 2 if self.skewed else 0))

    @property
    def landing(self) -> Ints:
        """Steps from a row's feeding to its landing."""
        return np.asarray(1 + self.span(self.rows, self.cols))

    @property
    def load_hops(self) -> Ints:
        """Shadow registers that the elements of a column of B are shifted into, in one chunk."""
        full, last = self.first_depth, self.last_depth
        return np.asarray(((self.deep - 1) * full * (full + 1) + last * (last + 1)) // 2)

    def sweep(self, chunk_rows: Ints) -> Ints:
        """Return the steps of all folds along k, each followed by another, in a chunk."""
        periods = (self.deep - 1) * np.maximum(chunk_rows, self.first_depth)
        return np.asarray(periods + np.maximum(chunk_rows, self.last_depth))

    def feeds(self) -> Ints:
        """Return the step that feeds the last row of A."""
        full, last = self.sweep(self.full_rows), self.sweep(self.last_rows)
        windows = self.across * ((self.chunks - 1) * full + last)
        unfollowed = np.maximum(self.last_rows, self.first_depth) - self.last_rows
        return np.asarray(self.first_depth + windows - unfollowed - 1)


def stationary_times(folds: StationaryFolds, jobs: GemmJobs, ports: Env) -> Timing:
    """Return the exact cycles of each job at ports, of which those not named are ideal."""
    ideal = _ideal(folds, jobs)
    if not ports:
        return ideal
    stepwise = any(not isinstance(port, Rate) for port in ports.values())
    run = stationary_loop.run if stepwise else stationary_recurrence.run
    columns = (
        folds.rows, folds.cols, folds.full_rows, folds.landing,
        jobs.m, jobs.n, jobs.k, jobs.accumulate,
    )  # fmt: skip
    cycles, stalls = run_distinct(columns, run, ports, slice(None))
    split = {"busy": ideal.split["busy"], "fill": ideal.split["fill"]}
    split.update({f"stall.{port}": stalls[port] for port in PORTS})
    split["drain"] = cycles + 1 - sum(split.values())
    return Timing(cycles, cycles + 1, split, ideal.beats)


def _ideal(folds: StationaryFolds, jobs: GemmJobs) -> Timing:
    """Return what jobs take when no port makes them wait."""
    cycles = folds.feeds() + folds.landing + 2
    # before any row works: the command's cycle, the first tile's loading, the first row's feeding
    fill = 2 + folds.first_depth + _waits(folds)
    drain = folds.landing + 1 - _live_after(folds, folds.last_rows, folds.last_cols)
    none = np.zeros_like(cycles)
    split = {
        "busy": cycles + 1 - fill - drain,
        "fill": fill,
        "drain": drain,
        **{f"stall.{port}": none for port in PORTS},
    }
    results = jobs.m * folds.across
    beats = {
        "a": results * folds.deep,
        "b": folds.chunks * folds.across * jobs.k,
        "c": results * jobs.accumulate,
        "result": results,
    }
    return Timing(cycles, cycles + 1, split, beats)


def _waits(folds: StationaryFolds) -> Ints:
    """Return the steps in which a tile is waited for and nothing works."""
    waits = (folds.across - 1) * (folds.chunks - 1) * _gap(folds, folds.full_rows, folds.cols)
    waits = waits + (folds.across - 1) * _gap(folds, folds.last_rows, folds.cols)
    waits = waits + (folds.chunks - 1) * _gap(folds, folds.full_rows, folds.last_cols)
    if not folds.skewed:  # else a fold that another along k follows works as long as that one loads
        full, last = _gaps_in_sweep(folds, folds.full_rows), _gaps_in_sweep(folds, folds.last_rows)
        waits = waits + folds.across * ((folds.chunks - 1) * full + last)
    return np.asarray(waits)


def _gaps_in_sweep(folds: StationaryFolds, chunk_rows: Ints) -> Ints:
    """Return the steps without work after folds of a sweep but its last, where no PE lags."""
    gaps = (folds.deep - 2) * _dead(chunk_rows, folds.first_depth, folds.stages)
    gaps = gaps + _dead(chunk_rows, folds.last_depth, folds.stages)
    return np.asarray(np.where(folds.deep > 1, gaps, 0))


def _gap(folds: StationaryFolds, chunk_rows: Ints, width: Ints) -> Ints:
    """Return the steps without work after the last fold along k of some columns."""
    return _dead(chunk_rows, folds.first_depth, _live_after(folds, chunk_rows, width))


def _dead(chunk_rows: Ints, depth_next: Ints, live: Ints) -> Ints:
    """Return the steps without work until the next fold, if rows work so long after the last."""
    return np.asarray(np.maximum(0, np.maximum(chunk_rows, depth_next) + 1 - chunk_rows - live))


def _live_after(folds: StationaryFolds, chunk_rows: Ints, width: Ints) -> Ints:
    """Return for how many steps after the last row of a sweep some row works.

    Besides the sweep's own last fold it may be the fold before, which is as deep as the array, and
    where the columns are the ragged ones at the edge, the same two of the wider sweep before.
    """
    before = np.maximum(chunk_rows, folds.last_depth)  # steps since the fold before fed its last

    def live(width: Ints) -> Ints:
        older = folds.span(folds.first_depth, width) - before
        return np.maximum(folds.span(folds.last_depth, width), older)

    several = (folds.across > 1) & (width < folds.cols)
    wider = live(folds.cols) - folds.sweep(chunk_rows)
    return np.asarray(np.where(several, np.maximum(live(width), wider), live(width)))
