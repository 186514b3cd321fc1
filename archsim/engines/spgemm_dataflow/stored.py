"""How the matrices of a product lie in memory, and what of B is fetched how often."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints
from archsim.engines.spgemm_dataflow.spec import SpgemmDataflowSpec
from archsim.errors import InfeasibleError
from archsim.sparse.product import SparseProduct
from archsim.trace import INDEX_BITS, POINTER_BITS


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes of an entry of each matrix, index included, and of a pointer; a dense one has neither.

    Parameters
    ----------
    b_pointer, c_pointer
        Bytes of a pointer to a row, 0 where the matrix is dense.
    """

    a: int
    b: int
    c: int
    pointer: int
    b_pointer: int
    c_pointer: int

    @classmethod
    def of(cls, product: SparseProduct) -> Stored:
        index = 0 if product.b is None else INDEX_BITS
        bits = (product.bits[0] + INDEX_BITS, product.bits[1] + index, product.bits[2] + index)
        a, b, c = (-(-x // 8) for x in bits)
        pointer = POINTER_BITS // 8
        own = 0 if product.b is None else pointer
        return cls(a, b, c, pointer, own, own)

    def least_bytes(self, product: SparseProduct) -> int:
        """Return what no dataflow is without: A, the entries of B that are met, and C."""
        entries = (product.a.entries, product.used_b_entries, product.results)
        return sum(x * y for x, y in zip(entries, (self.a, self.b, self.c), strict=True))


@dataclass(frozen=True, slots=True)
class Room:
    """The buffer's bytes: for what is read again, and for each of two tiles of what streams."""

    whole: int
    stationary: int
    tile: int

    @classmethod
    def of(cls, spec: SpgemmDataflowSpec, room_bytes: int, stored: Stored) -> Room:
        """Raise `InfeasibleError` unless a tile holds an entry of each matrix."""
        stationary = int(room_bytes * spec.stationary_share)
        tile, least = (room_bytes - stationary) // 2, stored.a + stored.b + stored.c
        if tile < least:
            raise InfeasibleError(
                "a tile of one entry of A, B and C", demand=least, bound=tile,
                unit="bytes of buffer",
                levers=("raise memories.buffer.capacity_bytes", "lower stationary_share"),
            )  # fmt: skip
        return cls(room_bytes, stationary, tile)


def fetch_bytes(product: SparseProduct, stored: Stored, line_bytes: int) -> Ints:
    """Return what it takes to fetch each row of B by itself: [k].

    Rows lie one behind the other, so that a row begins and ends within lines; two pointers say
    where. Empty rows are not fetched.
    """
    lengths = product.b_lengths
    ends = np.cumsum(lengths) * stored.b
    begins = ends - lengths * stored.b
    lines = -(-ends // line_bytes) - begins // line_bytes
    return np.where(lengths > 0, lines * line_bytes + 2 * stored.b_pointer, 0)


def missed(product: SparseProduct, stored: Stored, capacity_bytes: int) -> NDArray[np.bool_]:
    """Return which entries of A, in their order, meet a row of B that is not in the buffer.

    The buffer keeps whole rows and gives up the one that was not used for longest. A row that is
    larger than all of it is not kept.
    """
    rows, sizes = product.a.indices, product.b_lengths * stored.b
    found = np.zeros(len(rows), bool)
    used, firsts = np.unique(rows, return_index=True)
    if sizes[used].sum() <= capacity_bytes:
        found[firsts] = True
        return found & (sizes[rows] > 0)
    held: OrderedDict[int, int] = OrderedDict()
    room = capacity_bytes
    misses = []
    for position, (row, size) in enumerate(zip(rows.tolist(), sizes[rows].tolist(), strict=True)):
        if row in held:
            held.move_to_end(row)
        elif size:
            misses.append(position)
            if size <= capacity_bytes:
                while room < size:
                    room += held.popitem(last=False)[1]
                held[row] = size
                room -= size
    found[misses] = True
    return found
