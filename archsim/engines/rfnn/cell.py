"""The unit cell of a mesh: two quadrature hybrids, a phase between them and one before them.

A branch-line hybrid, ``H = -(1/sqrt2) [[j, 1], [1, j]]``, halves a wave's power, the halves a
quarter of a period apart. A cell on two arms is ``H diag(e^{j theta}, 1) H diag(e^{j phi}, 1)``:
``phi`` at the input of the upper arm, ``theta`` between the hybrids. The upper arm's power splits
sin^2(theta/2) to its own side and cos^2(theta/2) across: theta = 0 is a cross, theta = pi a bar.

``drive`` says how theta is made. ``one_arm``: a shifter of theta in the upper arm.
``differential``: theta/2 in the upper and -theta/2 in the lower arm, of one setting. They differ by
a phase that both arms share, and so by what an error of theta does to the cells behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Drive = Literal["one_arm", "differential"]
Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


def cell(theta: Any, phi: Any, drive: Drive = "one_arm") -> Complexes:
    """Return the matrices of ideal cells with these phases, in radians: [..., 2, 2].

    They are of single precision where phases are.
    """
    half, input_phase = np.asarray(theta) / 2, wave(phi)
    across, along = np.cos(half), np.sin(half)
    shape = np.broadcast_shapes(half.shape, input_phase.shape)
    planes = np.empty((2, 2, *shape), np.result_type(half, input_phase))  # an element of all: one
    for way, own in ((planes[0, 1, ...], across), (planes[1, 1, ...], along)):
        if drive == "one_arm":  # both arms share j e^{j theta/2}
            np.multiply(own, -along, out=way.real)
            np.multiply(own, across, out=way.imag)
        else:
            way.real, way.imag = 0, own
    np.multiply(planes[0, 1], input_phase, out=planes[1, 0, ...])
    np.multiply(planes[1, 1], -input_phase, out=planes[0, 0, ...])
    return np.moveaxis(planes, (0, 1), (-2, -1))


def wave(phase_rad: Any) -> Complexes:
    """Return e^{j phase}, from a cosine and a sine: a complex exponential takes longer."""
    phase = np.asarray(phase_rad)
    found = np.empty(phase.shape, np.result_type(phase, np.complex64))
    np.cos(phase, out=found.real)
    np.sin(phase, out=found.imag)
    return found


def hybrid(imbalance: Any = 0.0, quadrature_rad: Any = 0.0) -> Complexes:
    """Return the matrices of hybrids: [..., 2, 2].

    Parameters
    ----------
    imbalance
        Power beyond one half that goes through; as much is missing on the coupled side.
    quadrature_rad
        What the coupled side leads by beyond a quarter of a period. Such a hybrid is not lossless:
        it has here the least loss with which neither of its modes is amplified.
    """
    through = np.sqrt(0.5 + np.asarray(imbalance))
    coupled = np.sqrt(0.5 - np.asarray(imbalance))
    passive = -1 / np.sqrt(1 + 2 * through * coupled * np.abs(np.sin(quadrature_rad)))
    across = passive * coupled * np.exp(1j * np.asarray(quadrature_rad))
    return _square(1j * passive * through, across, across, 1j * passive * through)


@dataclass(frozen=True, slots=True, eq=False)
class CellErrors:
    """What is wrong with real cells; arrays that broadcast with their phases.

    Parameters
    ----------
    imbalance, quadrature_rad
        Of the hybrids, the one at the input first: [..., cells, 2].
    theta_rad, phi_rad
        Added to the phases: [..., cells].
    theta_gain, phi_gain
        Amplitudes of the shifted arms against the other one: [..., cells].
    gain
        Amplitude of both arms.
    """

    imbalance: Any = 0.0
    quadrature_rad: Any = 0.0
    theta_rad: Any = 0.0
    phi_rad: Any = 0.0
    theta_gain: Any = 1.0
    phi_gain: Any = 1.0
    gain: Any = 1.0


def imperfect_cell(theta: Any, phi: Any, errors: CellErrors, drive: Drive = "one_arm") -> Complexes:
    """Return the matrices of cells with errors: [..., cells, 2, 2].

    The product of hybrid, shifter, hybrid and shifter, its four elements written out.
    """
    split = hybrid(errors.imbalance, errors.quadrature_rad)
    if split.ndim == 2:  # the same for all hybrids
        split = np.broadcast_to(split, (2, 2, 2))
    first, last = split[..., 0, :, :], split[..., 1, :, :]
    shift = np.asarray(theta) + errors.theta_rad
    if drive == "one_arm":
        upper, lower = errors.theta_gain * np.exp(1j * shift), 1.0
    else:
        upper, lower = errors.theta_gain * np.exp(0.5j * shift), np.exp(-0.5j * shift)
    before = errors.gain * errors.phi_gain * np.exp(1j * (np.asarray(phi) + errors.phi_rad))

    def path(row: int, col: int) -> Any:
        way_up = last[..., row, 0] * upper * first[..., 0, col]
        return way_up + last[..., row, 1] * lower * first[..., 1, col]

    return _square(
        path(0, 0) * before, path(0, 1) * errors.gain, path(1, 0) * before, path(1, 1) * errors.gain
    )


def _square(a: Any, b: Any, c: Any, d: Any) -> Complexes:
    """Return matrices [[a, b], [c, d]] of elements that broadcast: [..., 2, 2]."""
    planes = np.stack(np.broadcast_arrays(a, b, c, d))  # an element of all lies in one piece
    return np.moveaxis(planes.reshape(2, 2, *planes.shape[1:]), (0, 1), (-2, -1))
