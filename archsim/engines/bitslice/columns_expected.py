"""Cycles of arrays of columns where only shares of digits are known: the recurrence on drawn ones.

What a chunk takes is a maximum over paths through banks and columns, and has no closed form beyond
``mean + c_n sigma``, for n columns that wait for nothing but each other at the end. So digits are
drawn, the recurrence itself is run on them, and its mean and variance are kept: one small run for
each kind of chunk, however many jobs have it. Draws come from one seed, the same for all designs
and jobs, so that two of them differ by what they are and not by luck. They have the shares that are
assumed of unknown operands; for others, what a chunk takes is scaled as the approximation in
`column_means` says, and the bounds are `SCALING` of the difference wider.

Digits are taken as independent, each other than zero with its bit weight's share. What the groups
of a bank cost has an exact distribution then, from which it is drawn at once.

``lo`` and ``hi`` are `DEVIATIONS` standard deviations of the mean away, draws and operands taken
together: 99.7 % of operands that are as assumed. Rows that differ in their shares, as channels of a
network do, spread wider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from math import ceil, comb, sqrt

import numpy as np

from archsim.engines import IDEAL, Env, Floats, Ints, PortEnv, Rate, Stalls
from archsim.engines.bitslice.chunks import Chunk, chunks_of, next_columns
from archsim.engines.bitslice.column_ideal import Clock
from archsim.engines.bitslice.column_means import Shares, chunk_cycles, group_moments
from archsim.engines.bitslice.column_passes import run_pass
from archsim.engines.bitslice.column_schedule import LOAD_CYCLES, OUT_CYCLES, TURN_CYCLES
from archsim.engines.bitslice.lockstep_digits import shares as assumed_shares
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm import PORTS

DEVIATIONS = 3.0
SCALING = 0.25  # of what scaling makes a difference, that may be wrong
SEED = 0
STREAMS = 1024  # of digits that are drawn at least, over columns, lanes and runs


@dataclass(frozen=True, slots=True)
class Expected:
    """What a job takes on average, and between which bounds its cycles are."""

    cycles: int
    lo: int
    hi: int
    split: Mapping[str, int]
    counts: Mapping[str, int]


def expected(
    spec: BitsliceSpec, tall: int, wide: int, k: int, shares: Shares, accumulate: bool, env: Env
) -> Expected:
    """Return what a product takes.

    Parameters
    ----------
    tall, wide
        Extents of C along columns, and along the PEs of a column.
    shares
        Of digits other than zero, lowest bit weight first.
    """
    tiles, across = -(-tall // spec.cols), -(-wide // spec.rows)
    chunks = [_kind(chunk) for chunk in chunks_of(spec, k)]
    pace = max(_cycles_a_beat(env.get(port, IDEAL)) for port in "ab")
    late = max(_latency(env.get(port, IDEAL)) for port in "ab")
    full, last = spec.cols, tall - (tiles - 1) * spec.cols
    of_full, of_last = (
        [_chunk(spec, chunk, live, shares) for chunk in chunks] for live in (full, last)
    )
    loads = [pace * chunk.beats for chunk in chunks]
    free = late + _lasting(of_full, loads, (tiles - 1) * across) + _lasting(of_last, loads, across)
    free += LOAD_CYCLES + loads[0] + of_last[-1].exit_cycles + OUT_CYCLES
    each = [(drawn, (tiles - 1) * across) for drawn in of_full]
    each += [(drawn, across) for drawn in of_last]
    # chunks of a tile are the same one again and again; those of a kind share its mean's error
    variance = sum(
        times * (across + times * chunks.count(chunk) / drawn.runs) * drawn.variance
        for (drawn, times), chunk in zip(each, 2 * chunks, strict=True)
    )
    total = {
        name: round(sum(times * getattr(drawn, name) for drawn, times in each))
        for name in ("busy", "slots", "bank_wait", "sync_wait")
    }
    ports = ("c", "result") if accumulate else ("result",)
    slowest = max(
        _latency(env.get(port, IDEAL)) + tall * across * _cycles_a_beat(env.get(port, IDEAL))
        for port in ports
    )
    cycles = ceil(max(free, slowest))
    spread = DEVIATIONS * sqrt(variance) + spec.cols  # for what the lanes do when a job begins
    spread += SCALING * sum(times * abs(drawn.scaled_by) for drawn, times in each)
    digits = round(tall * k * across * sum(shares))
    counts = {"digits": digits, "empty": max(0, total["slots"] - digits)}
    counts |= {name: total[name] for name in ("bank_wait", "sync_wait")}
    worked = sum(times * drawn.cycles for drawn, times in each)
    split = dict.fromkeys(("busy", "fill", *(f"stall.{port}" for port in PORTS)), 0)
    left = cycles
    for name, part in (
        ("busy", total["busy"]),
        ("fill", free - worked - of_last[-1].exit_cycles - OUT_CYCLES),
        ("stall.result", slowest - free),
    ):
        split[name] = min(max(0, round(part)), left)
        left -= split[name]
    split["drain"] = left + 1
    return Expected(cycles, max(0, int(cycles - spread)), ceil(cycles + spread), split, counts)


def _lasting(chunks: list[Drawn], loads: list[float], folds: int) -> float:
    """Return what equal folds take, each chunk of which loads while the one before is worked on."""
    if not folds:
        return 0.0
    clock, ends = Clock(), [0.0]
    for _ in range(min(folds, 3)):
        for drawn, load in zip(chunks, loads, strict=True):
            clock.end(clock.begin(load) + drawn.cycles)
        ends.append(clock.ends[-1])
    begun = clock.begins[0]
    return ends[-1] - begun + (folds - len(ends) + 1) * (ends[-1] - ends[-2])


def _kind(chunk: Chunk) -> Chunk:
    """Return a chunk that takes as long, the first of its kind."""
    return Chunk(0, chunk.stop - chunk.start, chunk.beats, chunk.groups, chunk.ring)


def _cycles_a_beat(port: PortEnv) -> float:
    return port.q / port.p if isinstance(port, Rate) else 1.0


def _latency(port: PortEnv) -> int:
    """Return how late a port may begin: stalls are taken to come first."""
    if isinstance(port, Stalls):
        return sum(port.bits)
    return port.latency if isinstance(port, Rate) else 0


# ---------------------------------------------------------------------------------------- a chunk


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a chunk of a kind takes, on average over runs on drawn digits.

    Parameters
    ----------
    cycles, variance
        From its first digit to the next chunk's, where that is loaded by then.
    busy
        Those in which some lane issues.
    exit_cycles
        From its end to the cycle in which the last sums are taken; negative if that is earlier.
    slots, bank_wait, sync_wait
        Lanes times cycles in which they work or wait.
    """

    runs: int
    cycles: float
    variance: float
    busy: float
    exit_cycles: float
    slots: float
    bank_wait: float
    sync_wait: float
    scaled_by: float = 0.0  # cycles more than with the shares that were drawn


@lru_cache(maxsize=1 << 14)
def _chunk(spec: BitsliceSpec, chunk: Chunk, live: int, shares: Shares) -> Drawn:
    """Return what chunks take whose digits have given shares."""
    known = _assumed(spec)
    drawn = drawn_chunk(spec, chunk, live, known)
    if shares == known:
        return drawn
    elements = chunk.stop - chunk.start
    cycles, at_first = (chunk_cycles(spec, elements, live, x) for x in (shares, known))
    mean, mean_at_first = (group_moments(spec.group, x)[0].sum() for x in (shares, known))
    scale = float(cycles / at_first)
    return replace(
        drawn,
        cycles=drawn.cycles * scale,
        variance=drawn.variance * scale,
        busy=drawn.busy * scale,
        slots=drawn.slots * float(mean / mean_at_first),
        bank_wait=drawn.bank_wait * scale,
        sync_wait=drawn.sync_wait * scale,
        scaled_by=drawn.cycles * (scale - 1),
    )


@cache
def _assumed(spec: BitsliceSpec) -> Shares:
    """Return the shares of operands that nobody knows."""
    (likely,) = assumed_shares(spec, np.full(spec.passes, np.nan))
    return tuple(likely.tolist())


@lru_cache(maxsize=1 << 14)
def drawn_chunk(spec: BitsliceSpec, chunk: Chunk, live: int, shares: Shares) -> Drawn:
    """Return what chunks take that follow each other and are like this one.

    Parameters
    ----------
    live
        Columns that have operands; the others see zeros.
    """
    rng = np.random.default_rng(SEED)
    runs = max(4, -(-STREAMS // (spec.cols * spec.lanes)))
    begin, left = np.zeros(runs, np.int64), np.full((runs, spec.cols), -spec.cols - TURN_CYCLES)
    for _ in range(2):  # the second chunk finds the result lanes as the first one left them
        costs = [_draw(spec, chunk, live, share, runs, rng) for share in shares]
        found, begin, left = _work(spec, chunk, live, costs, begin, left)
    return found


def _work(
    spec: BitsliceSpec, chunk: Chunk, live: int, costs: list[Ints], begin: Ints, left: Ints
) -> tuple[Drawn, Ints, Ints]:
    """Run a chunk; return when the next one begins and when sums left the columns, too.

    Parameters
    ----------
    costs
        Of each pass: [runs, cols, lanes, ring].
    begin, left
        When the chunk begins [runs], and sums of the pass before leave the columns [runs, cols].
    """
    go = np.broadcast_to(begin[:, None], left.shape)
    before: list[Ints] = []
    place, ring = np.arange(live), next_columns(spec, chunk)
    stops = bank_wait = sync_wait = np.zeros_like(begin)
    for weight, its_costs in enumerate(costs):
        passed = run_pass(its_costs, go, before, spec.slack, ring)
        turn = np.maximum(passed.complete, left + 1)
        since = left.max(axis=1, keepdims=True) + 1
        earliest = np.maximum(turn[:, :live] + TURN_CYCLES, since) - place
        left = left.copy()
        left[:, :live] = place + np.maximum.accumulate(earliest, axis=1)
        go = turn
        if spec.sync == "pass" or weight == spec.passes - 1:
            go = np.broadcast_to(turn.max(axis=1, keepdims=True) + 1, turn.shape)
            stops = stops + go[:, 0] - passed.complete.max(axis=1)
        bank_wait = bank_wait + passed.bank_wait
        sync_wait = sync_wait + (go[..., None] - passed.ends[..., -1]).sum(axis=(1, 2))
    end = go[:, 0]
    cycles = end - begin
    found = Drawn(
        runs=len(begin),
        cycles=float(cycles.mean()),
        variance=float(cycles.var(ddof=1)),
        busy=float((cycles - stops).mean()),
        exit_cycles=float((left.max(axis=1) - end).mean()),
        slots=sum(float(its_costs.sum()) for its_costs in costs) / len(begin),
        bank_wait=float(bank_wait.mean()),
        sync_wait=float(sync_wait.mean()),
    )
    return found, end, left


# ---------------------------------------------------------------------------------------- digits


def _draw(
    spec: BitsliceSpec, chunk: Chunk, live: int, share: float, runs: int, rng: np.random.Generator
) -> Ints:
    """Return costs of banks in the order in which columns come by them: [runs, cols, lanes, ring].

    The columns beyond ``live`` see zeros.
    """
    bank = np.arange(chunk.ring)
    groups = np.maximum(1, -(-(chunk.groups - bank) // chunk.ring))  # one is worked on at least
    last = chunk.beats - (chunk.groups - 1) * spec.group  # elements of the last group
    elements = np.where(bank < chunk.groups, groups * spec.group, 0)
    elements[(chunk.groups - 1) % chunk.ring] += last - spec.group
    column, step = np.arange(spec.cols)[:, None], np.arange(chunk.ring)
    order = (column * spec.slack + step) % chunk.ring
    costs = np.empty((runs, spec.cols, spec.lanes, chunk.ring), np.int64)
    costs[:] = groups[order][:, None]
    uniform = rng.random((runs, spec.cols, spec.lanes, chunk.ring))
    for count, filled in set(zip(groups.tolist(), elements.tolist(), strict=True)):
        here = (groups[order] == count) & (elements[order] == filled)
        here[live:] = False
        at = np.broadcast_to(here[:, None], costs.shape)
        likely = _bank_distribution(spec.group, count, filled, share)
        costs[at] = np.searchsorted(np.cumsum(likely)[:-1], uniform[at], side="right")
    return costs


@cache
def _bank_distribution(group: int, groups: int, elements: int, share: float) -> Floats:
    """Return the probability of each cost, from 0 on, of groups that have so many elements."""
    full, rest = divmod(elements, group)
    likely = np.ones(1)
    power = _group_distribution(group, share)
    while full:  # by squares
        if full & 1:
            likely = np.convolve(likely, power)
        power, full = np.convolve(power, power), full >> 1
    empty = groups - -(-elements // group)
    if rest:
        likely = np.convolve(likely, _group_distribution(rest, share))
    return np.concatenate([np.zeros(empty), likely])


def _group_distribution(elements: int, share: float) -> Floats:
    likely = np.array(
        [comb(elements, n) * share**n * (1 - share) ** (elements - n) for n in range(elements + 1)]
    )
    likely[1] += likely[0]
    likely[0] = 0.0
    return likely
