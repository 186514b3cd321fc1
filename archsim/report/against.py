"""Two sweeps of the same workloads: what changed in the designs of both, and in the front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from archsim.errors import InputError
from archsim.metric import COMMON, Goal
from archsim.report.pareto import non_dominated, over_workloads
from archsim.report.quantities import quantity, settings, times
from archsim.report.study import OK, Decision, Study, decide, row_of

UNCHANGED = 1e-9  # a ratio closer to 1 is the same figure
LISTED = 10  # designs in each list
Key = Literal["design", "settings"]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a metric in the designs that both sweeps have answers for.

    Parameters
    ----------
    better, worse, same
        Designs; better in this sweep than in the other one.
    median, least, most
        Ratio of this sweep's value to the other's; None where no ratio is defined.
    """

    metric: str
    goal: Goal
    better: int
    worse: int
    same: int
    median: float | None
    least: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A design of both sweeps, and each objective here over there; None where there is no ratio."""

    label: str
    ratios: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Listed:
    """So many designs, and the first of them in words."""

    count: int
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Against:
    """Another study of the same workloads, what it comes to, and the two side by side."""

    study: Study
    decision: Decision
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Comparison:
    """A sweep beside another one.

    Parameters
    ----------
    here, there
        Names of the sweep that the report is of, and of the other.
    key
        What makes designs of the two the same: all of the design, or, where no design is in both,
        the settings on the axes.
    both
        Designs that both sweeps tried.
    only_here, only_there
        Designs that one of them tried.
    answered
        Designs of both that answered every workload in both.
    gained, lost
        Designs of both that answered every workload here only, or there only.
    changes
        A metric of both tables each, objectives first.
    moved
        The answered designs whose objectives changed most.
    front
        Designs of the two fronts: on both, entered it here, left it here.
    joint
        Designs of the front that both fronts together have: from here, from there, from both.
    processes
        That the two chosen designs are made in.
    """

    here: str
    there: str
    key: Key
    both: int
    only_here: Listed
    only_there: Listed
    answered: int
    gained: Listed
    lost: Listed
    changes: tuple[Change, ...]
    moved: tuple[Moved, ...]
    front: Mapping[str, Listed]
    joint: Mapping[str, int]
    processes: tuple[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """Return what it comes to, in plain sentences."""
        changed = [change for change in self.changes if change.better or change.worse]
        said = [_said(change, self.answered) for change in changed]
        if self.answered and not changed:
            said = [f"No metric differs in the {self.answered:,} that both answered."]
        return [*self.in_common(), *said, *self.of_fronts()]

    def in_common(self) -> list[str]:
        """Return which designs both sweeps have, and which only one of them."""
        by = "" if self.key == "design" else " by their settings on the axes"
        said = [f"{self.here} and {self.there} have {_designs(self.both)} in common{by}."]
        sides = (
            (self.here, self.only_here, self.gained),
            (self.there, self.only_there, self.lost),
        )
        for name, alone, answered in sides:
            if alone.count:
                said.append(f"{_designs(alone.count)} more are in {name} only.")
            if answered.count:
                said.append(f"{answered.count:,} in common have an answer in {name} only.")
        if self.processes[0] != self.processes[1]:
            ours, theirs = self.processes
            said.append(
                f"{self.here} is made in {ours} and {self.there} in {theirs}: ratios are of "
                "designs as made, and what the process does to them is in each."
            )
        return said

    def of_fronts(self) -> list[str]:
        """Return what became of the front."""
        both, entered, left = (self.front[name].count for name in ("both", "entered", "left"))
        joint = self.joint
        stayed = f"{both:,} are on that of {self.here} and {left:,} are not; {entered:,} are new"
        theirs = f"{joint['there']:,} of {self.there} and {joint['both']:,} of both"
        return [
            f"Of the front of {self.there}, {stayed}.",
            f"The front of all designs together has {joint['here']:,} of {self.here}, {theirs}.",
        ]


def _designs(count: int) -> str:
    return f"{count:,} design{'s' * (count != 1)}"


def _said(change: Change, answered: int) -> str:
    show = quantity(change.metric)
    ratio = "" if change.median is None else (
        f", {times(change.median)} in the median "
        f"({times(change.least or 0)} to {times(change.most or 0)})"
    )  # fmt: skip
    return (
        f"{show.title}: better in {change.better:,}, worse in {change.worse:,}, "
        f"the same in {change.same:,} of {answered:,}{ratio}."
    )


def against(study: Study, decision: Decision, other: Study) -> Against:
    """Return another study beside a decided one; see `compare`."""
    theirs = decide(other)
    return Against(other, theirs, compare(study, decision, other, theirs))


class _Side:
    """One of the two sweeps: its designs by the key that both share."""

    def __init__(self, study: Study, decision: Decision, keys: Mapping[str, str]) -> None:
        self.study, self.decision = study, decision
        first = np.flatnonzero(~study.table["design"].duplicated())
        digests = study.table["design"].to_numpy()[first]
        self._row = {keys[d]: int(row) for d, row in zip(digests, first, strict=True)}
        self.tried = self._row.keys()
        good = study.table[study.table["status"] == OK]
        own = tuple(
            m for m in study.metrics if m not in {*COMMON, *study.products} and "." not in m
        )
        totals = over_workloads(good, study.weights, own, study.products)
        self.totals = totals.set_index(totals["design"].map(keys))
        self.answered = set(self.totals.index)
        self.designs = decision.designs.set_index(decision.designs["design"].map(keys))
        self.front = set(self.designs.index[self.designs["front"]])

    def label(self, key: str) -> str:
        """Return a design in words."""
        return self.study.label(row_of(self.study.table, self._row[key]))

    def listed(self, keys: set[str]) -> Listed:
        """Return so many designs in the table's order, the first of them in words."""
        first = sorted(keys, key=self._row.__getitem__)[:LISTED]
        return Listed(len(keys), tuple(map(self.label, first)))


def compare(study: Study, decision: Decision, other: Study, theirs: Decision) -> Comparison:
    """Return a sweep beside another one.

    Parameters
    ----------
    decision, theirs
        What the sweeps come to.

    Raises
    ------
    InputError
        If they run different workloads.
    """
    if dict(other.weights) != dict(study.weights):
        raise InputError(
            other.name, f"must run the workloads of {study.name}: {dict(study.weights)}",
            dict(other.weights),
        )  # fmt: skip
    kind, (mine, others) = _keys(study, other)
    here, there = _Side(study, decision, mine), _Side(other, theirs, others)
    both = here.tried & there.tried
    answered = [key for key in here.totals.index if key in there.answered]
    goals = {o.metric: o.goal for o in study.objectives}
    shared = [m for m in study.metrics if m in here.totals and m in there.totals]
    ratios = here.totals.loc[answered, shared] / there.totals.loc[answered, shared]
    return Comparison(
        here=study.name,
        there=other.name if other.name != study.name else f"{other.name} (the other)",
        key=kind,
        both=len(both),
        only_here=here.listed(here.tried - both),
        only_there=there.listed(there.tried - both),
        answered=len(answered),
        gained=here.listed(both & here.answered - there.answered),
        lost=there.listed(both & there.answered - here.answered),
        changes=tuple(
            _change(m, goals.get(m, quantity(m).goal), here.totals.loc[answered, m],
                    there.totals.loc[answered, m], ratios[m])
            for m in shared
        ),
        moved=_moved(here, ratios[[m for m in shared if m in goals]]),
        front={
            "both": here.listed(here.front & there.front),
            "entered": here.listed(here.front - there.front),
            "left": there.listed(there.front - here.front),
        },
        joint=_joint(here, there, {m: goals[m] for m in shared if m in goals}),
        processes=(study.process(decision.chosen), other.process(theirs.chosen)),
    )  # fmt: skip


def _keys(study: Study, other: Study) -> tuple[Key, tuple[dict[str, str], dict[str, str]]]:
    """Return what makes designs the same, and each side's key by digest."""
    mine, theirs = (side.table.drop_duplicates("design") for side in (study, other))
    if set(mine["design"]) & set(theirs["design"]) or set(study.axes) != set(other.axes):
        return "design", ({d: d for d in mine["design"]}, {d: d for d in theirs["design"]})
    found = []
    for rows in (mine, theirs):
        cells = (settings(path, rows[path]) for path in study.axes)
        words = (" | ".join(row) for row in zip(*cells, strict=True))
        found.append(dict(zip(rows["design"], words, strict=True)))
    return "settings", (found[0], found[1])


def _change(
    metric: str, goal: Goal, here: pd.Series, there: pd.Series, ratios: pd.Series
) -> Change:
    difference = (here - there).to_numpy(np.float64)
    same = np.abs(difference) <= UNCHANGED * np.abs(there.to_numpy(np.float64))
    better = (difference < 0) == (goal == "min")
    real = ratios[np.isfinite(ratios)]
    spread = (real.median(), real.min(), real.max()) if len(real) else (None, None, None)
    return Change(
        metric, goal, int((better & ~same).sum()), int((~better & ~same).sum()), int(same.sum()),
        *(None if value is None else float(value) for value in spread),
    )  # fmt: skip


def _moved(side: _Side, ratios: pd.DataFrame) -> tuple[Moved, ...]:
    """Return the designs whose objectives changed most: by the largest factor, either way."""
    values = ratios.to_numpy(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = np.abs(np.log(values))
    factors = np.where(np.isfinite(factors), factors, 0.0).max(axis=1, initial=0.0)
    order = np.argsort(-factors, kind="stable")[:LISTED]
    return tuple(
        Moved(
            side.label(str(ratios.index[at])),
            {m: float(v) if np.isfinite(v) else None for m, v in ratios.iloc[at].items()},
        )
        for at in order if factors[at] > UNCHANGED
    )  # fmt: skip


def _joint(here: _Side, there: _Side, goals: Mapping[str, Goal]) -> dict[str, int]:
    """Return how many designs of the joint front are of one sweep, of the other, and of both."""
    fronts = [side.designs[side.designs["front"]][list(goals)] for side in (here, there)]
    values = np.concatenate([front.to_numpy(np.float64) for front in fronts])
    kept = non_dominated(values, list(goals.values()))
    mine = set(fronts[0].index[kept[: len(fronts[0])]])
    theirs = set(fronts[1].index[kept[len(fronts[0]) :]])
    return {"here": len(mine - theirs), "there": len(theirs - mine), "both": len(mine & theirs)}
