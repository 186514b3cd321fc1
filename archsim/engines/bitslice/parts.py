"""The two designs of the bit-slice engine under one set of faces: which of them a spec asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import (
    NO_STALLS,
    Case,
    Data,
    Env,
    GemmJobs,
    Ints,
    Port,
    SpecBatch,
    Timing,
)
from archsim.engines.bitslice import (
    columns_beats,
    columns_cases,
    columns_estimate,
    columns_timing,
    lockstep_beats,
    lockstep_cases,
    lockstep_timing,
)
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import told
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.environments import Rng
from archsim.engines.gemm import lowering
from archsim.trace import Op

Spec = BitsliceSpec | SpecBatch
Tallies = Mapping[str, NDArray[Any]]


def lower(spec: BitsliceSpec, op: Op, mapping: Any, data: Tallies | None = None) -> BitsliceJobs:
    """Return one job a step of the mapping, each with the shares of digits that tallies tell."""
    jobs = lowering.lower(spec, op, mapping)
    return with_shares(jobs, told(spec, data or {}))


def with_shares(jobs: GemmJobs, shares: NDArray[np.float64]) -> BitsliceJobs:
    """Return jobs that all have the same shares of digits."""
    columns = {f.name: getattr(jobs, f.name) for f in fields(jobs)}
    return BitsliceJobs(**columns, nonzero=np.tile(shares, (len(jobs), 1)))


def time(spec: Spec, jobs: BitsliceJobs, env: Env = NO_STALLS, data: Data | None = None) -> Timing:
    """Return the cycles of each job; a batch of specs pairs with the jobs row by row.

    Exact where jobs name the operands that the PE's time depends on, and ``data`` has them.
    """
    if not isinstance(spec, SpecBatch):
        found: Timing = _part(spec, columns_timing, lockstep_timing).time(spec, jobs, env, data)
        return found
    parts = [(rows, time(one, jobs.take(rows), env, data)) for one, rows in _by_spec(spec)]
    return _joined(len(jobs), parts)


def estimate(spec: BitsliceSpec, jobs: BitsliceJobs) -> Timing:
    """Return about what `time` says of jobs without values, at ports that do not stall."""
    return columns_estimate.estimate(spec, jobs) if spec.in_columns else time(spec, jobs)


def actions(spec: Spec, jobs: BitsliceJobs, timing: Timing) -> Mapping[str, Any]:
    """Return how often each job does what costs energy: see the parts' ``actions``."""
    if not isinstance(spec, SpecBatch):
        found: Mapping[str, Any] = _part(spec, columns_timing, lockstep_timing).actions(
            spec, jobs, timing
        )
        return found
    parts = [
        (rows, actions(one, jobs.take(rows), _taken(timing, rows))) for one, rows in _by_spec(spec)
    ]
    return _columns(len(jobs), parts)


def ports(spec: BitsliceSpec) -> Mapping[str, Port]:
    """Return the streams: see the parts' ``ports`` for the order of beats."""
    found: Mapping[str, Port] = _part(spec, columns_beats, lockstep_beats).ports(spec)
    return found


def pack(spec: BitsliceSpec, jobs: GemmJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    found: Mapping[str, Any] = _part(spec, columns_beats, lockstep_beats).pack(
        spec, jobs, row, data
    )
    return found


def unpack(
    spec: BitsliceSpec, jobs: GemmJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats on port ``result``."""
    found: Mapping[str, NDArray[Any]] = _part(spec, columns_beats, lockstep_beats).unpack(
        spec, jobs, row, beats
    )
    return found


# three arrays of columns and three in lockstep: with what `columns_cases` and `lockstep_cases` hold
# besides, a run of each finds all choices
SPECS = (
    *(columns_cases.SPECS[i] for i in (0, 1, 2)),
    *(lockstep_cases.LACONIC[1], lockstep_cases.BITLET[0], columns_cases.SPECS[3]),
)


def cases(rng: Rng, spec: BitsliceSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for."""
    found = []
    for i, child in enumerate(rng.spawn(count)):
        chosen = spec or SPECS[i % len(SPECS)]
        case = _part(chosen, columns_cases, lockstep_cases).case
        found.append(case(child, i, chosen))
    return found


# ---------------------------------------------------------------------------------------- batches


def _part(spec: BitsliceSpec, columns: Any, lockstep: Any) -> Any:
    return columns if spec.in_columns else lockstep


def _by_spec(batch: SpecBatch) -> Iterator[tuple[BitsliceSpec, Ints]]:
    """Yield each different spec of a batch and the rows that it stands for."""
    rows: dict[Any, list[int]] = {}
    for row, one in enumerate(batch.specs()):
        rows.setdefault(one, []).append(row)
    for one, its_rows in rows.items():
        yield one, np.array(its_rows)


def _columns(count: int, parts: Sequence[tuple[Ints, Mapping[str, Ints]]]) -> dict[str, Ints]:
    """Return columns of which each part has some rows, zero where a part lacks one."""
    found: dict[str, Ints] = {}
    for rows, columns in parts:
        for name, values in columns.items():
            found.setdefault(name, np.zeros(count, np.asarray(values).dtype))[rows] = values
    return found


def _joined(count: int, parts: Sequence[tuple[Ints, Timing]]) -> Timing:
    def joined(read: Callable[[Timing], Mapping[str, Ints]]) -> dict[str, Ints]:
        return _columns(count, [(rows, read(timing)) for rows, timing in parts])

    whole = joined(
        lambda t: {
            "cycles": t.cycles,
            "occupied": t.occupied,
            "lo": t.cycles if t.lo is None else t.lo,
            "hi": t.cycles if t.hi is None else t.hi,
        }
    )
    exact = all(timing.kind == "exact" for _, timing in parts)
    return Timing(
        whole["cycles"],
        whole["occupied"],
        joined(lambda t: t.split),
        joined(lambda t: t.beats),
        joined(lambda t: t.counts),
        "exact" if exact else "expected",
        None if exact else whole["lo"],
        None if exact else whole["hi"],
    )


def _taken(timing: Timing, rows: Ints) -> Timing:
    """Return the timing of some rows; bounds are not in it."""

    def taken(columns: Mapping[str, Ints]) -> dict[str, Ints]:
        return {name: values[rows] for name, values in columns.items()}

    return Timing(
        timing.cycles[rows],
        timing.occupied[rows],
        taken(timing.split),
        taken(timing.beats),
        taken(timing.counts),
        timing.kind,
    )
