"""What to judge a dot-product engine by, beside time and energy, and what to look at."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.metric import Metric, Panel, Series
from archsim.result import OpRow, Result

STATES = ("busy", "drain", "stall.a", "stall.b", "stall.result")


def own(result: Result, names: Sequence[str]) -> list[OpRow]:
    """Return the ops that ran on the design's dot-product engines."""
    return [row for row in result.per_op if row.engine in names]


def pj_per_mac(result: Result, names: Sequence[str]) -> float:
    """Return what a MAC costs in the engine itself; 0 where it had none to do."""
    rows = own(result, names)
    macs = sum(row.macs for row in rows)
    return sum(row.energy_pj[row.engine] for row in rows) / macs if macs else 0.0


def cycles_by_state(result: Result, names: Sequence[str]) -> list[Series]:
    """Return the cycles of each op by what they were."""
    rows = own(result, names)
    ops = tuple(row.name for row in rows)
    return [
        Series(state, ops, tuple(float(row.split_cycles[state]) for row in rows))
        for state in STATES
        if any(row.split_cycles[state] for row in rows)
    ]


DOT_ENERGY = Metric(
    "dot_pj_per_mac", "Engine energy per MAC", meaning="Of the dot-product engines alone.",
    units=(("pJ", 1.0),), value=pj_per_mac,
)  # fmt: skip
CYCLES = Panel(
    "Cycles of the dot-product engine", "Op", "Cycles", cycles_by_state,
    meaning="Long rows amortise the cycle that each result takes.",
)  # fmt: skip
