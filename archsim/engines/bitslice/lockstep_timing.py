"""Cycles of lockstep arrays: closed forms at ideal ports, recurrences where ports stall.

One job is a grid of folds, each a ``cols x rows`` tile of C, or of its transpose where ``b`` is
encoded. A fold has a beat for each ``group`` slices of k. `lockstep_digits` says how long a beat is
worked on.

**A beat** is taken into the cells at the array's edges, and worked on from the next cycle on. In
the last cycle of that the next one is taken. So beats follow without a gap.

**A fold** ends with its last beat's work. ``stages`` cycles later its sums are in the drain
registers, all at once, and its rows leave, one a cycle. The next fold may end in the cycle in which
the last row leaves its register, no earlier; all that the array still has to do comes after it and
holds no row back, so nothing waits for itself.

**Ideal ports.** The first beat is taken in cycle 1. With ``work`` of a fold the sum of its beats'
cycles, the first fold ends in cycle ``1 + work`` and each next one
``max(work, stages + rows of the fold before)`` after the one before. The last fold's bottom row
goes ``stages + its rows + 1`` cycles after its end, and the next command can be accepted one later.

**Accounts.** A cycle in which a beat is worked on is ``busy``. ``fill`` is the cycle of the command
and the one that takes the first beat. Another cycle without a beat is charged to the operand that
was missing the cycle before; a cycle in which a fold may not end, or after the last fold has, to
what the row at the port waits for, or else to ``drain``.

**Without values** of the operands, work is the mean that `lockstep_digits` finds, each fold's
rounded to whole cycles and spread evenly over its beats; ``lo`` and ``hi`` are for beats that all
take one cycle, and the most that a beat can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from archsim.engines import NO_STALLS, Data, Env, Floats, Ints, Rate, Timing
from archsim.engines.bitslice import lockstep_loop, lockstep_recurrence
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import (
    beat_cycles,
    longest_beat,
    mean_beats,
    reads_values,
    shares,
)
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm import PORTS
from archsim.engines.offers import check_ports, is_ideal

STAGES = {"laconic": 3, "bitlet": 2}  # from handing out to a sum; as in the PEs' RTL
FILL_CYCLES = 2


def time(
    spec: BitsliceSpec, jobs: BitsliceJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the cycles of each job.

    Exact where jobs name the operands that the PE's time depends on, and ``data`` has them.
    """
    check_ports(env, PORTS)
    ports = {name: port for name, port in env.items() if name != "cmd" and not is_ideal(port)}
    likely, lo, hi = (_none(len(jobs)) for _ in range(3))
    known = _known(spec, jobs, data)
    for i in np.flatnonzero(known).tolist():
        assert data is not None
        found = _exact(spec, jobs, i, ports, data)
        for times in (likely, lo, hi):
            times.put(i, found)
    rest = np.flatnonzero(~known)
    if len(rest):
        some = jobs.take(rest)
        for times, work in zip((likely, lo, hi), _works(spec, some), strict=True):
            times.put(rest, _of_folds(spec, some, work, ports))
    bounds: dict[str, Any] = {"kind": "expected", "lo": lo.cycles, "hi": hi.cycles}
    exact = bool(known.all())
    return Timing(
        likely.cycles,
        likely.cycles + 1,
        likely.split(),
        _beats(spec, jobs),
        **({} if exact else bounds),
    )


@dataclass(frozen=True, slots=True)
class _Times:
    """Cycles of some jobs, and those of them in which a beat was worked on, or a port missed."""

    cycles: Ints
    busy: Ints
    stalls: Mapping[str, Ints]

    def put(self, rows: Any, some: _Times) -> None:
        self.cycles[rows], self.busy[rows] = some.cycles, some.busy
        for port, stalled in some.stalls.items():
            self.stalls[port][rows] = stalled

    def split(self) -> dict[str, Ints]:
        found = {"busy": self.busy, "fill": np.full_like(self.cycles, FILL_CYCLES)}
        found |= {f"stall.{port}": self.stalls[port] for port in PORTS}
        found["drain"] = self.cycles + 1 - sum(found.values())
        return found


def _none(count: int) -> _Times:
    cycles, busy, *stalls = np.zeros((2 + len(PORTS), count), np.int64)
    return _Times(cycles, busy, dict(zip(PORTS, stalls, strict=True)))


# ---------------------------------------------------------------------------------------- folds


@dataclass(frozen=True, slots=True)
class _Folds:
    """Folds of n jobs: down and across the array's grid, rows of C in the last ones, beats."""

    down: Ints
    across: Ints
    last_rows: Ints
    last_others: Ints
    beats: Ints
    last_group: Ints


def _folds(spec: BitsliceSpec, jobs: BitsliceJobs) -> _Folds:
    lanes, others = (jobs.m, jobs.n) if spec.encoded == "a" else (jobs.n, jobs.m)
    down, across = -(-lanes // spec.cols), -(-others // spec.rows)
    beats = -(-jobs.k // spec.group)
    return _Folds(
        down=down,
        across=across,
        last_rows=lanes - (down - 1) * spec.cols,
        last_others=others - (across - 1) * spec.rows,
        beats=beats,
        last_group=jobs.k - (beats - 1) * spec.group,
    )


def _beats(spec: BitsliceSpec, jobs: BitsliceJobs) -> Mapping[str, Ints]:
    folds = _folds(spec, jobs)
    operands = folds.down * folds.across * folds.beats
    results = (jobs.m if spec.encoded == "a" else jobs.n) * folds.across
    return {"a": operands, "b": operands, "c": results * jobs.accumulate, "result": results}


# ---------------------------------------------------------------------------------- with values


def _known(spec: BitsliceSpec, jobs: BitsliceJobs, data: Data | None) -> NDArray[np.bool_]:
    """Return of which jobs the values that decide on time are there."""
    ports = reads_values(spec)
    if data is None or jobs.refs is None:
        return np.zeros(len(jobs), np.bool_)
    return np.array([all(refs.get(port) in data for port in ports) for refs in jobs.refs], np.bool_)


def _exact(spec: BitsliceSpec, jobs: BitsliceJobs, i: int, ports: Env, data: Data) -> _Times:
    assert jobs.refs is not None
    m, n, k = (int(extent[i]) for extent in (jobs.m, jobs.n, jobs.k))
    shapes = {"a": (m, k), "b": (k, n)}
    operands = {port: np.zeros(shape, np.int64) for port, shape in shapes.items()}
    for port in reads_values(spec):
        operands[port] = np.asarray(data[jobs.refs[i][port]], np.int64)
    steps = beat_cycles(spec, operands["a"], operands["b"])
    folds = _folds(spec, jobs.take(np.array([i])))
    rows = np.full((folds.down[0], folds.across[0]), spec.cols)
    rows[-1] = folds.last_rows[0]
    return _run(spec, steps, rows.ravel(), ports, accumulate=bool(jobs.accumulate[i]))


def _run(spec: BitsliceSpec, steps: Ints, rows: Ints, ports: Env, *, accumulate: bool) -> _Times:
    """Return the times of one job, whose beats are worked on for ``steps`` [folds, beats]."""
    stages, busy = STAGES[spec.pe], int(steps.sum())
    if not ports:
        work = steps.sum(axis=1)
        end = 1 + work[0] + np.maximum(work[1:], stages + rows[:-1]).sum()
        cycles = int(end + stages + rows[-1] + 1)
        stalls = dict.fromkeys(PORTS, 0)
    else:
        rates = {name: port for name, port in ports.items() if isinstance(port, Rate)}
        if len(rates) == len(ports):
            run = lockstep_recurrence.run(steps, rows, stages, rates, accumulate=accumulate)
        else:
            run = lockstep_loop.run(steps, rows, stages, ports, accumulate=accumulate)
        cycles, stalls = run.cycles, dict(run.stalls)
    return _Times(cast(Any, cycles), cast(Any, busy), cast(Any, stalls))


# ------------------------------------------------------------------------------- without values


@dataclass(frozen=True, slots=True)
class _Work:
    """Cycles that folds of n jobs are worked on; inner ones, at the right, the bottom, both."""

    inner: Ints
    right: Ints
    bottom: Ints
    corner: Ints


def _works(spec: BitsliceSpec, jobs: BitsliceJobs) -> tuple[_Work, _Work, _Work]:
    """Return the work that is expected, the least and the most."""
    folds = _folds(spec, jobs)
    everywhere = [_Work(*(folds.beats * each,) * 4) for each in (1, longest_beat(spec))]
    full, others = np.full_like(folds.last_rows, spec.cols), np.full_like(folds.down, spec.rows)
    likely = (
        _mean_work(spec, jobs, folds, lanes, other)
        for lanes in (full, folds.last_rows)
        for other in (others, folds.last_others)
    )
    return _Work(*likely), everywhere[0], everywhere[1]


def _mean_work(
    spec: BitsliceSpec, jobs: BitsliceJobs, folds: _Folds, lanes: Ints, others: Ints
) -> Ints:
    """Return the mean work of folds with so many lanes of either operand, in whole cycles."""
    means = np.empty((2, len(jobs)))
    groups = (np.full_like(lanes, spec.group), folds.last_group)
    for row, rows in _alike(jobs.nonzero):
        told = shares(spec, row)
        for mean, group in zip(means, groups, strict=True):
            mean[rows] = mean_beats(spec, told, lanes[rows], others[rows], group[rows])
    work: Ints = np.rint((folds.beats - 1) * means[0] + means[1]).astype(np.int64)
    return work


def _alike(nonzero: Floats) -> Iterator[tuple[Floats, Ints]]:
    """Yield each different row and the jobs that have it."""
    comparable = np.nan_to_num(nonzero, nan=-1)  # no NaN equals another
    _, first, row_of = np.unique(comparable, axis=0, return_index=True, return_inverse=True)
    for row, its_first in enumerate(first.tolist()):
        yield nonzero[its_first], np.flatnonzero(row_of.reshape(-1) == row)


def _of_folds(spec: BitsliceSpec, jobs: BitsliceJobs, work: _Work, ports: Env) -> _Times:
    folds, stages = _folds(spec, jobs), STAGES[spec.pe]
    if ports:
        return _at_ports(spec, jobs, folds, work, ports)
    top = folds.down > 1  # there are folds above the bottom ones
    first = np.where(
        top,
        np.where(folds.across > 1, work.inner, work.right),
        np.where(folds.across > 1, work.bottom, work.corner),
    )
    after_full, after_last = stages + spec.cols, stages + folds.last_rows

    def row_of_folds(inner: Ints, right: Ints, before: Any) -> Ints:
        """Return how long folds take that follow others of their row."""
        found: Ints = np.where(
            folds.across > 1,
            (folds.across - 2) * np.maximum(inner, before) + np.maximum(right, before),
            0,
        )
        return found

    leftmost = np.where(folds.across > 1, work.inner, work.right)
    leftmost_below = np.where(folds.across > 1, work.bottom, work.corner)
    upper = (folds.down - 1) * row_of_folds(work.inner, work.right, after_full)
    upper = upper + np.maximum(folds.down - 2, 0) * np.maximum(leftmost, after_full)
    lower = row_of_folds(work.bottom, work.corner, after_last)
    lower = lower + np.where(top, np.maximum(leftmost_below, after_full), 0)
    cycles = 1 + first + upper + lower + stages + folds.last_rows + 1
    return _Times(cycles, _busy(folds, work), {port: np.zeros_like(cycles) for port in PORTS})


def _busy(folds: _Folds, work: _Work) -> Ints:
    across, down = folds.across - 1, folds.down - 1
    found: Ints = down * (across * work.inner + work.right) + across * work.bottom + work.corner
    return found


def _at_ports(
    spec: BitsliceSpec, jobs: BitsliceJobs, folds: _Folds, work: _Work, ports: Env
) -> _Times:
    """Return what jobs take whose work is spread evenly over the beats of each fold."""
    found = _none(len(jobs))
    columns = np.stack(
        [folds.down, folds.across, folds.beats, folds.last_rows, jobs.accumulate,
         work.inner, work.right, work.bottom, work.corner], axis=1,
    )  # fmt: skip
    cases, of_case = np.unique(columns, axis=0, return_inverse=True)
    for case, (down, across, beats, last_rows, accumulate, *works) in enumerate(cases.tolist()):
        spread = [np.diff(np.arange(beats + 1) * each // beats) for each in works]
        steps = np.empty((down, across, beats), np.int64)
        steps[:-1, :-1], steps[:-1, -1], steps[-1, :-1], steps[-1, -1] = spread
        rows = np.full((down, across), spec.cols)
        rows[-1] = last_rows
        one = _run(spec, steps.reshape(-1, beats), rows.ravel(), ports, accumulate=bool(accumulate))
        found.put(of_case.reshape(-1) == case, one)
    return found


# ---------------------------------------------------------------------------------------- actions


def actions(spec: BitsliceSpec, jobs: BitsliceJobs, timing: Timing) -> dict[str, Any]:
    """Return how often each job does what costs energy.

    ``term`` counts live pairs of terms, or picked bits, of real elements, in PEs; ``pe_step`` PEs
    times cycles with a beat to work on; ``edge_step`` those cycles; ``pe_clock`` PEs times occupied
    cycles; ``a_beat``, ``b_beat``, ``c_beat``, ``result_beat`` what passes the ports.
    """
    terms = np.empty(len(jobs), np.int64)
    for nonzero, rows in _alike(jobs.nonzero):
        a_product = np.prod([digits.sum() for digits in shares(spec, nonzero)])
        terms[rows] = np.rint(jobs.m[rows] * jobs.n[rows] * jobs.k[rows] * a_product)
    busy = timing.split["busy"]
    return {
        "term": terms,
        "pe_step": spec.pes * busy,
        "edge_step": busy,
        "pe_clock": spec.pes * timing.occupied,
        **{f"{port}_beat": timing.beats[port] for port in PORTS},
    }
