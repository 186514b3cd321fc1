"""Neural fields in fixed point, bit for bit: `archsim.engines.ngpc.spec` has the formats.

Levels, entries of vertices and hashes are those of `archsim.graphics.encoding`; cells and weights
are found in integers, so a position close to a cell's face may lie on its other side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, Ints
from archsim.engines.ngpc.jobs import NgpcJobs, Positions, mapped, padded, strides
from archsim.engines.ngpc.spec import (
    AXES,
    FRACTION_BITS,
    POSITION_BITS,
    RESULT_BITS,
    SCALE_FRACTION,
    WEIGHT_BITS,
    NgpcSpec,
)
from archsim.graphics.encoding import Encoding, Level, offsets, parity_of


def reference(spec: NgpcSpec, jobs: NgpcJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``result`` [queries, outputs] of every job."""
    assert jobs.refs is not None
    results: list[Mapping[str, NDArray[Any]]] = []
    for row, refs in enumerate(jobs.refs):
        features = encoded(spec, jobs.encoding[row], data[refs["x"]], data[refs["table"]])
        shifts = jobs.shift[row][: jobs.layers[row]].tolist()
        results.append({"result": through_mlp(spec, features, data[refs["weight"]], shifts)})
    return results


def scale_of(level: Level) -> int:
    """Return a level's scale in 2^-12."""
    return round(level.scale * (1 << SCALE_FRACTION))


def cells(level: Level, positions: Positions) -> tuple[Ints, Ints]:
    """Return the cells of positions, and the places in them in 2^-8: both [n, 3]."""
    below = POSITION_BITS + SCALE_FRACTION
    place = scale_of(level) * positions + (1 << below - 1) >> below - FRACTION_BITS
    found = padded(place)
    return found >> FRACTION_BITS, found & (1 << FRACTION_BITS) - 1


def vertices(found: Ints, dims: int) -> Ints:
    """Return the eight vertices of cells, [n, 3] to [n, 8, 3]; of a flat grid each comes twice."""
    sides = offsets(AXES) * (np.arange(AXES) < dims)
    return np.asarray(found[:, None, :] + sides)


def corner_weights(places: Ints) -> Ints:
    """Return what each corner counts for, in 2^-12: [n, 3] to [n, 8], and a row adds up to one.

    An axis cuts each weight in two: a product, and what is left.
    """
    high = places[:, :1] << WEIGHT_BITS - FRACTION_BITS
    weights = np.concatenate([(1 << WEIGHT_BITS) - high, high], axis=1)
    for axis in range(1, AXES):
        share = weights * places[:, axis : axis + 1] >> FRACTION_BITS
        weights = np.concatenate([weights - share, share], axis=1)
    return np.asarray(weights)


def slots(spec: NgpcSpec, level: Level, corners: Ints, dims: int) -> Ints:
    """Return where the entries of vertices lie in the table memory: [..., 3] to [...].

    It is the entry's number; where rows are padded, or banks go by parity, a level that is not
    hashed has a place for each vertex. By parity eight lie together, one of each.
    """
    flat = corners[..., :dims]
    if level.hashed or spec.bank_map in ("index", "fold"):
        return level.indices(flat)
    along = np.array(strides(spec, level)[:dims])
    if spec.bank_map == "padded":
        return np.asarray(flat @ along)
    return np.asarray((flat >> 1) @ along << AXES | parity_of(flat))


def banks(spec: NgpcSpec, places: Ints) -> Ints:
    """Return the bank of each place in the table memory; the row is the place without low bits."""
    bits = spec.banks.bit_length() - 1
    found = places & (spec.banks - 1)
    if spec.bank_map == "fold" and bits:
        for at in range(bits, spec.table_log2, bits):
            found = found ^ places >> at & (spec.banks - 1)
    return np.asarray(found)


def encoded(spec: NgpcSpec, encoding: Encoding, positions: Positions, table: Ints) -> Ints:
    """Return the features of positions as the MLP takes them: [n, levels x features]."""
    found, first = [], 0
    for level in mapped(spec, encoding).table:
        found.append(_interpolated(spec, level, encoding.dims, positions, table[first:]))
        first += level.entries
    return np.concatenate(found, axis=1)


def _interpolated(
    spec: NgpcSpec, level: Level, dims: int, positions: Positions, table: Ints
) -> Ints:
    cell, place = cells(level, positions)
    entries = level.indices(vertices(cell, dims)[..., :dims])
    total = (corner_weights(place)[:, :, None] * table[entries]).sum(axis=1)
    shift = WEIGHT_BITS + spec.feature_bits - spec.act_bits
    most = (1 << spec.act_bits - 1) - 1
    return np.asarray(np.minimum(total + (1 << shift - 1) >> shift, most))


def through_mlp(spec: NgpcSpec, features: Ints, weights: Ints, shifts: list[int]) -> Ints:
    """Return results of features [n, features]: layers without bias, ReLU between them.

    Each layer's sums are moved down, rounding half up, and kept in the range of activations; those
    of the last one in the range of results.
    """
    values = np.zeros((len(features), spec.mlp_width), np.int64)
    values[:, : features.shape[1]] = features
    last = len(shifts) - 1
    for layer, shift in enumerate(shifts):
        sums = values @ weights[layer].T
        moved = (sums << 1 >> shift) + 1 >> 1
        bits = RESULT_BITS if layer == last else spec.act_bits
        most = (1 << bits - 1) - 1
        values = np.clip(moved, -most - 1 if layer == last else 0, most)
    return np.asarray(values[:, : spec.outputs])
