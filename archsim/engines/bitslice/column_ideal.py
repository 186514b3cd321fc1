"""One job on an array of columns at ideal ports: chunk by chunk, and equal ones once.

What a chunk takes from its first digit on does not depend on when that is, as long as no column
waits for the result lanes. That is found for all tiles at once, and checked; a chunk in which some
column waits is run again where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
    covered,
)
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm import PORTS


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
    taken = [_chunk(spec, c, costs) for c, costs in zip(work.chunks, work.costs, strict=True)]
    return _unhindered(spec, work, taken) or _hindered(spec, work, taken)


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


def _leave(turns: Ints, since: int) -> Ints:
    """Return when the result lanes take sums in turn, none of them before a cycle."""
    place = np.arange(len(turns))
    earliest = turns + TURN_CYCLES - place
    earliest[0] = max(earliest[0], since)
    found: Ints = place + np.maximum.accumulate(earliest)
    return found


def _hindered(spec: BitsliceSpec, work: Work, taken: list[_Taken]) -> Scheduled:
    """Run a job chunk by chunk."""
    clock, busy = Clock(), 0
    waits = {"bank_wait": 0, "sync_wait": 0}
    left = np.full(spec.cols, -1)  # when the sums of the pass before left each column
    for tile, live in enumerate(work.live):
        for _ in range(work.across):
            for chunk, costs, free in zip(work.chunks, work.costs, taken, strict=True):
                begin = int(clock.begin(chunk.beats))
                turns = begin + free.turns[tile]
                after = left.copy()
                for turn in turns:
                    if (turn <= after).any():
                        its = _waiting(spec, chunk, costs[tile], live, begin, left)
                        break
                    after[:live] = _leave(turn[:live], after.max() + 1)
                else:
                    its = _Chunk(
                        begin + int(free.cycles[tile]), int(free.busy[tile]), after,
                        int(free.bank_wait[tile]), int(free.sync_wait[tile]),
                    )  # fmt: skip
                clock.end(its.end)
                left, busy = its.left, busy + its.busy
                waits["bank_wait"] += its.bank_wait
                waits["sync_wait"] += its.sync_wait
    begins, ends = np.array(clock.begins), np.array(clock.ends[2:])
    return _scheduled(begins, ends, busy, int(left[work.live[-1] - 1]), waits)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What became of a chunk, and when the sums of its last pass leave each column."""

    end: int
    busy: int
    left: Ints
    bank_wait: int
    sync_wait: int


def _waiting(
    spec: BitsliceSpec, chunk: Chunk, costs: Ints, live: int, begin: int, left: Ints
) -> _Chunk:
    """Run a chunk whose columns wait until the sums before have left."""
    go, before, left = np.full(spec.cols, begin), list[Ints](), left.copy()
    ring = next_columns(spec, chunk)
    worked, bank_wait, sync_wait = [], 0, 0
    for weight in range(spec.passes):
        passed = run_pass(costs[weight], go, before, spec.slack, ring)
        turn = np.maximum(passed.complete, left + 1)
        left[:live] = _leave(turn[:live], left.max() + 1)
        meets = spec.sync == "pass" or weight == spec.passes - 1
        go = np.full(spec.cols, turn.max() + 1) if meets else turn
        worked.append(passed)
        bank_wait += int(passed.bank_wait)
        sync_wait += int(_pauses(go, passed))
    end = int(go[0])
    issues = [np.concatenate([x.ravel() - begin for x in times]) for times in (
        [passed.starts for passed in worked], [passed.ends for passed in worked],
    )]  # fmt: skip
    return _Chunk(end, int(covered(end - begin, *issues).sum()), left, bank_wait, sync_wait)


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
