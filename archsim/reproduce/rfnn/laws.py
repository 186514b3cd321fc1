"""How errors of phases add up in a mesh: devices drawn at random, beside a law of first order."""

from __future__ import annotations

from collections.abc import Iterator
from math import radians, sqrt
from typing import get_args

import numpy as np

from archsim.engines.rfnn.cell import Drive
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.decompose import decompose
from archsim.engines.rfnn.errors import Imperfections, draw, expected_error, relative_error
from archsim.reproduce.rfnn.numbers import OURS, ours
from archsim.reproduce.row import Row, Section

MODES, SIGMA_DEG, LOSS_DB, DRAWS = 8, 2.0, 1.0, 100
BITS = (3, 4, 6)
DRIVES: dict[Drive, str] = {
    "one_arm": "theta in one arm",
    "differential": "theta split over both arms",
}
NOTE = (
    f"means over {DRAWS} random unitaries of {MODES} modes, each on a device of its own: the "
    "Frobenius norm of what the matrix is off by, over the matrix's; all phases are off, outputs "
    "included"
)
LAW = (
    "by the law of first order an error is sigma sqrt(N) where theta is in one arm, and "
    "0.866 sigma sqrt(N) where it is split over both; rounding to b bits counts as a sigma of the "
    "step over sqrt(12)"
)


def section() -> Section:
    """Return errors of drawn devices over the law's, and what loss does to both meshes."""
    return Section("Errors: phases that are off", tuple(_rows()), (OURS, NOTE, LAW))


def _rows() -> Iterator[Row]:
    sigma = radians(SIGMA_DEG)
    for drive, words in DRIVES.items():
        found = _mean(drive, "clements", Imperfections(static_rad=sigma))
        yield ours(f"{words}: error at a sigma of {SIGMA_DEG:g} degrees", found)
        yield ours(f"{words}: the same by the law", expected_error(sigma, MODES, drive))
        yield ours(f"{words}: error over sigma sqrt(N)", found / (sigma * sqrt(MODES)))
    for bits in BITS:
        found = _mean("one_arm", "clements", Imperfections(phase_bits=bits))
        yield ours(f"error of phases of {bits} bits", found)
    for mesh in get_args(MeshKind):
        lossy = Imperfections(cell_loss_db=LOSS_DB)
        found = _mean("one_arm", mesh, lossy, best_gain=True)
        yield ours(f"{mesh.capitalize()}: error by {LOSS_DB:g} dB a cell, best gain", found)


def _mean(
    drive: Drive, mesh: MeshKind, imperfections: Imperfections, *, best_gain: bool = False
) -> float:
    """Return the mean error over random unitaries and devices."""
    found = []
    for seed in range(DRAWS):
        wanted = _unitary(np.random.default_rng(seed))
        phases = decompose(wanted, mesh, drive)
        device = draw(phases.layout, imperfections, np.random.default_rng([seed, 1]))
        found.append(relative_error(device.matrix(phases, drive), wanted, best_gain=best_gain))
    return float(np.mean(found))


def _unitary(rng: np.random.Generator) -> np.ndarray:
    """Return a unitary of the Haar measure: the Q of a QR of normal numbers, its phases fixed."""
    normal = rng.standard_normal((2, MODES, MODES))
    q, r = np.linalg.qr(normal[0] + 1j * normal[1])
    diagonal = np.diagonal(r)
    return np.asarray(q * (diagonal / np.abs(diagonal)))
