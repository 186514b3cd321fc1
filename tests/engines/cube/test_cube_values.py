"""Values, beats, widths, and what the engine takes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archsim.engines import GemmJobs, Port, discover
from archsim.engines.cube import ENGINE
from archsim.engines.cube.beats import pack, ports, unpack
from archsim.engines.cube.spec import CubeSpec
from archsim.engines.gemm.integers import random_operands
from archsim.trace import Op

SPEC = CubeSpec(rows=2, cols=3, depth=2, a_bits=4, b_bits=4, acc_bits=10)


def job(m: int, n: int, k: int, accumulate: int = 0) -> GemmJobs:
    refs = ({port: port for port in "abc"},)
    sizes = (np.array([x]) for x in (m, n, k))
    return GemmJobs(*sizes, np.array([bool(accumulate)]), refs=refs)


def test_beats_by_hand() -> None:
    data = {
        "a": np.array([[1, 2, 3], [4, 5, 6], [7, 7, 7]]),
        "b": np.array([[1, 2, 3, 4], [5, 6, 7, -1], [-2, -3, -4, -5]]),
    }
    beats = pack(SPEC, job(3, 4, 3), 0, data)
    assert {"m": 3, "n": 4, "k": 3, "accumulate": 0} == beats["cmd"]
    # slices side by side; the second beat has one, the second fold of rows one row
    top, bottom = [[1, 4, 2, 5], [3, 6, 0, 0]], [[7, 0, 7, 0], [7, 0, 0, 0]]
    assert top + top + bottom + bottom == beats["a"].tolist()
    left, right = [[1, 2, 3, 5, 6, 7], [-2, -3, -4, 0, 0, 0]], [[4, 0, 0, -1, 0, 0], [-5] + [0] * 5]
    assert (left + right) * 2 == beats["b"].tolist()
    assert (Port("in", 4, 4), Port("in", 6, 4)) == (ports(SPEC)["a"], ports(SPEC)["b"])


@given(st.integers(1, 7), st.integers(1, 8), st.integers(0, 2**32))
def test_results_come_in_the_order_of_partial_sums(m: int, n: int, seed: int) -> None:
    data = random_operands(np.random.default_rng(seed), SPEC, m, n, 3)
    beats = pack(SPEC, job(m, n, 3, 1), 0, data)
    back = unpack(SPEC, job(m, n, 3, 1), 0, {"result": beats["c"]})
    assert np.array_equal(data["c"], back["result"])


def test_jobs_without_operands_have_no_beats() -> None:
    with pytest.raises(
        ValueError, match=r"^jobs name no operands: beats need refs a, b \(and c\)$"
    ):
        pack(SPEC, dataclasses.replace(job(1, 1, 1), refs=None), 0, {})


@pytest.mark.parametrize("a_bits", [2, 3, 8, 16])
@pytest.mark.parametrize("depth", [1, 2, 5, 8, 32])
def test_a_chain_holds_its_products(depth: int, a_bits: int) -> None:
    b_bits = 9
    mac, opt1 = (
        CubeSpec(depth=depth, a_bits=a_bits, b_bits=b_bits, acc_bits=40, pe=pe)
        for pe in ("mac", "opt1")
    )
    least, most = -(depth << a_bits - 1 + b_bits - 1), depth << a_bits - 1 + b_bits - 1
    assert -(1 << mac.chain_bits - 1) <= least
    assert most < 1 << mac.chain_bits - 1
    # a pair is of what has been made not negative by a power of two above all sums
    assert most < 1 << opt1.chain_bits - 1
    assert mac.chain_bits <= opt1.chain_bits <= mac.chain_bits + 3


def test_widths_of_bytes() -> None:
    assert (19, 20) == (CubeSpec().chain_bits, CubeSpec(pe="opt1").chain_bits)


def test_a_sum_holds_a_product() -> None:
    text = r"acc_bits must be at least a_bits \+ b_bits = 16, not 15"
    with pytest.raises(ValidationError, match=text):
        CubeSpec(acc_bits=15)


def test_it_multiplies_matrices_of_integers_that_fit() -> None:
    assert discover()["cube"] is ENGINE
    assert {"int4"} == ENGINE.dtypes(SPEC)
    assert (2, 3, 2) == ENGINE.blocks(SPEC)
    assert (12, 10) == (ENGINE.peak_macs(SPEC), ENGINE.sum_bits(SPEC))
    refused = ENGINE.accepts(SPEC, Op(name="x", kind="vector", inputs=(), outputs=()))
    assert "a cube multiplies matrices (gemm, conv); it has no vector" == refused.text
    assert ENGINE.accepts(SPEC, Op(name="x", kind="conv", inputs=(), outputs=())) is True
