"""A window with its operands, as memory holds them: what timing, reference and beats start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archsim.engines import Data, Ints
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec, WindowJobs
from archsim.sparse.hashing import Windows, home_slots, span_of, sub_tables
from archsim.sparse.product import by_row

FIRST = np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class Window:
    """One job, its matrices looked up.

    Parameters
    ----------
    counts, base, size
        By row of the window: nonzeros of A, first slot and slots of the row's sub-table.
    a_col, a_val
        Nonzeros of A, row by row.
    b_ptr, b_col, b_val
        All of B.
    left, width
        Columns of C that the window takes.
    span
        Columns that the scheme ``high`` spreads over a sub-table.
    rest
        Rows of A behind the window.
    """

    counts: Ints
    base: Ints
    size: Ints
    a_col: Ints
    a_val: Ints
    b_ptr: Ints
    b_col: Ints
    b_val: Ints
    left: int
    width: int
    span: int
    rest: int

    @property
    def a_row(self) -> Ints:
        """Row of each nonzero of A, from the window's first on."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def lengths(self) -> Ints:
        """Entries of B's row, by nonzero of A."""
        return np.diff(self.b_ptr)[self.a_col]

    def products(self) -> tuple[Ints, Ints, Ints]:
        """Return nonzero of A, column from ``left`` on and entry of B of each product, in order."""
        lengths = self.lengths
        source = np.repeat(np.arange(len(lengths)), lengths)
        ends = np.cumsum(lengths)
        entry = np.arange(len(source)) + np.repeat(self.b_ptr[self.a_col] - ends + lengths, lengths)
        column = self.b_col[entry] - self.left
        taken = (column >= 0) & (column < self.width)
        return source[taken], column[taken], entry[taken]

    def homes(self, spec: HashSpgemmSpec, row: Ints, column: Ints) -> Ints:
        """Return the slots that entries ask for first."""
        return home_slots(column, self.base[row], self.size[row], self.span, spec.rule)


def window(spec: HashSpgemmSpec, jobs: WindowJobs, number: int, data: Data) -> Window:
    """Return a job with its operands; values are ones where only patterns are known."""
    if jobs.refs is None:
        raise ValueError("jobs name no operands: windows need refs a and b")
    refs = jobs.refs[number]
    first, last, left, right = (
        int(x[number]) for x in (jobs.first, jobs.last, jobs.left, jobs.right)
    )
    a_ptr = np.asarray(data[f"{refs['a']}.indptr"], np.int64)[first : last + 1]
    mine = slice(int(a_ptr[0]), int(a_ptr[-1]))
    a_col = np.asarray(data[f"{refs['a']}.indices"], np.int64)[mine]
    b_ptr = np.asarray(data[f"{refs['b']}.indptr"], np.int64)
    b_col = np.asarray(data[f"{refs['b']}.indices"], np.int64)
    products = by_row(np.diff(b_ptr)[a_col], a_ptr - a_ptr[0])
    whole = Windows(FIRST, FIRST + last - first, FIRST, FIRST + right - left)
    base, size = sub_tables(products, whole, spec.rule)
    return Window(
        np.diff(a_ptr), base, size, a_col, _values(data, refs["a"], mine, len(a_col)),
        b_ptr, b_col, _values(data, refs["b"], slice(None), len(b_col)),
        left, right - left, span_of(right - left, spec.rule), int(jobs.rest[number]),
    )  # fmt: skip


def row_words(jobs: WindowJobs, number: int, data: Data) -> tuple[Ints, Ints]:
    """Return nonzeros and products of each row from the window's first to the last of A."""
    assert jobs.refs is not None
    refs = jobs.refs[number]
    a_ptr, a_col, b_ptr = (
        np.asarray(data[f"{refs[name]}.{part}"], np.int64)
        for name, part in (("a", "indptr"), ("a", "indices"), ("b", "indptr"))
    )
    a_ptr = a_ptr[int(jobs.first[number]) :]
    lengths = np.diff(b_ptr)[a_col[a_ptr[0] :]]
    return np.diff(a_ptr), by_row(lengths, a_ptr - a_ptr[0])


def _values(data: Data, ref: str, mine: slice, entries: int) -> Ints:
    name = f"{ref}.values"
    return np.asarray(data[name], np.int64)[mine] if name in data else np.ones(entries, np.int64)
