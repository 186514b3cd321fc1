"""How a product is cut into windows: the jobs of the engine, and what is in each."""

from __future__ import annotations

import numpy as np

from archsim.engines import Ints
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec, WindowJobs
from archsim.sparse import Csr
from archsim.sparse.hashing import Windows, windows_of
from archsim.sparse.product import SparseProduct


def window_jobs(spec: HashSpgemmSpec, a: Csr, b: Csr, a_ref: str, b_ref: str) -> WindowJobs:
    """Return the windows of C = A B, by `archsim.sparse.hashing` and rows that a tag can tell."""
    product = SparseProduct(a, b, b.shape[1])
    windows = _short(windows_of(product.row_products, product.n, spec.rule), spec.row_limit)
    products = _between(product.row_products, windows)
    results = _between(product.row_results, windows)
    for i in np.flatnonzero(windows.is_part(product.n)).tolist():
        columns = _columns(a, b, int(windows.first[i]))
        mine = columns[(columns >= windows.left[i]) & (columns < windows.right[i])]
        products[i], results[i] = len(mine), len(np.unique(mine))
    refs = {"a": a_ref, "b": b_ref}
    return WindowJobs(
        first=windows.first, last=windows.last, left=windows.left, right=windows.right,
        entries=a.indptr[windows.last] - a.indptr[windows.first],
        walked=_between(product.row_products, windows),
        products=products, results=results, refs=(refs,) * len(windows),
    )  # fmt: skip


def _short(windows: Windows, most: int) -> Windows:
    """Cut windows of more than ``most`` rows, which are short ones."""
    parts = np.maximum(-(-(windows.last - windows.first) // most), 1)
    of = np.repeat(np.arange(len(windows)), parts)
    number = np.arange(len(of)) - np.repeat(np.cumsum(parts) - parts, parts)
    first = windows.first[of] + number * most
    last = np.minimum(first + most, windows.last[of])
    return Windows(first, last, windows.left[of], windows.right[of])


def _between(of_row: Ints, windows: Windows) -> Ints:
    """Return sums over the rows of each window."""
    sums = np.concatenate([[0], np.cumsum(of_row, dtype=np.int64)])
    return np.asarray(sums[windows.last] - sums[windows.first])


def _columns(a: Csr, b: Csr, row: int) -> Ints:
    """Return the column of each product of a row."""
    met = a.indices[a.indptr[row] : a.indptr[row + 1]]
    return np.concatenate([b.indices[b.indptr[k] : b.indptr[k + 1]] for k in met])
