"""Row by row: each row of A merges the rows of B that it meets, which are kept while they fit.

As Gustavson's algorithm on mergers (GAMMA, MatRaptor). Windows are consecutive rows whose entries
of A and C fit a tile; the rows of B that they miss are fetched when the window begins.
"""

from __future__ import annotations

import numpy as np

from archsim.engines import Ints, Windows
from archsim.engines.spgemm_dataflow.spec import DataflowJobs, SpgemmDataflowSpec
from archsim.engines.spgemm_dataflow.stored import Room, Stored, fetch_bytes, missed
from archsim.sparse.product import SparseProduct, by_row, ranges


def windows(spec: SpgemmDataflowSpec, product: SparseProduct, room_bytes: int) -> Windows:
    stored = Stored.of(product)
    room = Room.of(spec, room_bytes, stored)
    own = product.a.row_lengths * stored.a + product.row_results * stored.c
    starts = ranges(own, room.tile)
    rows, first = np.diff(starts), starts[:-1]
    fetched = missed(product, stored, room.stationary)
    each = fetch_bytes(product, stored, spec.line_bytes)[product.a.indices] * fetched
    a_bytes = np.diff(product.a.indptr[starts]) * stored.a + rows * stored.pointer
    c_bytes = summed(product.row_results, starts) * stored.c + rows * stored.c_pointer
    none = np.zeros_like(first)
    return Windows(
        none, first, starts[1:], none, none + product.n,
        (a_bytes, by_row(each, product.a.indptr[starts])), none, c_bytes, none == 0, room.whole,
    )  # fmt: skip


def jobs(spec: SpgemmDataflowSpec, product: SparseProduct, cut: Windows) -> DataflowJobs:
    starts = np.append(cut.first, product.m)
    merging = product.merging(spec.merge_ways)
    merged, partial = summed(merging.entries, starts), summed(merging.partial, starts)
    chain = np.maximum.reduceat(merging.chain, cut.first)
    results = summed(product.row_results, starts)
    a_bytes, b_bytes = cut.load_bytes
    none = np.zeros_like(merged)
    return DataflowJobs(
        phase=cut.phase, first=cut.first, stop=cut.stop, left=cut.left, right=cut.right,
        merging=none > 0, steps=merged, chain=chain, reach=chain,
        scalars=np.diff(product.a.indptr[starts]), taken=merged, given=results + partial,
        products=summed(product.row_products, starts), compared=none, merged=merged,
        results=results, a_bytes=a_bytes, b_bytes=b_bytes, partial_bytes=none,
        c_bytes=cut.store_bytes, least_bytes=none + Stored.of(product).least_bytes(product),
        refs=({"a": "a", "b": "b"},) * len(cut),
    )  # fmt: skip


def summed(values: Ints, starts: Ints) -> Ints:
    """Return sums over ranges of rows."""
    return by_row(values, starts)
