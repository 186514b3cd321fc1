"""Windows of every dataflow: values are scipy's product, counts those of plain loops."""

from __future__ import annotations

from collections import OrderedDict
from itertools import product as every
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from archsim.engines.spgemm_dataflow import ENGINE, FLOWS, SpgemmDataflowSpec, inner, outer
from archsim.engines.spgemm_dataflow.stored import Stored, fetch_bytes, missed
from archsim.errors import InfeasibleError, InputError
from archsim.frontends.products import trace_of
from archsim.patterns import Patterns
from archsim.sparse import Csr
from archsim.sparse.product import SparseProduct
from archsim.trace import Op

OP = Op("x", "spgemm", ("A", "B"), ("C",))
ROOMS = (400, 1000, 1 << 20)


def spec(**fields: Any) -> SpgemmDataflowSpec:
    return SpgemmDataflowSpec.model_validate({"kind": "spgemm_dataflow", "pes": 4, "merge_pes": 2}
                                             | fields)  # fmt: skip


def matrices(seed: int, m: int, k: int, n: int, values: str = "integers") -> tuple[Any, Any]:
    """Return matrices with empty rows, dense ones, stored zeros and values that cancel."""
    rng = np.random.default_rng(seed)
    found = []
    for shape in ((m, k), (k, n)):
        mask = rng.random(shape) < rng.random((shape[0], 1)) ** 2
        row, column = np.nonzero(mask)
        entries = rng.integers(-1, 2, len(row)).astype(float)
        if values == "floats":
            entries = rng.standard_normal(len(row))
        found.append(sparse.csr_array((entries, (row, column)), shape=shape))
    return found[0], found[1]


def windows(made: SpgemmDataflowSpec, product: SparseProduct, room: int) -> tuple[Any, Any]:
    cut = ENGINE.windows(made, OP, product, room) if ENGINE.windows else None
    return cut, ENGINE.lower(made, OP, cut, product)


def together(made: SpgemmDataflowSpec, product: SparseProduct, room: int, dense: Any = None) -> Any:
    """Return C as scipy's, from the windows that put out results."""
    cut, jobs = windows(made, product, room)
    parts = ENGINE.reference(made, jobs, product.arrays | ({} if dense is None else {"b": dense}))
    partial = (jobs.phase == outer.MULTIPLY) & (made.dataflow == "outer")
    sizes = np.where(partial, jobs.products, jobs.results)
    if made.dataflow != "inner":  # there, results of a group leave evenly by assumption
        assert [len(part["value"]) for part in parts] == sizes.tolist()
    final = [part for part, last in zip(parts, cut.final, strict=True) if last]
    row, column, value = (np.concatenate([p[x] for p in final]) for x in ("row", "column", "value"))
    assert len(set(zip(row.tolist(), column.tolist(), strict=True))) == len(row)
    return sparse.csr_array((value, (row, column)), shape=(product.m, product.n))


def structural(a: Any, b: Any) -> Any:
    """Return the pattern of a product, cancelled places among it, in scipy's canonical form."""
    ones = [x.copy() for x in (a, b)]
    for x in ones:
        x.data[:] = 1
    return Csr.of(ones[0] @ ones[1])


EXTENTS = st.integers(1, 12)


@settings(max_examples=60)
@given(st.sampled_from(list(FLOWS)), st.sampled_from(ROOMS), EXTENTS, EXTENTS, EXTENTS,
       st.integers(0, 2**32), st.sampled_from(["integers", "floats"]))  # fmt: skip
def test_values_are_scipys_in_every_dataflow(
    flow: Any, room: int, m: int, k: int, n: int, seed: int, values: str
) -> None:
    a, b = matrices(seed, m, k, n, values)
    found = together(spec(dataflow=flow), SparseProduct(Csr.of(a), Csr.of(b), n), room)
    pattern, own = structural(a, b), Csr.of(found)
    assert (own.indptr == pattern.indptr).all() and (own.indices == pattern.indices).all()
    if values == "integers":
        assert (found.toarray() == (a @ b).toarray()).all()
    else:
        np.testing.assert_allclose(found.toarray(), (a @ b).toarray(), rtol=1e-13, atol=1e-13)


@settings(max_examples=60)
@given(st.sampled_from(list(FLOWS)), st.sampled_from(ROOMS), EXTENTS, EXTENTS, EXTENTS,
       st.integers(0, 2**32), st.booleans())  # fmt: skip
def test_windows_cover_everything_once(
    flow: Any, room: int, m: int, k: int, n: int, seed: int, dense: bool
) -> None:
    a, b = matrices(seed, m, k, n)
    product = SparseProduct(Csr.of(a), None if dense else Csr.of(b), n)
    cut, jobs = windows(spec(dataflow=flow), product, room)
    seen = np.zeros((product.m, product.n), int)
    for i in np.flatnonzero(cut.final):
        seen[cut.first[i] : cut.stop[i], cut.left[i] : cut.right[i]] += 1
    assert (seen == 1).all()
    assert jobs.products.sum() == product.products
    assert jobs.results.sum() == product.results
    stored = Stored.of(product)
    assert jobs.c_bytes.sum() == product.results * stored.c + product.m * stored.c_pointer
    assert (jobs.least_bytes == stored.least_bytes(product)).all()
    moved = sum(cut.load_bytes) + cut.partial_bytes + cut.store_bytes
    assert (moved == jobs.a_bytes + jobs.b_bytes + jobs.partial_bytes + jobs.c_bytes).all()
    assert min(x.min() for x in (*cut.load_bytes, cut.store_bytes, jobs.steps)) >= 0


@settings(max_examples=40)
@given(EXTENTS, EXTENTS, EXTENTS, st.integers(0, 2**32), st.sampled_from(ROOMS))
def test_comparisons_of_an_inner_product_are_those_of_two_pointers(
    m: int, k: int, n: int, seed: int, room: int
) -> None:
    a, b = (Csr.of(x) for x in matrices(seed, m, k, n))
    cut, jobs = windows(spec(dataflow="inner"), SparseProduct(a, b, n), room)
    rows, columns = ([set(x.indices[x.indptr[i] : x.indptr[i + 1]].tolist())
                      for i in range(x.shape[0])] for x in (a, b.transposed))  # fmt: skip
    for w in range(len(cut)):
        pairs = every(rows[cut.first[w] : cut.stop[w]], columns[cut.left[w] : cut.right[w]])
        steps = [compare(sorted(x), sorted(y)) for x, y in pairs]
        assert jobs.compared[w] == sum(steps)
        assert max(steps) <= jobs.reach[w]


def compare(x: list[int], y: list[int]) -> int:
    """Return the steps of two pointers, of which the lower moves, or both, until one ends."""
    i = j = steps = 0
    while i < len(x) and j < len(y):
        lower = min(x[i], y[j])
        i, j, steps = i + (x[i] == lower), j + (y[j] == lower), steps + 1
    return steps


@settings(max_examples=60)
@given(EXTENTS, EXTENTS, EXTENTS, st.integers(0, 2**32), st.integers(0, 400))
def test_rows_of_b_are_kept_as_long_as_they_fit(
    m: int, k: int, n: int, seed: int, capacity: int
) -> None:
    a, b = (Csr.of(x) for x in matrices(seed, m, k, n))
    product = SparseProduct(a, b, n)
    sizes, held, expected = b.row_lengths * 12, OrderedDict[int, int](), []
    for row in a.indices.tolist():
        hit = row in held
        expected.append(bool(not hit and sizes[row]))
        if hit:
            held.move_to_end(row)
        elif 0 < sizes[row] <= capacity:
            held[row] = sizes[row]
            while sum(held.values()) > capacity:
                held.popitem(last=False)
    assert missed(product, Stored.of(product), capacity).tolist() == expected


def test_a_row_of_b_is_fetched_in_whole_lines() -> None:
    b = Csr.of(sparse.csr_array(np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [1, 0, 0]])))
    product = SparseProduct(Csr.of(sparse.csr_array(np.eye(4))), b, 3)
    stored = Stored.of(product)
    assert stored.b == 12  # eight bytes and an index: rows begin at bytes 0, 24, 24 and 60
    assert fetch_bytes(product, stored, 8).tolist() == [24 + 16, 0, 40 + 16, 16 + 16]
    assert fetch_bytes(product, stored, 64).tolist() == [64 + 16, 0, 64 + 16, 128 + 16]


def test_partial_products_spill_once_or_not_at_all() -> None:
    a = Csr.of(matrices(5, 12, 12, 12)[0])
    product = SparseProduct(a, a, 12)
    made = spec(dataflow="outer")
    for room, spills in ((400, 1), (1 << 20, 0)):
        cut, jobs = windows(made, product, room)
        assert jobs.partial_bytes.sum() == 2 * spills * product.products * 12
        assert set(cut.phase.tolist()) == {outer.MULTIPLY, outer.MERGE}


def test_complex_numbers_patterns_and_integers_keep_their_type() -> None:
    a, b = matrices(9, 6, 6, 6)
    for kind in (np.complex128, np.int64, np.float32):
        product = SparseProduct(Csr.of(a.astype(kind)), Csr.of(b.astype(kind)), 6)
        found = together(spec(), product, 1 << 20)
        assert found.dtype == kind
        assert (found.toarray() == (a.astype(kind) @ b.astype(kind)).toarray()).all()
    pattern = Csr.of(a, pattern=True)
    found = together(spec(), SparseProduct(pattern, pattern.transposed, 6), 1 << 20)
    assert (found.toarray() == (pattern.scipy().astype(int) @ pattern.scipy().T).toarray()).all()


@pytest.mark.parametrize("flow", FLOWS)
def test_values_of_a_sparse_and_a_dense_matrix(flow: Any) -> None:
    a, dense = matrices(4, 9, 7, 1)[0], np.arange(35.0).reshape(7, 5) - 20
    product = SparseProduct(Csr.of(a), None, 5)
    assert (together(spec(dataflow=flow), product, 400, dense).toarray() == a @ dense).all()


def test_a_trace_of_scipy_matrices_has_their_values() -> None:
    a, b = matrices(2, 7, 5, 8)
    trace = trace_of(a, b)
    (op,) = trace.ops
    product = Patterns(trace).product(op)
    assert (together(spec(), product, 400).toarray() == (a @ b).toarray()).all()
    assert op.attrs == {"m": 7, "n": 8, "k": 5, "products": product.products}


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    a = Csr.of(matrices(5, 12, 12, 12)[0])
    dense = SparseProduct(a, None, 4)
    _, jobs = windows(spec(), dense, 1 << 20)
    with pytest.raises(InputError) as refused:
        ENGINE.reference(spec(), jobs, dense.arrays)
    assert str(refused.value) == (
        "engine 'spgemm_dataflow': values need 'b', [k, n], if it is dense"
    )
    with pytest.raises(InfeasibleError) as small:
        windows(spec(), dense, 64)
    assert str(small.value) == (
        "a tile of one entry of A, B and C needs 28 bytes of buffer, and there are 8; "
        "raise memories.buffer.capacity_bytes or lower stationary_share"
    )
    monkeypatch.setattr(inner, "MAX_WINDOWS", 3)
    with pytest.raises(InfeasibleError) as many:
        windows(spec(dataflow="inner"), dense, 400)
    assert str(many.value).startswith(
        "an inner product cut into pairs of rows and columns needs "
    ) and str(many.value).endswith("there are 3; raise memories.buffer.capacity_bytes")
