"""Cycles of one neural-fields processor.

A command that loads takes a beat a cycle of its levels, tables and weights, in this order. From the
next cycle on queries run: `archsim.engines.ngpc.recurrence` says when, from the turns that corners
take at the banks (`archsim.engines.ngpc.service`), so cycles depend on positions.

A cycle in which queries run is ``busy`` when one enters the MLP, or when the next one is being
encoded or waits for a slot of the array; ``fill`` before the first has entered; ``stall.x`` when no
group of queries is on its way to the MLP and no position comes; ``stall.result`` when the next one
may not enter, as results have no place; once all have entered, ``stall.result`` when a result is
refused, else ``drain``.

Counts: ``reads`` of banks; ``conflicts``, cycles of engines in which corners wait for their turn;
cycles in which a group waits before the engines, as a level's queue is full (``queue``) or the join
is (``full``); in which some levels of a group are in the join and others are not (``join``); in
which a query waits for a slot of the array (``slot``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import (
    IDEAL,
    NO_STALLS,
    Data,
    Env,
    Ints,
    PortEnv,
    Rate,
    SpecBatch,
    Stalls,
    Timing,
)
from archsim.engines.ngpc.jobs import NgpcJobs, level_rows, mapped, parallel
from archsim.engines.ngpc.recurrence import NEVER, Course, course
from archsim.engines.ngpc.service import Service, service
from archsim.engines.ngpc.spec import ADDRESS_STAGES, CORNERS, NgpcSpec
from archsim.engines.offers import check_ports, earliest_offer, first_offer, is_ideal

LOADS = ("level", "table", "weight")
PORTS = (*LOADS, "x", "result")
SPLIT = ("busy", "fill", "drain", *(f"stall.{port}" for port in PORTS))
COUNTS = ("reads", "conflicts", "queue", "full", "join", "slot")
Numbers = dict[str, int]


def time(
    spec: NgpcSpec | SpecBatch, jobs: NgpcJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the time of slices; a bound where positions are not known.

    A bound's ``cycles`` are those without a conflict, and so is ``lo``; ``hi`` has all corners of
    every query in one bank. ``counts`` of conflicts and waits are zero then.
    """
    check_ports(env, PORTS)
    specs: Any = spec.specs() if isinstance(spec, SpecBatch) else [spec] * len(jobs)
    found = [_job(one, jobs, row, env, data) for row, one in enumerate(specs)]
    columns = {name: np.array([x[name] for x in found], np.int64) for name in found[0]}
    cycles = columns["cycles"]
    exact = data is not None and jobs.refs is not None
    return Timing(
        cycles=cycles,
        occupied=cycles + 1,
        split={name: columns[name] for name in SPLIT},
        beats={name: columns[f"beats {name}"] for name in PORTS},
        counts={name: columns[name] for name in COUNTS},
        kind="exact" if exact else "bound",
        lo=None if exact else cycles,
        hi=None if exact else columns["hi"],
    )


def load_beats(spec: NgpcSpec, jobs: NgpcJobs, row: int) -> Numbers:
    """Return the beats that a job loads, by port."""
    encoding = mapped(spec, jobs.encoding[row])
    rows = sum(level_rows(spec, level, encoding.dims) for level in encoding.table)
    beats = (encoding.levels, rows, int(jobs.layers[row]) * spec.mlp_width)
    return dict(zip(LOADS, (n * int(jobs.load[row]) for n in beats), strict=True))


def _job(spec: NgpcSpec, jobs: NgpcJobs, row: int, env: Env, data: Data | None) -> Numbers:
    queries, layers = int(jobs.queries[row]), int(jobs.layers[row])
    loads = load_beats(spec, jobs, row)
    found = dict.fromkeys(SPLIT, 0)
    begin = 1
    for port, count in loads.items():
        stop = _taken(env.get(port, IDEAL), begin, count)
        found[f"stall.{port}"] = stop - begin - count
        begin = stop
    found["fill"] = 1 + sum(loads.values())
    passed = {**loads, "x": queries, "result": queries}
    found |= {f"beats {port}": count for port, count in passed.items()}
    encoding = jobs.encoding[row]
    if data is not None and jobs.refs is not None:
        work = service(spec, encoding, np.asarray(data[jobs.refs[row]["x"]], np.int64))
        return found | _run(spec, work, queries, layers, begin, env, found["fill"])
    size = parallel(spec, encoding)
    shape = (-(-queries // size), 1)  # engines are alike, so one stands for all
    least = Service(size, np.ones(shape, np.int64), 0)
    most = Service(size, np.full(shape, CORNERS), queries * encoding.levels * encoding.corners)
    hi = _run(spec, most, queries, layers, begin, env, found["fill"])["cycles"]
    return found | _run(spec, least, queries, layers, begin, env, found["fill"]) | {"hi": hi}


def _taken(port: PortEnv, begin: int, beats: int) -> int:
    """Return the cycle after the last of so many beats, taken as they come from a cycle on."""
    if not beats or is_ideal(port):
        return begin + beats
    if isinstance(port, Rate):
        return max(begin + beats, earliest_offer(port, beats - 1) + 1)
    assert isinstance(port, Stalls)
    now = max(begin, first_offer(port, 0, 0))
    for beat in range(1, beats):
        if now >= len(port.bits):
            return now + 1 + beats - beat
        now = first_offer(port, beat, now + 1)
    return now + 1


def _run(
    spec: NgpcSpec, work: Service, queries: int, layers: int, begin: int, env: Env, filled: int
) -> Numbers:
    """Return the cycles of queries that run from cycle ``begin`` on, and what they were."""
    run = course(spec, work, queries, layers, begin, env)
    last = np.minimum(np.arange(1, len(run.inject) + 1) * work.group, queries) - 1  # of each group
    takes, leaves = run.takes[last], run.enters[last]
    idle = _idle(run, work.group, begin, takes, leaves)
    refused = _refused(spec, run, work.group)
    first, end = int(run.enters[0]), int(run.enters[-1])
    visible = run.enters + layers * spec.mlp_stages + 1
    heads = np.maximum(np.maximum(visible, _before(run.given, NEVER) + 1), end + 1)
    held = int(np.maximum(run.given - heads, 0).sum())
    cycles = int(run.given[-1])
    waits = _waits(spec, run, work.group, takes, leaves)
    return {
        "cycles": cycles,
        "fill": filled + first - begin - int(idle[0]),
        "busy": end + 1 - first - int(idle[1:].sum()) - refused,
        "drain": cycles - end - held,
        "stall.x": int(idle.sum()),
        "stall.result": refused + held,
        "reads": work.reads,
        "conflicts": int((work.turns - 1).sum()),
        **waits,
    }


def _before(values: Ints, first: int) -> Ints:
    """Return what was one place earlier."""
    return np.concatenate([[first], values[:-1]])


def _idle(run: Course, size: int, begin: int, takes: Ints, leaves: Ints) -> Ints:
    """Return by group the cycles in which none was on its way to the MLP and no position came."""
    since = np.maximum(_before(leaves, begin - 1) + 1, begin)
    empty = np.maximum(takes + 1 - since, 0)
    came = run.takes >= np.repeat(since, size)[: len(run.takes)]
    return np.asarray(empty - np.add.reduceat(came, np.arange(0, len(came), size), dtype=np.int64))


def _placed(spec: NgpcSpec, run: Course) -> Ints:
    """Return from which cycle on a query's result has a place."""
    found = np.full(len(run.given), NEVER)
    found[spec.result_depth :] = run.given[: -spec.result_depth] + 1
    return found


def _waiting(run: Course, size: int) -> Ints:
    """Return from which cycle on a query is the next one, with all its features there."""
    return np.maximum(np.repeat(run.ready, size)[: len(run.enters)], _before(run.enters, NEVER) + 1)


def _refused(spec: NgpcSpec, run: Course, size: int) -> int:
    """Return the cycles in which a query might enter the MLP, but its result has no place."""
    return int(np.maximum(_placed(spec, run) - _waiting(run, size), 0).sum())


def _waits(spec: NgpcSpec, run: Course, size: int, takes: Ints, leaves: Ints) -> Mapping[str, int]:
    """Return the cycles of each wait between queues."""
    there = np.maximum(takes + ADDRESS_STAGES, _before(run.inject, NEVER) + 1)
    free = np.full(len(there), NEVER)
    free[spec.join_depth :] = leaves[: -spec.join_depth] + 1
    head = np.maximum(run.first, _before(leaves, NEVER) + 1)
    slot = run.enters - np.maximum(_waiting(run, size), _placed(spec, run))
    return {
        "full": int(np.maximum(free - there, 0).sum()),
        "queue": int(np.maximum(run.inject - np.maximum(there, free), 0).sum()),
        "join": int(np.maximum(run.ready - head, 0).sum()),
        "slot": int(slot.sum()),
    }
