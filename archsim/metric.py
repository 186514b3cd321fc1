"""Figures and pictures of a result beyond the common ones: what engines, packages, sweeps bring.

A metric is judged by name: a sweep may make it an objective. A panel is a small chart that the
report draws for the chosen design. Neither needs an edit of archsim.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.errors import InputError
from archsim.result import Metrics, Result

Goal = Literal["min", "max"]
Names = Sequence[str]  # of a design's engines
COMMON = tuple(f.name for f in dataclasses.fields(Metrics) if f.name not in ("fidelity", "extra"))


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that designs can be compared by.

    It is a product of powers of other metrics (``powers``), or what ``value`` makes of a result,
    or, with neither, what the engine's `Engine.quality` says under this name.

    Parameters
    ----------
    name, title
        In tables and sweeps; as people read it.
    goal
        What is better, if nobody says otherwise.
    meaning
        One sentence for the glossary.
    units
        Symbol and size in the stored unit, smallest first; empty for a plain number.
    value
        ``(result, names) -> float``; ``names`` are the design's engines of the kind that declares
        the metric, or all of them where a package declares it. Over several workloads it is the
        mean by weight.
    powers
        Metric to exponent: ``{energy_pj: 1, time_us: 1}`` is the energy-delay product. Over several
        workloads it is made of their totals.
    """

    name: str
    title: str
    goal: Goal = "min"
    meaning: str = ""
    units: tuple[tuple[str, float], ...] = ()
    value: Callable[[Result, Names], float] | None = None
    powers: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if self.value is not None and self.powers is not None:
            raise ValueError(f"metric {self.name!r} has a value or powers, not both")


@dataclass(frozen=True, slots=True)
class Series:
    """A line or a set of bars: a name, and y over x."""

    name: str
    x: tuple[float | str, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its name; pixels are bytes [height, width, 3]."""

    name: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart, or pictures, that a report shows of a simulated design that has the engine.

    Parameters
    ----------
    draw
        ``(result, names) -> series``, or pictures in a panel of those; none where there is nothing
        to show. ``names`` are the design's engines of the kind that declares the panel.
    meaning
        A caption: what to see in it.
    """

    title: str
    x_title: str
    y_title: str
    draw: Callable[[Result, Names], Sequence[Series] | Sequence[Picture]]
    kind: Literal["bars", "lines", "pictures"] = "bars"
    meaning: str = ""


EDP = Metric(
    "edp", "Energy-delay product", meaning="Energy times time.",
    units=(("pJ·µs", 1.0), ("nJ·µs", 1e3), ("µJ·µs", 1e6), ("mJ·µs", 1e9), ("mJ·ms", 1e12),
           ("mJ·s", 1e15), ("J·s", 1e18)),
    powers={"energy_pj": 1, "time_us": 1},
)  # fmt: skip


def installed() -> tuple[Metric, ...]:
    """Return the metrics of installed packages: entry points of the group ``archsim.metrics``."""
    points = importlib.metadata.entry_points(group="archsim.metrics")
    return tuple(point.load() for point in points)


def product(powers: Mapping[str, float], values: Any) -> NDArray[np.float64]:
    """Return the product of powers of named values or columns; NaN where it is not defined.

    Parameters
    ----------
    values
        A mapping or table; a name that it lacks counts as missing.
    """
    result: NDArray[np.float64] = np.float64(1.0) * np.ones(())
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for name, power in powers.items():
            result = result * np.asarray(values.get(name, np.nan), np.float64) ** power
    return np.where(np.isfinite(result), result, np.nan)


def finite(where: str, value: float) -> float:
    """Return a metric's value.

    Raises
    ------
    InputError
        If it is not a finite number: designs could not be ordered by it.
    """
    if not (isinstance(value, int | float) and math.isfinite(value)):
        raise InputError(where, "must be a finite number", value)
    return float(value)
