"""Windows of a product: they cover it, they fit, and their values are scipy's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archsim.engines.hash_spgemm import ENGINE
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.engines.hash_spgemm.windows import window_jobs, windows
from archsim.errors import InfeasibleError
from archsim.sparse import Csr
from archsim.sparse.generate import rmat
from archsim.sparse.hashing import count_probes
from archsim.sparse.product import SparseProduct
from archsim.trace import Op

from .products import MATRICES, of_windows, square

SPECS = [
    HashSpgemmSpec(),
    HashSpgemmSpec(slots=16, slots_per_product=1),
    HashSpgemmSpec(slots=64, hash="high", slots_per_product=4),
    HashSpgemmSpec(slots=256, hash="low", col_bits=28),
]


def op(product: SparseProduct) -> Op:
    extents = {"m": product.m, "n": product.n, "k": product.k, "products": product.products}
    return Op("x", "spgemm", ("a", "b"), ("c",), extents)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_windows_together_are_the_product(spec: HashSpgemmSpec, name: str) -> None:
    product = square(name)
    assert product.b is not None
    a, b = product.a.scipy(), product.b.scipy()
    found = of_windows(spec, product)
    ones = [replace(matrix, values=None).scipy() for matrix in (product.a, product.b)]
    pattern = Csr.of(ones[0] @ ones[1])  # scipy leaves out what cancels
    assert (found.scipy() - a @ b).count_nonzero() == 0
    assert np.array_equal(found.indptr, pattern.indptr)
    assert np.array_equal(found.indices, pattern.indices)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_window_fits_the_table_and_tags(spec: HashSpgemmSpec, name: str) -> None:
    product = square(name)
    jobs = window_jobs(spec, product)
    assert jobs.products.sum() == product.products
    assert jobs.results.sum() == product.results
    assert (jobs.results <= spec.slots).all()
    assert (jobs.last - jobs.first <= spec.row_limit).all()
    whole = (jobs.left == 0) & (jobs.right == product.n)
    assert (jobs.results[whole] <= spec.cap).all()


def test_rows_that_a_tag_cannot_tell_are_windows_of_their_own() -> None:
    product = square("poisson")
    few = HashSpgemmSpec(slots=4096, col_bits=28)  # 4 bits of a row
    assert 16 == few.row_limit
    jobs = window_jobs(few, product)
    assert [16, 16, 16, 1] == (jobs.last - jobs.first).tolist()
    assert jobs.products.sum() == product.products


def test_power_of_two_low_bits_collide_where_mixed_ones_do_not() -> None:
    graph = rmat(10, 16384, (0.48, 0.11, 0.11))
    product = SparseProduct(graph, graph, graph.shape[1])
    low, mixed = (
        count_probes(product, HashSpgemmSpec(hash=scheme).rule).probes.sum() / product.products
        for scheme in ("low", "multiplicative")
    )
    assert mixed < 2 < low


def test_b_is_loaded_once_if_it_fits_and_else_what_each_window_meets() -> None:
    product = square("poisson")
    spec = HashSpgemmSpec(slots=64)
    whole = windows(spec, op(product), product, 1 << 20)
    each = windows(spec, op(product), product, whole.room_bytes - 1)
    assert product.b is not None
    assert (
        (product.k + product.b.entries) * 8 == whole.load_bytes[1].sum() == whole.load_bytes[1][0]
    )
    assert (each.load_bytes[1] > 0).sum() > 1
    assert each.load_bytes[1].sum() > whole.load_bytes[1].sum()
    assert each.room_bytes < whole.room_bytes
    jobs = window_jobs(spec, product)
    met = np.unique(product.a.indices[: product.a.indptr[jobs.last[0]]])
    assert 8 * (len(met) + product.b.row_lengths[met].sum()) == each.load_bytes[1][0]
    assert np.array_equal((jobs.results + 1) * 8, each.store_bytes)


def test_windows_that_do_not_fit_are_refused() -> None:
    product = square("rmat")
    with pytest.raises(InfeasibleError) as refused:
        windows(HashSpgemmSpec(slots=256), op(product), product, 1000)
    assert str(refused.value).startswith("a pair of windows of a sparse product needs 4,000 bytes")
    assert str(refused.value).endswith(
        "raise memories.buffer.capacity_bytes or take fewer slots, or more a product"
    )


def test_what_it_does_not_take() -> None:
    product = square("uniform")
    assert ENGINE.accepts(HashSpgemmSpec(), op(product)) is True
    wide = Op("x", "spgemm", ("a", "b"), ("c",), {"m": 1, "n": 1 << 20, "k": 1, "products": 1})
    assert (
        "col_bits=8 tell 256 columns apart, not 1,048,576"
        == ENGINE.accepts(HashSpgemmSpec(col_bits=8), wide).text  # type: ignore[union-attr]
    )
    dense = Op("x", "spmm", ("a", "b"), ("c",), {"m": 1, "n": 1, "k": 1, "products": 1})
    assert (
        "multiplies two sparse matrices, and has no spmm"
        == ENGINE.accepts(HashSpgemmSpec(), dense).text  # type: ignore[union-attr]
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"slots": 48}, "slots must be a power of two, not 48"),
        ({"slots": 16, "comparators": 4}, "slots must be at least 32, two lines a bank, not 16"),
    ],
)
def test_slots_fill_lines_and_banks(fields: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        HashSpgemmSpec(**fields)
