"""Measurements on a GPU that is not there: everything but the GPU's own calls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pynvml
import pytest
import torch
from jsonschema import Draft202012Validator
from triton.runtime.errors import OutOfResources

from archsim.design import load_design, shipped
from archsim.errors import InfeasibleError, InputError
from archsim.gpu import nvidia
from archsim.gpu.kernel import Draw, Kernel, Shape, Tile
from archsim.gpu.kernels import kernel, kernels
from archsim.gpu.measure import measure
from archsim.gpu.record import About, Record, State, read, read_all, write
from archsim.gpu.source import gemm
from archsim.gpu.values import Array, Operands, encode
from archsim.gpu.without import KernelError
from archsim.measured import beside_model, design_of
from archsim.schema import SCHEMAS
from archsim.simulate import simulate

SHAPE = {"m": 20, "n": 9, "k": 33}
ABOUT = About(
    name="NVIDIA H100 80GB HBM3", target="sm_90", sms=132, memory_bytes=80 << 30,
    l2_bytes=50 << 20, driver="570.1", cuda="12.8",
)  # fmt: skip
STATE = State(sm_mhz=1755, memory_mhz=2619, power_w=612.5, temperature_c=61, power_limit_w=700)


class Fake:
    """A GPU whose launches take 10 us, and 12 after its cache was overwritten."""

    def __init__(self, about: About = ABOUT, state: State | str = STATE, off: float = 0.0) -> None:
        self.about, self.now, self.off = about, state, off
        self.launches = 0

    def put(self, kernel: Kernel, operands: Operands) -> Mapping[str, Any]:
        return operands

    def launch(
        self, kernel: Kernel, shape: Shape, tensors: Mapping[str, Any], tile: Tile
    ) -> Mapping[str, Any]:
        self.launches += 1
        exact = kernel.oracle(shape, tensors, 0.0)
        return {
            name: encode(of.value + self.off, kernel.formats[name]) for name, of in exact.items()
        }

    def get(self, results: Mapping[str, Any]) -> dict[str, Array]:
        return dict(results)

    def times_us(self, launch: Callable[[], object], count: int) -> list[float]:
        launch()
        return [12.0 + i % 3 for i in range(count)]

    def sustained_us(self, launch: Callable[[], object], count: int) -> float:
        launch()
        return 10.0

    def state(self) -> State | str:
        return self.now


def record(**changed: Any) -> Record:
    return measure(kernel("gemm_fp16"), SHAPE, Fake(**changed), seed=3, command="archsim gpu run")


def test_a_measurement_is_whole() -> None:
    found = record()
    assert found.disagreements == ()
    assert found.median_us == 13.0
    assert found.spread_us == (12.0, 14.0)
    assert len(found.times_us) == 201
    assert found.sustained_us == 10.0
    assert found.energy_pj == pytest.approx(612.5 * 10 * 1e6)
    assert found.operations == 2 * 20 * 9 * 33
    assert found.tera_operations_per_s == pytest.approx(found.operations / 13e6)
    assert found.gb_per_s == pytest.approx(found.bytes / 13e3)
    assert found.tile == kernel("gemm_fp16").tile("sm_90").options
    assert found.versions.keys() == {"archsim", "python", "numpy", "torch", "triton"}
    assert (found.seed, found.shape, found.gpu, found.state) == (3, SHAPE, ABOUT, STATE)


def test_wrong_results_stay_in_the_record() -> None:
    (text,) = record(off=0.5).disagreements
    assert re.match(r"c: 180 of 180 differ, first c\[0, 0\] = ", text)


def test_a_gpu_may_keep_its_power_to_itself() -> None:
    found = record(state="NVML: Not Supported")
    assert (found.state, found.energy_pj) == (None, None)
    assert found.state_missing == "NVML: Not Supported"


def test_what_a_gpu_cannot_run_is_refused() -> None:
    ampere = ABOUT.model_copy(update={"target": "sm_80"})
    with pytest.raises(InputError, match=r"^gemm_e4m3 on sm_80: "):
        measure(kernel("gemm_e4m3"), SHAPE, Fake(ampere))
    small = ABOUT.model_copy(update={"memory_bytes": 1000})
    with pytest.raises(InfeasibleError) as fault:
        measure(kernel("gemm_fp16"), SHAPE, Fake(small))
    assert str(fault.value) == (
        "gemm_fp16 on NVIDIA H100 80GB HBM3 needs 2,274 bytes, and there are 800; "
        "take a smaller --shape"
    )


class ToTheBit(Fake):
    """A GPU that sums as the model of its tensor cores does."""

    def launch(
        self, kernel: Kernel, shape: Shape, tensors: Mapping[str, Any], tile: Tile
    ) -> Mapping[str, Any]:
        assert kernel.to_the_bit is not None
        return kernel.to_the_bit(tensors, self.about.target)


@pytest.mark.parametrize("target", ["sm_80", "sm_86", "sm_89", "sm_90", "sm_100"])
@pytest.mark.parametrize("form", ["fp16", "bf16", "tf32", "e4m3", "int8"])
@pytest.mark.parametrize("values", ["normal", "extreme"])
def test_what_tensor_cores_give_is_what_oracles_allow(form: str, target: str, values: Draw) -> None:
    """The bounds that results on GPUs are held to have room for the sums of their tensor cores."""
    chosen = kernel(f"gemm_{form}")
    if target in chosen.refused:
        return
    gpu = ToTheBit(ABOUT.model_copy(update={"target": target}))
    found = measure(chosen, {"m": 12, "n": 9, "k": 300}, gpu, values=values)
    assert found.disagreements == ()
    assert found.same_bits == {"c": 1.0}


def test_other_bits_are_counted() -> None:
    shape = {"m": 20, "n": 9, "k": 3000}
    found = measure(kernel("gemm_fp16"), shape, Fake())
    assert found.disagreements == ()
    assert 0 < found.same_bits["c"] < 1, "sums are not exact"
    later = ABOUT.model_copy(update={"target": "sm_120"})
    assert measure(kernel("gemm_tf32"), shape, Fake(later)).same_bits == {}


# ---------------------------------------------------------------------------------------- records


def test_records_come_back(tmp_path: Path) -> None:
    found = record()
    path = write(found, tmp_path / "records")
    assert path.name == "nvidia-h100-80gb-hbm3.gemm_fp16.m20_n9_k33.seed3.json"
    assert read(path) == found
    assert read_all(path.parent) == (found,)
    Draft202012Validator(SCHEMAS["record"]()).validate(json.loads(path.read_text("utf-8")))
    again = record(off=0.5)
    assert write(again, path.parent) == path
    assert read_all(path.parent) == (again,)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"times_us": []},
            "times_us: is no record of archsim gpu run: Tuple should have at least ",
        ),
        ({"times_us": [-1.0]}, "times_us.0: is no record of archsim gpu run: Input should be grea"),
        ({"gpu": 3}, "gpu: is no record of archsim gpu run: Input should be an object, not 3"),
        ({"extra": 1}, "extra: is no record of archsim gpu run: Extra inputs are not permitted"),
        (
            {"schema_version": 2},
            "schema_version: is no record of archsim gpu run: Input should be ",
        ),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, change: Any, text: str) -> None:
    path = write(record(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError) as fault:
        read_all(tmp_path)
    assert str(fault.value).startswith(f"{path}: {text}")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN"])
def test_hostile_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no record of archsim gpu run"):
        read(path)


def test_missing_folders_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a folder of records, as archsim gpu run writes"):
        read_all(tmp_path / "none")
    with pytest.raises(InputError, match=r"none\.json: cannot be read: No such file"):
        read(tmp_path / "none.json")


# -------------------------------------------------------------------------------- beside the model


def test_gpus_are_known_by_their_names() -> None:
    named = {
        "NVIDIA H100 80GB HBM3": "h100", "NVIDIA H100 PCIe": "", "NVIDIA A100-SXM4-80GB": "a100",
        "NVIDIA A100-PCIE-40GB": "", "NVIDIA GeForce RTX 3090 Ti": "", "NVIDIA H200": "h200",
        "NVIDIA GeForce RTX 4090": "rtx4090", "NVIDIA GeForce RTX 4090 Laptop GPU": "",
    }  # fmt: skip
    for name, design in named.items():
        found = design_of(ABOUT.model_copy(update={"name": name}))
        assert found == (design if design in shipped() else "")


def test_measurements_stand_beside_the_model() -> None:
    of_other = beside_model(record(about=ABOUT.model_copy(update={"name": "GPU X"})))
    assert of_other.why == "no shipped design is a GPU X, so nothing is modelled"
    model = beside_model(record())
    assert model.design == "h100"
    assert model.time_us is not None
    assert model.time_us > 0
    assert model.to_dict()["model"]["time_us"] == model.time_us


@pytest.mark.parametrize("name", [name for name, k in kernels().items() if k.trace is not None])
def test_traces_are_the_kernels_problems(name: str) -> None:
    chosen = kernel(name)
    assert chosen.trace is not None
    trace = chosen.trace(chosen.default_shape)
    result = simulate(load_design("h100"), trace)
    assert 2 * result.metrics.macs == chosen.work(chosen.default_shape).operations
    assert result.metrics.time_us > 0


# ------------------------------------------------------------------------- the layer above CUDA


class Event:
    """A CUDA event on a clock that every launch and every overwritten cache moves."""

    now_ms = 0.0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        self.at_ms = Event.now_ms

    def elapsed_time(self, end: Event) -> float:
        return end.at_ms - self.at_ms


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[nvidia.Cuda]:
    """Return the GPU layer on a torch whose GPU is its CPU, and an NVML that knows a GPU."""
    said = SimpleNamespace(
        name="NVIDIA H100 80GB HBM3", major=9, minor=0, multi_processor_count=132,
        total_memory=80 << 30, L2_cache_size=1 << 10, uuid="0-1",
    )  # fmt: skip
    monkeypatch.setattr(torch, "device", lambda *_: "cpu")
    for name, value in {
        "set_device": lambda _: None, "get_device_properties": lambda _: said,
        "Event": Event, "synchronize": lambda _: None, "is_available": lambda: True,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    for name, value in {
        "nvmlInit": lambda: None, "nvmlSystemGetDriverVersion": lambda: "570.1",
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetClockInfo": lambda _, which: 1755 if which == pynvml.NVML_CLOCK_SM else 2619,
        "nvmlDeviceGetPowerUsage": lambda _: 612_500,
        "nvmlDeviceGetTemperature": lambda *_: 61,
        "nvmlDeviceGetEnforcedPowerLimit": lambda _: 700_000,
    }.items():  # fmt: skip
        monkeypatch.setattr(pynvml, name, value)
    monkeypatch.setattr(nvidia, "LEAST_FLUSHED_BYTES", 1 << 10)
    yield nvidia.open_gpu()


def test_times_are_those_between_events(cuda: nvidia.Cuda) -> None:
    def launch() -> Mapping[str, Any]:
        Event.now_ms += 0.25
        return {}

    assert cuda.times_us(launch, 3) == [250.0] * 3
    assert cuda.sustained_us(launch, 4) == 250.0
    assert cuda.state() == STATE
    assert cuda.about.model_dump() == ABOUT.model_dump() | {
        "l2_bytes": 1 << 10, "cuda": str(torch.version.cuda)
    }  # fmt: skip


def test_operands_go_there_and_back(cuda: nvidia.Cuda) -> None:
    chosen = kernel("gemm_bf16")
    operands = chosen.draw(SHAPE, np.random.default_rng(0), "normal")
    tensors = cuda.put(chosen, operands)
    assert tensors["a"].dtype == torch.bfloat16
    back = cuda.get(tensors)
    assert all(np.array_equal(back[name], operands[name]) for name in operands)


def test_faults_of_cuda_and_triton_have_a_kernels_name(
    cuda: nvidia.Cuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch(fault: Exception) -> Callable[..., None]:
        def fail(*_: object) -> None:
            raise fault

        return fail

    chosen = kernel("gemm_fp16")
    faults = {
        torch.OutOfMemoryError("CUDA out of memory.\nTried"): "CUDA out of memory.",
        OutOfResources(300_000, 232_448, "shared memory"): "out of resource: shared memory, ",
    }
    for fault, text in faults.items():
        monkeypatch.setattr(gemm, "launch", launch(fault))
        with pytest.raises(KernelError) as named:
            cuda.launch(chosen, SHAPE, {}, chosen.tile("sm_90"))
        assert str(named.value).startswith(f"gemm_fp16 on NVIDIA H100 80GB HBM3: {text}")


def test_nvml_may_fail(cuda: nvidia.Cuda, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", fail)
    assert cuda.state() == "NVML: Not Supported"
    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    other = nvidia.open_gpu()
    assert other.state() == "NVML: Not Supported"
    assert other.about.driver == "unknown"


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as fault:
        nvidia.open_gpu()
    assert str(fault.value) == (
        "GPU: this machine has none that torch can use; run it in Triton's interpreter with "
        "--interpret, or archsim gpu compile it"
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    with pytest.raises(InputError, match=r"^TRITON_INTERPRET: must not be set to run on a GPU"):
        nvidia.open_gpu()


@pytest.mark.parametrize(
    ("capability", "target"),
    [((8, 0), "sm_80"), ((8, 7), "sm_86"), ((9, 0), "sm_90"), ((10, 3), "sm_100"),
     ((12, 1), "sm_120")],
)  # fmt: skip
def test_targets_follow_from_capabilities(capability: tuple[int, int], target: str) -> None:
    assert nvidia.target_of(*capability) == target


def test_old_gpus_are_refused() -> None:
    with pytest.raises(InputError) as fault:
        nvidia.target_of(7, 5)
    assert str(fault.value) == (
        "GPU: must be of compute capability 8.0, 8.6, 8.9, 9.0, 10.0, 12.0, not '7.5'"
    )
