"""Records of a GPU as points: whole workloads only, op by op, and what is missing is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archsim.errors import InputError
from archsim.gpu.record import About, Record, State, write
from archsim.report.measured import measured
from archsim.report.source import report
from archsim.sweep import run_sweep
from archsim.sweep.plan import load_trace
from archsim.trace import Trace

H100 = About(
    name="NVIDIA H100 80GB HBM3", target="sm_90", sms=132, memory_bytes=80 << 30,
    l2_bytes=50 << 20, driver="570.1", cuda="12.8",
)  # fmt: skip
POWER = State(sm_mhz=1755, memory_mhz=2619, power_w=500, temperature_c=61, power_limit_w=700)
LAYERS = "name,M,N,K\nfirst,64,48,128\nsecond,64,16,48\nthird,64,48,128\n"
QUESTION = """\
name: small
design: tpu_like
workloads: [{model: layers.csv, name: layers}]
axes:
  engines.mxu.rows: [4, 8]
"""


def record(m: int, n: int, k: int, time_us: float, **changed: Any) -> Record:
    fields: dict[str, Any] = {
        "kernel": "gemm_int8", "shape": {"m": m, "n": n, "k": k}, "formats": {"a": "int8"},
        "values": "normal", "seed": 0, "tile": {}, "gpu": H100, "times_us": (time_us,) * 3,
        "sustained_us": time_us / 2, "state": POWER, "operations": 2 * m * n * k, "bytes": 1,
        "disagreements": (), "versions": {"triton": "3.9.0"}, "command": "", "when": "",
    }  # fmt: skip
    return Record(**(fields | changed))


WHOLE = (record(64, 48, 128, 10.0), record(64, 16, 48, 5.0))


@pytest.fixture
def traces(tmp_path: Path) -> dict[str, list[Trace]]:
    (tmp_path / "layers.csv").write_text(LAYERS)
    return {"layers": [load_trace(str(tmp_path / "layers.csv"), d) for d in ("fp16", "int8")]}


def test_a_workload_of_recorded_ops_is_a_point(traces: dict[str, list[Trace]]) -> None:
    (one,) = measured(WHOLE, traces, {"layers": 2.0})
    assert (one.name, one.kind, one.process) == (H100.name, "measured", "4N")
    assert one.metrics["time_us"] == 2 * (10 + 5 + 10)
    assert one.metrics["energy_pj"] == pytest.approx(50 * 500 * 1e6)
    assert one.metrics["power_mw"] == pytest.approx(500e3)
    assert one.metrics["area_mm2"] == 814
    assert one.missing == ""
    assert one.source == (
        "H100 SXM; 2 records of archsim gpu run, Triton 3.9.0, driver 570.1, operands in int8"
    )


def test_a_gpu_a_point(traces: dict[str, list[Trace]]) -> None:
    other = H100.model_copy(update={"name": "A GPU of mine"})
    mine = [r.model_copy(update={"gpu": other}) for r in WHOLE]
    h100, own = measured([*WHOLE, *mine], traces, {"layers": 1.0})
    assert h100.metrics["time_us"] == own.metrics["time_us"]
    assert (own.process, "area_mm2" in own.metrics) == ("", False)
    assert own.source.startswith("a GPU without tables; 2 records")


def test_without_power_there_is_no_energy(traces: dict[str, list[Trace]]) -> None:
    quiet = [WHOLE[0], record(64, 16, 48, 5.0, state=None)]
    (one,) = measured(quiet, traces, {"layers": 1.0})
    assert {*one.metrics} == {"time_us", "area_mm2"}


@pytest.mark.parametrize(
    "second",
    [
        record(64, 16, 47, 5.0),  # another problem
        record(64, 16, 48, 5.0, kernel="gemm_fp16"),  # another format
        record(64, 16, 48, 5.0, kernel="gone"),
        record(64, 16, 48, 5.0, disagreements=("c: all differ",)),
    ],
)
def test_less_than_the_whole_workload_is_no_point(
    second: Record, traces: dict[str, list[Trace]]
) -> None:
    (one,) = measured([WHOLE[0], second], traces, {"layers": 1.0})
    assert one.metrics == {}
    assert one.missing == "layers: no record of 1 of 3 ops, second (gemm)"


def test_a_shape_without_a_dimension_is_refused(traces: dict[str, list[Trace]]) -> None:
    short = record(64, 16, 48, 5.0, shape={"m": 64, "n": 16})
    with pytest.raises(InputError) as refused:
        measured([short], traces, {"layers": 1.0})
    assert str(refused.value) == (
        "record of gemm_int8 on NVIDIA H100 80GB HBM3: shape: must have the dimensions m, n, k, "
        "not 'm, n'"
    )


def test_a_sweep_or_a_caller_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "layers.csv").write_text(LAYERS)
    for one in WHOLE:
        write(one, tmp_path / "mine")
    path = tmp_path / "q.yaml"
    path.write_text(QUESTION + "records: mine\n")
    run_sweep(path, tmp_path / "out", 1)
    (found,) = report(tmp_path / "out", timelines=False).report.references
    assert found.metrics["time_us"] == 25
    write(WHOLE[0], tmp_path / "less")
    (less,) = report(
        tmp_path / "out", records=tmp_path / "less", timelines=False
    ).report.references  # fmt: skip
    assert less.missing
    with pytest.raises(InputError, match="must be a folder of records"):
        report(tmp_path / "out", records=tmp_path / "nowhere", timelines=False)
