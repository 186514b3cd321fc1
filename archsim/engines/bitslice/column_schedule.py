"""One job on an array of columns, event by event, whatever its ports are made to wait for.

`archsim.engines.bitslice.columns_timing` states the rules that this follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from archsim.engines import IDEAL, Env, Ints
from archsim.engines.bitslice.chunks import Chunk, next_columns
from archsim.engines.bitslice.column_passes import Passed, run_pass
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.offers import first_offer, first_ready, is_ready

LOAD_CYCLES = 4  # from a chunk's last beat to its first digit
TURN_CYCLES = 4  # from the turn of a pass to its sums' first cycle in the lanes
OUT_CYCLES = 4  # from then to when they can leave, if they are a row of results


@dataclass(frozen=True, slots=True)
class Work:
    """What one job asks of an array of columns.

    Parameters
    ----------
    costs
        Of each chunk: `archsim.engines.bitslice.chunks.bank_costs`.
    live
        Columns with rows of C of each tile of the encoded operand.
    across
        Tiles of the other operand, with each of which a tile of the encoded one makes a fold.
    """

    chunks: tuple[Chunk, ...]
    costs: tuple[Ints, ...]
    live: tuple[int, ...]
    across: int
    accumulate: bool


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What a job takes; `split` and `waits` as in `Timing.split` and `Timing.counts`."""

    cycles: int
    occupied: int
    split: Mapping[str, int]
    waits: Mapping[str, int]


@dataclass(slots=True)
class _Loader:
    """Beats of both operands, taken together."""

    env: Env
    beat: int = 0
    taken: int = 0  # the cycle in which the last beat was
    lacks: list[tuple[int, int, int]] = field(default_factory=list)  # wanted, b offered, taken

    def chunk(self, beats: int, free: int) -> int:
        """Load a chunk whose half is free from a cycle on; return the cycle of its last beat."""
        a, b = (self.env.get(port, IDEAL) for port in "ab")
        for _ in range(beats):
            wanted = max(self.taken + 1, free)
            since = self.taken + 1 if self.beat else 0
            has_a, has_b = (first_offer(port, self.beat, since) for port in (a, b))
            self.taken = max(wanted, has_a, has_b)
            if self.taken > wanted:
                self.lacks.append((wanted, has_b, self.taken))
            self.beat += 1
        return self.taken


@dataclass(slots=True)
class _Lanes:
    """Sums of columns on their way out, in turn: stages that stop together."""

    env: Env
    accumulate: bool
    taken: int = 0  # the cycle in which the last sums were
    added: int = 0  # the first cycle in which they were in the stage after the next
    column: int = -1  # whose they were
    # from when to when sums were in the last stage, of as many as there can be in the others
    stops: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=3))
    out: list[int] = field(default_factory=list)  # the cycles in which rows went out
    waits: list[tuple[int, int]] = field(default_factory=list)  # a row is at the exit; it goes

    def take(self, column: int, turned: int, closes: bool) -> int:
        """Take a column's sums, a row of C if the pass closes it; return the cycle."""
        free = self.added if column == self.column else self.taken + 1
        self.column = column
        self.taken = self._moving(max(turned + TURN_CYCLES, free))
        self.added = self._moving(self.taken + 1) + 1
        last_stage = queued = self._moving(self.added) + 1
        if closes:
            room = self.out[-2] + 1 if len(self.out) > 1 else 0
            queued = max(last_stage, room)
            self._put_out(queued + 1)
        self.stops.append((last_stage, queued))
        return self.taken

    def _moving(self, cycle: int) -> int:
        """Return the first cycle from one on in which the stages move."""
        for first, last in self.stops:
            if first <= cycle < last:
                cycle = last
        return cycle

    def _put_out(self, there: int) -> None:
        at_exit = max(there, self.out[-1] + 1) if self.out else there
        goes = at_exit
        if self.accumulate:
            since = self.out[-1] + 1 if self.out else 0
            goes = max(goes, first_offer(self.env.get("c", IDEAL), len(self.out), since))
        goes = first_ready(self.env.get("result", IDEAL), goes)
        if goes > at_exit:
            self.waits.append((at_exit, goes))
        self.out.append(goes)


def run(spec: BitsliceSpec, work: Work, env: Env) -> Scheduled:
    """Run one job in an environment."""
    loader, lanes = _Loader(env), _Lanes(env, work.accumulate)
    worked: list[Passed] = []
    spans: list[tuple[int, int]] = []  # of chunks: the cycle of the first digit, and of the end
    waits = {"bank_wait": 0, "sync_wait": 0}
    left = np.full(spec.cols, -1)  # when the sums of the pass before left each column
    for tile, fold_live in enumerate(work.live):
        for _ in range(work.across):
            for index, chunk in enumerate(work.chunks):
                free = spans[-2][1] + 1 if len(spans) > 1 else 0
                loaded = loader.chunk(chunk.beats, free)
                begin = max(loaded + LOAD_CYCLES, spans[-1][1] if spans else 0)
                go, before = np.full(spec.cols, begin), list[Ints]()
                for weight in range(spec.passes):
                    passed = run_pass(
                        work.costs[index][tile, weight], go, before, spec.slack,
                        next_columns(spec, chunk),
                    )  # fmt: skip
                    last = weight == spec.passes - 1
                    turn = np.maximum(passed.complete, left + 1)
                    closes = last and index == len(work.chunks) - 1
                    for column in range(fold_live):
                        left[column] = lanes.take(column, int(turn[column]), closes)
                    meets = last or spec.sync == "pass"
                    go = np.full(spec.cols, turn.max() + 1) if meets else turn
                    worked.append(passed)
                    waits["bank_wait"] += int(passed.bank_wait)
                    waits["sync_wait"] += int((go[:, None] - passed.ends[..., -1]).sum())
                spans.append((begin, int(go[0])))
    cycles, through = lanes.out[-1], spans[-1][1]
    occupied = max(cycles + 1, through + 2)
    split = _charged(occupied, worked, spans, loader, lanes, env)
    return Scheduled(cycles, occupied, split, waits)


def _charged(
    occupied: int,
    worked: Sequence[Passed],
    spans: Sequence[tuple[int, int]],
    loader: _Loader,
    lanes: _Lanes,
    env: Env,
) -> Mapping[str, int]:
    """Charge each cycle to what it was: to the first of these that holds."""
    left = np.ones(occupied, bool)
    left[0] = False

    def charge(*intervals: tuple[Ints | list[int], Ints | list[int]]) -> int:
        begins, ends = (
            np.concatenate([np.zeros(0, np.int64), *(np.ravel(pair[side]) for pair in intervals)])
            for side in range(2)
        )
        here = left & covered(occupied, begins.astype(np.int64), ends.astype(np.int64))
        left[here] = False
        return int(here.sum())

    split = {"busy": charge(*((p.starts, p.ends) for p in worked))}
    result = env.get("result", IDEAL)
    refused = [c for x, y in lanes.waits for c in range(x, y) if not is_ready(result, c)]
    split["stall.result"] = charge((refused, [c + 1 for c in refused]))
    split["stall.c"] = charge(*(([x], [y]) for x, y in lanes.waits))
    split["drain"] = charge(*(([begin], [end + 1]) for begin, end in spans))
    split["stall.b"] = charge(*(([x], [min(b, y)]) for x, b, y in loader.lacks if b > x))
    split["stall.a"] = charge(*(([x], [y]) for x, _, y in loader.lacks))
    split["fill"] = 1 + charge(([0], [spans[-1][1] + 1]))
    split["drain"] += int(left.sum())
    return split


def covered(length: int, begins: Ints, ends: Ints) -> NDArray[np.bool_]:
    """Return which cycles lie in one of some half-open intervals."""
    depth = np.bincount(begins, minlength=length + 1) - np.bincount(ends, minlength=length + 1)
    covered: NDArray[np.bool_] = np.cumsum(depth)[:length] > 0
    return covered
