"""The best designs of a sweep so far: the Pareto front of those that finished every workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.metric import COMMON
from archsim.sweep.answers import Answers
from archsim.sweep.columns import is_breakdown, products

if TYPE_CHECKING:
    import pandas as pd

    from archsim.sweep.plan import Plan


@dataclass(frozen=True, slots=True)
class Placed:
    """A design on the front: its place, its values on the axes, and its objectives' values.

    Parameters
    ----------
    metrics
        Over all workloads by their weights.
    """

    number: int
    design: str
    point: Mapping[str, Any]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Front:
    """The designs of a sweep that keep its constraints, as far as they are known.

    Parameters
    ----------
    goals
        Objective to ``min`` or ``max``.
    values
        [designs, objectives].
    mask
        [designs]: who is on the front.
    placed
        The front, best first objective first.
    """

    goals: Mapping[str, str]
    values: NDArray[np.float64]
    mask: NDArray[np.bool_]
    placed: tuple[Placed, ...]

    @property
    def best(self) -> dict[str, Placed]:
        """The best design by objective; of equals the first on the front."""
        signs = {name: 1 if goal == "min" else -1 for name, goal in self.goals.items()}

        def first(name: str) -> Placed:
            return min(self.placed, key=lambda placed: signs[name] * placed.metrics[name])

        return {name: first(name) for name in self.goals} if self.placed else {}


def front_of(answers: Answers) -> Front:
    """Return the front of what is finished."""
    from archsim.report.pareto import non_dominated  # noqa: PLC0415 (pandas is slow to import)

    sweep = answers.plan.sweep
    goals = dict(sweep.objectives)
    totals = _totals(answers)
    for metric, bounds in sweep.constraints.items():
        low, high = bounds.min, bounds.max
        totals = totals[totals[metric] >= (-np.inf if low is None else low)]
        totals = totals[totals[metric] <= (np.inf if high is None else high)]
    values = totals[list(goals)].to_numpy(np.float64)
    finite = np.isfinite(values).all(axis=1)
    totals, values = totals[finite], values[finite]
    mask = non_dominated(values, list(goals.values()))
    return Front(goals, values, mask, _placed(answers.plan, totals["design"], values, mask))


def _totals(answers: Answers) -> pd.DataFrame:
    """Return metrics over the workloads of the swept designs that finished all of them."""
    from archsim.report.pareto import over_workloads  # noqa: PLC0415

    plan, sweep = answers.plan, answers.plan.sweep
    made = products(sweep.metrics)
    asked = dict.fromkeys([*sweep.objectives, *sweep.constraints])
    factors = [name for metric in asked if metric in made for name in made[metric]]
    needed = [m for m in dict.fromkeys([*asked, *factors]) if m not in made]
    own = [m for m in needed if m not in COMMON and not is_breakdown(m)]
    table = answers.metrics(dict.fromkeys([*COMMON, *needed]))
    weights = {w.label: w.weight for w in plan.workloads}
    return over_workloads(table, weights, averaged=own, products=made)


def _placed(
    plan: Plan, designs: pd.Series, values: NDArray[np.float64], mask: NDArray[np.bool_]
) -> tuple[Placed, ...]:
    goals = plan.sweep.objectives
    signs = [1.0 if goal == "min" else -1.0 for goal in goals.values()]
    rows = np.flatnonzero(mask)
    rows = rows[np.lexsort((values[rows] * signs).T[::-1])]
    digests = designs.to_numpy()[rows]
    wanted = set(digests)
    points = {d.digest: plan.shown(d) for d in plan.designs if d.digest in wanted}
    return tuple(
        Placed(number, digest, points[digest], dict(zip(goals, values[row].tolist(), strict=True)))
        for number, (row, digest) in enumerate(zip(rows, digests, strict=True), start=1)
    )
