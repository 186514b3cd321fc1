from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archsim.engines import GemmJobs
from archsim.engines.systolic import ENGINE
from archsim.engines.systolic.beats import pack, ports, unpack
from archsim.engines.systolic.reference import reference
from archsim.engines.systolic.spec import SystolicSpec
from archsim.errors import InfeasibleError
from archsim.formats.requantise import wrap
from archsim.trace import Op

REFS = ({"a": "a", "b": "b", "c": "c"},)


def job(m: int, n: int, k: int, accumulate: bool = False) -> GemmJobs:
    return GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([accumulate]), refs=REFS)


# ------------------------------------------------------------------------------------ reference


@given(st.integers(-(2**70), 2**70), st.integers(4, 64))
def test_wrap_is_twos_complement(value: int, bits: int) -> None:
    low = (value + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
    as_int64 = (value + 2**63) % 2**64 - 2**63
    assert low == wrap(np.array([as_int64]), bits)[0]


@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([4, 7, 16, 64]))
def test_reference_is_exact_integer_arithmetic_wrapped(
    seed: int, accumulate: bool, extra: int
) -> None:
    rng = np.random.default_rng(seed)
    spec = SystolicSpec(rows=2, cols=2, a_bits=2, b_bits=2, acc_bits=extra)
    a, b = rng.integers(-2, 2, (3, 5)), rng.integers(-2, 2, (5, 4))
    c = rng.integers(-(2 ** (extra - 1)), 2 ** (extra - 1) - 1, (3, 4))
    result = reference(spec, job(3, 4, 5, accumulate), {"a": a, "b": b, "c": c})[0]["result"]
    for i in range(3):
        for j in range(4):
            exact = sum(int(a[i, x]) * int(b[x, j]) for x in range(5)) + accumulate * int(c[i, j])
            assert (exact + 2 ** (extra - 1)) % 2**extra - 2 ** (extra - 1) == result[i, j]


def test_values_need_refs() -> None:
    jobs = GemmJobs(*(np.array([1]) for _ in range(3)), np.array([False]))
    with pytest.raises(
        ValueError, match=r"^jobs name no operands: values need refs a, b \(and c\)$"
    ):
        reference(SystolicSpec(), jobs, {})
    with pytest.raises(
        ValueError, match=r"^jobs name no operands: beats need refs a, b \(and c\)$"
    ):
        pack(SystolicSpec(), jobs, 0, {})


# ---------------------------------------------------------------------------------------- beats


def test_beats_of_a_ragged_product() -> None:
    spec = SystolicSpec(rows=2, cols=2)
    data = {
        "a": np.array([[1, 2], [3, 4], [5, 6]]),
        "b": np.array([[1, 2, 3], [4, 5, 6]]),
        "c": np.arange(9).reshape(3, 3),
    }
    packed = pack(spec, job(3, 3, 2, accumulate=True), 0, data)
    assert {"m": 3, "n": 3, "k": 2, "accumulate": 1} == packed["cmd"]
    # folds: rows 0-1 x columns 0-1, rows 0-1 x column 2, row 2 x columns 0-1, row 2 x column 2
    a = [[1, 3], [2, 4], [1, 3], [2, 4], [5, 0], [6, 0], [5, 0], [6, 0]]
    b = [[1, 2], [4, 5], [3, 0], [6, 0], [1, 2], [4, 5], [3, 0], [6, 0]]
    c = [[0, 1], [3, 4], [2, 0], [5, 0], [6, 7], [8, 0]]
    assert (a, b, c) == tuple(packed[port].tolist() for port in "abc")


def test_partial_sums_are_no_beats_unless_accumulated() -> None:
    data = {"a": np.ones((1, 1)), "b": np.ones((1, 1)), "c": np.ones((1, 1))}
    assert 0 == len(pack(SystolicSpec(), job(1, 1, 1), 0, data)["c"])


@given(
    st.integers(1, 4), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99)
)
def test_result_beats_come_back_as_they_went(
    rows: int, cols: int, m: int, n: int, seed: int
) -> None:
    spec, one = SystolicSpec(rows=rows, cols=cols), job(m, n, 1, accumulate=True)
    c = np.random.default_rng(seed).integers(-99, 99, (m, n))
    data = {"a": np.zeros((m, 1)), "b": np.zeros((1, n)), "c": c}
    beats = pack(spec, one, 0, data)["c"]
    assert m * -(-n // cols) == len(beats)
    assert np.array_equal(c, unpack(spec, one, 0, {"result": beats})["result"])


def test_lanes_are_the_bits_of_a_beat() -> None:
    spec = SystolicSpec(rows=3, cols=5, a_bits=4, b_bits=6, acc_bits=20)
    bits = {name: port.beat_bits for name, port in ENGINE.lanes(spec).items()}
    assert bits == {"a": 12, "b": 30, "c": 100, "result": 100}
    assert ["in", "in", "in", "out"] == [port.direction for port in ports(spec).values()]


# ----------------------------------------------------------------------------------- spec, record


def test_a_sum_must_hold_a_product() -> None:
    with pytest.raises(
        ValidationError, match=r"acc_bits must be at least a_bits \+ b_bits = 16, not 12"
    ):
        SystolicSpec(acc_bits=12)


def test_bf16_gives_the_widths() -> None:
    spec = SystolicSpec(numbers="bf16")
    assert (16, 16, 32) == (spec.a_bits, spec.b_bits, spec.acc_bits)
    assert spec == SystolicSpec(numbers="bf16", a_bits=16, b_bits=16, acc_bits=32)


@pytest.mark.parametrize(
    ("name", "bits", "right"), [("a_bits", 8, 16), ("b_bits", 4, 16), ("acc_bits", 48, 32)]
)
def test_bf16_has_no_other_widths(name: str, bits: int, right: int) -> None:
    text = f"{name} of numbers: bf16 must be {right}, or left out; got {bits}"
    with pytest.raises(ValidationError, match=text):
        SystolicSpec(numbers="bf16", **{name: bits})


@pytest.mark.parametrize(
    ("name", "choice", "right"),
    [("pe", "opt1", "mac"), ("multiplier", "booth", "inferred"), ("adder", "ripple", "inferred")],
)
def test_bf16_has_float_units_and_nothing_to_choose(name: str, choice: str, right: str) -> None:
    text = f"{name} of numbers: bf16 must be {right}, or left out; got {choice}"
    with pytest.raises(ValidationError, match=text):
        SystolicSpec(numbers="bf16", **{name: choice})


@pytest.mark.parametrize("fields", [{"rows": 0}, {"cols": 1025}, {"dataflow": "xs"}, {"rowz": 4}])
def test_specs_out_of_range_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SystolicSpec(**fields)


def test_only_products_are_accepted() -> None:
    spec = SystolicSpec()
    assert ENGINE.accepts(spec, Op("x", "gemm", (), ())) is True
    assert ENGINE.accepts(spec, Op("x", "conv", (), ())) is True
    refused = ENGINE.accepts(spec, Op("x", "vector", (), ()))
    assert not refused
    text = "a systolic array multiplies matrices (gemm, conv); it has no vector"
    assert text == refused.text


def test_dtypes_fit_the_narrower_operand() -> None:
    assert ENGINE.dtypes is not None
    assert {"int4", "int8"} == ENGINE.dtypes(SystolicSpec(a_bits=8, b_bits=9, acc_bits=20))
    assert {"int4"} == ENGINE.dtypes(SystolicSpec(a_bits=8, b_bits=4))
    assert {"bf16"} == ENGINE.dtypes(SystolicSpec(numbers="bf16"))


def test_a_tile_beyond_the_command_is_infeasible() -> None:
    tiles = GemmJobs(*(np.array([x]) for x in (2**24, 1, 1)), np.array([False]))
    text = (
        r"^a tile of op 'fc' needs 16,777,216 rows or columns in one command, and there are "
        r"16,777,215; map it with a smaller tile$"
    )
    with pytest.raises(InfeasibleError, match=text):
        ENGINE.lower(SystolicSpec(), Op("fc", "gemm", (), ()), tiles)
