"""What a report is made from, and the choices that its page, its script and its figures share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from archsim.metric import Goal
from archsim.report.against import Against
from archsim.report.beside import Reference
from archsim.report.pareto import non_dominated
from archsim.report.quantities import NOTHING, Quantity, Unit, number, quantity
from archsim.report.study import Decision, Row, Study
from archsim.result import Result

LOG_SPAN = 8.0  # a metric that spans more than this starts on a logarithmic axis
BARS = 10  # front designs in the breakdown, besides baseline and chosen


@dataclass(frozen=True, slots=True)
class Detail:
    """The chosen design on one workload, simulated again with everything kept."""

    analytic: Result
    event: Result | None = None

    @property
    def shown(self) -> Result:
        return self.event or self.analytic


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report is made from.

    Parameters
    ----------
    details
        By workload: the chosen design's ops and resources; may be empty.
    against
        Another study of the same workloads, drawn into the same figure and compared.
    references
        Points that no sweep made, such as GPUs: see `Reference`.
    links
        Title to relative address of files beside the report: the full table, timelines.
    """

    study: Study
    decision: Decision
    details: Mapping[str, Detail] = field(default_factory=dict)
    against: Against | None = None
    references: Sequence[Reference] = ()
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scale:
    """A metric of a study with the one unit that all its values are printed in."""

    quantity: Quantity
    goal: Goal
    unit: Unit
    log: bool

    @property
    def name(self) -> str:
        return self.quantity.name

    @property
    def label(self) -> str:
        """Title and unit, for an axis."""
        return f"{self.quantity.title} ({self.unit.symbol})".removesuffix(" ()")

    def text(self, row: Row | None) -> str:
        """Return a row's value without the unit, which the table's head says."""
        value = None if row is None else row.get(self.name)
        return NOTHING if value is None else number(float(value) / self.unit.size)


def scales(study: Study, decision: Decision, references: Sequence[Reference] = ()) -> list[Scale]:
    """Return the study's metrics, objectives first, each with one unit for all designs.

    A metric is on a log axis where the front spans much, or the references stand far from it.
    """
    goals = {o.metric: o.goal for o in study.objectives}
    found = []
    for name in study.metrics:
        values = decision.front[name].to_numpy(np.float64)
        others = [r.metrics[name] for r in references if name in r.metrics]
        every = np.append(values, others)
        log = bool((every > 0).all() and every.max() > LOG_SPAN * every.min())
        show = quantity(name)
        found.append(Scale(show, goals.get(name, show.goal), show.unit_for(values), log))
    return found


def first_view(shown: Sequence[Scale], study: Study, decision: Decision) -> tuple[Scale, Scale]:
    """Return the two metrics to look at first: the objectives that trade off at the most designs.

    Where there is one objective, it and the next metric.
    """
    goals = {o.metric for o in study.objectives}
    objectives = [s for s in shown if s.name in goals]
    pairs = list(combinations(objectives, 2))
    if not pairs:
        return shown[0], shown[min(1, len(shown) - 1)]
    return max(pairs, key=lambda pair: _trade_offs(decision, pair))  # the first of equals


def _trade_offs(decision: Decision, pair: tuple[Scale, Scale]) -> int:
    values = decision.front[[s.name for s in pair]].drop_duplicates().to_numpy(np.float64)
    return int(non_dominated(values, [s.goal for s in pair]).sum())


def front_numbers(study: Study, decision: Decision) -> dict[int, int]:
    """Return row to number, from 1, of the designs on the front, best first objective first."""
    front = decision.front
    keys = [front[o.metric] * (1 if o.goal == "min" else -1) for o in study.objectives]
    order = np.lexsort([key.to_numpy() for key in reversed(keys)])
    return {int(front.index[at]): place for place, at in enumerate(order, start=1)}


def bar_designs(study: Study, decision: Decision) -> tuple[list[str], list[Row]]:
    """Return names and rows of the bars: baseline, chosen and an even choice of the front."""
    numbers, chosen = front_numbers(study, decision), decision.knee
    order = list(numbers)
    spread = np.linspace(0, len(order) - 1, min(BARS, len(order))).round().astype(int)
    picked = [order[i] for i in dict.fromkeys(spread.tolist()) if order[i] != chosen]
    rows: list[Row] = [decision.row(row) for row in (chosen, *picked)]
    names = [f"chosen #{numbers[chosen]}", *(f"#{numbers[row]}" for row in picked)]
    names = [" ".join((n, *study.group(row))) for n, row in zip(names, rows, strict=True)]
    if decision.baseline is not None:
        names.insert(0, study.baseline_name)
        rows.insert(0, decision.baseline)
    return names, rows
