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
from archsim.engines.ngpc.addresses import cells, vertices
from archsim.engines.ngpc.jobs import NgpcJobs, Positions, mapped
from archsim.engines.ngpc.spec import AXES, FRACTION_BITS, RESULT_BITS, WEIGHT_BITS, NgpcSpec
from archsim.graphics.encoding import Encoding, Level


def reference(spec: NgpcSpec, jobs: NgpcJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``result`` [queries, outputs] of every job."""
    assert jobs.refs is not None
    results: list[Mapping[str, NDArray[Any]]] = []
    for row, refs in enumerate(jobs.refs):
        features = encoded(spec, jobs.encoding[row], data[refs["x"]], data[refs["table"]])
        shifts = jobs.shift[row][: jobs.layers[row]].tolist()
        results.append({"result": through_mlp(spec, features, data[refs["weight"]], shifts)})
    return results


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
