"""Arrays that keep the sums, cycle by cycle: the definition that faster forms are held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archsim.engines import IDEAL, Env
from archsim.engines.offers import is_ready, may_offer

STAGED = 3  # rows that a stage and the output queue hold


@dataclass(frozen=True, slots=True)
class Stalled:
    """Cycles of one job, and those of them in which the array waited for a port."""

    cycles: int
    stalls: Mapping[str, int]


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
) -> Stalled:
    """Run one job, of ``k`` beats a pass, in an environment.

    `archsim.engines.systolic.output_stationary` has the rules of arrays whose rows and columns are
    ``skewed``, `archsim.engines.matrix2d.timing` of others. Here a fold is one of its passes, and
    products reach their sums ``behind`` steps after their beat. With several passes rows wait in a
    stage before the output queue, and a row leaves when it is gone from there in the pass before.
    """
    folds_n = -(-n // cols)
    fold_rows = [min(rows, m - i) for i in range(0, m, rows) for _ in range(folds_n * passes)]
    folds, period, lag = len(fold_rows), max(k, rows), 0
    if skewed:
        period, lag = max(period, cols), cols - 1
    if passes > 1:
        period = max(period, STAGED)
    # rows in the order in which they leave: whether they are results
    result = [f % passes == passes - 1 for f in range(folds) for _ in range(fold_rows[f])]
    # how many may be in stage and queue for the next one to leave
    most = [h if f % passes else STAGED for f, h in enumerate(fold_rows) for _ in range(h)]
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
    step = complete = left = queued = out = cycle = 0
    while True:
        for name, beats in wanted.items():
            offered[name] |= taken[name] < beats and may_offer(ports[name], taken[name], cycle)
        if cycle == 0:  # the command's own cycle
            cycle = 1
            continue
        waiting = queued - out
        moves = left > queued and waiting < 2  # from the stage into the queue
        room = (left == queued or moves) if passes > 1 else waiting < 2
        leave = complete > left and room and left - out < most[left]
        ready = is_ready(ports["result"], cycle)
        has_c = offered["c"] or not accumulate
        waits = waiting > 0 and result[out] and not (ready and has_c)
        lacks_c = waits and ready

        feeding = step % period < k and step <= last_feed
        blocked = step in captures and captures[step][0] >= left + leave
        if step == steps:
            if waits:
                stalls["c" if lacks_c else "result"] += 1
        elif blocked:
            stalls["c" if lacks_c else "result"] += 1
        elif feeding and not offered["b"]:
            stalls["b"] += 1
        elif feeding and not offered["a"]:
            stalls["a"] += 1
        else:
            if feeding:
                for name in ("a", "b"):
                    offered[name], taken[name] = False, taken[name] + 1
            complete += captures.get(step - lag, (0, 0))[1]
            step += 1
        if waiting and not waits:
            if result[out] and accumulate:
                offered["c"], taken["c"] = False, taken["c"] + 1
            out += 1
        left += leave
        queued = queued + moves if passes > 1 else left
        if out == len(result):
            return Stalled(cycle, stalls)
        cycle += 1
