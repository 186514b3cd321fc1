"""A finished sweep as its report sees it, and what it comes to: front, knee, what was left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archsim.design import Design
from archsim.errors import InputError
from archsim.metric import COMMON
from archsim.report.beside import Beside
from archsim.report.pareto import Objective, knee, non_dominated, over_workloads
from archsim.report.quantities import applies, quantity, setting, short_names

Row = Mapping[str, Any]  # of a table: column to value

OK, INFEASIBLE, FAILED = "ok", "infeasible", "failed"  # a row's status
EXCLUDED = "excluded"  # answered, but outside the constraints
VIEW_METRICS = ("time_us", "energy_pj", "area_mm2", "power_mw", "dram_bytes", "utilisation")
DRAWN_POINTS = 4000  # what a browser draws and prints without effort
GRID_CELLS = 60  # a side of the grid that thinning keeps one point a cell of


@dataclass(frozen=True, slots=True)
class Constraint:
    """Bounds that a metric of an acceptable design keeps, over the workloads; None is no bound."""

    metric: str
    low: float | None = None
    high: float | None = None

    def broken(self, values: pd.Series) -> pd.Series:
        low, high = self.low, self.high
        below = values < (-np.inf if low is None else low)
        return below | (values > (np.inf if high is None else high))

    def __str__(self) -> str:
        show = quantity(self.metric)
        low = "" if self.low is None else f"at least {show.text(self.low)}"
        high = "" if self.high is None else f"at most {show.text(self.high)}"
        return f"{show.phrase} {' and '.join(filter(None, (low, high)))}"


@dataclass(frozen=True, slots=True)
class Study:
    """A finished sweep.

    Parameters
    ----------
    name, question
        What the sweep is called and what it was to decide.
    objectives
        At least one.
    axes
        Dotted paths in the design: columns of ``table``.
    weights
        Workload to the runs of it that a design is judged by.
    table
        One row a (design, workload): ``design`` (its digest), axes, ``workload``, ``status``,
        ``reason``, metrics, ``energy.PART_pj`` and ``area.PART_um2``.
    base
        The design tree that the axes are set in: what makes a point ready-to-run YAML.
    baseline
        Rows as in ``table`` of the design to compare with, one a workload; or None.
    products
        Metrics that are products of powers of others.
    constraints
        What a design must keep to be considered.
    linked
        Axes that move together, as groups.
    groups
        Up to two paths: what stands there gives a design its colour, and its marker.
    models
        Workload to what ``archsim simulate`` takes for it.
    typed
        What an axis's cell stands for, by path and cell, where a table's column cannot hold it:
        a mapping, or one number among texts.
    beside
        Designs that were run on the same workloads and are none of the answer.
    unfinished
        Points of the sweep that are not in ``table`` yet.
    provenance
        Versions, digests, command, seed.
    """

    name: str
    question: str
    objectives: tuple[Objective, ...]
    axes: tuple[str, ...]
    weights: Mapping[str, float]
    table: pd.DataFrame
    base: Mapping[str, Any]
    baseline: pd.DataFrame | None = None
    baseline_name: str = "baseline"
    products: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    constraints: tuple[Constraint, ...] = ()
    linked: tuple[tuple[str, ...], ...] = ()
    groups: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[tuple[str, Any], Any] = field(default_factory=dict)
    beside: tuple[Beside, ...] = ()
    unfinished: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def axis_names(self) -> dict[str, str]:
        """Return the axes' short names; the unit is said with the value."""
        return {path: name.removesuffix("_bytes") for path, name in short_names(self.axes).items()}

    @property
    def metrics(self) -> tuple[str, ...]:
        """The objectives first, then what else differs and a front can be looked at by."""
        good = self.table[self.table["status"] == OK]
        more = [m for m in VIEW_METRICS if m in good.columns and good[m].nunique() > 1]
        return tuple(dict.fromkeys([o.metric for o in self.objectives] + more))

    def label(self, row: Mapping[str, Any]) -> str:
        """Return a design in words: ``rows 64, cols 64, capacity 2 MiB``."""
        return ", ".join(f"{name} {value}" for name, value in self.settings(row).items())

    def settings(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return the axes that apply to a design, by short name, as text."""
        return {
            name: setting(path, row[path])
            for path, name in self.axis_names.items()
            if applies(row[path])
        }

    def value(self, path: str, cell: Any) -> Any:
        """Return what an axis's cell sets in the design."""
        if isinstance(cell, np.generic):
            cell = cell.item()
        if (path, cell) in self.typed:
            return self.typed[path, cell]
        # a column with empty cells holds integers as floats
        return int(cell) if isinstance(cell, float) and cell.is_integer() else cell

    def group(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what stands at the paths of the study's groups in a design, as text."""
        tree: Any = self.tree(row) if self.groups else {}
        found = []
        for path in self.groups:
            value: Any = tree
            for name in path.split("."):
                value = value.get(name) if isinstance(value, Mapping) else None
            found.append(setting(path, value))
        return tuple(found)

    def tree(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the design of a row as the tree of a design file."""
        tree = _copied(self.base)
        for path in self.axes:
            if applies(row[path]):
                _set(tree, path.split("."), self.value(path, row[path]))
        return tree

    def process(self, row: Mapping[str, Any]) -> str:
        """Return the process that a design is made in."""
        own = row.get("node") if "node" in self.axes else None
        return str(own or self.base.get("node") or Design.model_fields["node"].default)

    def totals(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return metrics over the workloads, one row a design that answered them all."""
        wanted = [o.metric for o in self.objectives] + [c.metric for c in self.constraints]
        plain = {*COMMON, *self.products}
        own = [m for m in dict.fromkeys(wanted) if m not in plain and "." not in m]
        good = rows[rows["status"] == OK]
        averaged = [m for m in own if m in good.columns]
        return over_workloads(good, self.weights, averaged, self.products)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Design points without an answer, for one reason."""

    status: str
    reason: str
    points: int
    example: str
    common: Mapping[str, str]  # settings that all of them share and not every point has


@dataclass(frozen=True, slots=True)
class Decision:
    """What a study comes to.

    Parameters
    ----------
    designs
        One row a design that answered every workload within the constraints: axes and metrics over
        the workloads, and ``front``.
    knee
        Row of ``designs``.
    baseline
        The baseline over the workloads, or None.
    points
        Design points tried.
    """

    designs: pd.DataFrame
    knee: int
    baseline: Mapping[str, Any] | None
    left_out: tuple[LeftOut, ...]
    points: int

    @property
    def front(self) -> pd.DataFrame:
        return self.designs[self.designs["front"]]

    @property
    def chosen(self) -> Row:
        return self.row(self.knee)

    def row(self, number: int) -> Row:
        """Return a design by its row."""
        return row_of(self.designs, number)


def decide(study: Study) -> Decision:
    """Return the front, the knee and what was left out.

    Raises
    ------
    InputError
        If no design answered every workload, or the table lacks an objective.
    """
    good = study.table[study.table["status"] == OK]
    if good.empty:
        raise _nothing_left(study, _unanswered(study))
    wanted = [o.metric for o in study.objectives] + [c.metric for c in study.constraints]
    missing = [metric for metric in wanted if metric not in good.columns]
    if missing:
        columns = ", ".join(c for c in good.columns if c in COMMON or c in study.products)
        raise InputError(study.name, f"objectives must be metrics of the table: {columns}", missing)
    designs = study.totals(good)
    axes = good.drop_duplicates("design").set_index("design")[list(study.axes)]
    designs, broken = _within(study, designs.join(axes, on="design"))
    left_out = (*_unanswered(study), *broken)
    if designs.empty:
        raise _nothing_left(study, left_out)
    values = designs[[o.metric for o in study.objectives]].to_numpy(np.float64)
    goals = [o.goal for o in study.objectives]
    front = non_dominated(values, goals)
    designs["front"] = front
    rows = np.flatnonzero(front)
    baseline = None
    if study.baseline is not None:
        summed = study.totals(study.baseline)
        baseline = row_of(summed, 0) if len(summed) else None
    at = int(rows[knee(values[front], goals)])
    return Decision(designs, at, baseline, left_out, study.table["design"].nunique())


def _nothing_left(study: Study, left_out: Sequence[LeftOut]) -> InputError:
    reasons = "; ".join(f"{group.points} {group.status}: {group.reason}" for group in left_out)
    return InputError(
        study.name,
        "at least one design must answer every workload within the constraints",
        fix=reasons or "run the sweep",
    )


def _within(study: Study, designs: pd.DataFrame) -> tuple[pd.DataFrame, list[LeftOut]]:
    """Return the designs that keep every constraint and have a value of every objective.

    The others are grouped by the first that they break or lack.
    """
    found = []

    def leave_out(broken: pd.Series, reason: str) -> pd.DataFrame:
        if broken.any():
            label = study.label(row_of(designs[broken], 0))
            found.append(LeftOut(EXCLUDED, reason, int(broken.sum()), label, {}))
        return designs[~broken]

    for constraint in study.constraints:
        broken = constraint.broken(designs[constraint.metric])
        designs = leave_out(broken, f"breaks the constraint: {constraint}")
    for objective in study.objectives:
        designs = leave_out(designs[objective.metric].isna(), f"has no {objective.metric}")
    return designs.reset_index(drop=True), found


def drawn_rows(
    designs: pd.DataFrame, metrics: Sequence[str], keep: Sequence[int]
) -> NDArray[np.intp]:
    """Return the rows to draw, in order: all of a small table, and of a large one a fair picture.

    Kept are the study's front, the front of every two and three metrics (so that any view shows
    its true front), the rows of ``keep``, and one design a cell of a grid over the ranks of the
    first two metrics.
    """
    if len(designs) <= DRAWN_POINTS:
        return np.arange(len(designs))
    chosen = designs["front"].to_numpy(bool).copy()
    chosen[list(keep)] = True
    goals = {m: quantity(m).goal for m in metrics}
    for size in (2, 3):
        for view in combinations(metrics, size):
            spots = designs[list(view)].drop_duplicates()  # designs at one spot are drawn once
            best = non_dominated(spots.to_numpy(np.float64), [goals[m] for m in view])
            chosen[spots.index[best]] = True
    ranks = designs[list(metrics[:2])].rank(method="first", pct=True).to_numpy()
    cells = (ranks * (GRID_CELLS - 1e-9)).astype(int)
    _, first = np.unique(cells, axis=0, return_index=True)
    chosen[first] = True
    return np.flatnonzero(chosen)


def _unanswered(study: Study) -> list[LeftOut]:
    """Group the designs without an answer by reason, numbers and names aside, most first."""
    rows = study.table[study.table["status"] != OK].copy()
    rows["_like"] = [_template(str(reason)) for reason in rows["reason"]]
    rows = rows.sort_values("status", kind="stable").drop_duplicates("design")
    varied = [path for path in study.axes if study.table[path].nunique(dropna=False) > 1]
    names = study.axis_names
    found = []
    for (status, _), group in rows.groupby(["status", "_like"], sort=False):
        first = row_of(group, 0)
        settings = study.settings(first)
        shared = [
            names[path]
            for path in varied
            if len(group) > 1 and group[path].nunique(dropna=False) == 1 and applies(first[path])
        ]
        common = {name: settings[name] for name in shared}
        label, reason = study.label(first), str(first["reason"])
        found.append(LeftOut(str(status), reason, len(group), label, common))
    return sorted(found, key=lambda g: (g.status != FAILED, -g.points, g.reason))


def _template(reason: str) -> str:
    """Return a reason without its numbers and quoted names, so that like reasons meet."""
    return re.sub(r"'[^']*'|\d[\d,._]*", "#", reason)


def row_of(frame: pd.DataFrame, number: int) -> Row:
    """Return a row of a frame by its position, as plain names and values."""
    return {str(name): value for name, value in frame.iloc[number].items()}


def _copied(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, Mapping) else v for k, v in tree.items()}


def _set(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value
