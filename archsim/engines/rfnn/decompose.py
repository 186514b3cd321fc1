"""Phases of a mesh that does a given unitary, by nulling one element after the other.

Each cell in turn brings one element of the matrix to zero: from the input side, where the matrix is
multiplied by the cell's inverse from the right, or from the output side, by the cell from the left.
What remains is a diagonal of phases. Cells of the output side end up inverted on the wrong side of
that diagonal; ``T^-1 D = D' T'`` puts each right.
"""

from __future__ import annotations

from cmath import exp, phase
from math import atan2, cos, pi, sin
from typing import Any

import numpy as np

from archsim.engines.rfnn.cell import Complexes, Drive
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.mesh import Layout, Phases, layout
from archsim.errors import InputError

UNITARY_WITHIN = 1e-9  # largest element of U U^H - 1
TURN = 2 * pi


def decompose(unitary: Any, mesh: MeshKind = "clements", drive: Drive = "one_arm") -> Phases:
    """Return the phases with which a mesh does a unitary.

    Parameters
    ----------
    unitary
        [outputs, inputs]. Where one is less than the other, its rows or columns are orthonormal
        and the mesh is of the economy form.

    Raises
    ------
    InputError
        It is not unitary.
    """
    matrix = np.array(unitary, np.complex128, order="C")
    _check(matrix)
    where = layout(mesh, *matrix.shape)
    theta, phi = np.zeros(where.cells), np.zeros(where.cells)
    for at_input, row, col, mode, number in where.steps:
        null = _null_from_right if at_input else _null_from_left
        theta[number], phi[number] = null(matrix, row, col, mode, drive)
    output = _beyond_the_diagonal(matrix, where, theta, phi, drive)
    return Phases(where, theta, phi % TURN, output % TURN)


def _check(matrix: Complexes) -> None:
    if matrix.ndim != 2 or not matrix.size:
        raise InputError("unitary", "must be a matrix", matrix.shape)
    if not np.isfinite(matrix).all():
        raise InputError("unitary", "must be finite")
    rows, cols = matrix.shape
    wide = matrix if rows <= cols else matrix.T
    miss = float(np.abs(wide @ wide.conj().T - np.eye(min(rows, cols))).max())
    if miss > UNITARY_WITHIN:
        vectors = "rows" if rows <= cols else "columns"
        raise InputError(
            "unitary", f"must have orthonormal {vectors}, and they miss it by {miss:.2g}",
            fix="a layer takes any matrix: see layer.program",
        )  # fmt: skip


def _null_from_right(
    matrix: Complexes, row: int, col: int, mode: int, drive: Drive
) -> tuple[float, float]:
    """Bring [row, col] to zero by the inverse of a cell on columns mode and mode + 1."""
    a, b = complex(matrix[row, mode]), complex(matrix[row, mode + 1])
    theta, phi = 2 * atan2(abs(b), abs(a)), phase(a) - phase(b)
    common = -1j * _common(theta, drive).conjugate()
    sine, cosine, back = common * sin(theta / 2), common * cos(theta / 2), exp(-1j * phi)
    live = matrix[: row + 1]  # rows below are done: the diagonal alone is left of them
    upper, lower = live[:, mode].copy(), live[:, mode + 1]
    live[:, mode] = (-sine * back) * upper + cosine * lower
    live[:, mode + 1] = (cosine * back) * upper + sine * lower
    matrix[row, col] = 0
    return theta, phi


def _null_from_left(
    matrix: Complexes, row: int, col: int, mode: int, drive: Drive
) -> tuple[float, float]:
    """Bring [row, col] to zero by a cell on rows mode and mode + 1."""
    a, b = complex(matrix[mode, col]), complex(matrix[mode + 1, col])
    theta, phi = 2 * atan2(abs(a), abs(b)), phase(-b) - phase(a)
    common = 1j * _common(theta, drive)
    sine, cosine, before = common * sin(theta / 2), common * cos(theta / 2), exp(1j * phi)
    live = matrix[:, col:]  # columns on the left are done
    upper, lower = live[mode] * before, live[mode + 1]
    live[mode], live[mode + 1] = cosine * lower - sine * upper, cosine * upper + sine * lower
    matrix[row, col] = 0
    return theta, phi


def _beyond_the_diagonal(
    matrix: Complexes, where: Layout, theta: Any, phi: Any, drive: Drive
) -> Any:
    """Return the phases at the outputs, and put those of cells at the output side right."""
    diagonal = np.ones(where.modes, np.complex128)
    offset = max(0, where.inputs - where.outputs)
    diagonal[offset : offset + min(matrix.shape)] = np.diagonal(matrix, offset)
    for at_input, _, _, mode, number in reversed(where.steps):
        if not at_input:
            upper, lower = diagonal[mode : mode + 2].tolist()
            back = -(_common(theta[number], drive).conjugate() ** 2) * lower
            diagonal[mode], diagonal[mode + 1] = exp(-1j * phi[number]) * back, back
            phi[number] = phase(upper) - phase(lower)
    return np.angle(diagonal)


def _common(theta: float, drive: Drive) -> complex:
    """Return the phase that both outputs of a cell share, but for the j of the hybrids."""
    return exp(0.5j * theta) if drive == "one_arm" else 1 + 0j
