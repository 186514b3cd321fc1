"""Meshes: where cells lie, phases of a unitary, and what the phases do; beside `interferometer`."""

from __future__ import annotations

from typing import get_args

import interferometer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines.rfnn import counts
from archsim.engines.rfnn.cell import Drive, cell
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.decompose import decompose
from archsim.engines.rfnn.mesh import Phases, layout, propagate, transfer
from archsim.errors import InputError
from tests.engines.rfnn.unitaries import haar

MESHES: tuple[MeshKind, ...] = get_args(MeshKind)
meshes, drives = st.sampled_from(MESHES), st.sampled_from(get_args(Drive))

# ---------------------------------------------------------------------------------------- layout


@pytest.mark.parametrize("modes", [1, 2, 3, 4, 5, 8, 16, 31, 64])
def test_counts_and_depth(modes: int) -> None:
    for mesh in MESHES:
        mine = layout(mesh, modes)
        assert mine.cells == counts.unitary_cells(modes)
        assert mine.depth == counts.depth(modes, mesh)
    assert layout("clements", 8).cells == 28
    assert (layout("clements", 8).depth, layout("reck", 8).depth) == (8, 13)


@given(meshes, st.integers(1, 12), st.integers(1, 12))
def test_cells_of_a_column_do_not_touch(mesh: MeshKind, outputs: int, inputs: int) -> None:
    mine = layout(mesh, outputs, inputs)
    at = 0
    for first, count in mine.columns:
        upper = mine.upper_modes[at : at + count].tolist()
        assert upper == [*range(first, first + 2 * count, 2)]
        assert upper[-1] + 1 < mine.modes
        at += count
    assert at == mine.cells
    assert sorted(step.cell for step in mine.steps) == [*range(mine.cells)]
    used, modes = min(outputs, inputs), max(outputs, inputs)
    assert mine.cells == counts.economy_cells(modes, used)


def test_a_mesh_without_ports_is_refused() -> None:
    with pytest.raises(ValueError, match="a mesh has outputs and inputs, not 0 and 3"):
        layout("reck", 0, 3)


# ---------------------------------------------------------------------------------------- phases


@given(meshes, drives, st.integers(1, 16), st.integers(1, 16), st.integers(0, 99))
def test_a_mesh_does_the_unitary_it_was_set_to(
    mesh: MeshKind, drive: Drive, outputs: int, inputs: int, seed: int
) -> None:
    wanted = haar(max(outputs, inputs), seed)[:outputs, :inputs]
    phases = decompose(wanted, mesh, drive)
    assert np.abs(phases.matrix(drive) - wanted).max() < 1e-13
    assert phases.theta.min(initial=0) >= 0
    assert phases.theta.max(initial=0) <= np.pi
    for angles in (phases.phi, phases.output):
        assert angles.min(initial=0) >= 0
        assert angles.max(initial=0) < 2 * np.pi


@pytest.mark.parametrize("mesh", MESHES)
def test_128_modes(mesh: MeshKind) -> None:
    wanted = haar(128)
    phases = decompose(wanted, mesh)
    assert phases.theta.size == 8_128
    assert np.abs(phases.matrix() - wanted).max() < 1e-10
    assert np.linalg.norm(phases.matrix() - wanted) / np.linalg.norm(wanted) < 1e-10


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize(
    "matrix", [np.eye(6), np.eye(6)[::-1], np.diag([1, -1, 1j, 1]), np.fft.fft(np.eye(8)) / 8**0.5]
)
def test_matrices_with_zeros(mesh: MeshKind, matrix: np.ndarray) -> None:
    assert np.abs(decompose(matrix, mesh).matrix() - matrix).max() < 1e-13


def test_the_economy_form_of_784_inputs_and_10_outputs() -> None:
    rows = np.linalg.qr(np.random.default_rng(0).normal(size=(784, 10)))[0].T
    phases = decompose(rows)
    assert phases.layout.cells == 7_785
    assert counts.unitary_cells(784) == 306_936
    assert np.abs(phases.matrix() - rows).max() < 1e-12
    assert np.abs(decompose(rows.T).matrix() - rows.T).max() < 1e-12


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (
            2 * np.eye(3),
            r"unitary: must have orthonormal rows, and they miss it by 3; a layer takes any",
        ),
        (np.ones((3, 2)), r"unitary: must have orthonormal columns, and they miss it by 3;"),
        (np.array([[np.nan]]), r"unitary: must be finite$"),
        (np.ones(3), r"unitary: must be a matrix, not \(3,\)$"),
        (np.ones((0, 0)), r"unitary: must be a matrix, not \(0, 0\)$"),
    ],
)
def test_what_is_not_unitary_is_refused(matrix: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match="^" + message):
        decompose(matrix)


# ---------------------------------------------------------------------------------------- draws


@given(meshes, st.integers(1, 9), st.integers(0, 99))
def test_draws_are_each_as_if_alone(mesh: MeshKind, modes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mine = layout(mesh, modes)
    theta, phi = rng.uniform(0, 6, (2, 2, 3, mine.cells))
    output = rng.uniform(0, 6, (3, modes))
    together = Phases(mine, theta, phi, output).matrix()
    assert together.shape == (2, 3, modes, modes)
    alone = Phases(mine, theta[1, 2], phi[1, 2], output[2]).matrix()
    assert np.array_equal(together[1, 2], alone)


def test_more_draws_than_a_block_holds() -> None:
    mine = layout("clements", 64)
    theta = np.random.default_rng(0).uniform(0, 3, (20, mine.cells))
    found = transfer(mine, cell(theta, 0.3))
    assert np.array_equal(found[17], transfer(mine, cell(theta[17], 0.3)))


def test_waves_through_a_mesh() -> None:
    u, x = haar(9), haar(9, 1)[:, :4].copy()
    phases = decompose(u)
    cells, turned = cell(phases.theta, phases.phi), np.exp(1j * phases.output)[:, None]
    waves, back = x.copy(), turned * x
    propagate(phases.layout, lambda at: cells[at], waves)
    assert np.abs(turned * waves - u @ x).max() < 1e-13
    propagate(phases.layout, lambda at: cells[at], back, backward=True)
    assert np.abs(back - u.T @ x).max() < 1e-13


# ---------------------------------------------------------------------------------------- a peer


def as_beam_splitters(phases: Phases) -> interferometer.Interferometer:
    """Return the same mesh as the peer writes it.

    Our cell is its beam splitter of angle pi/2 + theta/2, with a sign at the lower input and a
    phase on both outputs. Those move on to the next cells, and at last to the outputs.
    """
    peer = interferometer.Interferometer()
    pending = np.zeros(phases.layout.modes)
    for mode, theta, phi in zip(phases.layout.upper_modes, phases.theta, phases.phi, strict=True):
        upper, lower = pending[mode], pending[mode + 1] + np.pi
        splitter = interferometer.Beamsplitter(
            mode + 1, mode + 2, np.pi / 2 + theta / 2, phi + upper - lower
        )
        peer.add_BS(splitter)
        pending[mode : mode + 2] = lower + np.pi / 2 + theta / 2
    for mode, angle in enumerate(phases.output + pending):
        peer.add_phase(mode + 1, angle)
    return peer


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("modes", [2, 3, 4, 5, 8, 16])
def test_a_peer_finds_the_same_unitary_in_our_phases(mesh: MeshKind, modes: int) -> None:
    wanted = haar(modes, modes)
    peer = as_beam_splitters(decompose(wanted, mesh))
    assert np.abs(peer.calculate_transformation() - wanted).max() < 1e-12


@pytest.mark.parametrize("modes", [2, 3, 4, 5, 8, 16])
def test_a_peer_splits_power_as_we_do(modes: int) -> None:
    """Its triangle begins at the other corner: it gets the matrix with its modes turned round."""
    wanted = haar(modes, modes)
    for mesh, peer in (
        ("clements", interferometer.square_decomposition(wanted)),
        ("reck", interferometer.triangle_decomposition(wanted[::-1, ::-1])),
    ):
        ours = np.sin(decompose(wanted, mesh).theta / 2) ** 2
        theirs = [np.cos(splitter.theta) ** 2 for splitter in peer.BS_list]
        assert len(theirs) == counts.unitary_cells(modes)
        assert np.allclose(np.sort(ours), np.sort(theirs), atol=1e-10)
