"""Cycles of the weight-stationary array: a closed form, and a recurrence where ports stall.

A *fold* is a ``rows x cols`` tile of B that stays in the PEs, `depth` rows of it real, while rows
of A stream past. Partial sums move down the columns, are brought level at the bottom, and are added
up over the folds along k in a bank of ``acc_rows`` rows of C; what the last fold along k adds goes
out instead of into the bank. A command with more rows than the bank is cut into *chunks* of
``acc_rows``. Folds run chunk outermost, then n, then k.

The input-stationary array is this one with A and B exchanged; see `timing`.

**Steps.** As in os, one enable moves everything left of the result queue, a step at a time, and the
schedule says what beats a step needs: so steps do not depend on the ports, only when they are taken
does. A PE holds two elements of B: one that it works with, one in a shadow register. The next
fold's tile is shifted down through the shadow registers, a row of B a step, bottom row first, while
the array works on the current fold.

**Window.** A fold's window begins with the step ``w`` in which PE (0, 0) takes its shadow element
over; PE (i, j) does in step ``w + i + j``. The fold's rows of A are fed in steps ``w, w + 1, ...``;
through an input register and the skew they reach PE (i, j) from step ``w + i + j + 1`` on. The
next tile's beats are fed in the same steps: beat x enters row 0 of column j in step ``w + x + j``
and moves down a row a step, so nothing reaches row i before step ``w + i + j``, the one in which
the PE there takes its old element over. Rows stop shifting with the last beat, which leaves every
row of B in its own. So loading may begin with the window itself, and must have ended before the
next one begins, as must the rows of A:

    period = max(rows of the chunk, depth of the next fold)

Nothing else sets a bound: folds of different columns or chunks follow each other like any others,
and a ragged fold loads its own rows of B only (the shadow registers below hold zero or what lanes
of zeros make harmless).

**The bank.** A row that is fed in step f is level at the bottom, in registers, in step
``f + rows + cols``: it *lands* there. In that step it is added to what the bank holds for it, which
was read one step before, and written. Two folds along k land the same row ``period`` steps apart,
1 at the least; then the row is read in the very step that writes it, and the read gives the new
value. No hazard is left to wait for.

**Ideal ports.** Steps ``0 ... first_depth - 1`` load the first tile, then windows follow each
other; step s runs in cycle ``s + 1``. A row that lands in step x stands at the head of the result
queue one cycle later and leaves in that cycle:

    cycles = first_depth + sum of periods + last chunk's rows + rows + cols + 1

with the periods of all folds but the last. The next command can be accepted one cycle after that.

**Accounts.** A row that is fed in step f is inside the real rows and columns of its fold in steps
``f + 1 ... f + depth + width - 1``; a step in which some row is, is ``busy``. Other steps up to the
last that feeds a row are ``fill`` (elements of B are loaded and nothing works), as is the cycle of
the command; those after it, and cycles after the last step, are ``drain``. A cycle without a step
is charged to the output if a row would land and the queue is full, else to the stationary operand
if the step needs a beat of it that is not offered, else to the streamed one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import Env, GemmJobs, Ints, Rate, SpecBatch, Timing
from archsim.engines.gemm import PORTS
from archsim.engines.gemm.distinct import run_distinct
from archsim.engines.systolic import stationary_loop, stationary_recurrence
from archsim.engines.systolic.spec import SystolicSpec


@dataclass(frozen=True, slots=True)
class StationaryFolds:
    """Folds of n jobs; arrays have shape [n], or none where a single spec gives them.

    Parameters
    ----------
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
    def of(cls, spec: SystolicSpec | SpecBatch, jobs: GemmJobs) -> StationaryFolds:
        rows, cols, bank = (np.asarray(x) for x in (spec.rows, spec.cols, spec.acc_rows))
        chunks, across, deep = -(-jobs.m // bank), -(-jobs.n // cols), -(-jobs.k // rows)
        return cls(
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


def time(spec: SystolicSpec | SpecBatch, jobs: GemmJobs, ports: Env) -> Timing:
    """Return the exact cycles of each job at ports, of which those not named are ideal."""
    folds = StationaryFolds.of(spec, jobs)
    ideal = _ideal(folds, jobs)
    if not ports:
        return ideal
    stepwise = any(not isinstance(port, Rate) for port in ports.values())
    run = stationary_loop.run if stepwise else stationary_recurrence.run
    columns = (
        folds.rows, folds.cols, folds.full_rows, jobs.m, jobs.n, jobs.k, jobs.accumulate,
    )  # fmt: skip
    cycles, stalls = run_distinct(columns, run, ports, slice(None))
    split = {"busy": ideal.split["busy"], "fill": ideal.split["fill"]}
    split.update({f"stall.{port}": stalls[port] for port in PORTS})
    split["drain"] = cycles + 1 - sum(split.values())
    return Timing(cycles, cycles + 1, split, ideal.beats)


def _ideal(folds: StationaryFolds, jobs: GemmJobs) -> Timing:
    """Return what jobs take when no port makes them wait."""
    feeds = folds.feeds()
    cycles = feeds + folds.rows + folds.cols + 2
    # before any row works: the command's cycle, the first tile's loading, the first row's feeding
    fill = 2 + folds.first_depth + _waits(folds)
    drain = folds.rows + folds.cols + 1 - _live_after(folds, folds.last_rows, folds.last_cols)
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
    """Return the steps in which a tile is waited for and nothing works.

    Only a ragged last fold along k can die out before the next tile is in, a full one: rows of
    other folds work as long as loading takes.
    """
    inner = (folds.across - 1) * (folds.chunks - 1) * _gap(folds, folds.full_rows, folds.cols)
    inner = inner + (folds.across - 1) * _gap(folds, folds.last_rows, folds.cols)
    edge = (folds.chunks - 1) * _gap(folds, folds.full_rows, folds.last_cols)
    return np.asarray(inner + edge)


def _gap(folds: StationaryFolds, chunk_rows: Ints, width: Ints) -> Ints:
    """Return the steps without work after the last fold along k of some columns."""
    period = np.maximum(chunk_rows, folds.first_depth)
    live = _live_after(folds, chunk_rows, width)
    return np.asarray(np.maximum(0, period + 1 - chunk_rows - live))


def _live_after(folds: StationaryFolds, chunk_rows: Ints, width: Ints) -> Ints:
    """Return for how many steps after the last row of a sweep some row works.

    Besides the sweep's own last fold it may be the fold before, which is as deep as the array, and
    where the columns are the ragged ones at the edge, the same two of the wider sweep before.
    """
    before = np.maximum(chunk_rows, folds.last_depth)  # steps since the fold before fed its last
    own = np.maximum(folds.last_depth, folds.first_depth - before) + width
    wider = np.maximum(folds.last_depth, folds.first_depth - before) + folds.cols
    wider = wider - folds.sweep(chunk_rows)
    several = (folds.across > 1) & (width < folds.cols)
    return np.asarray(np.where(several, np.maximum(own, wider), own) - 1)


def actions(spec: SystolicSpec | SpecBatch, jobs: GemmJobs) -> Mapping[str, Any]:
    """Return what moves through the PEs and the bank; `timing.actions` says what counts."""
    folds = StationaryFolds.of(spec, jobs)
    full, last = folds.first_depth, folds.last_depth
    hops = ((folds.deep - 1) * full * (full + 1) + last * (last + 1)) // 2
    landed = jobs.m * folds.across
    return {
        "stream_hop": jobs.m * jobs.k * folds.across * folds.cols,
        "load_hop": folds.chunks * jobs.n * hops,
        "sum_hop": jobs.m * jobs.n * folds.deep * folds.rows,
        "acc_read": landed * (folds.deep - 1),
        "acc_write": landed * (folds.deep - 1),
    }
