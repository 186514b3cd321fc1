"""Cycles of arrays of columns: exact from an operand's values, expected from its digits' shares.

One job is a grid of folds, each a ``cols x rows`` tile of C, or of its transpose where ``b`` is
encoded. A fold's k comes in chunks, a chunk takes a *pass* for each bit weight, lowest first, and a
pass takes each column once round its ring of banks (`archsim.engines.bitslice.chunks`).

**Digits.** A lane of a column works on one group of digits after the other. It issues one that is
not zero a cycle; a group of zeros takes a cycle, too. It may enter a bank only when the column
before it in the ring, which began ``slack`` banks ahead, has left it: `column_passes`.

**Turns.** When all lanes of a column are through with a pass, its sums move on: in the next cycle,
but not before the cycle after the one in which the sums of the pass before were taken by the result
lanes. In the cycle of its turn a column may begin the next pass. After the last pass of a chunk,
and with ``sync: pass`` after each, it waits: all begin in the cycle after the last one's turn.

**Result lanes** take the sums of a column a cycle, four cycles after its turn or later. Columns go
in turn, the first to the last with rows of C, pass by pass. Three cycles later sums are added to C;
after the last pass of a fold they are a row of results, which queues, and can leave in the cycle
after. When the queue, of two rows, is full, the lanes stop. A column's sums are taken two cycles
after its last ones, or later.

**Loading.** Beats of ``a`` and ``b`` are taken together, one a cycle from cycle 1 on, into one half
of the buffers, while columns work on the other. A chunk's first beat waits until the chunk before
the last is done: to the cycle after all columns began to go on. Four cycles after a chunk's last
beat its first digits can be issued.

**Ideal ports** leave a recurrence over chunks. What a chunk takes does not depend on when it begins
as long as the result lanes keep up, which is checked; else, and where ports stall, the job is run
event by event: `column_schedule`.

**Accounts.** A cycle in which some lane issues is ``busy``. Another one is charged to what the row
at the exit waits for; else to ``drain``, if columns wait for turns or for each other; else to the
operand that the loader misses; else to ``fill`` while there is something left to begin, then to
``drain``.

**Without values** `columns_expected` draws digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import NO_STALLS, Data, Env, Ints, Timing
from archsim.engines.bitslice import column_ideal, column_schedule
from archsim.engines.bitslice.chunks import bank_costs, chunks_of
from archsim.engines.bitslice.column_schedule import Work
from archsim.engines.bitslice.columns_beats import encoded_operand
from archsim.engines.bitslice.columns_expected import Expected, expected
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import shares
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm import PORTS
from archsim.engines.offers import check_ports, is_ideal

COUNTS = ("digits", "empty", "bank_wait", "sync_wait")
SPLIT = ("busy", "fill", *(f"stall.{port}" for port in PORTS), "drain")


def time(
    spec: BitsliceSpec, jobs: BitsliceJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the cycles of each job, exact where jobs name an operand that ``data`` has."""
    check_ports(env, PORTS)
    ports = {name: port for name, port in env.items() if name != "cmd" and not is_ideal(port)}
    told: dict[Any, Any] = {}  # equal jobs are looked at once, and equal shares
    known = [] if data is None else [i for i in range(len(jobs)) if _knows(spec, jobs, i, data)]
    found = {} if data is None else _with_values(spec, jobs, known, ports, data)
    rows = [
        found[row] if row in found else _without(spec, jobs, row, ports, told)
        for row in range(len(jobs))
    ]

    def column(values: Iterable[int]) -> Ints:
        return np.fromiter(values, np.int64, len(rows))

    exact = all(row.lo == row.hi for row in rows)
    return Timing(
        column(row.cycles for row in rows),
        column(row.occupied for row in rows),
        {name: column(row.split[name] for row in rows) for name in SPLIT},
        beats(spec, jobs),
        {name: column(row.counts[name] for row in rows) for name in COUNTS},
        "exact" if exact else "expected",
        None if exact else column(row.lo for row in rows),
        None if exact else column(row.hi for row in rows),
    )


def actions(spec: BitsliceSpec, jobs: BitsliceJobs, timing: Timing) -> Mapping[str, Ints]:
    """Return how often each job does what costs energy.

    ``digit`` counts digits that a PE adds up, those of zero lanes at edges too; ``issue`` digits
    that a column finds; ``group`` groups that it looks at; ``turn`` sums of PEs that leave, a pass
    each; ``acc_read`` and ``acc_write`` rows of C that are kept between passes; ``pe_clock`` PEs
    times occupied cycles; ``a_beat``, ``b_beat``, ``c_beat``, ``result_beat`` what passes the
    ports.
    """
    tall, wide = extents(spec, jobs)
    across = -(-wide // spec.rows)
    chunks = -(-jobs.k // spec.depth)
    beats_of_k = -(-jobs.k // spec.lanes)
    groups = -(-beats_of_k // spec.group) * -(-tall // spec.cols) * spec.cols
    turns = tall * across * chunks * spec.passes
    return {
        "digit": timing.counts["digits"] * spec.rows,
        "issue": timing.counts["digits"],
        "group": groups * across * spec.lanes * spec.passes,
        "turn": turns * spec.rows,
        "acc_read": turns - tall * across,
        "acc_write": turns - tall * across,
        "pe_clock": spec.pes * timing.occupied,
        **{f"{port}_beat": timing.beats[port] for port in PORTS},
    }


def beats(spec: BitsliceSpec, jobs: BitsliceJobs) -> Mapping[str, Ints]:
    """Return the beats of each port."""
    tall, wide = extents(spec, jobs)
    across = -(-wide // spec.rows)
    operands = -(-tall // spec.cols) * across * -(-jobs.k // spec.lanes)
    results = tall * across
    return {"a": operands, "b": operands, "c": results * jobs.accumulate, "result": results}


def extents(spec: BitsliceSpec, jobs: BitsliceJobs) -> tuple[Ints, Ints]:
    """Return the extents of C along columns of the array, and along the PEs of a column."""
    return (jobs.m, jobs.n) if spec.encoded == "a" else (jobs.n, jobs.m)


# ---------------------------------------------------------------------------------------- a job


@dataclass(frozen=True, slots=True)
class _Row:
    """A job's row of the timing; the bounds are equal where it is exact."""

    cycles: int
    lo: int
    hi: int
    occupied: int
    split: Mapping[str, int]
    counts: Mapping[str, int]


def _knows(spec: BitsliceSpec, jobs: BitsliceJobs, row: int, data: Data) -> bool:
    return jobs.refs is not None and jobs.refs[row].get(spec.encoded) in data


def _with_values(
    spec: BitsliceSpec, jobs: BitsliceJobs, rows: list[int], ports: Env, data: Data
) -> dict[int, _Row]:
    """Return the jobs whose encoded operands are there, by row."""
    counted: list[tuple[int, int]] = []  # digits, and those of groups of zeros

    def works() -> Iterator[Work]:
        for row in rows:
            work, digits = work_of(spec, jobs, row, data)
            slots = work.across * sum(int(costs.sum()) for costs in work.costs)
            counted.append((work.across * digits, slots - work.across * digits))
            yield work

    found = (
        [column_schedule.run(spec, work, ports) for work in works()]
        if ports
        else column_ideal.run_all(spec, works())
    )
    return {
        row: _Row(
            x.cycles, x.cycles, x.cycles, x.occupied, x.split,
            {"digits": digits, "empty": empty, **x.waits},
        )
        for row, x, (digits, empty) in zip(rows, found, counted, strict=True)
    }  # fmt: skip


def work_of(spec: BitsliceSpec, jobs: BitsliceJobs, row: int, data: Data) -> tuple[Work, int]:
    """Return the work of a job whose encoded operand is there, and that operand's digits."""
    encoded = encoded_operand(spec, jobs, row, data)
    tall, k = encoded.shape
    chunks = tuple(chunks_of(spec, k))
    costs, nonzero = zip(*(bank_costs(spec, chunk, encoded) for chunk in chunks), strict=True)
    wide = int(extents(spec, jobs)[1][row])
    live = tuple(min(spec.cols, tall - top) for top in range(0, tall, spec.cols))
    work = Work(chunks, costs, live, -(-wide // spec.rows), bool(jobs.accumulate[row]))
    return work, sum(int(digits.sum()) for digits in nonzero)


def _without(
    spec: BitsliceSpec,
    jobs: BitsliceJobs,
    row: int,
    ports: Env,
    told: dict[Any, Any],
) -> _Row:
    known = jobs.nonzero[row].tobytes()
    if known not in told:
        (likely,) = shares(spec, jobs.nonzero[row])
        told[known] = tuple(likely.tolist())
    tall, wide = (int(extent[row]) for extent in extents(spec, jobs))
    key = (tall, wide, int(jobs.k[row]), told[known], bool(jobs.accumulate[row]))
    if key not in told:
        told[key] = expected(spec, *key, ports)
    found: Expected = told[key]
    hi = max(found.hi, found.lo + 1)  # never taken for exact
    return _Row(found.cycles, found.lo, hi, found.cycles + 1, found.split, found.counts)
