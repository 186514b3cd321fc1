"""Layers of any matrix: two meshes with attenuators between them, W = scale U A V^H.

The singular values, as parts of the largest, are set in attenuators; the largest is a gain in the
digital domain, where a factor costs nothing. Phases at the outputs of V^H pass the attenuators
unchanged and become part of U, which is the only mesh with phases at its outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines.rfnn.cell import Complexes, Drive, Floats
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.decompose import decompose
from archsim.engines.rfnn.errors import amplitude
from archsim.engines.rfnn.mesh import Phases
from archsim.errors import InputError


@dataclass(frozen=True, slots=True)
class Attenuator:
    """A step attenuator, its settings counted from the one that passes most.

    The default is of 7 bits, as PE43711 and PE43702 are (data sheets).
    """

    step_db: float = 0.25
    range_db: float = 31.75

    def nearest_db(self, wanted: Any) -> Floats:
        """Return the setting nearest to amplitudes of 0 to 1; below the range, its end."""
        with np.errstate(divide="ignore"):
            loss_db = -20 * np.log10(np.asarray(wanted, np.float64))
        steps: Floats = np.rint(np.minimum(loss_db, self.range_db) / self.step_db)
        return steps * self.step_db


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer as its hardware is set.

    Parameters
    ----------
    u, vh
        Phases of the meshes; those at the outputs of ``vh`` are zero.
    passed
        Amplitudes that the attenuators let pass: [min(outputs, inputs)].
    scale
        The digital gain.
    drive
        What the phases are for.
    """

    u: Phases
    vh: Phases
    passed: Floats
    scale: float
    drive: Drive

    def matrix(self, u: Any = None, vh: Any = None) -> Complexes:
        """Return the matrix that the layer does: [..., outputs, inputs].

        Parameters
        ----------
        u, vh
            What devices do in place of ideal meshes, from `errors.Device.matrix`.
        """
        u = self.u.matrix(self.drive) if u is None else u
        vh = self.vh.matrix(self.drive) if vh is None else vh
        used = len(self.passed)
        found: Complexes = (self.scale * u[..., :used] * self.passed) @ vh[..., :used, :]
        return found


def program(
    weights: Any,
    mesh: MeshKind = "clements",
    drive: Drive = "one_arm",
    *,
    economy: bool = False,
    attenuator: Attenuator | None = None,
) -> Layer:
    """Return the settings with which two meshes and attenuators do a matrix.

    Parameters
    ----------
    weights
        [outputs, inputs], real or complex.
    economy
        Build of the larger mesh only what reaches the attenuators.
    attenuator
        Rounds the singular values; without it they are exact.

    Raises
    ------
    InputError
        The weights are no matrix of finite numbers.
    """
    matrix = np.asarray(weights)
    if matrix.ndim != 2 or not matrix.size:
        raise InputError("weights", "must be a matrix", matrix.shape)
    if not np.isfinite(matrix).all():
        raise InputError("weights", "must be finite")
    u, values, vh = np.linalg.svd(matrix, full_matrices=not economy)
    scale = float(values[0])
    passed = values / scale if scale else np.zeros_like(values)
    if attenuator is not None:
        passed = amplitude(attenuator.nearest_db(passed))
    first = decompose(vh, mesh, drive)
    ports = first.output[-len(vh) :] if economy else first.output  # those that are used
    turned = np.ones(u.shape[1], np.complex128)
    turned[: len(values)] = np.exp(1j * ports[: len(values)])
    silent = Phases(first.layout, first.theta, first.phi, np.zeros_like(first.output))
    return Layer(decompose(u * turned, mesh, drive), silent, passed, scale, drive)
