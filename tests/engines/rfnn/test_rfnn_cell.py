"""The unit cell: closed form against the product of its parts, ideal and with errors."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines.rfnn.cell import CellErrors, Drive, cell, hybrid, imperfect_cell

angles = st.floats(-7, 7)
drives = st.sampled_from(get_args(Drive))


def arms(upper: complex, lower: complex = 1.0) -> np.ndarray:
    return np.diag([upper, lower])


def test_a_branch_line_hybrid() -> None:
    wanted = -np.array([[1j, 1], [1, 1j]]) / np.sqrt(2)
    assert np.abs(hybrid() - wanted).max() < 1e-15


@given(angles, angles)
def test_the_closed_form_is_the_product_of_hybrids_and_shifters(theta: float, phi: float) -> None:
    h = hybrid()
    wanted = h @ arms(np.exp(1j * theta)) @ h @ arms(np.exp(1j * phi))
    assert np.abs(cell(theta, phi) - wanted).max() < 1e-12
    both = arms(np.exp(0.5j * theta), np.exp(-0.5j * theta))
    wanted = h @ both @ h @ arms(np.exp(1j * phi))
    assert np.abs(cell(theta, phi, "differential") - wanted).max() < 1e-12


@given(angles, angles, drives)
def test_a_cell_is_unitary_and_splits_power_by_theta(
    theta: float, phi: float, drive: Drive
) -> None:
    t = cell(theta, phi, drive)
    assert np.abs(t @ t.conj().T - np.eye(2)).max() < 1e-12
    assert abs(t[0, 0]) ** 2 == pytest.approx(np.sin(theta / 2) ** 2, abs=1e-12)


@pytest.mark.parametrize("drive", get_args(Drive))
def test_cross_and_bar(drive: Drive) -> None:
    cross, bar = np.abs(cell([0.0, np.pi], 0.0, drive))
    assert np.allclose(cross, [[0, 1], [1, 0]], atol=1e-15)
    assert np.allclose(bar, np.eye(2), atol=1e-15)


# ---------------------------------------------------------------------------------------- errors

small = st.floats(-0.2, 0.2)


@given(angles, angles, drives, st.tuples(*[small] * 8))
def test_errors_are_in_the_parts_that_they_belong_to(
    theta: float, phi: float, drive: Drive, e: tuple[float, ...]
) -> None:
    """e: imbalance and quadrature of both hybrids, phases, amplitudes."""
    errors = CellErrors(
        imbalance=np.array([e[0], e[1]]), quadrature_rad=np.array([e[2], e[3]]),
        theta_rad=e[4], phi_rad=e[5], theta_gain=1 + e[6], phi_gain=1 + e[7], gain=0.9,
    )  # fmt: skip
    first, last = hybrid(e[0], e[2]), hybrid(e[1], e[3])
    shift = theta + e[4]
    middle = (
        arms((1 + e[6]) * np.exp(1j * shift))
        if drive == "one_arm"
        else arms((1 + e[6]) * np.exp(0.5j * shift), np.exp(-0.5j * shift))
    )
    wanted = 0.9 * last @ middle @ first @ arms((1 + e[7]) * np.exp(1j * (phi + e[5])))
    assert np.abs(imperfect_cell(theta, phi, errors, drive) - wanted).max() < 1e-12


@given(angles, angles, drives)
def test_no_errors_are_an_ideal_cell(theta: float, phi: float, drive: Drive) -> None:
    found = imperfect_cell(theta, phi, CellErrors(), drive)
    assert np.abs(found - cell(theta, phi, drive)).max() < 1e-12


@given(st.floats(-0.5, 0.5), st.floats(-1.5, 1.5))
def test_no_hybrid_amplifies(imbalance: float, quadrature_rad: float) -> None:
    gains = np.linalg.svd(hybrid(imbalance, quadrature_rad), compute_uv=False)
    assert gains.max() == pytest.approx(1.0, abs=1e-12)


def test_an_imbalance_moves_power_from_side_to_side() -> None:
    assert np.allclose(np.abs(hybrid(0.02)) ** 2, [[0.52, 0.48], [0.48, 0.52]])


def test_arrays_of_draws_and_cells_broadcast() -> None:
    rng = np.random.default_rng(0)
    theta = rng.uniform(size=5)
    errors = CellErrors(imbalance=rng.normal(0, 0.02, (3, 5, 2)), theta_rad=rng.normal(size=(3, 1)))
    found = imperfect_cell(theta, 0.1, errors)
    assert found.shape == (3, 5, 2, 2)
    one = CellErrors(imbalance=errors.imbalance[1, 4], theta_rad=errors.theta_rad[1, 0])
    assert np.allclose(found[1, 4], imperfect_cell(theta[4], 0.1, one))
