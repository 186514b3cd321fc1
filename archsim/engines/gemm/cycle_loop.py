"""Arrays that keep the sums, cycle by cycle: the definition that faster forms are held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archsim.engines import IDEAL, Env
from archsim.engines.offers import is_ready, may_offer

PASS_STEPS = 4  # that a pass lasts at least, where a fold has several
LATE_STEPS = 2  # by which a fold lasts longer than its drain, where steps are late


@dataclass(frozen=True, slots=True)
class Stalled:
    """Cycles of one job, and those of them in which the array waited for a port."""

    cycles: int
    stalls: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Moves:
    """What the way out does in a cycle.

    Parameters
    ----------
    room
        A row may leave the drain registers.
    takes_c, gives
        A row takes its partial sums; a row is gone.
    waits, lacks_c
        A row waits for a port; it does so for partial sums alone.
    """

    room: bool
    takes_c: bool
    gives: bool
    waits: bool
    lacks_c: bool


@dataclass(slots=True)
class Queue:
    """Two rows between the drain registers and the port; partial sums are added as a row goes."""

    accumulate: bool
    waiting: int = 0

    @property
    def rows(self) -> int:
        return self.waiting

    def look(self, *, ready: bool, offered_c: bool) -> Moves:
        lacks_c = self.accumulate and not offered_c
        some = self.waiting > 0
        gives = some and ready and not lacks_c
        return Moves(
            room=self.waiting < 2,
            takes_c=gives and self.accumulate,
            gives=gives,
            waits=some and not gives,
            lacks_c=some and ready and lacks_c,
        )

    def move(self, moves: Moves, *, enters: bool) -> None:
        self.waiting += enters - moves.gives


@dataclass(slots=True)
class Lanes:
    """Places of rows that become numbers in two cycles: a row waits, a row is half added.

    Partial sums are taken between the two. Where a fold comes in several passes, a stage is before
    them, and ``results`` says of each row whether it is one; others wait for no port.
    """

    accumulate: bool
    results: Sequence[bool]
    staged: bool
    stage: int = 0
    held: int = 0
    half: int = 0
    gone: int = 0

    @property
    def rows(self) -> int:
        return self.stage + self.held + self.half

    def look(self, *, ready: bool, offered_c: bool) -> Moves:
        gives = bool(self.half) and (ready or not self.results[self.gone])
        goes = gives or not self.half
        needs_c = bool(self.held) and self.accumulate and self.results[self.gone + self.half]
        adds = bool(self.held) and goes and (offered_c or not needs_c)
        free = adds or not self.held
        lacks_c = goes and needs_c and not offered_c
        return Moves(
            room=free or (self.staged and not self.stage),
            takes_c=adds and needs_c,
            gives=gives,
            waits=(bool(self.half) and not gives) or lacks_c,
            lacks_c=lacks_c,
        )

    def move(self, moves: Moves, *, enters: bool) -> None:
        goes = moves.gives or not self.half
        adds = bool(self.held) and goes and not moves.lacks_c
        self.gone += moves.gives
        if goes:
            self.half = int(adds)
        free = adds or not self.held
        if not self.staged:
            self.held = int(enters) if free else self.held
            return
        if free:
            self.held, self.stage = self.stage, 0
        self.stage += enters


def run(
    rows: int,
    cols: int,
    m: int,
    n: int,
    k: int,
    accumulate: int,
    env: Env,
    *,
    skewed: bool = True,
    passes: int = 1,
    behind: int = 0,
    late: int = 0,
) -> Stalled:
    """Run one job, of ``k`` beats a pass, in an environment.

    `archsim.engines.systolic.output_stationary` has the rules of arrays whose rows and columns are
    ``skewed``, `archsim.engines.matrix2d.timing` of others, and of steps that are ``late``. Here a
    fold is one of its passes, and products reach their sums ``behind`` steps after their beat. With
    several passes, which late steps alone have, a row leaves when it is gone from the port in the
    pass before.
    """
    folds_n = -(-n // cols)
    fold_rows = [min(rows, m - i) for i in range(0, m, rows) for _ in range(folds_n * passes)]
    folds, lag = len(fold_rows), cols - 1 if skewed else 0
    period = fold_steps(rows, cols, k, skewed=skewed, passes=passes, late=late)
    # rows in the order in which they leave: whether they are results
    result = [f % passes == passes - 1 for f in range(folds) for _ in range(fold_rows[f])]
    # how many may be on their way out for the next one to leave
    most = [h if f % passes else PASS_STEPS for f, h in enumerate(fold_rows) for _ in range(h)]
    last_feed = (folds - 1) * period + k - 1

    # steps that end results' sums in column 0, the last result whose place they take, and how many
    captures: dict[int, tuple[int, int]] = {}
    first = previous = 0
    for fold, height in enumerate(fold_rows):
        end = fold * period + k - 1 + behind
        if skewed:
            for i in range(height):
                captures[end + i] = (previous + i if fold else -1, 1)
        else:
            captures[end] = (first - 1, height)
        first, previous = first + height, first
    steps = max(captures) + lag + 1

    ports = {name: env.get(name, IDEAL) for name in ("a", "b", "c", "result")}
    wanted = {"a": folds * k, "b": folds * k, "c": sum(result) * accumulate}
    taken = dict.fromkeys(wanted, 0)
    offered = dict.fromkeys(wanted, False)
    stalls = dict.fromkeys(ports, 0)
    way: Queue | Lanes = Queue(bool(accumulate))
    if late:
        way = Lanes(bool(accumulate), result, staged=passes > 1)
    step = complete = captured = left = out = cycle = 0
    while True:
        for name, beats in wanted.items():
            offered[name] |= taken[name] < beats and may_offer(ports[name], taken[name], cycle)
        if cycle == 0:  # the command's own cycle
            cycle = 1
            continue
        moves = way.look(ready=is_ready(ports["result"], cycle), offered_c=offered["c"])
        leave = complete > left and moves.room and way.rows < most[left]
        complete, captured = complete + captured, 0

        feeding = step % period < k and step <= last_feed
        blocked = step in captures and captures[step][0] >= left + (leave and not late)
        if step == steps:
            if moves.waits:
                stalls["c" if moves.lacks_c else "result"] += 1
        elif blocked:
            stalls["c" if moves.lacks_c else "result"] += 1
        elif feeding and not offered["b"]:
            stalls["b"] += 1
        elif feeding and not offered["a"]:
            stalls["a"] += 1
        else:
            if feeding:
                for name in ("a", "b"):
                    offered[name], taken[name] = False, taken[name] + 1
            captured = captures.get(step - lag, (0, 0))[1]
            step += 1
        if not late:
            complete, captured = complete + captured, 0
        if moves.takes_c:
            offered["c"], taken["c"] = False, taken["c"] + 1
        way.move(moves, enters=leave)
        left, out = left + leave, out + moves.gives
        if out == len(result):
            return Stalled(cycle, stalls)
        cycle += 1


def fold_steps(
    rows: int, cols: int, k: int, *, skewed: bool, passes: int = 1, late: int = 0
) -> int:
    """Return how many steps a fold of ``k`` beats takes, or a pass of it."""
    wait = LATE_STEPS * late
    drain = max(rows, cols + wait) if skewed else rows + wait
    return max(k, drain, PASS_STEPS if passes > 1 else 1)
