"""Column by row: each column of A meets the row of B of its number, then rows of C are merged.

As OuterSPACE. Phase 0 reads both matrices once and makes all partial products; if they do not fit
what the buffer keeps, they go to DRAM and come back once. Phase 1 merges them row by row of C, as
they pass through: windows are cut so that what stays, operands and rows of C, fits a tile.
"""

from __future__ import annotations

import numpy as np

from archsim.engines import Windows
from archsim.engines.spgemm_dataflow.row_merge import summed
from archsim.engines.spgemm_dataflow.spec import DataflowJobs, SpgemmDataflowSpec
from archsim.engines.spgemm_dataflow.stored import Room, Stored
from archsim.sparse.product import SparseProduct, ranges

MULTIPLY, MERGE = 0, 1


def windows(spec: SpgemmDataflowSpec, product: SparseProduct, room_bytes: int) -> Windows:
    stored = Stored.of(product)
    room = Room.of(spec, room_bytes, stored)
    a_bytes = product.a.column_lengths * stored.a
    b_bytes = np.where(product.a.column_lengths > 0, product.b_lengths * stored.b, 0)
    spills = int(product.products * stored.c > room.stationary)
    cuts = (
        ranges(a_bytes + b_bytes, room.tile),
        ranges(product.row_results * stored.c, room.tile),
    )
    first, stop = (np.concatenate([x[part] for x in cuts]) for part in (slice(-1), slice(1, None)))
    phase = np.repeat([MULTIPLY, MERGE], [len(x) - 1 for x in cuts])
    none = np.zeros_like(first)
    multiply, merge = (none[phase == x] for x in (MULTIPLY, MERGE))
    lengths = np.diff(cuts[0])
    loads = (
        np.append(summed(a_bytes, cuts[0]) + lengths * stored.pointer, merge),
        np.append(summed(b_bytes, cuts[0]) + lengths * stored.b_pointer, merge),
    )
    per_column = product.a.column_lengths * product.b_lengths
    made = summed(per_column, cuts[0]) * stored.c * spills
    again = summed(product.row_products, cuts[1]) * stored.c * spills
    c_bytes = summed(product.row_results, cuts[1]) * stored.c + np.diff(cuts[1]) * stored.c_pointer
    return Windows(
        phase, first, stop, none, none + product.n, loads, np.append(multiply, again),
        np.append(made, c_bytes), phase == MERGE, room.whole,
    )  # fmt: skip


def jobs(spec: SpgemmDataflowSpec, product: SparseProduct, cut: Windows) -> DataflowJobs:
    merge = cut.phase == MERGE
    columns = np.append(cut.first[~merge], product.k)
    rows = np.append(cut.first[merge], product.m)
    merging = product.merging(spec.merge_ways)
    per_column = product.a.column_lengths * product.b_lengths
    met = np.where(product.a.column_lengths > 0, product.b_lengths, 0)  # a task is a row of B
    made, merged = summed(per_column, columns), summed(merging.entries, rows)
    chain = np.append(
        np.maximum.reduceat(met, columns[:-1]), np.maximum.reduceat(merging.chain, rows[:-1])
    )
    results, partial = summed(product.row_results, rows), summed(merging.partial, rows)
    none = np.zeros_like(cut.first)
    multiply_only, merge_only = none[~merge], none[merge]
    a_bytes, b_bytes = cut.load_bytes
    return DataflowJobs(
        phase=cut.phase, first=cut.first, stop=cut.stop, left=cut.left, right=cut.right,
        merging=merge, steps=np.append(made, merged), chain=chain, reach=chain,
        scalars=np.append(summed(product.a.column_lengths, columns), merge_only),
        taken=np.append(made, merged), given=np.append(made, results + partial),
        products=np.append(made, merge_only), compared=none,
        merged=np.append(multiply_only, merged), results=np.append(multiply_only, results),
        a_bytes=a_bytes, b_bytes=b_bytes,
        partial_bytes=cut.partial_bytes + np.where(merge, 0, cut.store_bytes),
        c_bytes=np.where(merge, cut.store_bytes, 0),
        least_bytes=none + Stored.of(product).least_bytes(product),
        refs=({"a": "a", "b": "b"},) * len(cut),
    )  # fmt: skip
