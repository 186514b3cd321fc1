"""Cycles of the hash SpGEMM engine: the rules that its RTL follows, too.

**Registers decide.** What happens in a cycle follows from what queues and registers hold when it
begins, and is there from the next cycle on. All queues hold ``queue`` words.

**Memory.** One request a cycle moves into the port's register, if that is empty or being emptied.
First come reads of fetch: bounds of a row of B, then nonzeros of A, then rows; then lanes, the
first that asks from the one after the last granted on; write-back comes when all of them are done.
A read is only asked for if there is room for its word, so a word is always taken when it comes.

**Distributor.** Words of rows are read ahead. As each comes, the rule of `archsim.sparse.hashing`
says whether its row is in the window, and lays out its sub-table. One that is goes into a queue,
and from the next cycle on its nonzeros may be asked for. One that is not ends the window: it and
those on their way are dropped, and no more are asked for.

**Fetch.** Nonzeros of A are read ahead into a queue. A row is taken in a cycle, once the one before
it has given all its nonzeros. A nonzero leaves with the read of its bounds; both together make a
token.

**Tokens.** One leaves a cycle. ``nonzero``: to the first lane that is free, from the one after the
last served on; a lane is free when all words of its tokens are asked for. ``row``: so for the first
of a row, and the others follow it. ``static``: to lane ``row mod lanes``. Where they follow a row,
``queue`` of them wait at a lane, which begins one in a cycle in which it has no words to ask for.

**Lanes.** A lane reads its token's row of B, a word a request, and may then take the next token.
Words wait in order; one a cycle is multiplied, into the empty product register or one that is just
emptied. A word outside the window's columns leaves it empty. An operation that goes again has the
way, in the order they came back; then comes the product register's.

**Banks.** Slot s is in bank ``s mod banks``. A bank begins an operation a cycle, that of the first
lane that wants it from the one after the last granted on. It has the slot in the next cycle,
compares, writes, and in the cycle after that an operation may go again: on the next slot if it
found another entry, or to add. With ``comparators`` c a bank holds lines of c slots, line l being
in bank ``l mod banks``, and an operation looks at a line, from its first slot to the one with its
entry or with none. ``fused``, it adds there; under ``cas_add`` an addition takes a comparator, too,
so after the last one it goes again. That makes NeuraSim's ``1 + floor((collisions + 1) / c)``.

**Write-back** begins two cycles after the cycle in which the last operation ended at a bank: one
sees that all is done. ``scan`` spends a cycle to read the first slot and one for each slot;
``dense`` two to fill its pipeline, one for each entry and one between banks. A cycle that has an
entry waits for the port's register. One more writes how many entries there were, and the job ends
when that word is accepted.

**Accounts.** Until write-back a cycle is ``busy`` if a bank begins an operation, else it is charged
to ``mem`` if reads are in flight, else it is ``fill``, as the command's own is. From then on it is
``drain``, or charged to ``mem`` if a write is refused.

**Exactness.** These rules run cycle by cycle for windows of ops of up to ``exact_limit`` products
whose patterns are known. Others are ``bound``: see `archsim.engines.hash_spgemm.estimate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from archsim.engines import NO_STALLS, Data, Env, Ints, SpecBatch, Timing
from archsim.engines.hash_spgemm.cycle_loop import Tally, WindowLoop
from archsim.engines.hash_spgemm.estimate import bounds
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec, WindowJobs
from archsim.engines.hash_spgemm.window import window
from archsim.engines.memory_side import check_memory_ports

NONE = np.zeros(0, np.int64)


def time(
    spec: HashSpgemmSpec | SpecBatch,
    jobs: WindowJobs,
    env: Env = NO_STALLS,
    data: Data | None = None,
) -> Timing:
    """Return the cycles of each window."""
    check_memory_ports(env)
    known = np.flatnonzero(jobs.exact) if data is not None and jobs.refs is not None else NONE
    if len(known) < len(jobs) or not len(jobs):
        about = bounds(spec, jobs, env)
        if not len(known):
            return about
    assert data is not None
    specs: Sequence[Any] = spec.specs() if isinstance(spec, SpecBatch) else [spec] * len(jobs)
    tallies = [
        WindowLoop(specs[row], window(specs[row], jobs, row, data), env).run()
        for row in known.tolist()
    ]
    exact = _exact(tallies)
    return exact if len(known) == len(jobs) else _merged(about, exact, known)


def _merged(about: Timing, exact: Timing, rows: Ints) -> Timing:
    """Return bounds with what is known exactly in its place."""

    def put(into: Ints, values: Ints) -> Ints:
        found = into.copy()
        found[rows] = values
        return found

    def each(name: str) -> Mapping[str, Ints]:
        known = getattr(exact, name)
        return {key: put(values, known[key]) for key, values in getattr(about, name).items()}

    assert about.lo is not None and about.hi is not None
    return Timing(
        put(about.cycles, exact.cycles), put(about.occupied, exact.occupied), each("split"),
        each("beats"), each("counts"), "bound", put(about.lo, exact.cycles),
        put(about.hi, exact.cycles),
    )  # fmt: skip


def _exact(tallies: list[Tally]) -> Timing:
    def columns(name: str) -> Mapping[str, Ints]:
        rows = [getattr(tally, name) for tally in tallies]
        return {key: np.array([row[key] for row in rows], np.int64) for key in rows[0]}

    cycles = np.array([tally.cycles for tally in tallies], np.int64)
    requests = np.array([tally.requests for tally in tallies], np.int64)
    responses = np.array([tally.responses for tally in tallies], np.int64)
    return Timing(
        cycles=cycles,
        occupied=cycles + 1,
        split=columns("split"),
        beats={"mem_req": requests, "mem_rsp": responses, "mem_write": requests - responses},
        counts=columns("counts"),
    )


def actions(
    spec: HashSpgemmSpec | SpecBatch, jobs: WindowJobs, timing: Timing
) -> Mapping[str, Ints]:
    """Return what costs energy: see `archsim.engines.hash_spgemm.terms`."""
    counts, beats = timing.counts, timing.beats
    return {
        "word": jobs.walked,
        "operation": counts["operations"],
        "token": jobs.entries,
        "read": beats["mem_rsp"],
        "write": beats["mem_write"],
        "slot": counts["slots_scanned"],
        "entry": counts["inserts"],
        "table_write": counts["products"] + counts["adds"],
        "cycle": timing.occupied,
    }
