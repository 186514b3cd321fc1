"""Cycles of the vector unit: a closed form, and a recurrence where ports make it wait long.

**The pipeline.** A beat of results takes ``taps`` beats of operands, one a cycle. An operand beat
that enters in cycle e goes through bias, products of halves, product and taps; from the last tap on
the result goes through rounding and clamp, and is offered in cycle ``e + STAGES``. A stage moves
when the next one is empty or moves.

**Parameters.** A set applies to ``hold`` beats of results. The first is taken in cycle 1 at best,
the next ones in the cycle of their predecessor's last operand, so that they cost nothing if they
are there; operands enter from the cycle after their set on.

**Ideal ports.** ``B = beats taps`` operands enter in cycles 2 to B + 1, so
``cycles = B + 1 + STAGES``; the next command can be accepted one cycle after that.

**Accounts.** ``fill`` is the command's cycle and any that takes a set while none is held, ``busy``
one in which an operand enters. Other cycles until the last operand are charged to ``y`` if the
first stage cannot move, else to the missing ``parameters``, else to ``x``; those after it to ``y``
if a result is refused, else they are ``drain``.

**Jobs without integer lanes** (taps = 0) are a throughput model: ``work / lanes`` cycles and
`PIPELINE_CYCLES` more, whatever the function needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from archsim.engines import IDEAL, NO_STALLS, Data, Env, Ints, Rate, SpecBatch, Timing
from archsim.engines.offers import check_ports, is_ideal
from archsim.engines.vector import recurrence
from archsim.engines.vector.recurrence import STAGES
from archsim.engines.vector.spec import VectorJobs, VectorSpec

PORTS = ("x", "parameters", "y")
Masks = NDArray[np.bool_]
PIPELINE_CYCLES = 4  # of the throughput model


def time(
    spec: VectorSpec | SpecBatch, jobs: VectorJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the cycles of each job; a batch of specs pairs with the jobs row by row.

    They are exact where every job runs on the integer lanes.
    """
    check_ports(env, PORTS)
    if (jobs.taps == 0).all():
        return _throughput(spec, jobs, env)
    timing = _exact(spec, jobs, {n: p for n, p in env.items() if n != "cmd" and not is_ideal(p)})
    counted = jobs.taps == 0
    if not counted.any():
        return timing
    return _merged(timing, _throughput(spec, jobs, env), counted)


def beats_of(spec: VectorSpec | SpecBatch, jobs: VectorJobs) -> Ints:
    """Return the beats of results."""
    return np.asarray(-(-jobs.results // np.asarray(spec.lanes)))


# ---------------------------------------------------------------------------------- integer lanes


def _exact(spec: VectorSpec | SpecBatch, jobs: VectorJobs, env: Env) -> Timing:
    beats = beats_of(spec, jobs)
    operands, sets = beats * jobs.taps, -(-beats // jobs.hold)
    timing = _paced(beats, jobs, {n: p for n, p in env.items() if isinstance(p, Rate)})
    unsure = np.flatnonzero(~_never_blocked(beats, jobs, env) & (jobs.taps > 0))
    if len(unsure):
        columns = np.stack([timing.cycles, *timing.split.values()], axis=1)
        table = np.stack([beats, jobs.taps, jobs.hold], axis=1)[unsure]
        unique, where = np.unique(table, axis=0, return_inverse=True)
        runs = [recurrence.run(b, t, h, env) for b, t, h in unique.tolist()]
        found = np.array([(r.cycles, *(r.split[name] for name in timing.split)) for r in runs])
        columns[unsure] = found[where.reshape(-1)]
        cycles, *split = columns.T.copy()
        timing = replace(
            timing, cycles=cycles, occupied=cycles + 1,
            split=dict(zip(timing.split, split, strict=True)),
        )  # fmt: skip
    return replace(timing, beats={"x": operands, "parameters": sets, "y": beats})


def _paced(beats: Ints, jobs: VectorJobs, rates: Mapping[str, Rate]) -> Timing:
    """Return what jobs take if no wait for an output holds an operand up.

    Offers of a rate are a cycle or more apart, so the last operand is the one that decides.
    """
    x, parameters, y = (rates.get(name, IDEAL) for name in PORTS)
    operands = beats * jobs.taps
    loaded = max(1, parameters.latency)

    def entered(beat: Ints) -> Ints:
        return np.maximum(loaded + 1 + beat, x.latency - (-beat * x.q // x.p))

    def taken(cycle: Ints) -> Ints:
        slot = np.maximum(cycle, y.latency) * y.p // y.q
        return -(-(slot + 1) * y.q // y.p) - 1

    last = entered(operands - 1)
    cycles = taken(last + STAGES)
    waited = np.zeros_like(cycles)
    # results that may wait when the last operand is in; at an ideal port none does
    for back in range(STAGES if "y" in rates else 0):
        offered = entered(operands - 1 - back * jobs.taps) + STAGES
        waits = taken(offered) - np.maximum(offered, last + 1)
        waited += np.where(back < beats, np.maximum(waits, 0), 0)
    one = np.ones_like(cycles)
    split = {
        "busy": operands,
        "fill": 2 * one,
        "stall.x": last - loaded - operands,
        "stall.parameters": (loaded - 1) * one,
        "stall.y": waited,
        "drain": cycles - last - waited,
    }
    return Timing(cycles, cycles + 1, split, {})


def _never_blocked(beats: Ints, jobs: VectorJobs, env: Env) -> Masks:
    """Return for which jobs `_paced` provably holds.

    Results are ``taps`` or more cycles apart. If an output slot comes in every ``taps`` cycles and
    the slots have begun when the first result is there, each result is gone before the next one.
    Parameters are in time from the second set on if their pace is that of their sets.
    """
    if not all(isinstance(port, Rate) for port in env.values()):
        return np.zeros(len(beats), bool)
    rates = {name: port for name, port in env.items() if isinstance(port, Rate)}
    parameters, y = rates.get("parameters", IDEAL), rates.get("y", IDEAL)
    sets_in_time = (beats <= jobs.hold) | (parameters.q <= jobs.hold * jobs.taps * parameters.p)
    first = max(1, parameters.latency) + jobs.taps + STAGES
    taken_at_once = (beats == 1) | ((y.latency <= first) & (-(-y.q // y.p) <= jobs.taps))
    return np.asarray(sets_in_time & taken_at_once)


# -------------------------------------------------------------------------------- throughput model


def _throughput(spec: VectorSpec | SpecBatch, jobs: VectorJobs, env: Env) -> Timing:
    """Return the cycles of slices as lane operations: full lanes back to back, then a drain."""
    ports = [env.get(name, IDEAL) for name in ("x", "y")]
    rate = max((e.q / e.p for e in ports if isinstance(e, Rate)), default=1.0)
    passes = -(-jobs.work // np.asarray(spec.lanes))
    busy = np.ceil(passes * rate).astype(np.int64)
    none = np.zeros_like(busy)
    cycles = busy + PIPELINE_CYCLES - 1
    split = {
        "busy": passes, "fill": none, "stall.x": busy - passes, "stall.parameters": none,
        "stall.y": none, "drain": none + PIPELINE_CYCLES,
    }  # fmt: skip
    beats = {"x": passes, "parameters": none, "y": passes}
    return Timing(cycles, cycles + 1, split, beats, kind="expected", lo=cycles, hi=cycles)


def _merged(exact: Timing, expected: Timing, counted: Masks) -> Timing:
    """Return timings of which the counted rows are expected."""

    def pick(one: Ints, other: Ints) -> Ints:
        return np.where(counted, other, one)

    cycles = pick(exact.cycles, expected.cycles)
    return Timing(
        cycles,
        cycles + 1,
        {name: pick(exact.split[name], other) for name, other in expected.split.items()},
        {name: pick(exact.beats[name], other) for name, other in expected.beats.items()},
        kind="expected",
        lo=cycles,
        hi=cycles,
    )


def actions(spec: VectorSpec | SpecBatch, jobs: VectorJobs, timing: Timing) -> Mapping[str, Ints]:
    """Return how often each job does what costs energy.

    ``tap`` counts operands scaled and added or compared, ``operand_bit`` their bits, ``result``
    results rounded and clamped, ``parameter`` lanes whose parameters change, as they do with every
    tap of a pair; ``lane_op`` the operations of jobs that are not for the integer lanes;
    ``lane_clock`` lanes times occupied cycles.
    """
    lanes, integer = np.asarray(spec.lanes), jobs.taps > 0
    taps = jobs.results * jobs.taps
    return {
        "tap": taps,
        "operand_bit": taps * jobs.bits,
        "result": jobs.results * integer,
        "parameter": timing.beats["parameters"] * lanes + taps * jobs.alternate,
        "lane_op": jobs.work * ~integer,
        "lane_clock": timing.occupied * lanes,
    }
