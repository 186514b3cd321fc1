"""Arrays with a stationary operand, cycle by cycle: the definition of faster forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archsim.engines import IDEAL, Env
from archsim.engines.gemm.cycle_loop import Stalled
from archsim.engines.offers import is_ready, may_offer


@dataclass(frozen=True, slots=True)
class Step:
    """What the schedule wants of a step: beats that it needs, and whether a row goes out in it."""

    feeds: bool
    loads: bool
    lands: bool


def schedule(rows: int, cols: int, bank: int, landing: int, m: int, n: int, k: int) -> list[Step]:
    """Return the steps of one job; see `archsim.engines.gemm.stationary` for the rules."""
    folds = list(_folds(rows, cols, bank, m, n, k))
    loads = [True] * folds[0][1]
    feeds = [False] * len(loads)
    lands: set[int] = set()
    for i, (height, _, last_in_k) in enumerate(folds):
        depth_next = folds[i + 1][1] if i + 1 < len(folds) else 0
        if last_in_k:
            lands.update(range(len(feeds) + landing, len(feeds) + landing + height))
        period = max(height, depth_next)
        feeds += [x < height for x in range(period)]
        loads += [x < depth_next for x in range(period)]
    flush = [False] * landing
    return [
        Step(feed, load, step in lands)
        for step, (feed, load) in enumerate(zip(feeds + flush, loads + flush, strict=True))
    ]


def _folds(
    rows: int, cols: int, bank: int, m: int, n: int, k: int
) -> Iterator[tuple[int, int, bool]]:
    """Yield each fold's rows of A, rows of B, and whether it is the last along k."""
    for top in range(0, m, bank):
        for _ in range(0, n, cols):
            for depth in range(0, k, rows):
                yield min(bank, m - top), min(rows, k - depth), depth + rows >= k


def run(
    rows: int, cols: int, bank: int, landing: int,
    m: int, n: int, k: int, accumulate: int, env: Env,
) -> Stalled:  # fmt: skip
    """Run one job of an array with a bank of ``bank`` rows in an environment.

    Parameters
    ----------
    landing
        Steps from a row's feeding to its landing in the bank.
    """
    steps = schedule(rows, cols, bank, landing, m, n, k)
    results = sum(step.lands for step in steps)
    ports = {name: env.get(name, IDEAL) for name in ("a", "b", "c", "result")}
    wanted = {
        "a": sum(step.feeds for step in steps),
        "b": sum(step.loads for step in steps),
        "c": results * accumulate,
    }
    taken = dict.fromkeys(wanted, 0)
    offered = dict.fromkeys(wanted, False)
    stalls = dict.fromkeys(ports, 0)
    step = queued = out = cycle = 0
    while True:
        for name, beats in wanted.items():
            offered[name] |= taken[name] < beats and may_offer(ports[name], taken[name], cycle)
        if cycle == 0:  # the command's own cycle
            cycle = 1
            continue
        ready = is_ready(ports["result"], cycle)
        has_c = offered["c"] or not accumulate
        fire = queued > 0 and ready and has_c
        output = "c" if queued and ready and not has_c else "result"

        pushed = 0
        if step == len(steps):
            if queued and not fire:
                stalls[output] += 1
        elif steps[step].lands and queued == 2:
            stalls[output] += 1
        elif steps[step].loads and not offered["b"]:
            stalls["b"] += 1
        elif steps[step].feeds and not offered["a"]:
            stalls["a"] += 1
        else:
            for name, needed in (("a", steps[step].feeds), ("b", steps[step].loads)):
                if needed:
                    offered[name], taken[name] = False, taken[name] + 1
            pushed = int(steps[step].lands)
            step += 1
        if fire:
            out += 1
            if accumulate:
                offered["c"], taken["c"] = False, taken["c"] + 1
        queued += pushed - fire
        if out == results:
            return Stalled(cycle, stalls)
        cycle += 1
