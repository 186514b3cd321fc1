"""From weights to the words of the control's ``phase`` port: what programs the meshes of a layer.

A mesh's devices come in the order of `twin.devices_of`: theta and phi of each cell of V^H, a
shifter an attenuator, those of U, output phases; or of one mesh and its outputs. An attenuator is a
cell whose lower arm is dark: it passes sin(theta/2), with a phase that U makes good.

Partial results of matrices that a stage is cut into are added as they are, so all of them are held
to one gain, the largest singular value among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from archsim.engines import Ints
from archsim.engines.rfnn.cell import Floats, cell
from archsim.engines.rfnn.decompose import decompose
from archsim.engines.rfnn.errors import quantised, turns
from archsim.engines.rfnn.mesh import Phases
from archsim.engines.rfnn.spec import RfnnSpec


def phase_words(spec: RfnnSpec, matrices: Sequence[Any]) -> tuple[Ints, Floats]:
    """Return what programs a layer's meshes, and the gains that make up for passive ones.

    Parameters
    ----------
    matrices
        Of the layer's stages, first to last, each [outputs, inputs].

    Returns
    -------
    words, gains
        Phases in turns of 2^-16 [meshes, devices], in the order in which the control asks for
        them; and of each stage by what its results are to be multiplied [stages].

    Raises
    ------
    InputError
        The engine has one mesh for a matrix, and a matrix is not unitary.
    """
    words, gains = [], []
    for matrix in matrices:
        tiles = [*_tiles(np.asarray(matrix), spec.modes)]
        if spec.circuit == "unitary":
            gains.append(1.0)
            words += [_one_mesh(spec, tile) for tile in tiles]
            continue
        gains.append(max(float(np.linalg.norm(tile, 2)) for tile in tiles) or 1.0)
        words += [_two_meshes(spec, tile / gains[-1]) for tile in tiles]
    return turns(np.stack(words)), np.array(gains)


def _tiles(matrix: Any, modes: int) -> Iterator[Any]:
    """Yield a stage's matrix cut to meshes, along outputs first, padded by zeros."""
    outputs, inputs = matrix.shape
    for p in range(0, outputs, modes):
        for q in range(0, inputs, modes):
            part = matrix[p : p + modes, q : q + modes]
            rows, cols = part.shape
            yield np.pad(part, ((0, modes - rows), (0, modes - cols)))


def _one_mesh(spec: RfnnSpec, unitary: Any) -> Floats:
    phases = decompose(unitary, spec.mesh, spec.drive)
    return np.concatenate([_of_cells(phases), phases.output])


def _two_meshes(spec: RfnnSpec, tile: Any) -> Floats:
    u, values, vh = np.linalg.svd(tile)
    first = decompose(vh, spec.mesh, spec.drive)
    attenuators = quantised(2 * np.arcsin(np.minimum(values, 1.0)), spec.phase_bits)
    passed = np.angle(cell(attenuators, 0.0, spec.drive)[..., 0, 0])
    last = decompose(u * np.exp(1j * (first.output - passed)), spec.mesh, spec.drive)
    return np.concatenate([_of_cells(first), attenuators, _of_cells(last), last.output])


def _of_cells(phases: Phases) -> Floats:
    return np.stack([phases.theta, phases.phi], axis=-1).ravel()
