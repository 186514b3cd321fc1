"""Radiance fields beside grids with a hash: what a query of each reads and multiplies, counted.

Each is written out in NumPy with random numbers in it, and every access to a table and every
product goes through a `Tally`: its counts are those of the evaluation and not a formula. They do
not depend on the sides of the tables, so a small field is evaluated.

TensoRF-VM is the field of TensoRF's published configuration, whose ranks SlimmeRF cuts off. The
four of PVD are those that it distils into each other; those that are no voxels of colours share a
colour network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.graphics.encoding import Encoding, offsets
from archsim.graphics.network import Lookup, spherical_harmonics

Array = NDArray[Any]
SMALL_SIDE = 8  # of tables whose evaluation is counted
QUERIES = 4
AXES = 3
DENSITY_RANKS, MOST_RANKS, COLOUR_SHARE = 16, 16, 3  # colour has three times as many ranks
TENSORF_SIDE, PLENOXEL_SIDE = 300, 128
PVD_HASH = Encoding(levels=14, features=2, log2_table=19, growth=1.5)
HARMONICS = 16
VOXEL_VALUES = 28  # a density, and nine harmonics of each colour
MLP_WIDTH, MLP_LAYERS, MLP_SKIP, BANDS = 256, 8, 3, 10
GEOMETRY = 15  # features beside density that go to the shared colour network


@dataclass
class Tally:
    """What queries read and multiply, each of them alike.

    Attributes
    ----------
    reads
        Entries that a query reads, by the values of each, in order.
    layers
        Inputs and outputs of the matrices that it goes through.
    products
        Multiply-accumulates beside matrices and interpolation.
    values
        Of all tables that were declared, at full size.
    """

    seed: int = 1
    reads: list[tuple[int, int]] = field(default_factory=list)
    layers: list[tuple[int, int]] = field(default_factory=list)
    products: int = 0
    values: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def table(self, dims: int, side: int, values: int) -> Array:
        """Return a small table of a kind, whose full size counts: [side^dims, values]."""
        self.values += side**dims * values
        return self._rng.normal(size=(SMALL_SIDE**dims, values))

    def interpolated(self, table: Array, at: Array) -> Array:
        """Return values between the entries around positions: [n, dims] to [n, values]."""
        dims = at.shape[1]
        place = at * (SMALL_SIDE - 1)
        low = np.minimum(place.astype(np.int64), SMALL_SIDE - 2)
        high = offsets(dims).astype(bool)
        part = (place - low)[:, None, :]
        shares = np.where(high, part, 1 - part).prod(axis=2)
        strides = SMALL_SIDE ** np.arange(dims)
        return self.read(table, (low[:, None, :] + high) @ strides, shares)

    def read(self, table: Array, entries: Array, shares: Array) -> Array:
        """Return sums of entries by their shares: [n, k] to [n, values]."""
        self.reads.append((entries.shape[1], table.shape[1]))
        return np.asarray(np.einsum("nkv,nk->nv", table[entries], shares))

    def multiplied(self, first: Array, second: Array) -> Array:
        """Return products, value by value."""
        self.products += first.shape[1]
        return np.asarray(first * second)

    def network(self, inputs: Array, *widths: int) -> Array:
        """Return what a random network puts out, ReLU between its matrices."""
        found = inputs
        for number, (rows, columns) in enumerate(pairwise((inputs.shape[1], *widths))):
            self.layers.append((rows, columns))
            found = found @ self._rng.normal(size=(rows, columns))
            if number < len(widths) - 1:
                found = np.maximum(found, 0)
        return np.asarray(found)


@dataclass(frozen=True, slots=True)
class Query:
    """What one query of a representation takes.

    Parameters
    ----------
    reads
        Entries, and values of each.
    layers
        Inputs and outputs of the matrices.
    macs
        Multiply-accumulates of matrices and beside them, interpolation left out.
    values
        Of all tables.
    """

    reads: tuple[tuple[int, int], ...]
    layers: tuple[tuple[int, int], ...]
    macs: int
    values: int

    @property
    def read_values(self) -> int:
        """Values that a query reads."""
        return sum(entries * values for entries, values in self.reads)


def _vm(tally: Tally, at: Array, ranks: int) -> tuple[Array, Array]:
    """Return density and colour factors of planes times lines: [n, 3 ranks] and [n, 9 ranks]."""
    found = []
    for own in (ranks, COLOUR_SHARE * ranks):
        factors = []
        for axis in range(AXES):
            across = [a for a in range(AXES) if a != axis]
            plane = tally.interpolated(tally.table(2, TENSORF_SIDE, own), at[:, across])
            line = tally.interpolated(tally.table(1, TENSORF_SIDE, own), at[:, [axis]])
            factors.append(tally.multiplied(plane, line))
        found.append(np.concatenate(factors, axis=1))
    return found[0], found[1]


def _waves(values: Array, bands: int) -> Array:
    """Return sines and cosines of values at octaves: [n, v] to [n, 2 bands v]."""
    scaled = (values[:, :, None] * 2.0 ** np.arange(bands)).reshape(len(values), -1)
    return np.concatenate([np.sin(scaled), np.cos(scaled)], axis=1)


def tensorf(tally: Tally, at: Array, towards: Array, ranks: int) -> Array:
    """Return colours and densities of TensoRF-VM, of so many ranks of density an axis."""
    density, colour = _vm(tally, at, ranks)
    features = tally.network(colour, 27)
    inputs = (features, towards, _waves(features, 2), _waves(towards, 2))
    found = tally.network(np.concatenate(inputs, axis=1), 128, 128, 3)
    return np.column_stack([found, density.sum(axis=1)])


def pvd_hash(tally: Tally, at: Array, towards: Array, ranks: int) -> Array:
    """Return colours and densities of PVD's hash grid."""
    lookup = Lookup.of(PVD_HASH, at.astype(np.float32))
    tally.values += PVD_HASH.entries * PVD_HASH.features
    tables = np.zeros((PVD_HASH.entries, PVD_HASH.features), np.float32)
    read = [
        tally.read(tables, lookup.entries[:, level], lookup.weights[:, level])
        for level in range(PVD_HASH.levels)
    ]
    found = tally.network(np.concatenate(read, axis=1), 64, 1 + GEOMETRY)
    return _coloured(tally, found, towards)


def pvd_mlp(tally: Tally, at: Array, towards: Array, ranks: int) -> Array:
    """Return colours and densities of PVD's plain network: no table, eight wide layers."""
    inputs = np.concatenate([at, _waves(at, BANDS)], axis=1)
    found = inputs
    for layer in range(MLP_LAYERS):
        if layer == MLP_SKIP + 1:
            found = np.concatenate([found, inputs], axis=1)
        found = np.maximum(tally.network(found, MLP_WIDTH), 0)
    return _coloured(tally, tally.network(found, 1 + GEOMETRY), towards)


def pvd_vm(tally: Tally, at: Array, towards: Array, ranks: int) -> Array:
    """Return colours and densities of PVD's planes and lines."""
    density, colour = _vm(tally, at, DENSITY_RANKS)
    features = tally.network(colour, GEOMETRY)
    return _coloured(tally, np.column_stack([density.sum(axis=1), features]), towards)


def pvd_plenoxel(tally: Tally, at: Array, towards: Array, ranks: int) -> Array:
    """Return colours and densities of PVD's voxels: harmonics of each colour and no network."""
    voxels = tally.interpolated(tally.table(AXES, PLENOXEL_SIDE, VOXEL_VALUES), at)
    basis = np.tile(spherical_harmonics(towards)[:, :9], (1, 3))
    colour = tally.multiplied(voxels[:, 1:], basis).reshape(len(at), 3, 9).sum(axis=2)
    return np.column_stack([colour, voxels[:, 0]])


def _coloured(tally: Tally, geometry: Array, towards: Array) -> Array:
    """Return what PVD's shared colour network makes of a density and features."""
    inputs = np.concatenate([geometry[:, 1:], spherical_harmonics(towards)], axis=1)
    return np.column_stack([tally.network(inputs, 64, 64, 3), geometry[:, 0]])


Evaluation = Callable[[Tally, Array, Array, int], Array]
REPRESENTATIONS: Mapping[str, Evaluation] = MappingProxyType(
    {f.__name__: f for f in (tensorf, pvd_hash, pvd_mlp, pvd_vm, pvd_plenoxel)}
)


@lru_cache
def query_of(name: str, ranks: int = DENSITY_RANKS) -> Query:
    """Return what a query of a representation takes, counted on an evaluation.

    Parameters
    ----------
    ranks
        Of TensoRF's density, an axis; those beyond are cut off, with three times as many of colour.
    """
    tally, rng = Tally(), np.random.default_rng(2)
    at, towards = rng.random((QUERIES, AXES)), rng.normal(size=(QUERIES, AXES))
    towards /= np.linalg.norm(towards, axis=1)[:, None]
    REPRESENTATIONS[name](tally, at, towards, ranks)
    merged: dict[int, int] = {}
    for entries, values in tally.reads:
        merged[values] = merged.get(values, 0) + entries
    reads = tuple((entries, values) for values, entries in merged.items())
    macs = sum(rows * columns for rows, columns in tally.layers) + tally.products
    return Query(reads, tuple(tally.layers), macs, tally.values)
