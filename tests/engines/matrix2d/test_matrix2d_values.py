"""Values, beats, what the engine takes, and what it does not know about itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archsim import tech
from archsim.engines import GemmJobs, Port, SpecBatch, discover
from archsim.engines.gemm.reference import reference
from archsim.engines.matrix2d import ENGINE, cost
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


@pytest.mark.parametrize(
    ("face", "what"),
    [(cost.area_um2, "area"), (cost.energy_pj, "energy"), (cost.fmax_mhz, "clock")],
)
@pytest.mark.parametrize("spec", [SPEC, SpecBatch([SPEC, SPEC])], ids=["one", "batch"])
def test_cost_is_not_made_up(face: Callable[..., Any], what: str, spec: Any) -> None:
    with pytest.raises(InfeasibleError) as refused:
        face(spec, tech.load("freepdk45"))
    assert (
        f"the {what} of a 2D-matrix array in node freepdk45 needs 1 synthesis table matrix2d.yaml, "
        "and there are 0; use a systolic array or take cycles and values only: archsim rtl check "
        "matrix2d" == str(refused.value)
    )


def test_wide_arrays_need_no_more_cycles_than_systolic_ones() -> None:
    sizes = job(100, 90, 80)
    ours = ENGINE.time(Matrix2dSpec(rows=16, cols=16), sizes).cycles[0]
    skewed = discover()["systolic"].time(SystolicSpec(rows=16, cols=16), sizes).cycles[0]
    assert 15 == skewed - ours  # the last fold's way through the columns
