"""A neural field in NumPy: a grid encoding and small bias-free matrices, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.graphics.apps import HARMONICS, App
from archsim.graphics.encoding import Encoding, corners, weights

Floats = NDArray[np.float32]
Array = NDArray[Any]
SMALL = 1e-4  # of tables at first


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which entries positions read, and with what weights: both [n, levels, corners].

    Entries are counted through the tables of all levels.
    """

    entries: Array
    weights: Floats

    @classmethod
    def of(cls, encoding: Encoding, positions: Array) -> Lookup:
        found, shares, first = [], [], 0
        for level in encoding.table:
            cells, places = level.cells(positions)
            found.append(level.indices(corners(cells)) + first)
            shares.append(weights(places))
            first += level.entries
        return cls(np.stack(found, axis=1).astype(np.int32), np.stack(shares, axis=1))

    def take(self, rows: Array) -> Lookup:
        return Lookup(self.entries[rows], self.weights[rows])


@dataclass(frozen=True, slots=True)
class Network:
    """Tables and matrices of a field.

    Parameters
    ----------
    tables
        Of all levels, one after another: [entries, features].
    heads
        Matrices [inputs, outputs] of each network, ReLU between them. A second network reads what
        the first puts out, and the harmonics of directions.
    """

    encoding: Encoding
    tables: Floats
    heads: tuple[tuple[Floats, ...], ...]

    @classmethod
    def random(cls, app: App, encoding: Encoding, seed: int = 1) -> Network:
        """Return a network before it is fitted."""
        rng = np.random.default_rng(seed)
        tables = rng.uniform(-SMALL, SMALL, (encoding.entries, encoding.features))
        heads, width = [], encoding.outputs
        for head in app.heads:
            widths = (width, *head)
            reach = [np.sqrt(6 / inputs) for inputs in widths]
            heads.append(
                tuple(
                    rng.uniform(-r, r, shape).astype(np.float32)
                    for r, shape in zip(reach, zip(widths, head, strict=False), strict=False)
                )
            )
            width = head[-1] + HARMONICS
        return cls(encoding, tables.astype(np.float32), tuple(heads))

    def __call__(self, positions: Array, directions: Array | None = None) -> Floats:
        """Return answers, as the last matrices put them out: [n, outputs].

        Of two networks, the first output of the first one stands behind those of the second.
        """
        harmonics = None if directions is None else spherical_harmonics(directions)
        return self.forward(Lookup.of(self.encoding, positions), harmonics)[-1].answers

    def forward(self, lookup: Lookup, harmonics: Floats | None) -> list[Pass]:
        """Return what went through each network; the last has the answers."""
        read = self.tables[lookup.entries]  # [n, levels, corners, features]
        features = np.einsum("nlcf,nlc->nlf", read, lookup.weights)
        inputs = features.reshape(len(read), -1)
        passes: list[Pass] = []
        for matrices in self.heads:
            if passes:
                assert harmonics is not None
                inputs = np.concatenate([passes[-1].answers, harmonics], axis=1)
            passes.append(Pass.of(matrices, inputs))
        if len(passes) > 1:
            first = passes[0].answers[:, :1]
            passes[-1] = replace(
                passes[-1], answers=np.concatenate([passes[-1].answers, first], axis=1)
            )
        return passes

    def backward(self, lookup: Lookup, passes: Sequence[Pass], slopes: Floats) -> Gradients:
        """Return slopes of a loss for all parameters, given those for the answers [n, outputs]."""
        found: list[tuple[Floats, ...]] = []
        beyond: Floats | None = None
        if len(self.heads) > 1:
            beyond, slopes = slopes[:, -1:], slopes[:, :-1]
        for number in reversed(range(len(self.heads))):
            gradients, slopes = passes[number].backward(self.heads[number], slopes)
            found.append(gradients)
            if number:
                slopes = slopes[:, : self.heads[number - 1][-1].shape[1]].copy()
                assert beyond is not None
                slopes[:, :1] += beyond
        by_level = slopes.reshape(len(slopes), self.encoding.levels, self.encoding.features)
        read = np.zeros(len(self.tables), bool)
        read[lookup.entries] = True
        rows = np.flatnonzero(read)
        place = np.empty(len(self.tables), np.int32)
        place[rows] = np.arange(len(rows))
        entries = place[lookup.entries].ravel()
        tables = np.empty((len(rows), self.encoding.features), self.tables.dtype)
        for feature in range(self.encoding.features):
            shares = lookup.weights * by_level[:, :, None, feature]
            tables[:, feature] = np.bincount(entries, shares.ravel(), len(rows))
        return Gradients(rows, tables, tuple(reversed(found)))

    @property
    def parameters(self) -> tuple[Floats, ...]:
        return (self.tables, *(matrix for head in self.heads for matrix in head))

    def quantised(self, bits: int) -> Network:
        """Return the network with tables of so many bits a feature, each level of its own scale."""
        tables, first = self.tables.copy(), 0
        for level in self.encoding.table:
            part = tables[first : first + level.entries]
            step = max(float(np.abs(part).max()), 1e-12) / ((1 << bits - 1) - 1)
            part[:] = np.round(part / step) * step
            first += level.entries
        return replace(self, tables=tables)


@dataclass(frozen=True, slots=True)
class Gradients:
    """Slopes of a loss for a network's parameters.

    Parameters
    ----------
    rows
        Entries of the tables that were read; the others' slopes are zero.
    tables
        Of those: [rows, features].
    """

    rows: Array
    tables: Floats
    heads: tuple[tuple[Floats, ...], ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """What went into each matrix of a network [n, inputs], and what came out of the last."""

    inputs: tuple[Floats, ...]
    answers: Floats

    @classmethod
    def of(cls, matrices: Sequence[Floats], inputs: Floats) -> Pass:
        kept = [inputs]
        for matrix in matrices[:-1]:
            kept.append(np.maximum(kept[-1] @ matrix, 0))
        return cls(tuple(kept), kept[-1] @ matrices[-1])

    def backward(
        self, matrices: Sequence[Floats], slopes: Floats
    ) -> tuple[tuple[Floats, ...], Floats]:
        """Return slopes of a loss for matrices and inputs, given those for the answers."""
        found: list[Floats] = []
        for inputs, matrix in zip(reversed(self.inputs), reversed(matrices), strict=True):
            found.append(inputs.T @ slopes)
            slopes = slopes @ matrix.T
            if len(found) < len(matrices):
                slopes = slopes * (inputs > 0)  # what ReLU let through
        return tuple(reversed(found)), slopes


def spherical_harmonics(directions: Array) -> Floats:
    """Return the 16 real spherical harmonics up to degree 3 of directions: [n, 3] to [n, 16]."""
    x, y, z = directions.T
    xx, yy, zz = x * x, y * y, z * z
    found = (
        np.full(len(directions), 0.28209479),
        -0.48860251 * y, 0.48860251 * z, -0.48860251 * x,
        1.09254843 * x * y, -1.09254843 * y * z, 0.94617470 * zz - 0.31539157,
        -1.09254843 * x * z, 0.54627422 * (xx - yy),
        0.59004359 * y * (yy - 3 * xx), 2.89061144 * x * y * z, 0.45704579 * y * (1 - 5 * zz),
        0.37317633 * z * (5 * zz - 3), 0.45704579 * x * (1 - 5 * zz),
        1.44530572 * z * (xx - yy), 0.59004359 * x * (3 * yy - xx),
    )  # fmt: skip
    return np.stack(found, axis=1).astype(np.float32)
