"""Which axis matters to what: over the whole sweep, and one step away from the chosen design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archsim.report.quantities import applies

MAX_LEVELS = 12  # a sampled axis with more values is cut into as many bins of equal count


@dataclass(frozen=True, slots=True)
class Step:
    """A design that differs from the chosen one in a single axis, by one value of that axis.

    Parameters
    ----------
    ratios
        Metric to its value over the chosen design's.
    """

    axis: str
    value: Any
    ratios: dict[str, float]
    row: int


def levels(values: pd.Series) -> NDArray[np.intp]:
    """Return the level of each value: itself, or its bin where there are many; empty is a level."""
    codes, found = pd.factorize(values, sort=False, use_na_sentinel=False)
    if len(found) > MAX_LEVELS and pd.api.types.is_numeric_dtype(values):
        codes = pd.qcut(values, MAX_LEVELS, labels=False, duplicates="drop").fillna(-1).to_numpy()
    return np.asarray(codes, np.intp)


def main_effects(
    designs: pd.DataFrame, axes: Sequence[str], metrics: Sequence[str]
) -> pd.DataFrame:
    """Return by axis (rows) and metric (columns) the share of variance that the axis explains.

    The share is the epsilon-squared of a one-way analysis of variance on the metric's logarithm
    (on the metric where it has zeros): between-level over total variance, corrected for the number
    of levels, at least 0. Shares need not sum to 1: axes act together, and linked axes act twice.
    """
    shares = pd.DataFrame(0.0, index=list(axes), columns=list(metrics))
    for metric in metrics:
        values = designs[metric].to_numpy(np.float64)
        values = np.log(values) if (values > 0).all() else values
        total = ((values - values.mean()) ** 2).sum()
        for axis in axes:
            level = levels(designs[axis])
            means = pd.Series(values).groupby(level).transform("mean").to_numpy()
            within = ((values - means) ** 2).sum()
            freedom = len(values) - len(np.unique(level))
            if total > 0 and freedom > 0:
                corrected = 1 - (within / freedom) / (total / (len(values) - 1))
                shares.loc[axis, metric] = max(float(corrected), 0.0)
    return shares


def steps_from(
    designs: pd.DataFrame, axes: Sequence[str], metrics: Sequence[str], chosen: int
) -> list[Step]:
    """Return the designs of the sweep one step from the chosen one along each axis.

    The next smaller and the next larger value that the sweep has with every other axis the same;
    all other values of an axis without an order. A random sample may have none. ``designs`` is
    numbered from 0, as `decide` returns it.
    """
    at = designs.iloc[chosen]
    codes = {axis: pd.factorize(designs[axis], use_na_sentinel=False)[0] for axis in axes}
    same = pd.DataFrame({axis: code == code[chosen] for axis, code in codes.items()})
    found = []
    for axis in axes:
        one_apart = same.drop(columns=axis).all(axis=1) & ~same[axis] & designs[axis].map(applies)
        for row in _nearest(designs.loc[one_apart, axis], at[axis]):
            ratios = {m: float(designs.loc[row, m] / at[m]) for m in metrics if at[m]}
            found.append(Step(axis, designs.loc[row, axis], ratios, row))
    return found


def _nearest(values: pd.Series, at: Any) -> list[int]:
    """Return the rows of the next smaller and next larger value, or all if they have no order."""
    if not applies(at) or not pd.api.types.is_numeric_dtype(values):
        return [int(row) for row in values.index]
    below, above = values[values < at], values[values > at]
    rows = ([below.idxmax()] if len(below) else []) + ([above.idxmin()] if len(above) else [])
    return [int(row) for row in rows]
