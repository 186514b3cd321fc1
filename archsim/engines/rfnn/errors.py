"""Meshes as they are built: codes of phases, errors of a device, and how errors add up.

A device is drawn once (`draw`): its hybrids, its shifters' fixed errors. A pass through it may add
errors of its own. Phases are set by codes of ``phase_bits``, as the control rounds them.

Small independent errors of spread sigma at every phase, outputs included, move a mesh of N modes by
``E = |V - U| / |U| = sigma sqrt(N)`` (Frobenius norms) where a shifter drives one arm, and by
``sigma sqrt((3 N + 1) / 4)``, about 0.866 sigma sqrt(N), where theta is split over both: the root
of the mean square over devices. Rounding to b bits counts as sigma = 2 pi / 2^b / sqrt(12). The
laws are of first order, and hold below E = 0.3 or so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, radians, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines.rfnn.cell import CellErrors, Complexes, Drive, Floats, imperfect_cell
from archsim.engines.rfnn.mesh import Layout, Phases, transfer
from archsim.engines.rfnn.reference import codes_of
from archsim.engines.rfnn.spec import PHASE_BITS, TABLE_ENTRIES

Ints = NDArray[np.int64]
TURN = 2 * pi


# ---------------------------------------------------------------------------------------- codes


def turns(phase_rad: Any) -> Ints:
    """Return phases as the control gets them: `PHASE_BITS` of a turn, rounded."""
    whole = np.rint(np.asarray(phase_rad) / TURN * 2**PHASE_BITS)
    found: Ints = whole.astype(np.int64) % 2**PHASE_BITS
    return found


def codes(phase_rad: Any, bits: int) -> Ints:
    """Return the codes of shifters that are nearest to phases, as hardware rounds their turns."""
    return codes_of(turns(phase_rad), bits)


def quantised(phase_rad: Any, bits: int) -> Floats:
    """Return the nominal phases of the nearest codes, in radians."""
    return np.asarray(codes(phase_rad, bits) * (TURN / (1 << bits)), np.float64)


def calibrated_codes(phase_rad: Any, measured_rad: Any) -> Ints:
    """Return the codes whose measured phases are nearest on the circle.

    Parameters
    ----------
    phase_rad
        Wanted phases: [..., shifters].
    measured_rad
        Phases of every code of every shifter: [..., shifters, codes].
    """
    distance = np.abs(np.angle(np.exp(1j * (measured_rad - np.asarray(phase_rad)[..., None]))))
    found: Ints = distance.argmin(axis=-1)
    return found


def code_table(measured_rad: Any) -> Ints:
    """Return the control's table: each shifter's code by a phase's high byte [shifters, 256].

    Parameters
    ----------
    measured_rad
        Phases of every code of every shifter: [shifters, codes].
    """
    middles = (np.arange(TABLE_ENTRIES) + 0.5) * (TURN / TABLE_ENTRIES)
    return calibrated_codes(middles, np.asarray(measured_rad)[:, None, :])


# ---------------------------------------------------------------------------------------- devices


@dataclass(frozen=True, slots=True)
class Imperfections:
    """How far real meshes are from ideal ones: spreads of normal distributions, and losses.

    Parameters
    ----------
    phase_bits
        Bits of a phase's code; None sets phases exactly.
    static_rad, dynamic_rad
        Of a shifter's fixed error, and of its error in each pass.
    imbalance, quadrature_rad
        Of a hybrid: see `cell.hybrid`.
    amplitude_db
        Of a shifter's loss from state to state.
    cell_loss_db
        Of every cell, in both arms alike; lines that pass beside cells lose nothing. Where they are
        padded to lose as much, loss is one gain: leave it out.
    """

    phase_bits: int | None = None
    static_rad: float = 0.0
    dynamic_rad: float = 0.0
    imbalance: float = 0.0
    quadrature_rad: float = 0.0
    amplitude_db: float = 0.0
    cell_loss_db: float = 0.0


BOARD = Imperfections(  # ordinary parts at 2 GHz
    phase_bits=6,
    static_rad=radians(1.5),  # CHP3010a98F, data sheet
    dynamic_rad=radians(0.2),  # assumed
    imbalance=0.02,  # assumed
    quadrature_rad=radians(2.0),  # assumed
    amplitude_db=0.15,  # CHP3010a98F, data sheet
    cell_loss_db=2.6,  # two hybrids of 0.3 dB and two shifters of 1 dB, assumed
)


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """Meshes that were built, of one layout; leading axes are draws."""

    layout: Layout
    imperfections: Imperfections
    cells: CellErrors
    output_rad: Floats  # [..., modes]
    output_gain: Floats  # [..., modes]

    def matrix(
        self, phases: Phases, drive: Drive = "one_arm", rng: np.random.Generator | None = None
    ) -> Complexes:
        """Return what the meshes do when set to phases: [..., outputs, inputs].

        Parameters
        ----------
        rng
            Draws the errors of this pass; without it there are none.
        """
        bits = self.imperfections.phase_bits
        moved = []
        for nominal, fixed in (
            (phases.theta, self.cells.theta_rad),
            (phases.phi, self.cells.phi_rad),
            (phases.output, self.output_rad),
        ):
            angle = (nominal if bits is None else quantised(nominal, bits)) + fixed
            if rng is not None:
                angle = angle + rng.normal(0, self.imperfections.dynamic_rad, angle.shape)
            moved.append(angle)
        theta, phi, output = moved
        cells = imperfect_cell(theta, phi, replace(self.cells, theta_rad=0.0, phi_rad=0.0), drive)
        return transfer(self.layout, cells, self.output_gain * np.exp(1j * output))


def draw(
    layout: Layout,
    imperfections: Imperfections,
    rng: np.random.Generator,
    shape: tuple[int, ...] = (),
) -> Device:
    """Return devices of a shape, every part of each drawn by itself."""
    cells, outputs = (*shape, layout.cells), (*shape, layout.modes)
    x = imperfections

    def gain(size: tuple[int, ...]) -> Floats:
        return amplitude(rng.normal(0, x.amplitude_db, size))

    errors = CellErrors(
        imbalance=rng.normal(0, x.imbalance, (*cells, 2)).clip(-0.5, 0.5),
        quadrature_rad=rng.normal(0, x.quadrature_rad, (*cells, 2)),
        theta_rad=rng.normal(0, x.static_rad, cells),
        phi_rad=rng.normal(0, x.static_rad, cells),
        theta_gain=gain(cells),
        phi_gain=gain(cells),
        gain=amplitude(x.cell_loss_db),
    )
    return Device(layout, x, errors, rng.normal(0, x.static_rad, outputs), gain(outputs))


def amplitude(loss_db: Any) -> Floats:
    """Return the amplitude that is left after a loss of power."""
    left: Floats = 10 ** (-np.asarray(loss_db, np.float64) / 20)
    return left


# ---------------------------------------------------------------------------------------- laws


def relative_error(found: Any, wanted: Any, *, best_gain: bool = False) -> Floats:
    """Return |found - wanted| / |wanted| in Frobenius norms, over the last two axes.

    Parameters
    ----------
    best_gain
        Multiply ``found`` by the number that makes the error least: what one gain can make good.
    """
    found, wanted = np.asarray(found), np.asarray(wanted)
    if best_gain:
        overlap = np.sum(found.conj() * wanted, axis=(-2, -1), keepdims=True)
        found = found * overlap / np.sum(np.abs(found) ** 2, axis=(-2, -1), keepdims=True)
    miss: Floats = np.linalg.norm(found - wanted, axis=(-2, -1))
    miss /= np.linalg.norm(wanted, axis=(-2, -1))
    return miss


def rounding_rad(bits: int) -> float:
    """Return the spread of errors that codes of so many bits make."""
    return TURN / (1 << bits) / sqrt(12)


def expected_error(sigma_rad: float, modes: int, drive: Drive = "one_arm") -> float:
    """Return the root mean square of a mesh's relative error, to first order in sigma.

    A cell is moved by sigma in phi, and by sigma or half of it in each arm in theta.
    """
    theta = 1.0 if drive == "one_arm" else 0.5
    return sigma_rad * sqrt((modes - 1) * (1 + theta) / 2 + 1)
