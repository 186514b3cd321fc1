"""Measured synthesis tables and the fits through them, in terms that the engine names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import InputError

Term = Callable[[Any], Any]  # of a spec or a batch of specs, vectorised
Terms = Mapping[str, Term]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CostTerms:
    """What an engine's cost is fitted to, by component (area), group of paths, action (energy).

    Parameters
    ----------
    whole
        Of leakage and clock energy, which are the whole engine's: one component.
    """

    area: Mapping[str, Terms]
    whole: Mapping[str, Terms]
    delay: Mapping[str, Terms]
    energy: Mapping[str, Terms]


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients of terms by component, fitted to measured rows and judged on others.

    Parameters
    ----------
    coefficients
        Component to term to coefficient, none negative.
    max_error_percent
        Largest error of the sum over components on rows that were not fitted.
    """

    coefficients: Mapping[str, Mapping[str, float]]
    max_error_percent: float

    def evaluate(self, terms: Mapping[str, Terms], spec: Any) -> dict[str, Any]:
        """Return each component's value: floats for a spec, arrays for a batch."""
        return {
            component: _plain(
                sum(
                    coefficient * np.asarray(terms[component][term](spec), float)
                    for term, coefficient in parts.items()
                )
            )
            for component, parts in self.coefficients.items()
        }


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


@dataclass(frozen=True, slots=True)
class Table:
    """What synthesis measured of an engine in a technology.

    Parameters
    ----------
    rows
        Every measured configuration: ``spec`` fields, ``fitted`` or held out, the figures.
    fits
        Quantity (``area_um2``, ``leakage_uw``, ``delay_ps`` ...) to its fit.
    made
        Library, licence, tools, recipe, method: how the rows came about.
    """

    rows: tuple[Mapping[str, Any], ...]
    energy_rows: tuple[Mapping[str, Any], ...]
    fits: Mapping[str, Fit]
    made: Mapping[str, str]

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any], origin: str) -> Table:
        """Return the table that a YAML file holds."""
        try:
            fits = {
                quantity: Fit(fit["coefficients"], float(fit["max_error_percent"]))
                for quantity, fit in tree["fits"].items()
            }
            rows, energy_rows = tuple(tree["rows"]), tuple(tree["energy_rows"])
            return cls(rows, energy_rows, fits, tree["made"])
        except (KeyError, TypeError, AttributeError) as fault:
            raise InputError(origin, f"must be a synthesis table; lacks {fault}") from None

    def fit(self, quantity: str) -> Fit:
        """Return the fit of a quantity."""
        return self.fits[quantity]


def fit_terms(terms: Terms, specs: Sequence[Any], values: Sequence[float]) -> dict[str, float]:
    """Return non-negative coefficients that make the relative errors least in squares."""
    from scipy.optimize import nnls  # noqa: PLC0415 (takes longer to import than a simulation)

    y = np.asarray(values, float)
    weight = 1.0 / np.maximum(np.abs(y), 1e-12 * max(1.0, float(np.max(np.abs(y)))))
    columns = np.array([[float(term(s)) for term in terms.values()] for s in specs])
    scale = np.maximum(np.max(np.abs(columns), axis=0), 1e-30)  # terms differ by decades
    solution, _ = nnls(columns / scale * weight[:, None], y * weight)
    return {name: float(f"{c / s:.6g}") for name, c, s in zip(terms, solution, scale, strict=True)}


def max_error_percent(
    fit: Mapping[str, Mapping[str, float]],
    terms: Mapping[str, Terms],
    specs: Sequence[Any],
    totals: Sequence[float],
) -> float:
    """Return the largest relative error of the components' sum, in percent."""
    found = Fit(fit, 0.0)
    errors = [
        abs(sum(found.evaluate(terms, s).values()) / total - 1)
        for s, total in zip(specs, totals, strict=True)
    ]
    return round(100 * float(max(errors)), 2)
