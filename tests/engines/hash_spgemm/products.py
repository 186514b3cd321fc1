"""Products of sparse matrices that tests of the engine share, and their windows put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from archsim.engines.hash_spgemm.reference import reference
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.engines.hash_spgemm.windows import window_jobs
from archsim.sparse import Csr
from archsim.sparse.generate import poisson, rmat, uniform
from archsim.sparse.product import SparseProduct

MATRICES = {
    "rmat": rmat(6, 220),
    "poisson": poisson(5, 7),
    "uniform": uniform(40, 60, 160),
    "empty": Csr.of(sparse.csr_array((5, 5))),
}


def square(name: str) -> SparseProduct:
    """Return a matrix times its transpose, values from -3 on, so that some of C cancel."""
    a, b = (
        replace(matrix, values=(np.arange(matrix.entries) + first) % 7 - 3)
        for first, matrix in enumerate((MATRICES[name], MATRICES[name].transposed))
    )
    return SparseProduct(a, b, b.shape[1])


def of_windows(spec: HashSpgemmSpec, product: SparseProduct) -> Any:
    """Return C as the engine's windows make it."""
    jobs = window_jobs(spec, product)
    parts = []
    for row, found in enumerate(reference(spec, jobs, product.arrays)):
        parts.append(found["c"] + np.array([int(jobs.first[row]), int(jobs.left[row]), 0]))
        assert len(found["c"]) == jobs.results[row]
    row, column, value = np.concatenate([np.zeros((0, 3), np.int64), *parts]).T
    shape = (product.m, product.n)
    return Csr.of(sparse.csr_array((value, (row, column)), shape=shape))
