"""The speed-up at equal area, factor by factor: it is what simulation says, on trained models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from archsim import engines
from archsim.design import Design, load_design
from archsim.engines import Fmax, bitslice, discover
from archsim.engines.bitslice import panels
from archsim.errors import InputError
from archsim.frontends import load
from archsim.frontends.borrowed import borrow
from archsim.frontends.data import Recording, load_with_data
from archsim.plan import Memo
from archsim.reproduce.equal_area import speedup_factors
from archsim.simulate import simulate
from archsim.trace_io import read_trace, write_trace
from tests.frontends.conftest import ROOT, Trained

COUNTS = ROOT / "workloads" / "traces" / "text_detection_counts.jsonl"


@pytest.fixture(autouse=True)
def priced(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the array a round area and clock: here they are two factors of seven."""
    made_up = replace(
        bitslice.ENGINE,
        area_um2=lambda spec, tech: {"pes": 500.0 * spec.pes},
        energy_pj=lambda spec, tech: {"digit": 0.02},
        fmax_mhz=lambda spec, tech: Fmax(2000.0, "nobody measured it"),
    )
    monkeypatch.setattr(bitslice, "ENGINE", made_up)
    discover.cache_clear()
    yield
    monkeypatch.undo()
    discover.cache_clear()


def design(**array: Any) -> Design:
    return load_design(
        "tpu_like", {"engines.mxu": {"kind": "bitslice", "clock_mhz": 1500, **array}}
    )


DENSE = {"engines.mxu.clock_mhz": {"mhz": 500, "assumed": "a test"}}
ARRAYS = (
    {"pe": "opt4e", "rows": 32, "cols": 8},
    {"pe": "opt4c", "rows": 12, "cols": 8, "encoded": "b", "depth": 128, "sync": "pass"},
    {"pe": "opt3", "rows": 16, "cols": 4, "encoding": "mbe", "slack": 2, "b_bits": 9},
)


@pytest.mark.parametrize(
    "array",
    [ARRAYS[0], *(pytest.param(array, marks=pytest.mark.slow) for array in ARRAYS[1:])],
    ids=lambda array: array["pe"],
)
def test_factors_multiply_to_what_a_trained_model_takes(
    trained: Trained, tmp_path: Any, array: dict[str, Any]
) -> None:
    recording = Recording(sample=1 << 24)
    made, kept = load_with_data(trained("minilm.onnx"), recording=recording, sequence=8)
    write_trace(made, tmp_path / "t.jsonl", kept)
    found = speedup_factors(
        read_trace(tmp_path / "t.jsonl"), load_design("tpu_like", DENSE), design(**array)
    )
    products = [row for row in found.bitslice.per_op if row.values]
    assert {(row.values, row.kind_of_time) for row in products} == {("whole", "exact")}
    assert len(products) == 48
    assert list(found.factors) == [
        "area", "lanes", "clock", "1/NumPP", "edges", "columns", "1/dense utilisation",
    ]  # fmt: skip
    assert found.product == pytest.approx(found.simulated, rel=0.01)
    assert found.off_percent == pytest.approx(0, abs=1)
    assert found.factors["clock"] == pytest.approx(3, rel=1e-3)
    assert found.num_pp == pytest.approx(1 / found.factors["1/NumPP"])
    whole_ps = found.dense.metrics.time_us / found.bitslice.metrics.time_us
    assert found.network == pytest.approx(whole_ps * found.factors["area"], rel=1e-3)


def test_a_named_model_with_counts_is_near_the_identity() -> None:
    """Expected digits are the tensors' own; each job's are rounded."""
    trace = borrow(load("resnet50@image=64"), read_trace(COUNTS), engines.op_kinds())
    found = speedup_factors(trace, load_design("tpu_like", DENSE), design(**ARRAYS[0]), memo=Memo())
    assert {row.values for row in found.bitslice.per_op if row.values} == {"counts"}
    assert found.off_percent == pytest.approx(0, abs=1)


def test_what_cannot_be_told_apart_is_refused() -> None:
    trace = load("resnet50@image=64")
    dense = load_design("tpu_like", DENSE)
    with pytest.raises(InputError) as caught:
        speedup_factors(trace, dense, design(**ARRAYS[0]))
    assert str(caught.value) == (
        "trace 'resnet50': op 'conv1': must have values or counts of operand a; "
        "record them with: archsim trace MODEL --with-data -o FILE"
    )
    with pytest.raises(InputError) as caught:
        speedup_factors(trace, dense, dense)
    assert str(caught.value) == (
        "design 'tpu_like': must have a bitslice array of pe opt3, opt4c or opt4e"
    )


def test_an_unknown_operand_is_said_to_be_assumed() -> None:
    found = simulate(design(**ARRAYS[0]), load("resnet50@image=64"))
    assert {row.values for row in found.per_op if row.kind == "conv"} == {"assumed"}
    assert any(
        line.startswith("values: 54 by an assumed distribution") for line in found.assumptions
    )
    assert any("sigma 25 in 8 bits" in line for line in found.assumptions)
    row = found.per_op[0]
    assert row.bounds_cycles["lo"] < sum(row.split_cycles.values()) < row.bounds_cycles["hi"]
    assert row.figures["digits.a"] == pytest.approx(2.235, rel=1e-3)
    shares = [row.figures[f"share.a.{weight}"] for weight in (1, 4, 16, 64)]
    assert shares == pytest.approx([0.750, 0.738, 0.658, 0.089], abs=1e-3)
    lines = {one.name: one for one in panels.density(found, ["mxu"])}
    assert set(lines) == {f"weight a.{weight}" for weight in (1, 4, 16, 64)}
    assert lines["weight a.64"].y[0] == shares[-1]
    (bars,) = panels.digits(found, ["mxu"])
    assert bars.x == tuple(row.name for row in found.per_op if row.values)
    assert panels.digits(found, ["vpu"]) == []
