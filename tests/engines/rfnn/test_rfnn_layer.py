"""Layers of two meshes and attenuators: any matrix, the economy form, steps of attenuators."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines.rfnn import counts
from archsim.engines.rfnn.cell import Drive
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.errors import Imperfections, draw, relative_error
from archsim.engines.rfnn.layer import Attenuator, program
from archsim.errors import InputError


@given(
    st.sampled_from(get_args(MeshKind)), st.sampled_from(get_args(Drive)), st.booleans(),
    st.booleans(), st.integers(1, 10), st.integers(1, 10), st.integers(0, 99),
)  # fmt: skip
def test_a_layer_does_its_matrix(
    mesh: MeshKind, drive: Drive, economy: bool, is_complex: bool, m: int, n: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(m, n)) + (1j * rng.normal(size=(m, n)) if is_complex else 0)
    layer = program(weights, mesh, drive, economy=economy)
    assert np.abs(layer.matrix() - weights).max() < 1e-12 * max(1.0, layer.scale)
    cells = layer.u.layout.cells + layer.vh.layout.cells
    count = counts.layer_economy_cells if economy else counts.layer_cells
    assert cells == count(m, n)
    assert len(layer.passed) == counts.attenuators(m, n)
    assert not layer.vh.output.any()
    assert layer.passed.max() <= 1.0


def test_counts_of_known_layers() -> None:
    assert counts.layer_cells(8, 8) == 56
    assert counts.unitary_cells(8) == 28
    assert counts.economy_cells(784, 10) == 7_785
    assert counts.layer_cells(1024, 1024) + counts.attenuators(1024, 1024) == 1024**2
    topology = ((16, 16), (16, 16), (10, 16))  # a network of which 1,374 shifters are known
    assert 2 * sum(counts.layer_cells(*s) + counts.attenuators(*s) for s in topology) == 1_374


@pytest.mark.parametrize("weights", [np.zeros((3, 2)), np.ones((4, 4)), np.diag([1.0, 0, 0])])
def test_matrices_of_low_rank(weights: np.ndarray) -> None:
    layer = program(weights)
    assert np.abs(layer.matrix() - weights).max() < 1e-13


def test_steps_of_attenuators() -> None:
    att = Attenuator()
    assert att.nearest_db([1.0, 0.5, 10 ** (-3.13 / 20)]).tolist() == [0.0, 6.0, 3.25]
    assert att.nearest_db([1e-3, 0.0]).tolist() == [31.75, 31.75]
    weights = np.random.default_rng(0).normal(size=(8, 8))
    exact, stepped = program(weights), program(weights, attenuator=att)
    ratio_db = 20 * np.log10(stepped.passed / exact.passed)
    assert np.abs(ratio_db).max() <= att.step_db / 2 + 1e-9
    assert 0 < relative_error(stepped.matrix(), weights) < 0.015  # half a step is 1.4 %


def test_devices_in_place_of_ideal_meshes() -> None:
    weights = np.random.default_rng(0).normal(size=(5, 7))
    layer = program(weights, "reck", "differential")
    rng = np.random.default_rng(1)
    x = Imperfections(static_rad=0.02)
    u, vh = (
        draw(phases.layout, x, rng, (30,)).matrix(phases, "differential")
        for phases in (layer.u, layer.vh)
    )
    found = layer.matrix(u, vh)
    assert found.shape == (30, 5, 7)
    errors = relative_error(found, weights)
    assert 0.01 < errors.mean() < 0.2
    assert np.array_equal(found[3], layer.matrix(u[3], vh[3]))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"weights: must be a matrix, not \(3,\)$"),
        (np.ones((0, 2)), r"weights: must be a matrix, not \(0, 2\)$"),
        (np.array([[np.inf]]), "weights: must be finite$"),
    ],
)
def test_what_is_no_matrix_is_refused(weights: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match="^" + message):
        program(weights)
