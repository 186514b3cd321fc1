"""Fits: what is put in comes out, and errors are those of rows that were not fitted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import InputError
from archsim.tech.table import Fit, Table, Terms, fit_terms, max_error_percent

TERMS: Terms = {"1": lambda s: 1.0, "x": lambda s: s.x, "x*x": lambda s: s.x * s.x}


def specs(*values: float) -> list[Any]:
    return [SimpleNamespace(x=v) for v in values]


@given(*[st.floats(0.1, 100.0)] * 3)
def test_exact_data_gives_its_coefficients(a: float, b: float, c: float) -> None:
    points = specs(1, 2, 5, 10, 30, 100)
    found = fit_terms(TERMS, points, [a + b * s.x + c * s.x * s.x for s in points])
    assert list(found.values()) == pytest.approx([a, b, c], rel=1e-3)


def test_coefficients_are_never_negative() -> None:
    points = specs(1, 2, 3, 4)
    found = fit_terms(TERMS, points, [10 - s.x for s in points])
    assert all(c >= 0 for c in found.values())


def test_error_is_of_the_components_sum() -> None:
    terms = {"small": {"x": lambda s: s.x}, "large": {"1": lambda s: 10.0}}
    fit = {"small": {"x": 2.0}, "large": {"1": 1.0}}
    # 12 against 10, 14 against 14
    assert max_error_percent(fit, terms, specs(1, 2), [10.0, 14.0]) == 20.0


def test_evaluate_takes_arrays() -> None:
    fit = Fit({"part": {"1": 1.0, "x": 2.0}}, 0.0)
    assert fit.evaluate({"part": TERMS}, specs(3)[0]) == {"part": 7.0}


def test_table_without_its_parts_is_refused() -> None:
    with pytest.raises(InputError, match=r"^t/e.yaml: must be a synthesis table; lacks 'fits'$"):
        Table.from_tree({"rows": []}, "t/e.yaml")
