"""Counts of products by their patterns: against plain loops, and for matrices that others have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import archsim.sparse.product as by_pattern
from archsim.sparse import Csr
from archsim.sparse.generate import GRAPH500, rmat
from archsim.sparse.product import SparseProduct
from tests.sparse.matrices import KNOWN, squared


@st.composite
def products(draw: st.DrawFn) -> SparseProduct:
    """Small products with empty rows, full rows and nothing in common."""
    m, k, n = (draw(st.integers(1, 9)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dense = [rng.random(shape) < rng.random((shape[0], 1)) ** 2 for shape in ((m, k), (k, n))]
    a, b = (Csr.of(sparse.csr_array(x), pattern=True) for x in dense)
    return SparseProduct(a, b if draw(st.integers(0, 3)) else None, n)


def rows_of(product: SparseProduct) -> list[list[set[int]]]:
    """Return, for each row of C, the columns of every row of B that it merges."""
    a, b = product.a, product.b
    every = set(range(product.n))
    of_b = [
        every if b is None else set(b.indices[b.indptr[k] : b.indptr[k + 1]].tolist())
        for k in range(product.k)
    ]
    return [
        [of_b[k] for k in a.indices[a.indptr[i] : a.indptr[i + 1]].tolist()]
        for i in range(product.m)
    ]


@given(products(), st.integers(2, 5), st.sampled_from([1, 3, 1 << 20]))
def test_counts_are_those_of_plain_loops(product: SparseProduct, ways: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_pattern, "CHUNK_PRODUCTS", chunk)
        merging, results = product.merging(ways), product.row_results
    rows = rows_of(product)
    assert product.row_products.tolist() == [sum(map(len, row)) for row in rows]
    assert results.tolist() == [len(set().union(*row)) for row in rows]
    if product.b is None:
        assert merging.entries.tolist() == product.row_products.tolist()
        return
    for i, row in enumerate(rows):
        entries = partial = chain = 0
        runs, first = row, True
        while first or len(runs) > 1:
            passes = [runs[x : x + ways] for x in range(0, len(runs), ways)]
            taken = [sum(map(len, group)) for group in passes]
            entries += sum(taken)
            partial += 0 if first else sum(taken)
            chain += max(taken, default=0)
            runs, first = [set().union(*group) for group in passes], False
        assert (entries, partial, chain) == tuple(
            int(x[i]) for x in (merging.entries, merging.partial, merging.chain)
        )


LONGEST = {  # products of the longest row of C
    "graph500_8": 2240, "graph500_10": 9578, "graph500_12": 40_382, "lookalike": 7438,
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if known.products > 10**7 else ())
        for name, known in KNOWN.items()
    ],
)
def test_counts_of_known_squares(name: str) -> None:
    known, found = KNOWN[name], squared(KNOWN[name].make())
    assert (found.m, found.a.entries) == (known.n, known.entries)
    assert (found.products, found.results) == (known.products, known.results)
    assert LONGEST.get(name, found.row_products.max()) == found.row_products.max()


@pytest.mark.slow
def test_fifty_million_products_in_bounded_memory() -> None:
    """Graph500 at scale 14; the counts take chunks of some products at a time."""
    import tracemalloc

    a = rmat(14, 1 << 18, GRAPH500)
    tracemalloc.start()
    found = squared(a)
    counts = (found.products, found.results, int(found.row_products.max()))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts == (52_969_444, 20_285_257, 165_481)
    assert most < 200e6
