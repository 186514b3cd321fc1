"""Values, beats, what the engine takes, and what it does not know about itself."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archsim.engines import GemmJobs, Port, discover
from archsim.engines.gemm.reference import reference
from archsim.engines.matrix2d import ENGINE
from archsim.engines.matrix2d.beats import pack, ports, unpack
from archsim.engines.matrix2d.cases import operands
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.engines.systolic.spec import SystolicSpec
from archsim.errors import InfeasibleError
from archsim.trace import Op

SPEC = Matrix2dSpec(rows=2, cols=3, a_bits=4, b_bits=4, acc_bits=10)


def job(m: int, n: int, k: int, accumulate: int = 0) -> GemmJobs:
    refs = ({port: port for port in "abc"},)
    sizes = (np.array([x]) for x in (m, n, k))
    return GemmJobs(*sizes, np.array([bool(accumulate)]), refs=refs)


def test_values_by_hand() -> None:
    data = {
        "a": np.array([[1, 2], [3, 4]]),
        "b": np.array([[5, 6], [7, -8]]),
        "c": np.array([[1, 1], [500, -500]]),
    }
    assert [[19, -10], [43, -14]] == reference(SPEC, job(2, 2, 2), data)[0]["result"].tolist()
    # sums wrap at 10 bits
    wrapped = reference(SPEC, job(2, 2, 2, 1), data)[0]["result"]
    assert [[20, -9], [543 - 1024, -514 + 1024]] == wrapped.tolist()


def test_beats_by_hand() -> None:
    data = {"a": np.array([[1, 2], [3, 4], [5, 6]]), "b": np.array([[1, 2, 3, 4], [5, 6, 7, 7]])}
    beats = pack(SPEC, job(3, 4, 2), 0, data)
    assert {"m": 3, "n": 4, "k": 2, "accumulate": 0} == beats["cmd"]
    assert [[1, 3], [2, 4]] * 2 + [[5, 0], [6, 0]] * 2 == beats["a"].tolist()
    assert [[1, 2, 3], [5, 6, 7], [4, 0, 0], [7, 0, 0]] * 2 == beats["b"].tolist()
    assert (0, 3) == beats["c"].shape
    assert {"in", "out"} == {port.direction for port in ports(SPEC).values()}
    assert Port("in", 2, 4) == ports(SPEC)["a"]


def test_beats_of_passes_by_hand() -> None:
    spec = Matrix2dSpec(rows=2, cols=1, a_bits=4, b_bits=4, acc_bits=16, pe="opt2")
    data = {"a": np.array([[1, -2, 0, 7, 3], [0, 0, 0, 0, -8]]), "b": np.arange(1, 6)[:, None]}
    beats = pack(spec, job(2, 1, 5), 0, data)
    # bits 1 to 3 of each element, then bits 0 and 1 with a zero below; k is padded to two beats
    high = [[0, 0, 7, 0, 0, 0, 3, 0], [1, 4, 0, 0, 0, 0, 0, 0]]
    low = [[2, 0, 4, 0, 0, 0, 6, 0], [6, 0, 0, 0, 0, 0, 0, 0]]
    assert [*high, *low] == beats["a"].tolist()
    assert [[1, 2, 3, 4], [5, 0, 0, 0]] * 2 == beats["b"].tolist()
    assert Port("in", 8, 3, signed=False) == ports(spec)["a"]


@given(st.integers(3, 16), st.integers(2, 16), st.integers(0, 40))
def test_no_pass_overflows_where_no_sum_does(a_bits: int, b_bits: int, more: int) -> None:
    acc_bits = min(a_bits + b_bits + 4 + more, 64)
    spec = Matrix2dSpec(a_bits=a_bits, b_bits=b_bits, acc_bits=acc_bits, pe="opt2")
    largest = 2 * 2 ** (b_bits - 1)  # of a digit times an element
    assert spec.longest_k * largest <= 2 ** (spec.pair_bits - 1) - 1
    whole = (2 ** (acc_bits - 1) - 1) // 2 ** (a_bits + b_bits - 2)  # products that a sum holds
    if a_bits % 2 == 0:
        assert spec.longest_k == min(whole, 2**24 - 1)
    assert min(whole, 2**24 - 1) <= 2 * spec.longest_k + 1


def test_pairs_of_bytes_are_six_bits_narrower() -> None:
    spec = Matrix2dSpec(pe="opt2")
    assert (26, 4, 131_071) == (spec.pair_bits, spec.passes, spec.longest_k)
    assert (256, 512) == tuple(
        ENGINE.peak_macs(Matrix2dSpec(pe="opt2", a_bits=bits)) for bits in (8, 4)
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"a_bits": 2}, "a_bits of pe: opt2 must be at least 3, not 2: a single digit has no"),
        (
            {"acc_bits": 17},
            "acc_bits of pe: opt2 must be at least 18 with a_bits 8 and b_bits 8, not 17",
        ),
    ],
)
def test_opt2_needs_digits_and_room(fields: dict[str, int], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Matrix2dSpec(pe="opt2", **fields)


def test_what_pairs_do_not_hold_is_refused() -> None:
    spec = Matrix2dSpec(pe="opt2", acc_bits=18)
    assert 7 == spec.longest_k
    one = np.array([1])
    steps = types.SimpleNamespace(m=one, n=one, k=8 * one, accumulate=one > 1)
    with pytest.raises(InfeasibleError) as refused:
        ENGINE.lower(spec, Op(name="x", kind="gemm", inputs=(), outputs=()), steps)
    assert (
        "a tile of op 'x' needs 8 elements of k, more than which the PEs' sums need not hold, and "
        "there are 7; map it with a tile shorter in k or raise acc_bits" == str(refused.value)
    )
    data = {"a": np.ones((1, 8), int), "b": np.ones((8, 1), int)}
    with pytest.raises(ValueError, match=r"^k must be at most 7 for sums to hold it, not 8$"):
        pack(spec, job(1, 1, 8), 0, data)


@given(st.integers(1, 7), st.integers(1, 8), st.integers(0, 2**32))
def test_results_come_in_the_order_of_partial_sums(m: int, n: int, seed: int) -> None:
    data = operands(np.random.default_rng(seed), SPEC, m, n, 2)
    beats = pack(SPEC, job(m, n, 2, 1), 0, data)
    back = unpack(SPEC, job(m, n, 2, 1), 0, {"result": beats["c"]})
    assert np.array_equal(data["c"], back["result"])


@pytest.mark.parametrize(
    "face", [lambda j, d: reference(SPEC, j, d), lambda j, d: pack(SPEC, j, 0, d)]
)
def test_jobs_without_operands_have_no_values(face: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"^jobs name no operands: \w+ need refs a, b \(and c\)$"):
        face(dataclasses.replace(job(1, 1, 1), refs=None), {})


def test_a_sum_holds_a_product() -> None:
    text = r"acc_bits must be at least a_bits \+ b_bits = 16, not 15"
    with pytest.raises(ValidationError, match=text):
        Matrix2dSpec(acc_bits=15)


def test_it_multiplies_matrices_of_integers_that_fit() -> None:
    assert discover()["matrix2d"] is ENGINE
    assert {"int4"} == ENGINE.dtypes(SPEC)
    assert {"int4", "int8"} == ENGINE.dtypes(Matrix2dSpec())
    assert (2, 3, None) == ENGINE.blocks(SPEC)
    assert (6, 10) == (ENGINE.peak_macs(SPEC), ENGINE.sum_bits(SPEC))
    refused = ENGINE.accepts(SPEC, Op(name="x", kind="vector", inputs=(), outputs=()))
    assert "a 2D-matrix array multiplies matrices (gemm, conv); it has no vector" == refused.text


def test_wide_arrays_need_no_more_cycles_than_systolic_ones() -> None:
    sizes = job(100, 90, 80)
    ours = ENGINE.time(Matrix2dSpec(rows=16, cols=16), sizes).cycles[0]
    skewed = discover()["systolic"].time(SystolicSpec(rows=16, cols=16), sizes).cycles[0]
    assert 15 == skewed - ours  # the last fold's way through the columns
