"""Arrays in lockstep, cycle by cycle: the definition that faster forms are held to."""

from __future__ import annotations

from archsim.engines import IDEAL, Env, Ints
from archsim.engines.gemm.cycle_loop import Stalled
from archsim.engines.offers import is_ready, may_offer


def run(steps: Ints, rows: Ints, stages: int, env: Env, *, accumulate: bool) -> Stalled:
    """Run one job in an environment, by the rules of `lockstep_timing`.

    Parameters
    ----------
    steps
        Cycles that each beat is worked on: [folds, beats].
    rows
        Rows of results of each fold: [folds].
    stages
        Cycles that what was handed out takes to a sum.
    """
    folds, beats = steps.shape
    lengths, results = steps.ravel().tolist(), int(rows.sum())
    ports = {name: env.get(name, IDEAL) for name in ("a", "b", "c", "result")}
    wanted = {"a": folds * beats, "b": folds * beats, "c": results * accumulate}
    taken = dict.fromkeys(wanted, 0)
    offered = dict.fromkeys(wanted, False)
    stalls = dict.fromkeys(ports, 0)
    beat = -1  # the beat that is worked on, or was
    left = 0  # cycles that it still takes
    coming = [0] * stages  # rows of folds on their way to the drain registers
    waiting = queued = out = 0
    lacks: str | None = None  # what was missing a cycle ago
    cycle = 1
    for name, count in wanted.items():
        offered[name] = count > 0 and may_offer(ports[name], 0, 0)
    while True:
        for name, count in wanted.items():
            offered[name] |= taken[name] < count and may_offer(ports[name], taken[name], cycle)
        leave = waiting > 0 and queued < 2
        ready = is_ready(ports["result"], cycle)
        has_c = offered["c"] or not accumulate
        fire = queued > 0 and ready and has_c
        held_up = "result" if not ready else "c"

        last = beat % beats == beats - 1
        waits = left == 1 and last and (any(coming) or waiting > leave)
        done = left == 1 and not waits
        load = (left == 0 or done) and offered["a"] and offered["b"]
        if waits or (left == 0 and beat == folds * beats - 1):
            stalls[held_up] += queued > 0 and not fire
        elif left == 0 and lacks:
            stalls[lacks] += 1

        lacks = None
        if beat + 1 < folds * beats and not load:
            lacks = "a" if offered["b"] else "b"
        entering = int(rows[beat // beats]) if done and last else 0
        captured = coming.pop()
        coming.insert(0, entering)
        if left and not waits:
            left -= 1
        if load:
            beat += 1
            left = lengths[beat]
            for name in ("a", "b"):
                offered[name], taken[name] = False, taken[name] + 1
        if fire:
            out += 1
            if accumulate:
                offered["c"], taken["c"] = False, taken["c"] + 1
        waiting += captured - leave
        queued += leave - fire
        if out == results:
            return Stalled(cycle, stalls)
        cycle += 1
