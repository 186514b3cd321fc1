"""The GPU that is there: tensors by torch, launches by Triton, times by events, state by NVML."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from archsim.errors import InputError, MissingExtra
from archsim.gpu.kernel import TARGETS, Kernel, Shape, Started, Tile
from archsim.gpu.measure import Launch
from archsim.gpu.record import About, State
from archsim.gpu.values import Array, Operands
from archsim.gpu.without import KernelError

FLUSHED = 2  # times the L2 cache's size is overwritten to empty it
LEAST_FLUSHED_BYTES = 1 << 30  # takes so long that the next launch is under way before it ends


class Cuda:
    """A GPU of this machine, as `archsim.gpu.measure.Gpu` has it."""

    def __init__(self, index: int = 0) -> None:
        import torch  # noqa: PLC0415

        self._torch = torch
        self._device = torch.device("cuda", index)
        torch.cuda.set_device(self._device)
        said = torch.cuda.get_device_properties(self._device)
        self._state = _Management(said.uuid)
        self.about = About(
            name=said.name, target=target_of(said.major, said.minor),
            sms=said.multi_processor_count, memory_bytes=said.total_memory,
            l2_bytes=said.L2_cache_size, driver=self._state.driver,
            cuda=str(torch.version.cuda),
        )  # fmt: skip
        size = max(FLUSHED * self.about.l2_bytes, LEAST_FLUSHED_BYTES)
        self._other_data = torch.empty(size, dtype=torch.int8, device=self._device)

    def put(self, kernel: Kernel, operands: Operands) -> Mapping[str, Any]:
        from archsim.gpu.tensors import to_torch  # noqa: PLC0415

        with self._named(kernel):
            return to_torch(kernel, operands, self._device)

    def launch(
        self, kernel: Kernel, shape: Shape, tensors: Mapping[str, Any], tile: Tile
    ) -> Mapping[str, Any]:
        with self._named(kernel):
            return kernel.launch(Started(interpreted=False), shape, tensors, tile)

    def get(self, results: Mapping[str, Any]) -> dict[str, Array]:
        from archsim.gpu.tensors import from_torch  # noqa: PLC0415

        return from_torch(results)

    def times_us(self, launch: Launch, count: int) -> list[float]:
        pairs = [(self._event(), self._event()) for _ in range(count)]
        for begin, end in pairs:
            self._other_data.zero_()
            begin.record()
            launch()
            end.record()
        self._torch.cuda.synchronize(self._device)
        return [1e3 * begin.elapsed_time(end) for begin, end in pairs]

    def sustained_us(self, launch: Launch, count: int) -> float:
        begin, end = self._event(), self._event()
        begin.record()
        for _ in range(count):
            launch()
        end.record()
        self._torch.cuda.synchronize(self._device)
        return 1e3 * float(begin.elapsed_time(end)) / count

    def state(self) -> State | str:
        return self._state.now()

    @contextmanager
    def _named(self, kernel: Kernel) -> Iterator[None]:
        """Give faults of CUDA and Triton (memory, shared memory, compilers) a kernel's name."""
        from triton.errors import TritonError  # noqa: PLC0415

        try:
            yield
        except (RuntimeError, TritonError) as fault:
            lines = str(fault).strip().splitlines() or [type(fault).__name__]
            raise KernelError(f"{kernel.name} on {self.about.name}: {lines[0]}") from None

    def _event(self) -> Any:
        return self._torch.cuda.Event(enable_timing=True)


class _Management:
    """NVML's handle of a GPU, if it can be had; it counts GPUs otherwise than CUDA does."""

    def __init__(self, uuid: object) -> None:
        import pynvml  # noqa: PLC0415

        self._nvml = pynvml
        self.driver, self._missing = "unknown", ""
        try:
            pynvml.nvmlInit()
            self.driver = str(pynvml.nvmlSystemGetDriverVersion())
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
        except pynvml.NVMLError as fault:
            self._missing = f"NVML: {fault}"

    def now(self) -> State | str:
        if self._missing:
            return self._missing
        nvml, handle = self._nvml, self._handle
        try:
            return State(
                sm_mhz=nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
                memory_mhz=nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM),
                power_w=nvml.nvmlDeviceGetPowerUsage(handle) / 1e3,
                temperature_c=nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
                power_limit_w=nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1e3,
            )
        except nvml.NVMLError as fault:
            return f"NVML: {fault}"


def target_of(major: int, minor: int) -> str:
    """Return what kernels are compiled for on a GPU of a compute capability.

    It is the latest known target of the same generation that is not later.
    """
    capability = 10 * major + minor
    known = [int(target.removeprefix("sm_")) for target in TARGETS]
    fitting = [one for one in known if one // 10 == major and one <= capability]
    if not fitting:
        raise InputError(
            "GPU", f"must be of compute capability {', '.join(f'{n / 10}' for n in known)}",
            f"{major}.{minor}",
        )  # fmt: skip
    return f"sm_{max(fitting)}"


def open_gpu() -> Cuda:
    """Return the first GPU of this machine.

    Raises
    ------
    InputError
        If there is none, or Triton would interpret.
    MissingExtra
        If torch, Triton or NVML's bindings are not installed.
    """
    for package, distribution in (("torch",) * 2, ("triton",) * 2, ("pynvml", "nvidia-ml-py")):
        if find_spec(package) is None:
            raise MissingExtra(distribution, "gpu")
    import torch  # noqa: PLC0415

    instead = "run it in Triton's interpreter with --interpret, or archsim gpu compile it"
    if not torch.cuda.is_available():
        raise InputError("GPU", "this machine has none that torch can use", fix=instead)
    if os.environ.get("TRITON_INTERPRET", "0") not in ("", "0"):
        raise InputError("TRITON_INTERPRET", "must not be set to run on a GPU",
                         os.environ["TRITON_INTERPRET"])  # fmt: skip
    return Cuda()
