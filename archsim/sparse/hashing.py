"""Sparse products gathered in hash tables: windows of rows, their tables, probes; all exact.

A product ``C = A B`` is formed row by row: a nonzero (i, k) of A multiplies row k of B, and each
scalar product goes into a hash table under its row and column of C. The table has ``slots`` slots,
so rows are taken in *windows* that fit:

- Consecutive rows make a window while their products, a bound on entries of C, are at most ``cap``,
  and they are at most ``rows``.
- A row of more products is alone, with the table for itself. If its entries may be more than
  ``cap``, too (they are at most its products, and at most the columns), it is cut into ranges of
  columns, a window each, of equal width: as many as its entries hold ``cap``, and no wider than the
  table. Every range walks the whole row.
- In a window of S products a row of f products that follows p others has a sub-table of its own:
  slots ``floor(p slots / S)`` on, ``max(1, floor(f slots / S))`` of them.
- ``high`` puts column j of N at ``base + floor(j size / N)``, in order; ``low`` at
  ``base + j mod size``; ``multiplicative`` mixes all bits of j first: it is ``high`` of ``j G mod
  2^32`` out of 2^32, G being 2^32 over the golden ratio (Fibonacci hashing). Slots beyond the last
  are the last. In a range, j counts from its left. A table that is looked at a line at a time, of
  ``line`` slots, has every entry begin at its line's first.
- A slot that holds another entry sends a product on to the next slot, round the table.

``sizes: power_of_two`` needs no division: S is replaced by ``cap``, sizes are rounded down to
powers of two, and so is the width of a range; N is rounded up to one.

Probes depend on the order of products. Here it is that of one thread: rows, nonzeros of A, entries
of B's row, one after another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archsim.sparse import Ints
from archsim.sparse.product import SparseProduct, by_row

Scheme = Literal["high", "low", "multiplicative"]
Sizes = Literal["exact", "power_of_two"]
GOLDEN, WORD = 2654435769, 1 << 32  # an odd number, so that all columns stay apart

GROUP_PRODUCTS = 1 << 18  # that are counted at a time: they and their tables stay in a cache
GROUP_SLOTS = 1 << 21
LOOKUP = 1 << 20  # entries of C that are looked up at a time, by row and column
MAX_LOOKUP = 1 << 24  # columns beyond which products are sorted instead
FEW = 256  # products in a look-up, below which sorting is faster


@dataclass(frozen=True, slots=True)
class HashRule:
    """A hash table and how it is filled.

    Parameters
    ----------
    slots
        Of the table.
    cap
        Products of a window, at most.
    scheme, sizes, line
        See the module.
    rows
        Of a window, at most; None: no limit.
    """

    slots: int
    cap: int
    scheme: Scheme = "low"
    sizes: Sizes = "exact"
    line: int = 1
    rows: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.cap <= self.slots:
            raise ValueError(f"a window holds 1 to {self.slots} products, not {self.cap}")
        if self.sizes == "power_of_two" and (_floor(self.slots), _floor(self.cap)) != (
            self.slots,
            self.cap,
        ):
            raise ValueError(f"slots and cap must be powers of two, not {self.slots}, {self.cap}")
        if self.slots % self.line:
            raise ValueError(f"{self.slots} slots are no whole number of lines of {self.line}")


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows in order: rows [first, last) and columns [left, right) of each."""

    first: Ints
    last: Ints
    left: Ints
    right: Ints

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class Probed:
    """What each visit of a nonzero of A does to the tables: a nonzero is visited once a window.

    Parameters
    ----------
    windows, start
        Visits of window w are [start[w], start[w + 1]): [windows + 1].
    row, nonzero
        Of A, by visit: [visits].
    walked
        Entries of B's row, by visit; those in the window's columns are its products.
    products, inserts, probes
        By visit: scalar products, those that took an empty slot, slots that they looked at.
    longest
        Most slots that one product looked at, by window: [windows].
    """

    windows: Windows
    start: Ints
    row: Ints
    nonzero: Ints
    walked: Ints
    products: Ints
    inserts: Ints
    probes: Ints
    longest: Ints

    def by_window(self, amounts: Ints) -> Ints:
        """Return sums over each window's visits."""
        return by_row(amounts, self.start)


def windows_of(products: Ints, cols: int, rule: HashRule) -> Windows:
    """Return the windows of rows with so many products each."""
    before = _ends(products)
    rows, row = len(products), 0
    found: list[tuple[int, int, int, int]] = []
    while row < rows:
        fits = int(np.searchsorted(before, before[row] + rule.cap, side="right")) - 1
        if rule.rows is not None:
            fits = min(fits, row + rule.rows)
        if fits > row:
            found.append((row, fits, 0, cols))
        else:
            fits, width = row + 1, _width(int(products[row]), cols, rule)
            found += [(row, fits, left, min(left + width, cols)) for left in range(0, cols, width)]
        row = fits
    first, last, left, right = np.array(found, np.int64).reshape(-1, 4).T
    return Windows(first, last, left, right)


def sub_tables(products: Ints, windows: Windows, rule: HashRule) -> tuple[Ints, Ints]:
    """Return base and size of each row's sub-table: [rows]."""
    whole = windows.left == 0  # one window a row, of a row that is cut its first range
    first, last = windows.first[whole], windows.last[whole]
    before = _ends(products)
    rows = np.repeat(np.arange(len(first)), last - first)
    shared = before[last] - before[first]
    total = np.full_like(shared, rule.cap) if rule.sizes == "power_of_two" else shared
    total = np.maximum(total, 1)[rows]
    alone = products > rule.cap  # a range has the table for itself
    base = np.where(alone, 0, (before[:-1] - before[first][rows]) * rule.slots // total)
    size = np.where(alone, rule.slots, np.maximum(products * rule.slots // total, 1))
    if rule.sizes == "power_of_two":
        size = 1 << (np.frexp(size.astype(np.float64))[1].astype(np.int64) - 1)
    return base, size


def home_slots(cols: Ints, base: Ints, size: Ints, span: Ints | int, rule: HashRule) -> Ints:
    """Return the slot that each entry asks for first.

    Parameters
    ----------
    cols
        Columns, from the left of the window on.
    base, size
        Of each entry's row.
    span
        Columns that the scheme ``high`` spreads over a sub-table: see `span_of`.
    """
    if rule.scheme == "low":
        inside = cols % size
    elif rule.scheme == "high":
        inside = cols * size // span
    else:
        inside = cols * GOLDEN % WORD * size // WORD
    return np.minimum(base + inside, rule.slots - 1) // rule.line * rule.line


def span_of(width: int, rule: HashRule) -> int:
    """Return the columns that a window counts as, for the scheme ``high``."""
    return width if rule.sizes == "exact" else 1 << (width - 1).bit_length()


def count_probes(product: SparseProduct, rule: HashRule) -> Probed:
    """Return what a product of two patterns does to the hash tables, in the order of one thread."""
    return product.once(rule, lambda: _count_probes(product, rule))


def _count_probes(product: SparseProduct, rule: HashRule) -> Probed:
    a, b = product.a, product.b
    assert b is not None
    windows = windows_of(product.row_products, product.n, rule)
    base, size = sub_tables(product.row_products, windows, rule)
    visits = a.indptr[windows.last] - a.indptr[windows.first]
    start = np.concatenate([[0], np.cumsum(visits)])
    nonzero = np.repeat(a.indptr[windows.first] - start[:-1], visits) + np.arange(start[-1])
    row, walked = a.rows[nonzero], product.meets[nonzero]
    products, inserts, probes = (np.zeros_like(walked) for _ in range(3))
    longest = np.zeros(len(windows), np.int64)
    for group in _groups(windows, product.row_products[windows.first] > rule.cap, rule):
        mine = slice(int(start[group.start]), int(start[group.stop]))
        of_visit = walked[mine]
        col = b.indices[_entries(b.indptr[a.indices[nonzero[mine]]], of_visit)]
        left, right = int(windows.left[group.start]), int(windows.right[group.start])
        if right - left < product.n:
            kept = (col >= left) & (col < right)
            of_visit, col = by_row(kept, _ends(of_visit)), col[kept] - np.int32(left)
        first, last = int(windows.first[group.start]), int(windows.last[group.stop - 1])
        of_row = np.bincount(row[mine] - first, of_visit, last - first).astype(np.int64)
        same = first_alike(col, of_row, right - left)
        new = same == np.arange(len(col))
        entries = by_row(new, _ends(of_row))  # of each row, in the window
        home = home_slots(
            col[new].astype(np.int64), np.repeat(base[first:last], entries),
            np.repeat(size[first:last], entries), span_of(right - left, rule), rule,
        )  # fmt: skip
        table = np.repeat(
            np.arange(group.stop - group.start), (windows.last - windows.first)[group]
        )
        looked = np.zeros(len(col), np.int32)
        looked[new] = place(home, np.repeat(table, entries), rule.slots)
        looked = looked[same]  # what is there already is found where it was put
        ends = _ends(of_visit)
        products[mine], inserts[mine], probes[mine] = (
            of_visit,
            by_row(new, ends),
            by_row(looked, ends),
        )
        cuts = ends[start[group.start : group.stop + 1] - mine.start].tolist()
        longest[group] = [looked[a:b].max(initial=0) for a, b in pairwise(cuts)]
    return Probed(windows, start, row, nonzero, walked, products, inserts, probes, longest)


def first_alike(col: NDArray[np.int32], of_row: Ints, cols: int) -> NDArray[np.int32]:
    """Return, of each product, the first one of its row and column: [products].

    Parameters
    ----------
    col
        Columns of the products, row by row.
    of_row
        Products of each row.
    """
    order = np.arange(len(col), dtype=np.int32)
    row_end = np.cumsum(of_row)
    rows = max(1, LOOKUP // cols)
    if cols > MAX_LOOKUP or len(col) < FEW * -(-len(of_row) // rows):
        key = np.repeat(np.arange(len(of_row)), of_row) * cols + col
        _, first, which = np.unique(key, return_index=True, return_inverse=True)
        found: NDArray[np.int32] = first.astype(np.int32)[which]
        return found
    same, seen = np.empty_like(order), np.empty(rows * cols, np.int32)
    for row in range(0, len(of_row), rows):
        own = of_row[row : row + rows]
        mine = slice(int(row_end[row] - own[0]), int(row_end[row + len(own) - 1]))
        key = np.repeat(np.arange(len(own), dtype=np.int32) * np.int32(cols), own) + col[mine]
        seen[key[::-1]] = order[mine][::-1]  # of equal keys the last one written stays: the first
        same[mine] = seen[key]
    return same


def place(home: Ints, table: Ints, slots: int) -> NDArray[np.int32]:
    """Return the slots that entries look at until they have one, first come, first served.

    Linear probing serves entries in order, so it is the one stable match between entries, which
    prefer slots from their home on, and slots, which all prefer the earlier entry. It is found by
    letting every entry without a slot ask for its next one, all at once, until each has one.

    Parameters
    ----------
    home, table
        First slot and table of each entry, in order of arrival: [entries].
    """
    stride = slots + 1  # behind each table a place that nobody gets: there entries turn round
    nobody, wall = np.int32(len(home)), np.int32(-1)
    holder = np.full((int(table.max(initial=-1)) + 1) * stride, nobody, np.int32)
    holder[slots::stride] = wall
    start = (home + table * stride).astype(np.int32)
    entry = np.arange(nobody, dtype=np.int32)
    holder[start[::-1]] = entry[::-1]  # of equal slots the last one written stays: the first entry
    lost = holder[start] != entry
    entry, at = entry[lost], start[lost]
    while len(entry):
        at = at + np.int32(1)
        before = holder[at]
        np.minimum.at(holder, at, entry)
        after = holder[at]
        lost = after != entry
        turned = after == wall
        if turned.any():
            at[turned] -= np.int32(stride)
        won = ~lost
        driven, left = before[won], at[won]
        out = driven != nobody
        entry = np.concatenate([entry[lost], driven[out]])
        at = np.concatenate([at[lost], left[out]])
    slot = np.flatnonzero((holder != nobody) & (holder != wall)).astype(np.int32)
    found = np.empty(nobody, np.int32)
    found[holder[slot]] = slot
    found -= start
    found[found < 0] += np.int32(slots)
    return found + np.int32(1)


def _groups(windows: Windows, alone: NDArray[np.bool_], rule: HashRule) -> Iterator[slice]:
    """Yield windows to be counted together: some of whole rows, or one of a row that is alone."""
    most = max(1, min(GROUP_PRODUCTS // rule.cap, GROUP_SLOTS // rule.slots))
    at = 0
    while at < len(windows):
        ahead = alone[at : at + most]
        count = max(1, int(np.argmax(ahead))) if ahead.any() else len(ahead)
        yield slice(at, at + count)
        at += count


def _width(products: int, cols: int, rule: HashRule) -> int:
    """Return the columns that a window of a row takes that is alone: all, or those of a range."""
    parts = -(-min(products, cols) // rule.cap)
    width = min(-(-cols // parts), rule.slots)
    return width if rule.sizes == "exact" or parts == 1 else _floor(width)


def _floor(value: int) -> int:
    """Return the largest power of two up to a value."""
    return 1 << (value.bit_length() - 1)


def _ends(lengths: Ints) -> Ints:
    """Return where each of consecutive parts begins, and where the last ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _entries(starts: Ints, lengths: Ints) -> Ints:
    """Return the numbers from each start on, one part after another."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(total)
