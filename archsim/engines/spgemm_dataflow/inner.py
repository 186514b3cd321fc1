"""Row by column: rows of A, as many as the buffer keeps, meet all columns of B in tiles.

A PE walks a row and a column together, the one whose index is lower, or both where they agree,
until one of them ends. So the comparisons of a pair are the entries of both up to the lower of
their last indices, less those that agree; over all pairs that is a sum over entries of A, one over
entries of B, and the number of products. A dense column is looked up in place: a product a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints, Windows
from archsim.engines.spgemm_dataflow.row_merge import summed
from archsim.engines.spgemm_dataflow.spec import DataflowJobs, SpgemmDataflowSpec
from archsim.engines.spgemm_dataflow.stored import Room, Stored
from archsim.errors import InfeasibleError
from archsim.sparse.product import SparseProduct, by_row, ranges

MAX_WINDOWS = 1 << 20
MAX_LOOKS = 1 << 30  # entries of A, once for each tile of B: about a minute


def windows(spec: SpgemmDataflowSpec, product: SparseProduct, room_bytes: int) -> Windows:
    stored = Stored.of(product)
    room = Room.of(spec, room_bytes, stored)
    a_bytes = product.a.row_lengths * stored.a + stored.pointer
    lengths = np.full(product.n, product.k) if product.b is None else product.b.column_lengths
    b_bytes = lengths * stored.b + stored.b_pointer
    rows, columns = ranges(a_bytes, room.stationary), ranges(b_bytes, room.tile)
    groups, tiles = len(rows) - 1, len(columns) - 1
    if groups * tiles > MAX_WINDOWS or tiles * product.a.entries > MAX_LOOKS:
        raise InfeasibleError(
            "an inner product cut into pairs of rows and columns", demand=groups * tiles,
            bound=min(MAX_WINDOWS, MAX_LOOKS // product.a.entries * groups), unit="windows",
            levers=("raise memories.buffer.capacity_bytes",),
        )  # fmt: skip
    met = np.diff(product.a.indptr[rows]) > 0  # empty rows of A need nothing of B
    loads = np.zeros((2, groups, tiles), np.int64)
    loads[0, :, 0] = summed(a_bytes, rows)
    loads[1] = met[:, None] * summed(b_bytes, columns)
    pointers = np.diff(rows) * stored.c_pointer
    c_bytes = _results(product, rows, columns) * stored.c
    c_bytes[:, -1] += pointers
    group, tile = (x.ravel() for x in np.indices((groups, tiles)))
    return Windows(
        0 * group, rows[group], rows[group + 1], columns[tile], columns[tile + 1],
        (loads[0].ravel(), loads[1].ravel()), 0 * group, c_bytes.ravel(), group >= 0, room.whole,
    )  # fmt: skip


def jobs(spec: SpgemmDataflowSpec, product: SparseProduct, cut: Windows) -> DataflowJobs:
    rows = np.append(np.unique(cut.first), product.m)
    columns = np.append(np.unique(cut.left), product.n)
    pairs = [_pairs(product, rows, left, right) for left, right in pairwise(columns.tolist())]
    steps, products, reach = (
        np.stack([getattr(x, name) for x in pairs], axis=1).ravel()
        for name in ("steps", "products", "reach")
    )
    results = _results(product, rows, columns).ravel()
    a_bytes, b_bytes = cut.load_bytes
    none = np.zeros_like(steps)
    return DataflowJobs(
        phase=cut.phase, first=cut.first, stop=cut.stop, left=cut.left, right=cut.right,
        merging=none > 0, steps=steps, chain=none, reach=reach, scalars=none, taken=steps,
        given=results, products=products, compared=steps, merged=none, results=results,
        a_bytes=a_bytes, b_bytes=b_bytes, partial_bytes=none, c_bytes=cut.store_bytes,
        least_bytes=none + Stored.of(product).least_bytes(product),
        refs=({"a": "a", "b": "b"},) * len(cut),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Pairs:
    """What groups of rows of A and one tile of columns of B amount to; arrays of shape [groups].

    Parameters
    ----------
    steps
        Comparisons; of dense columns, products.
    reach
        Of the longest row and the longest column together: no pair takes more.
    """

    steps: Ints
    products: Ints
    reach: Ints


def _pairs(product: SparseProduct, rows: Ints, left: int, right: int) -> _Pairs:
    a = product.a
    longest = np.maximum.reduceat(a.row_lengths, rows[:-1])
    if product.b is None:
        made = np.diff(a.indptr[rows]) * (right - left)
        return _Pairs(made, made, longest)
    columns = product.b.transposed
    begin, end = columns.indptr[[left, right]]
    entries, lengths = columns.indices[begin:end], columns.row_lengths[left:right]
    met = np.bincount(entries, minlength=product.k)  # entries of each row of B in the tile
    ends = columns.indices[columns.indptr[left + 1 : right + 1][lengths > 0] - 1]
    open_columns = len(ends) - before(ends, product.k)  # columns whose last index is not lower
    row_ends = a.indices[a.indptr[1:][a.row_lengths > 0] - 1]
    passed = np.zeros(product.m, np.int64)
    passed[a.row_lengths > 0] = np.cumsum(met)[row_ends]
    products = by_row(met[a.indices], a.indptr)
    steps = by_row(open_columns[a.indices], a.indptr) + passed - products
    return _Pairs(
        summed(steps, rows), summed(products, rows), longest + int(lengths.max(initial=0))
    )


def before(values: Ints | NDArray[np.int32], size: int) -> Ints:
    """Return how many values are lower than each index below ``size``."""
    counts = np.bincount(values, minlength=size)
    return np.asarray(np.cumsum(counts) - counts)


def _results(product: SparseProduct, rows: Ints, columns: Ints) -> Ints:
    """Return entries of C that leave with each window: [groups, tiles].

    Those of a group are exact; over its tiles they are spread as the columns' entries of B are.
    """
    lengths = np.ones(product.n, np.int64) if product.b is None else product.b.column_lengths
    share = np.cumsum(summed(lengths, columns))
    whole = summed(product.row_results, rows)
    gone = whole[:, None] * share[None, :] // max(int(share[-1]), 1)
    return np.diff(gone, axis=1, prepend=0)
