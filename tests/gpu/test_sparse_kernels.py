"""Operands and oracles of kernels on packed, sparse and bipolar matrices against plain products."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from archsim.formats import bipolar as integers
from archsim.gpu.kernel import DRAWS, Draw
from archsim.gpu.kernels import bipolar, kernels, packed, spgemm
from archsim.gpu.values import decode
from archsim.gpu.without import compile_for

KERNELS = kernels()
seeds = st.integers(0, 999).map(np.random.default_rng)


@given(seeds, st.integers(1, 8), st.integers(1, 70), st.integers(1, 9))
def test_planes_hold_codes(rng: np.random.Generator, bits: int, k: int, rows: int) -> None:
    codes = rng.integers(0, 1 << bits, (rows, k))
    planes = bipolar.planes(codes, bits)
    assert planes.shape == (bits, -(-k // 32), rows)
    np.testing.assert_array_equal(bipolar.codes(planes, k), codes)


def test_bipolar_products_are_of_odd_integers() -> None:
    shape = {"m": 2, "n": 3, "k": 40, "p": 2, "q": 3}
    least = bipolar.draw(shape, np.random.default_rng(0), "zeros")
    assert (bipolar.oracle(shape, least, 0)["c"].value == 3 * 7 * 40).all()
    drawn = bipolar.draw(shape, np.random.default_rng(0), "normal")
    words = [np.ascontiguousarray(x.view(np.uint32).swapaxes(1, 2)) for x in drawn.values()]
    expected = integers.matmul(*words, 40)
    np.testing.assert_array_equal(bipolar.oracle(shape, drawn, 0)["c"].value, expected)


@given(seeds, st.sampled_from([0, 1, 30, 100]), st.integers(1, 70), st.sampled_from(DRAWS))
def test_masks_hold_what_is_kept(
    rng: np.random.Generator, share: int, k: int, values: Draw
) -> None:
    shape = {"m": 2, "n": 30, "k": k, "kept": share}
    operands = packed.draw_masked(shape, rng, values)
    kept = operands["starts"][-1]
    assert len(operands["kept"]) == kept + 1
    dense = packed.weights_masked(operands, k)
    assert dense.shape == (30, k)
    assert np.count_nonzero(dense) <= kept
    if values == "normal":
        assert np.count_nonzero(dense) == kept
        assert abs(kept - 0.3 * k * share) <= 40 + 3 * k
    for row, (first, last) in enumerate(pairwise(operands["starts"])):
        left = dense[row][dense[row] != 0]
        own = operands["kept"][first:last]
        np.testing.assert_array_equal(left, own[own != 0])


@settings(max_examples=20)
@given(seeds, st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_sparse_products_are_those_of_scipy(
    rng: np.random.Generator, m: int, k: int, n: int
) -> None:
    shape = {"m": m, "n": n, "k": k, "a_row": 4, "b_row": 5}
    operands = spgemm.draw(shape, rng, "normal")
    pair = []
    for name, columns in (("a", k), ("b", n)):
        values = decode(operands[f"{name}_values"][:-1], "fp32")
        pair.append(spgemm.matrix(operands, name, columns, values).scipy())
    product = sparse.csr_array(pair[0] @ pair[1])
    expected = spgemm.oracle(shape, operands, 2.0**-24)
    lengths, columns, values = (expected[x].value for x in ("lengths", "columns", "values"))
    dense, pattern = np.zeros((m, n)), np.zeros((m, n), bool)
    for row in range(m):
        here = columns[row, : lengths[row]]
        assert (np.diff(here) > 0).all()
        dense[row, here], pattern[row, here] = values[row, : lengths[row]], True
        assert (columns[row, lengths[row] :] == -1).all()
        assert not values[row, lengths[row] :].any()
    np.testing.assert_allclose(dense, product.toarray(), rtol=1e-12, atol=1e-300)
    reach = (pair[0] != 0).astype(int) @ (pair[1] != 0).astype(int)
    np.testing.assert_array_equal(pattern, reach.toarray() > 0)
    error = expected["values"].error
    assert (np.asarray(error)[:, 0] >= spgemm.FLUSHED).all()


def test_tables_hold_twice_the_products() -> None:
    for products, slots in ((1, 16), (8, 16), (9, 32), (256, 512), (1024, 2048)):
        assert spgemm.slots({"a_row": 1, "b_row": products}) == slots


@pytest.mark.slow
def test_counting_ones_is_one_instruction() -> None:
    """Of the idiom of shifts and masks that kernels have, the compiler makes POPC."""
    (build,) = compile_for([(KERNELS["gemm_bipolar"], "sm_80")])
    (function,) = build.functions
    assert function["sass"]["POPC"] == 64 * 64 // (32 * 4), "one for each sum of a thread"
    assert build.tensor == {}
    assert build.spills == 0
