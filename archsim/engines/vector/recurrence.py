"""The pipeline beat by beat, in any environment: what the closed form is held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archsim.engines import IDEAL, Env
from archsim.engines.offers import first_offer, first_ready

STAGES = 6  # bias, products of halves, product, taps, rounding, clamp


@dataclass(frozen=True, slots=True)
class Run:
    """Cycles of one job, and all occupied ones by what they were."""

    cycles: int
    split: Mapping[str, int]


def run(beats: int, taps: int, hold: int, env: Env) -> Run:
    """Run one job in an environment; see `archsim.engines.vector.timing` for the rules."""
    x, parameters, y = (env.get(name, IDEAL) for name in ("x", "parameters", "y"))
    split = dict.fromkeys(("fill", "stall.x", "stall.parameters", "stall.y"), 0)
    split["fill"] = 1
    loaded = 0  # the cycle that took the set
    # the cycles in which the last beat entered, and left stage after stage
    entered = to_halves = to_product = to_taps = to_rounding = to_clamp = left = 0
    refused: list[tuple[int, int]] = []  # from when on a result waited, and until when
    for beat in range(beats * taps):
        if beat % (hold * taps) == 0:
            offered = first_offer(parameters, beat // (hold * taps), loaded + (beat > 0))
            loaded = max(offered, entered, 1)
        # the first stage is free when the beat before moves on
        free = max(entered + 1, to_halves)
        since = max(first_offer(x, beat, entered + (beat > 0)), loaded + 1)
        split["stall.y"] += free - entered - 1
        at = max(free, since)
        split["stall.parameters"] += max(0, min(loaded, at) - free)
        split["fill"] += free <= loaded < at
        split["stall.x"] += at - max(free, loaded + 1)
        entered = at
        to_halves = max(entered + 1, to_product)
        to_product = max(to_halves + 1, to_taps)
        first, last = beat % taps == 0, beat % taps == taps - 1
        to_taps = max(to_product + 1, to_rounding if first else 0)
        if last:
            to_rounding = max(to_taps + 1, to_clamp)
            to_clamp = max(to_rounding + 1, left)
            left = first_ready(y, to_clamp + 1)
            refused.append((to_clamp + 1, left))
    waited = sum(max(0, until - max(since, entered + 1)) for since, until in refused)
    split["stall.y"] += waited
    split["drain"] = left - entered - waited
    split["busy"] = beats * taps
    return Run(left, split)
