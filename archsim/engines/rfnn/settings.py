"""Phases of a mesh, as the control takes them: one a device, in turns of 2^-16."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from archsim.engines import Ints
from archsim.engines.rfnn.cell import Complexes, Floats
from archsim.engines.rfnn.decompose import decompose
from archsim.engines.rfnn.mesh import Phases
from archsim.engines.rfnn.spec import PHASE_BITS, RfnnSpec
from archsim.errors import InputError


class Settings(NamedTuple):
    """Phases [devices] of a matrix, and what its results are to be multiplied by."""

    phase: Ints
    scale: float


def settings(spec: RfnnSpec, matrix: Any) -> Settings:
    """Return the phases with which a mesh, or pair of meshes, of a spec does a matrix.

    Parameters
    ----------
    matrix
        [outputs, inputs], of at most ``modes`` either way; unitary and of just so many for
        ``circuit: unitary``.

    Raises
    ------
    InputError
        The matrix is too large, or not unitary where it has to be.
    """
    given = np.asarray(matrix, np.complex128)
    if given.ndim != 2 or max(given.shape) > spec.modes:
        raise InputError("matrix", f"must have at most {spec.modes} rows and columns", given.shape)
    if spec.circuit == "unitary":
        mesh = decompose(given, spec.mesh, spec.drive)
        return Settings(_turns(_cells(mesh), mesh.output), 1.0)
    padded: Complexes = np.zeros((spec.modes, spec.modes), np.complex128)
    padded[: given.shape[0], : given.shape[1]] = given
    u, values, vh = np.linalg.svd(padded)
    scale = float(values[0]) or 1.0
    theta: Floats = 2 * np.arcsin(np.clip(values / scale, 0, 1))  # of a cell with one dark input
    passed = -1j * (np.exp(0.5j * theta) if spec.drive == "one_arm" else np.ones(spec.modes))
    first = decompose(vh, spec.mesh, spec.drive)
    # phases that attenuators add, and those at the outputs of V^H, are the second mesh's to undo
    second = decompose(u * np.exp(1j * first.output) / passed, spec.mesh, spec.drive)
    return Settings(_turns(_cells(first), theta, _cells(second), second.output), scale)


def _cells(mesh: Phases) -> Floats:
    """Return the phases of cells one by one, that which splits first."""
    return np.stack([mesh.theta, mesh.phi], axis=-1).reshape(-1)


def _turns(*phases: Floats) -> Ints:
    turns = np.rint(np.concatenate(phases) / (2 * np.pi) * (1 << PHASE_BITS)).astype(np.int64)
    return turns % (1 << PHASE_BITS)
