"""Which axis matters to what: over the whole sweep, and one step away from the chosen design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archsim.report.quantities import NOTHING, applies, settings
from archsim.report.study import Study, row_of

MAX_LEVELS = 12  # a sampled axis with more values is cut into as many bins of equal count


@dataclass(frozen=True, slots=True)
class Axis:
    """What the sweep varied at once: a path of the design, or linked paths.

    Parameters
    ----------
    values
        One a design: what tells its place on the axis, in order where they have one.
    texts
        One a design: its place in words.
    """

    name: str
    paths: tuple[str, ...]
    values: pd.Series
    texts: pd.Series

    @property
    def count(self) -> int:
        return self.values.nunique(dropna=False)


@dataclass(frozen=True, slots=True)
class Step:
    """A design that differs from the chosen one in a single axis, by one value of that axis.

    Parameters
    ----------
    row
        Of the design.
    ratios
        Metric to its value over the chosen design's.
    """

    axis: Axis
    row: int
    ratios: dict[str, float]


def axes_of(study: Study, designs: pd.DataFrame) -> list[Axis]:
    """Return the axes along which designs differ; linked paths are one."""
    names = study.axis_names
    linked = {path: group for group in study.linked for path in group}
    groups = dict.fromkeys(linked.get(path, (path,)) for path in study.axes)
    axes = []
    for group in groups:
        cells = [settings(path, designs[path]) for path in group]
        texts = [
            ", ".join(cell for cell in row if cell != NOTHING) or NOTHING
            for row in zip(*cells, strict=True)
        ]
        words = pd.Series(texts, index=designs.index)
        first = designs[group[0]]
        alone = len(group) == 1 or first.nunique(dropna=False) == words.nunique()
        name = ", ".join(names[path] for path in group)
        axes.append(Axis(name, group, first if alone else words, words))
    return [axis for axis in axes if axis.count > 1]


def levels(values: pd.Series) -> NDArray[np.intp]:
    """Return the level of each value: itself, or its bin where there are many; empty is a level."""
    codes, found = pd.factorize(values, sort=False, use_na_sentinel=False)
    if len(found) > MAX_LEVELS and pd.api.types.is_numeric_dtype(values):
        codes = pd.qcut(values, MAX_LEVELS, labels=False, duplicates="drop").fillna(-1).to_numpy()
    return np.asarray(codes, np.intp)


def main_effects(
    designs: pd.DataFrame, axes: Sequence[Axis], metrics: Sequence[str]
) -> NDArray[np.float64]:
    """Return the share of each metric's variance that each axis explains: [axes, metrics].

    The share is the epsilon-squared of a one-way analysis of variance on the metric's logarithm
    (on the metric where it has zeros): between-level over total variance, corrected for the number
    of levels, at least 0. Shares need not sum to 1: axes also act together.
    """
    shares = np.zeros((len(axes), len(metrics)))
    for column, metric in enumerate(metrics):
        values = designs[metric].to_numpy(np.float64)
        values = np.log(values) if (values > 0).all() else values
        total = ((values - values.mean()) ** 2).sum()
        for row, axis in enumerate(axes):
            level = levels(axis.values)
            means = pd.Series(values).groupby(level).transform("mean").to_numpy()
            within = ((values - means) ** 2).sum()
            freedom = len(values) - len(np.unique(level))
            if total > 0 and freedom > 0:
                corrected = 1 - (within / freedom) / (total / (len(values) - 1))
                shares[row, column] = max(float(corrected), 0.0)
    return shares


def steps_from(
    designs: pd.DataFrame, axes: Sequence[Axis], metrics: Sequence[str], chosen: int
) -> list[Step]:
    """Return the designs of the sweep one step from the chosen one along each axis.

    The next smaller and the next larger value that the sweep has with every other axis the same;
    all other values of an axis without an order. A random sample may have none. ``designs`` is
    numbered from 0, as `decide` returns it.
    """
    codes = [pd.factorize(axis.values, use_na_sentinel=False)[0] for axis in axes]
    same = np.array([code == code[chosen] for code in codes])  # [axes, designs]
    found = []
    for number, axis in enumerate(axes):
        others = np.delete(same, number, axis=0).all(axis=0)
        one_apart = others & ~same[number] & axis.values.map(applies).to_numpy(bool)
        for row in _nearest(axis.values[one_apart], axis.values[chosen]):
            at, there = row_of(designs, chosen), row_of(designs, row)
            ratios = {m: float(there[m] / at[m]) for m in metrics if at[m]}
            found.append(Step(axis, row, ratios))
    return found


def _nearest(values: pd.Series, at: Any) -> list[int]:
    """Return the rows of the next smaller and next larger value, or all if they have no order."""
    if not applies(at) or not pd.api.types.is_numeric_dtype(values):
        return [int(row) for row in values.index]
    below, above = values[values < at], values[values > at]
    rows = ([below.idxmax()] if len(below) else []) + ([above.idxmin()] if len(above) else [])
    return [int(row) for row in rows]
