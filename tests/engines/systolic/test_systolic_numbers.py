"""Every number format in every dataflow: values of bf16 sums, and RTL bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines import GemmJobs
from archsim.engines.systolic import ENGINE
from archsim.engines.systolic.beats import ports
from archsim.engines.systolic.reference import reference
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.values import operands
from archsim.formats import bf16
from archsim.verify import check

FORMATS = {
    "int4": {"a_bits": 4, "b_bits": 4, "acc_bits": 16},
    "int8": {"a_bits": 8, "b_bits": 8, "acc_bits": 32},
    "int16": {"a_bits": 16, "b_bits": 16, "acc_bits": 48},
    "bf16": {"numbers": "bf16"},
}
DATAFLOWS = ("os", "ws", "is")


def job(m: int, n: int, k: int, *, accumulate: bool) -> GemmJobs:
    extents = (np.array([x]) for x in (m, n, k))
    return GemmJobs(*extents, np.array([accumulate]), refs=({"a": "a", "b": "b", "c": "c"},))


def spec_of(dataflow: str, numbers: str, **fields: Any) -> SystolicSpec:
    return SystolicSpec(dataflow=dataflow, **FORMATS[numbers], **fields)


@pytest.mark.slow
@pytest.mark.parametrize("numbers", FORMATS)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_rtl_gives_what_the_reference_says(dataflow: str, numbers: str) -> None:
    spec = spec_of(dataflow, numbers, rows=3, cols=2, acc_rows=4)
    assert [] == [row for row in check(ENGINE, 14, 11, spec, "amaranth") if not row.ok]


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_lanes_of_bf16_are_bit_patterns(dataflow: str) -> None:
    found = ports(spec_of(dataflow, "bf16"))
    assert {"a": 16, "b": 16, "c": 32, "result": 32} == {n: p.bits for n, p in found.items()}
    assert not any(port.signed for port in found.values())


@given(st.data(), st.sampled_from(DATAFLOWS), st.integers(1, 5), st.integers(0, 99))
def test_sums_take_their_products_in_the_stated_order(
    data: st.DataObject, dataflow: str, rows: int, seed: int
) -> None:
    m, n, k = (data.draw(st.integers(1, top)) for top in (3, 3, 12))
    spec = spec_of(dataflow, "bf16", rows=rows, cols=2)
    values = operands(np.random.default_rng(seed), spec, m, n, k)
    (found,) = reference(spec, job(m, n, k, accumulate=True), values)
    depth = k if dataflow == "os" else rows
    for i in range(m):
        for j in range(n):
            total = 0
            for start in range(0, k, depth):
                of_fold = 0
                for t in range(start, min(start + depth, k)):
                    product = bf16.multiply(values["a"][i, t], values["b"][t, j])
                    of_fold = bf16.add(of_fold, product)
                total = bf16.add(total, of_fold)
            assert bf16.add(total, values["c"][i, j]) == found["result"][i, j]


def test_the_dataflow_decides_how_a_sum_is_rounded() -> None:
    """2^24 + 1 + 1: one chain loses both ones, folds of two keep their sum."""
    a = np.array([[0x4B80, 0x0000, 0x3F80, 0x3F80]])
    ones = np.full((4, 1), 0x3F80)
    values = {"a": a, "b": ones, "c": np.zeros((1, 1), np.int64)}
    one = job(1, 1, 4, accumulate=False)
    sums = [
        float(
            bf16.fp32_values(reference(spec_of(d, "bf16", rows=2), one, values)[0]["result"])[0, 0]
        )
        for d in ("os", "ws")
    ]
    assert sums == [2.0**24, 2.0**24 + 2]
