"""What designs leave to decide: the non-dominated ones, the knee, the sum over workloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archsim.metric import Goal, product

Floats = NDArray[np.float64]
BLOCK_ROWS = 512  # rows compared with the front at once: bounds memory at any table size
STRONG = 32  # rows, good in all objectives together, that all others are compared with first

# how a metric of several workloads becomes one of the design
ADDITIVE = frozenset(
    "cycles time_us energy_pj macs dram_bytes latency_us energy_per_item_pj".split()
)
COMPONENT_ENERGY, COMPONENT_AREA = "energy.", "area."


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric to make small or large."""

    metric: str
    goal: Goal = "min"


def as_costs(values: Floats, goals: Sequence[Goal]) -> Floats:
    """Return values [points, objectives] with every objective to be minimised."""
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] != len(goals) or not goals:
        raise ValueError(f"values must be [points, {len(goals)}], not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite; leave infeasible points out")
    signs = np.array([1.0 if goal == "min" else -1.0 for goal in goals])
    return np.asarray(values * signs)


def non_dominated(values: Floats, goals: Sequence[Goal]) -> NDArray[np.bool_]:
    """Return which points no other point beats: shape [points].

    A point is dominated if another is at least as good in every objective and better in one, so
    points that tie in all objectives stand or fall together.

    Parameters
    ----------
    values
        [points, objectives], finite.
    goals
        One an objective.
    """
    costs = as_costs(values, goals)
    found = np.zeros(len(costs), bool)
    rows = _contenders(costs)
    # sorted by the first objective, then the next: only earlier rows can dominate later ones
    rows = rows[np.lexsort(costs[rows].T[::-1])]
    ordered = costs[rows]
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    unique = ordered[fresh]
    keep = _sweep(unique) if costs.shape[1] <= 2 else _blocks(unique)
    found[rows] = keep[np.cumsum(fresh) - 1]
    return found


def _contenders(costs: Floats) -> NDArray[np.intp]:
    """Return the rows that a few good ones do not dominate: of a large table, a small part."""
    rows = np.arange(len(costs))
    if len(costs) < BLOCK_ROWS:
        return rows
    span = np.ptp(costs, axis=0)
    overall = ((costs - costs.min(axis=0)) / np.where(span > 0, span, 1.0)).sum(axis=1)
    for good in np.argpartition(overall, STRONG)[:STRONG]:
        mine = costs[rows]
        worse = (mine >= costs[good]).all(axis=1) & (mine > costs[good]).any(axis=1)
        rows = rows[~worse]
    return rows


def _sweep(costs: Floats) -> NDArray[np.bool_]:
    """Return the front of sorted, distinct rows of one or two objectives."""
    if costs.shape[1] == 1:
        return np.asarray(np.arange(len(costs)) == 0)
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(costs[:, 1])[:-1]])
    return np.asarray(costs[:, 1] < best_before)


def _blocks(costs: Floats) -> NDArray[np.bool_]:
    """Return the front of sorted, distinct rows of any number of objectives, block by block."""
    keep = np.ones(len(costs), bool)
    front = np.empty((0, costs.shape[1]))
    for start in range(0, len(costs), BLOCK_ROWS):
        rows = np.arange(start, min(start + BLOCK_ROWS, len(costs)))
        rows = rows[~_beaten(costs[rows], front)]
        rows_keep = ~_beaten(costs[rows], costs[rows])
        keep[start : start + BLOCK_ROWS] = False
        keep[rows[rows_keep]] = True
        front = np.concatenate([front, costs[rows[rows_keep]]])
    return keep


def _beaten(costs: Floats, by: Floats) -> NDArray[np.bool_]:
    """Return which rows some *different* row of ``by`` equals or beats in every objective."""
    beaten = np.zeros(len(costs), bool)
    for start in range(0, len(by), BLOCK_ROWS):
        others = by[start : start + BLOCK_ROWS, None, :]
        no_worse = (others <= costs).all(axis=2)
        beaten |= (no_worse & (others < costs).any(axis=2)).any(axis=0)
    return beaten


def knee(values: Floats, goals: Sequence[Goal]) -> int:
    """Return the row of the front's knee: the point nearest to the ideal one.

    The ideal point has the best value of every objective that the front offers. Distance is
    Euclidean after each objective is scaled so that the front spans 0 (best) to 1 (worst), on a
    logarithmic axis where all its values are positive: twice the time then weighs the same
    wherever it happens. An objective in which the front does not differ does not count. Ties go
    to the better first objective, then the second, and so on, then to the first row.

    The rule depends on the ends of the front; it marks where to look first, not what to build.

    Parameters
    ----------
    values
        [points, objectives] of points that are all non-dominated; at least one.
    """
    costs = as_costs(values, goals)
    if not len(costs):
        raise ValueError("a front has at least one point")
    scaled = np.zeros_like(costs)
    for column, goal in enumerate(goals):
        raw = np.asarray(values, np.float64)[:, column]
        sign = 1.0 if goal == "min" else -1.0
        axis = sign * np.log(raw) if (raw > 0).all() else sign * raw
        span = np.ptp(axis)
        if span > 0:
            scaled[:, column] = (axis - axis.min()) / span
    distance = np.round(np.sqrt((scaled**2).sum(axis=1)), 12)  # ties up to rounding are ties
    order = np.lexsort([*costs.T[::-1], distance])
    return int(order[0])


def over_workloads(
    table: pd.DataFrame,
    weights: Mapping[str, float],
    averaged: Sequence[str] = (),
    products: Mapping[str, Mapping[str, float]] | None = None,
) -> pd.DataFrame:
    """Return one row a design from one row a (design, workload).

    Times, energies, work and traffic are sums over workloads by weight; area is the design's own.
    Power, utilisation and ``tied_percent`` follow from the sums: energy over time, work done over
    work possible, and a mean by time; throughput is how often a second all of the mix is done.
    Other metrics (``averaged``) are means by weight. A design is kept only if every workload
    succeeded on it.

    Parameters
    ----------
    table
        Successful rows: ``design``, ``workload`` and metrics.
    weights
        Runs of each workload that the sum counts, above 0; rows of other workloads are left out.
    averaged
        Further columns, such as an engine's own metrics.
    products
        Metrics that are products of powers of others, by name: made of the totals.
    """
    rows = table[table["workload"].isin(list(weights))]
    weight = rows["workload"].map(dict(weights)).astype(float).to_numpy()
    numeric = [c for c in rows.columns if c in ADDITIVE or c.startswith(COMPONENT_ENERGY)]
    same = [c for c in rows.columns if c == "area_mm2" or c.startswith(COMPONENT_AREA)]
    summed = [*numeric, *averaged]
    work = pd.DataFrame({c: rows[c].astype(float) * weight for c in summed}, index=rows.index)
    time = rows["time_us"].astype(float) * weight
    work["_tied"] = rows["tied_percent"].astype(float) * time
    utilisation = rows["utilisation"].astype(float)
    work["_possible"] = (rows["macs"] * weight / utilisation.where(utilisation > 0)).fillna(0.0)
    work["_workloads"] = 1
    if "throughput_per_s" in rows:
        work["_mix_s"] = weight / rows["throughput_per_s"].astype(float)
    designs = work.groupby(rows["design"], sort=False)
    total = designs.sum()
    if averaged:  # what a design lacks on any workload it has not on all: a GPU, another's metrics
        total[list(averaged)] = designs[list(averaged)].sum(min_count=len(weights))
    total = total.join(rows.groupby("design", sort=False)[same].first())
    total = total[total["_workloads"] == len(weights)]
    total[list(averaged)] /= sum(weights.values())
    total["power_mw"] = total["energy_pj"] / total["time_us"] * 1e-3  # pJ/us = uW
    total["utilisation"] = (
        total["macs"] / total["_possible"].where(total["_possible"] > 0)
    ).fillna(0.0)
    total["tied_percent"] = total["_tied"] / total["time_us"]
    if "_mix_s" in total:
        total["throughput_per_s"] = 1 / total.pop("_mix_s")
    total = total.drop(columns=["_tied", "_possible", "_workloads"]).reset_index()
    made = {name: product(powers, total) for name, powers in (products or {}).items()}
    return total.assign(**made)
