"""Jobs on an array of columns at ideal ports: chunk by chunk, and equal ones once.

What a chunk takes from its first digit on does not depend on when that is, as long as no column
waits for the result lanes. That is found for all tiles at once, and checked; a chunk in which some
column waits is run again where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from archsim.engines import NO_STALLS, Env, Ints
from archsim.engines.bitslice.chunks import Chunk, next_columns
from archsim.engines.bitslice.column_passes import Passed, run_pass
from archsim.engines.bitslice.column_schedule import (
    LOAD_CYCLES,
    OUT_CYCLES,
    TURN_CYCLES,
    Scheduled,
    Work,
)
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm import PORTS

HELD_BYTES = 1 << 27


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a chunk takes, by tile of the encoded operand; cycles count from its first digit.

    Parameters
    ----------
    turns
        Of each pass and column: [tiles, passes, cols].
    cycles, busy
        To the end, and those of them in which some lane issues: [tiles].
    bank_wait, sync_wait
        Cycles that lanes waited: [tiles].
    """

    turns: Ints
    cycles: Ints
    busy: Ints
    bank_wait: Ints
    sync_wait: Ints


def run(spec: BitsliceSpec, work: Work, env: Env = NO_STALLS) -> Scheduled:
    """Run one job, in an environment that never lets it wait."""
    if env:
        raise ValueError(f"ports must be ideal, not {env}")
    return run_all(spec, (work,))[0]


def run_all(spec: BitsliceSpec, works: Iterable[Work]) -> list[Scheduled]:
    """Run jobs, each in an environment that never lets it wait.

    Those whose columns wait for the result lanes are run chunk by chunk, all of one shape at once,
    and no more at a time than `HELD_BYTES` of their costs.
    """
    found: dict[int, Scheduled] = {}
    held: dict[Any, list[tuple[int, Work, list[_Taken]]]] = {}
    held_bytes = 0
    for number, work in enumerate(works):
        taken = [_chunk(spec, c, costs) for c, costs in zip(work.chunks, work.costs, strict=True)]
        free = _unhindered(spec, work, taken)
        if free is not None:
            found[number] = free
            continue
        shape = (work.chunks, work.live, work.across)
        held.setdefault(shape, []).append((number, work, taken))
        held_bytes += sum(costs.nbytes for costs in work.costs)
        if held_bytes > HELD_BYTES:
            found |= _run_held(spec, held)
            held_bytes = 0
    found |= _run_held(spec, held)
    return [found[number] for number in sorted(found)]


def _run_held(
    spec: BitsliceSpec, held: dict[Any, list[tuple[int, Work, list[_Taken]]]]
) -> dict[int, Scheduled]:
    """Run what is held, by number; nothing is held then."""
    found: dict[int, Scheduled] = {}
    for some in held.values():
        numbers, works, taken = zip(*some, strict=True)
        found |= dict(zip(numbers, _hindered(spec, works, taken), strict=True))
    held.clear()
    return found


def _chunk(spec: BitsliceSpec, chunk: Chunk, costs: Ints) -> _Taken:
    """Run a chunk, all tiles at once, with result lanes that keep up."""
    tiles = len(costs)
    go, before, turns = np.zeros((tiles, spec.cols), np.int64), list[Ints](), []
    bank_wait, sync_wait = np.zeros((2, tiles), np.int64)
    ring = next_columns(spec, chunk)
    stops = 0  # cycles in which no lane issues: all wait for a barrier
    for weight in range(spec.passes):
        passed = run_pass(costs[:, weight], go, before, spec.slack, ring)
        turn = passed.complete
        turns.append(turn)
        meets = spec.sync == "pass" or weight == spec.passes - 1
        go = np.broadcast_to(turn.max(axis=1, keepdims=True) + 1, turn.shape) if meets else turn
        stops += meets
        bank_wait += passed.bank_wait
        sync_wait += _pauses(go, passed)
    return _Taken(np.stack(turns, axis=1), go[:, 0], go[:, 0] - stops, bank_wait, sync_wait)


def _pauses(go: Ints, passed: Passed) -> Ints:
    """Return for how long lanes that are through with a pass wait until the next one may begin."""
    found: Ints = (go[..., None] - passed.ends[..., -1]).sum(axis=(-2, -1))
    return found


def _unhindered(spec: BitsliceSpec, work: Work, taken: list[_Taken]) -> Scheduled | None:
    """Return what a job takes, or None if columns wait for the result lanes."""
    order = np.repeat(np.arange(len(work.live)), work.across)  # of folds
    cycles = np.stack([each.cycles[order] for each in taken], axis=1).ravel()
    begins, ends = _spans(cycles, np.tile([c.beats for c in work.chunks], len(order)))

    turns = np.stack([each.turns[order] for each in taken], axis=1)
    passes = turns.reshape(-1, spec.passes, spec.cols) + begins[:, None, None]
    passes = passes.reshape(-1, spec.cols)
    live = np.repeat(np.array(work.live)[order], len(work.chunks) * spec.passes)
    alive = np.arange(spec.cols) < live[:, None]
    leaves = np.zeros_like(passes)
    leaves[alive] = left = _leave(passes[alive], 0)
    if (passes[1:] <= leaves[:-1]).any():
        return None
    busy, bank_wait, sync_wait = (
        work.across * sum(int(getattr(each, name).sum()) for each in taken)
        for name in ("busy", "bank_wait", "sync_wait")
    )
    waits = {"bank_wait": bank_wait, "sync_wait": sync_wait}
    return _scheduled(begins, ends, busy, int(left[-1]), waits)


def _spans(cycles: Ints, beats: Ints) -> tuple[Ints, Ints]:
    """Return when chunks begin and end."""
    clock = Clock()
    for its_cycles, its_beats in zip(cycles.tolist(), beats.tolist(), strict=True):
        clock.end(clock.begin(its_beats) + its_cycles)
    return np.array(clock.begins), np.array(clock.ends[2:])


@dataclass(slots=True)
class Clock:
    """When chunks begin and end, each of which loads while the one before is worked on."""

    begins: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=lambda: [0, 0])
    loaded: float = 0  # the cycle of the last beat

    def begin(self, beats: float) -> float:
        """Return when the next chunk begins, which takes so long to load."""
        self.loaded = max(self.loaded, self.ends[-2]) + beats
        self.begins.append(max(self.loaded + LOAD_CYCLES, self.ends[-1]))
        return self.begins[-1]

    def end(self, cycle: float) -> None:
        self.ends.append(cycle)


def _leave(turns: Ints, since: Any) -> Ints:
    """Return when the result lanes take sums in turn, none of them before a cycle: [..., cols]."""
    place = np.arange(turns.shape[-1])
    earliest = turns + TURN_CYCLES - place
    earliest[..., 0] = np.maximum(earliest[..., 0], since)
    found: Ints = place + np.maximum.accumulate(earliest, axis=-1)
    return found


def _hindered(
    spec: BitsliceSpec, works: Sequence[Work], taken: Sequence[list[_Taken]]
) -> list[Scheduled]:
    """Run jobs of one shape chunk by chunk, all at once; ``taken`` is what they take if free."""
    shape, jobs = works[0], len(works)
    costs = [np.stack(each) for each in zip(*(work.costs for work in works), strict=True)]
    free = [_stacked(each) for each in zip(*taken, strict=True)]
    waits = {"bank_wait": np.zeros(jobs, np.int64), "sync_wait": np.zeros(jobs, np.int64)}
    loaded, earlier, latest, busy = np.zeros((4, jobs), np.int64)
    left = np.full((jobs, spec.cols), -1)  # when the sums of the pass before left each column
    begins, ends = [], []
    for tile, live in enumerate(shape.live):
        for number in range(shape.across * len(shape.chunks)):
            at = number % len(shape.chunks)
            loaded = np.maximum(loaded, earlier) + shape.chunks[at].beats
            begin = np.maximum(loaded + LOAD_CYCLES, latest)
            its = _free(free[at], tile, live, begin, left) or _waiting(
                spec, shape.chunks[at], costs[at][:, tile], live, begin, left
            )
            left, busy, earlier, latest = its.left, busy + its.busy, latest, its.end
            waits["bank_wait"] += its.bank_wait
            waits["sync_wait"] += its.sync_wait
            begins.append(begin)
            ends.append(latest)
    every_begin, every_end = np.stack(begins, axis=1), np.stack(ends, axis=1)
    return [
        _scheduled(
            every_begin[job], every_end[job], int(busy[job]), int(left[job, shape.live[-1] - 1]),
            {name: int(wait[job]) for name, wait in waits.items()},
        )
        for job in range(jobs)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What became of a chunk, and when the sums of its last pass leave each column: by job."""

    end: Ints
    busy: Ints
    left: Ints
    bank_wait: Ints
    sync_wait: Ints


def _stacked(taken: Sequence[_Taken]) -> _Taken:
    """Return what jobs take as one record: [jobs, tiles, ...]."""
    return _Taken(*(np.stack([getattr(x, f.name) for x in taken]) for f in fields(_Taken)))


def _free(taken: _Taken, tile: int, live: int, begin: Ints, left: Ints) -> _Chunk | None:
    """Return what becomes of a chunk if no column of any job waits for sums to leave."""
    for turn in np.moveaxis(taken.turns[:, tile], 1, 0) + begin[:, None]:
        if (turn <= left).any():
            return None
        left = left.copy()
        left[:, :live] = _leave(turn[:, :live], left.max(axis=1) + 1)
    return _Chunk(
        begin + taken.cycles[:, tile], taken.busy[:, tile], left, taken.bank_wait[:, tile],
        taken.sync_wait[:, tile],
    )  # fmt: skip


def _waiting(
    spec: BitsliceSpec, chunk: Chunk, costs: Ints, live: int, begin: Ints, left: Ints
) -> _Chunk:
    """Run a chunk whose columns wait until the sums before have left.

    Parameters
    ----------
    costs
        [jobs, passes, cols, lanes, ring].
    """
    go, before = np.broadcast_to(begin[:, None], left.shape), list[Ints]()
    ring = next_columns(spec, chunk)
    worked = []
    bank_wait, sync_wait = np.zeros((2, len(begin)), np.int64)
    for weight in range(spec.passes):
        passed = run_pass(costs[:, weight], go, before, spec.slack, ring)
        turn = np.maximum(passed.complete, left + 1)
        since, left = left.max(axis=1) + 1, left.copy()
        left[:, :live] = _leave(turn[:, :live], since)
        meets = spec.sync == "pass" or weight == spec.passes - 1
        go = np.broadcast_to(turn.max(axis=1, keepdims=True) + 1, turn.shape) if meets else turn
        worked.append(passed)
        bank_wait += passed.bank_wait
        sync_wait += _pauses(go, passed)
    return _Chunk(go[:, 0], _covered(begin, go[:, 0], worked), left, bank_wait, sync_wait)


def _covered(begin: Ints, end: Ints, worked: Sequence[Passed]) -> Ints:
    """Return the cycles of chunks in which some lane issues: [jobs]."""
    jobs, width = len(begin), int((end - begin).max()) + 1
    origin = np.arange(jobs) * width - begin
    of_starts, of_ends = (
        np.concatenate([(x + origin[:, None, None, None]).ravel() for x in times])
        for times in ([p.starts for p in worked], [p.ends for p in worked])
    )
    depth = np.bincount(of_starts, minlength=jobs * width) - np.bincount(
        of_ends, minlength=jobs * width
    )
    found: Ints = (np.cumsum(depth.reshape(jobs, width), axis=1) > 0).sum(axis=1)
    return found


def _scheduled(
    begins: Ints, ends: Ints, busy: int, last_taken: int, waits: dict[str, int]
) -> Scheduled:
    cycles = last_taken + OUT_CYCLES
    occupied = max(cycles + 1, int(ends[-1]) + 2)
    # the cycle of a chunk's end is the next one's first, unless that was late
    drain = int((ends - begins).sum()) - busy
    drain += int((begins[1:] > ends[:-1]).sum()) + occupied - int(ends[-1])
    split = {
        "busy": busy,
        "fill": occupied - busy - drain,
        **{f"stall.{port}": 0 for port in PORTS},
        "drain": drain,
    }
    return Scheduled(cycles, occupied, split, waits)
