"""What a GPU is to the model: the figures of its tables as fields, an A100's unless said."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from archsim.engines import AssumedClock, EngineSpec
from archsim.gpu.devices import Device, device

Count = Annotated[int, Field(gt=0, le=1 << 40)]
Rate = Annotated[int, Field(ge=0, le=1 << 20)]
Share = Annotated[float, Field(gt=0, le=1)]
FASTEST_MHZ = 10**5
DEFAULT = "a100"
Architecture = Literal["ampere", "ada", "hopper", "blackwell"]
ARCHITECTURES: Mapping[int, Architecture] = MappingProxyType(
    {80: "ampere", 86: "ampere", 89: "ada", 90: "hopper", 100: "blackwell"}
)  # by compute capability
INSTRUCTIONS: Mapping[Architecture, str] = MappingProxyType(
    {"ampere": "mma", "ada": "mma", "hopper": "wgmma", "blackwell": "tcgen05"}
)


def _figure(name: str, description: str = "", **limits: Any) -> Any:
    figure = device(DEFAULT).figures[name]
    return Field(default=figure.value, description=description or figure.what, **limits)


class GpuSpec(EngineSpec):
    """A GPU as its tables have it: SMs with tensor cores, lanes and shared memory around an L2.

    ``fma_FORMAT`` are multiply-adds a cycle and SM, 0 where tensor cores lack the format. Fields
    are called as figures of `archsim.gpu.devices` are, where each stands with its trust; buffer and
    DRAM of the design are its L2 and its memory.
    """

    kind: Literal["gpu"] = "gpu"
    clock_mhz: Annotated[float, Field(gt=0, le=FASTEST_MHZ)] | AssumedClock = _figure("clock_mhz")
    architecture: Annotated[
        Architecture, Field(description="how tensor cores are fed, and how they add")
    ] = "ampere"
    fp32: Annotated[
        Literal["tf32", "lanes"],
        Field(description="products of FP32: rounded to TF32 on tensor cores, or whole on lanes"),
    ] = "tf32"
    sms: Count = _figure("sms")
    lanes: Count = _figure("lanes")
    fma_fp64: Rate = _figure("fma_fp64", "FP64, on tensor cores or lanes")
    fma_tf32: Rate = _figure("fma_tf32")
    fma_fp16: Rate = _figure("fma_fp16")
    fma_fp8: Rate = _figure("fma_fp8", "FP8; where 0, widened to FP16")
    fma_int8: Rate = _figure("fma_int8")
    fma_int4: Rate = _figure("fma_int4", "INT4; where 0, widened to INT8")
    fma_b1: Rate = _figure("fma_b1", "one-bit operands; where 0, widened to INT8")
    tensor_share: Share = _figure("tensor_share", "of those peaks, what the best products reach")
    tensor_share_8bit: Share = _figure(
        "tensor_share_8bit", "the same of operands of 8 bits or less"
    )
    smem_bytes: Count = _figure("smem_bytes")
    smem_bytes_per_cycle: Count = _figure(
        "smem_bytes_per_cycle", "that an SM's shared memory moves"
    )
    l2_bytes: Count = _figure("l2_bytes", "L2; that of the design's buffer")
    l2_bytes_per_cycle: Count = _figure("l2_bytes_per_cycle", "from L2 to all SMs")
    l2_latency_cycles: Count = _figure("l2_latency_cycles", "of L2")
    memory_gb_per_s: Annotated[float, Field(gt=0)] = Field(
        default=round(device(DEFAULT)["memory_gb_per_s"] * device(DEFAULT)["memory_share"], 3),
        description="of what kernels fetch more than once; that of the design's DRAM",
    )
    memory_latency_ns: Annotated[float, Field(ge=0)] = _figure(
        "memory_latency_ns", "of a tile's load under way"
    )
    launch_ns: Annotated[float, Field(ge=0)] = _figure(
        "launch_ns", "from a kernel's end to the work of the next"
    )
    board_w: Annotated[float, Field(gt=0)] = _figure("board_w")
    idle_w: Annotated[float, Field(ge=0)] = _figure("idle_w")
    die_mm2: Annotated[float, Field(gt=0)] = _figure("die_mm2")

    @property
    def instruction(self) -> str:
        """What feeds tensor cores: ``mma`` from registers, others from shared memory."""
        return INSTRUCTIONS[self.architecture]

    @property
    def mhz(self) -> float:
        """The clock as a number, marked as assumed or not."""
        return self.clock_mhz.mhz if isinstance(self.clock_mhz, AssumedClock) else self.clock_mhz


def fields_of(known: Device) -> dict[str, Any]:
    """Return the fields of a spec that a device's figures give."""
    named = {name: known[name] for name in known if name in GpuSpec.model_fields}
    reached = known["memory_gb_per_s"] * known["memory_share"]
    return named | {
        "memory_gb_per_s": round(reached, 3),
        "architecture": ARCHITECTURES[int(known["capability"])],
    }


@cache
def spec_of(name: str) -> GpuSpec:
    """Return the spec of a device of the tables."""
    return GpuSpec.model_validate(fields_of(device(name)))
