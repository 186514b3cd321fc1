"""Meshes of cells: where the cells lie, and what vectors become on their way through.

A mesh of N modes is columns of cells that lie side by side on neighbouring modes. ``clements`` is a
rectangle, N columns deep, all ways about as long; ``reck`` a triangle, 2N - 3 deep. Phases at the
outputs end either. A mesh of which fewer outputs than inputs are used, or the other way round, is a
triangle cut short (the economy form), whatever its name: no rectangle is as small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from math import prod
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.engines.rfnn.cell import Complexes, Drive, Floats, cell
from archsim.engines.rfnn.counts import MeshKind

BLOCK_BYTES = 1 << 19  # of matrices that are worked on together: they stay in a core's cache
Ints = NDArray[np.int64]


class Column(NamedTuple):
    """Cells side by side: the first lies on modes ``first`` and ``first + 1``, then every two."""

    first: int
    cells: int


class Step(NamedTuple):
    """A cell and the element of a matrix that it brings to zero, in the order of nulling."""

    at_input: bool  # the cell mixes columns of the matrix; else rows
    row: int
    col: int
    mode: int  # upper mode of the cell
    cell: int  # its number in the layout


@dataclass(frozen=True, slots=True)
class Layout:
    """The cells of a mesh, numbered column by column and from the upper mode down.

    Parameters
    ----------
    outputs, inputs
        Ports that are used, of ``modes`` = the larger: the last ``outputs`` and the first
        ``inputs``.
    steps
        The order in which cells are found for a given matrix.
    """

    mesh: MeshKind
    outputs: int
    inputs: int
    columns: tuple[Column, ...]
    steps: tuple[Step, ...]

    @property
    def modes(self) -> int:
        return max(self.outputs, self.inputs)

    @property
    def cells(self) -> int:
        return len(self.steps)

    @property
    def depth(self) -> int:
        return len(self.columns)

    @property
    def upper_modes(self) -> Ints:
        """The upper mode of each cell: [cells]."""
        modes = [c.first + 2 * i for c in self.columns for i in range(c.cells)]
        return np.array(modes, np.int64)


@lru_cache(maxsize=64)  # those of hundreds of modes are large
def layout(mesh: MeshKind, outputs: int, inputs: int | None = None) -> Layout:
    """Return the cells of a mesh; without ``inputs`` as many as outputs."""
    inputs = outputs if inputs is None else inputs
    if min(outputs, inputs) < 1:
        raise ValueError(f"a mesh has outputs and inputs, not {outputs} and {inputs}")
    nulled = [*_order(mesh, outputs, inputs)]
    at_input = [n for n, (side, *_) in enumerate(nulled) if side]
    at_output = [n for n, (side, *_) in enumerate(nulled) if not side]
    free = [0] * max(outputs, inputs)  # the first column where a mode has no cell yet
    places: dict[int, tuple[int, int]] = {}
    for n in (*at_input, *reversed(at_output)):  # as a signal meets them
        mode = nulled[n][3]
        column = max(free[mode : mode + 2])
        free[mode] = free[mode + 1] = column + 1
        places[n] = column, mode
    numbers = {n: number for number, n in enumerate(sorted(places, key=places.__getitem__))}
    columns = [
        Column(next(cells)[1], 1 + sum(1 for _ in cells))
        for _, cells in groupby(sorted(places.values()), key=itemgetter(0))
    ]
    steps = tuple(Step(*place, numbers[n]) for n, place in enumerate(nulled))
    return Layout(mesh, outputs, inputs, tuple(columns), steps)


def _order(mesh: MeshKind, outputs: int, inputs: int) -> Iterator[tuple[bool, int, int, int]]:
    """Yield side, row, column of the element and mode of each cell, as elements become zero."""
    n = max(outputs, inputs)
    if outputs > inputs:  # column by column, from the last row up
        for col in range(inputs):
            for row in range(n - 1, col, -1):
                yield False, row, col, row - 1
    elif outputs < inputs or mesh == "reck":  # row by row, from the last one up
        for row in range(n - 1, max(n - outputs, 1) - 1, -1):
            for col in range(row):
                yield True, row - (n - outputs), col, col
    else:  # diagonal by diagonal from the lower left corner, from the input and output in turn
        for diagonal in range(n - 1):
            for i in range(diagonal + 1):
                if diagonal % 2 == 0:
                    yield True, n - 1 - i, diagonal - i, diagonal - i
                else:
                    row = n - 1 - diagonal + i
                    yield False, row, i, row - 1


@dataclass(frozen=True, slots=True, eq=False)
class Phases:
    """The settings of a mesh in radians, [0, 2 pi); leading axes are devices or draws.

    Parameters
    ----------
    theta, phi
        Of each cell: [..., cells].
    output
        Of each output: [..., modes].
    """

    layout: Layout
    theta: Floats
    phi: Floats
    output: Floats

    def matrix(self, drive: Drive = "one_arm") -> Complexes:
        """Return what the ideal mesh does between the ports that are used."""
        return transfer(self.layout, cell(self.theta, self.phi, drive), np.exp(1j * self.output))


def transfer(layout: Layout, cells: Complexes, output: Any = 1.0) -> Complexes:
    """Return the matrix of a mesh between the ports that are used: [..., outputs, inputs].

    Parameters
    ----------
    cells
        Matrices of the cells: [..., cells, 2, 2].
    output
        Factors at the outputs: [..., modes], or one for all.
    """
    lead = np.broadcast_shapes(cells.shape[:-3], np.shape(output)[:-1])
    flat = np.broadcast_to(cells, (*lead, *cells.shape[-3:]))
    flat = flat.reshape(prod(lead), *cells.shape[-3:])
    modes, inputs = layout.modes, layout.inputs
    found = np.empty((len(flat), modes, inputs), np.complex128)
    block = max(1, BLOCK_BYTES // (16 * modes * inputs))
    for first in range(0, len(flat), block):
        found[first : first + block] = np.eye(modes, inputs)
        some = flat[first : first + block]
        propagate(layout, lambda at, t=some: t[:, at], found[first : first + block])  # type: ignore[misc]
    matrix = found.reshape(*lead, modes, inputs)
    matrix *= np.asarray(output)[..., None]
    return matrix[..., modes - layout.outputs :, :]


def propagate(
    layout: Layout, cells: Callable[[slice], Any], waves: Any, backward: bool = False
) -> None:
    """Take waves [..., modes, n] through a mesh, in place.

    Parameters
    ----------
    cells
        Returns the matrices of a column's cells, [..., cells, 2, 2], when waves come to it.
    backward
        From the outputs to the inputs, as through the matrix transposed.
    """
    pairs = waves[..., 1::2, :]
    over, back = np.empty_like(pairs), np.empty_like(pairs)  # one room for all columns
    at = layout.cells if backward else 0
    for first, count in reversed(layout.columns) if backward else layout.columns:
        at -= count if backward else 0
        upper = waves[..., first : first + 2 * count : 2, :]
        lower = waves[..., first + 1 : first + 2 * count : 2, :]
        t = cells(slice(at, at + count))[..., None]
        t = t.swapaxes(-3, -2) if backward else t
        down = np.multiply(t[..., 1, 0, :], upper, out=over[..., :count, :])
        up = np.multiply(t[..., 0, 1, :], lower, out=back[..., :count, :])
        upper *= t[..., 0, 0, :]
        upper += up
        lower *= t[..., 1, 1, :]
        lower += down
        at += 0 if backward else count
