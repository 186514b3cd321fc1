"""How a sweep's folder stands: done, failed, left, rate, and the best so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archsim.metric import COMMON
from archsim.sweep.columns import OK, is_breakdown, products
from archsim.sweep.store import SweepFolder

RATE_OVER_S = 60.0  # the stretch before the last finished point that the rate is of


@dataclass(frozen=True, slots=True)
class Best:
    """The best design so far by one objective, among those that finished every workload.

    Parameters
    ----------
    value
        Over all workloads by their weights.
    point
        The design's values on the axes.
    """

    goal: str
    value: float
    design: str
    point: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Status:
    """How a sweep stands.

    Parameters
    ----------
    points, done, left
        Of the plan.
    statuses
        Points done, by how they ended: ``ok``, ``infeasible``, ``failed``.
    running
        Whether some process is at work on it now.
    rate
        Points a second over the last minute of work; None below two points.
    left_s
        Seconds to the end at that rate, while running.
    reasons
        Why points have no result, and how many for each reason, most frequent first.
    faults
        Damaged lines of journals.
    best
        By objective.
    """

    name: str
    question: str
    points: int
    done: int
    left: int
    statuses: Mapping[str, int]
    running: bool
    rate: float | None
    left_s: float | None
    reasons: Mapping[str, int]
    faults: Sequence[str]
    best: Mapping[str, Best]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def status(path: Path | str) -> Status:
    """Return how the sweep in a folder stands.

    Raises
    ------
    InputError
        If the folder holds no sweep.
    """
    folder = SweepFolder(path)
    answers = folder.answers()
    total, done, running = len(folder.plan), len(answers), folder.is_running()
    rate = _rate(answers.ends_s)
    return Status(
        name=folder.sweep.name,
        question=folder.sweep.question,
        points=total,
        done=done,
        left=total - done,
        statuses=dict(answers.statuses),
        running=running,
        rate=rate,
        left_s=(total - done) / rate if rate and running else None,
        reasons=dict(answers.reasons.most_common()),
        faults=[str(fault) for fault in answers.faults],
        best=_best(folder),
    )


def _rate(ends_s: Sequence[float]) -> float | None:
    """Return points a second over the last stretch in which points finished."""
    ends = sorted(ends_s)
    recent = [end for end in ends if end >= ends[-1] - RATE_OVER_S]
    if len(recent) < 2 or recent[-1] == recent[0]:
        return None
    return (len(recent) - 1) / (recent[-1] - recent[0])


def _best(folder: SweepFolder) -> dict[str, Best]:
    """Return the best swept design within the constraints, by objective."""
    from archsim.report.pareto import over_workloads  # noqa: PLC0415 (pandas is slow to import)

    table = folder.results()
    table = table[(table["status"] == OK) & table["swept"]]
    if table.empty:
        return {}
    points = {d.digest: d.point for d in folder.plan.designs}
    weights = {w.label: w.weight for w in folder.plan.workloads}
    constraints = folder.sweep.constraints
    named = dict.fromkeys([*folder.sweep.objectives, *constraints])
    made = products(folder.sweep.metrics)
    own = [m for m in named if m not in COMMON and m not in made and not is_breakdown(m)]
    totals = over_workloads(table, weights, averaged=own, products=made)
    for metric, bounds in constraints.items():
        low, high = bounds.min, bounds.max
        totals = totals[totals[metric] >= (-np.inf if low is None else low)]
        totals = totals[totals[metric] <= (np.inf if high is None else high)]
    best = {}
    for metric, goal in folder.sweep.objectives.items():
        values = totals[metric].astype(float).to_numpy()
        if np.isfinite(values).any():
            at = int(np.nanargmin(values) if goal == "min" else np.nanargmax(values))
            design = str(totals["design"].iloc[at])
            best[metric] = Best(goal, float(values[at]), design, points[design])
    return best
