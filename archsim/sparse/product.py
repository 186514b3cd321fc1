"""A product with a sparse operand before its values: what it amounts to, by row.

Everything here follows from patterns alone and is found once a product, whatever the designs that
ask. Counts are exact: a product counts for every entry of A and every entry of the row of B that
it meets, and a result for every place where a product lands, even if values cancel there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from archsim.errors import InputError
from archsim.finds import Finds
from archsim.sparse import Csr, Ints

MAX_PRODUCTS = 1 << 32  # of two sparse matrices: counting the entries of C takes a minute or two
CHUNK_PRODUCTS = 1 << 23  # worked on at a time, so that memory does not grow with the product


@dataclass(frozen=True, slots=True)
class Merging:
    """What it takes to merge sorted rows into each row of C; arrays of shape [m].

    Parameters
    ----------
    entries
        That mergers take in: all products once, and what passes leave for others.
    partial
        Of the rows that a pass leaves for another.
    chain
        That one merger after the other has to take in, if every pass has as many as it can use.
    """

    entries: Ints
    partial: Ints
    chain: Ints


@dataclass(frozen=True)
class SparseProduct(Finds):
    """``C[m,n] = A[m,k] B[k,n]``: A sparse, B sparse or, if None, dense.

    Parameters
    ----------
    n
        Columns of B and C.
    bits
        Of an element of A, B and C.
    """

    most_found = 8

    a: Csr
    b: Csr | None
    n: int
    bits: tuple[int, int, int] = (64, 64, 64)
    _found: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.b is not None and self.b.shape != (self.a.shape[1], self.n):
            raise ValueError(f"B must be {(self.a.shape[1], self.n)}, not {self.b.shape}")

    @property
    def m(self) -> int:
        return self.a.shape[0]

    @property
    def k(self) -> int:
        return self.a.shape[1]

    @property
    def key(self) -> tuple[str, str | int]:
        """What stands for the patterns."""
        return self.a.digest, self.n if self.b is None else self.b.digest

    @property
    def arrays(self) -> dict[str, Any]:
        """The arrays of the matrices by the refs that jobs carry, ``a`` and ``b``."""
        return self.a.arrays("a") | ({} if self.b is None else self.b.arrays("b"))

    @cached_property
    def b_lengths(self) -> Ints:
        """Entries of each row of B: [k]."""
        return np.full(self.k, self.n) if self.b is None else self.b.row_lengths

    @cached_property
    def meets(self) -> Ints:
        """Products of each entry of A, which are the entries of the row of B that it meets."""
        return self.b_lengths[self.a.indices]

    @cached_property
    def row_products(self) -> Ints:
        """Products of each row of C: [m]."""
        return by_row(self.meets, self.a.indptr)

    @cached_property
    def products(self) -> int:
        return int(self.row_products.sum())

    @cached_property
    def row_results(self) -> Ints:
        """Entries of each row of C: [m]."""
        return self._row_results()

    @cached_property
    def results(self) -> int:
        return int(self.row_results.sum())

    @cached_property
    def used_b_entries(self) -> int:
        """Entries of the rows of B that some entry of A meets."""
        return int(self.b_lengths[self.a.column_lengths > 0].sum())

    def merging(self, ways: int) -> Merging:
        """Return what mergers of so many ways have to do for each row of C.

        A merger takes up to ``ways`` sorted rows of B in one pass and puts one sorted row out. Of a
        row of A with more entries, consecutive ones go together, and what comes out of a pass is
        merged in the next one.
        """
        return self.once(("merging", ways), lambda: self._merging(ways))

    def _merging(self, ways: int) -> Merging:
        entries, chain, partial = (
            self.row_products,
            self.row_products.copy(),
            np.zeros_like(self.row_products),
        )
        long = np.flatnonzero(self.a.row_lengths > ways)
        if self.b is None or not long.size:  # dense rows are added up where they are
            return Merging(entries, partial, chain)
        entries = entries.copy()
        chain[long] = 0
        runs, begins = self._entries_of(long), self._begins_of(long)  # sorted rows to be merged
        size = 1  # entries of A behind each
        while long.size:
            starts, owners = _groups(np.diff(begins), ways)
            tasks = np.add.reduceat(runs, starts[:-1])
            groups = np.bincount(owners, minlength=len(long))
            firsts = np.cumsum(groups) - groups
            chain[long] += np.maximum.reduceat(tasks, firsts)
            size *= ways
            long, groups = long[groups > 1], groups[groups > 1]
            if long.size:
                begins = np.concatenate([[0], np.cumsum(groups)])
                runs = self._results_of(long, size)
                again = by_row(runs, begins)
                entries[long] += again
                partial[long] += again
        return Merging(entries, partial, chain)

    def _begins_of(self, rows: Ints) -> Ints:
        """Return where the entries of some rows of A begin, side by side, and where they end."""
        return np.concatenate([[0], np.cumsum(self.a.row_lengths[rows])])

    def _entries_of(self, rows: Ints) -> Ints:
        """Return the products of each entry of some rows of A, side by side."""
        return np.asarray(self.b_lengths[self.a.scipy()[rows].indices])

    def _results_of(self, rows: Ints, size: int) -> Ints:
        """Return the entries of partial rows of C: so many entries of some rows of A to each."""
        starts, _ = _groups(self.a.row_lengths[rows], size)
        part = Csr((len(starts) - 1, self.k), starts, self.a.scipy()[rows].indices)
        return SparseProduct(part, self.b, self.n).row_results

    def _row_results(self) -> Ints:
        if self.b is None:
            return np.where(self.a.row_lengths > 0, self.n, 0)
        return np.concatenate([np.diff(part.indptr) for part in self._parts()])

    def pattern(self) -> Csr:
        """Return the entries of C, which must be sparse: in memory, unlike their counts."""
        parts = list(self._parts())
        for part in parts:
            part.sort_indices()
        indices = np.concatenate([part.indices for part in parts]).astype(np.int32)
        ends = np.cumsum(np.concatenate([np.diff(part.indptr) for part in parts]), dtype=np.int64)
        return Csr((self.m, self.n), np.append(0, ends), indices)

    def _parts(self) -> Iterator[Any]:
        """Yield C's rows as scipy's: chunks of at most `CHUNK_PRODUCTS` products, or of a row."""
        assert self.b is not None
        b = Csr(self.b.shape, self.b.indptr, self.b.indices).scipy()
        sums = np.concatenate([[0], np.cumsum(self.row_products)])
        for first, stop in chunks(sums, CHUNK_PRODUCTS):
            begin, end = self.a.indptr[first], self.a.indptr[stop]
            columns = self.a.indices[begin:end]
            part = sparse.csr_array(
                (np.ones(len(columns), bool), columns, self.a.indptr[first : stop + 1] - begin),
                shape=(stop - first, self.k),
            )
            yield part @ b


def check_products(product: SparseProduct, where: str) -> None:
    """Refuse a product that would take too long to count: small files may have very many.

    Raises
    ------
    InputError
        If two sparse matrices have more than `MAX_PRODUCTS`.
    """
    if product.b is not None and product.products > MAX_PRODUCTS:
        words = f"must have at most {MAX_PRODUCTS:,} products"
        raise InputError(where, words, product.products)


def by_row(values: Any, indptr: Ints) -> Ints:
    """Return the sum of the values of each row's entries: [rows]."""
    sums = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    return np.asarray(np.diff(sums[indptr]))


def chunks(sums: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of consecutive rows, as long as they may be, that weigh at most ``most``.

    Parameters
    ----------
    sums
        Weights of all rows before each row, and of all: [rows + 1]. A row that weighs more makes a
        range of its own.
    """
    first, rows = 0, len(sums) - 1
    while first < rows:
        stop = int(np.searchsorted(sums, sums[first] + most, side="right")) - 1
        stop = min(max(stop, first + 1), rows)
        yield first, stop
        first = stop


def ranges(weights: Ints, most: int) -> Ints:
    """Return where ranges of consecutive rows begin, and the last ends; see `chunks`."""
    sums = np.concatenate([[0], np.cumsum(weights)])
    return np.array([0, *(stop for _, stop in chunks(sums, most))], np.int64)


def _groups(counts: Ints, size: int) -> tuple[Ints, Ints]:
    """Return where groups of up to ``size`` consecutive members begin, and whose each group is.

    Parameters
    ----------
    counts
        Members of each owner, side by side: [owners].
    """
    groups = -(-counts // size)
    owners = np.repeat(np.arange(len(counts)), groups)
    number = np.arange(len(owners)) - np.repeat(np.cumsum(groups) - groups, groups)
    begins = np.repeat(np.cumsum(counts) - counts, groups) + number * size
    return np.append(begins, counts.sum()), owners
