"""A GPU as a yardstick: kernels on tensor cores, lanes, L2 and memory, as a model by its tables."""

from __future__ import annotations

from archsim.engines import Engine, NoRtl
from archsim.engines.gpu import cost, jobs, timing
from archsim.engines.gpu.reference import reference
from archsim.engines.gpu.spec import GpuSpec

ALWAYS = (
    "gpu: a model by published figures; shares of peaks and bandwidth are measured ones",
    "gpu: utilisation is of the INT8 peak; where 16 bits have half of it, 50 % is all they reach",
    "gpu: an op is a kernel with its epilogue, launched when the one before has ended",
    "gpu: kernels stream their operands past L2; results that fit its other part stay there",
    "gpu: tiles are the best of a stated list for the model's own time, not a library's choice",
    "gpu: attention runs as its products; scores pass L2, and memory where they do not fit",
    "gpu: what kernels fetch again from memory takes time, and is not among DRAM bytes",
    "gpu: sparse products and neural fields gather rows; nothing of them was measured",
    "gpu: energy is an upper bound, the board's power limit while kernels run or wait for memory",
    "gpu: area is the published die with all its memories; buffer and DRAM are not priced again",
)
WIDENED = {
    "fma_int4": "gpu: INT4 is not native, and widened to INT8",
    "fma_fp8": "gpu: FP8 is not native, and widened to FP16",
}


def assumptions(spec: GpuSpec) -> tuple[str, ...]:
    return (*ALWAYS, *(line for name, line in WIDENED.items() if not getattr(spec, name)))


ENGINE = Engine(
    kind="gpu",
    spec=GpuSpec,
    accepts=jobs.accepts,
    lower=jobs.lower,
    reference=reference,
    time=timing.time,
    actions=timing.actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=timing.ports,
    rtl=NoRtl("a GPU that others make is a model, by what is published of it"),
    peak_macs=lambda spec: int(spec.sms * spec.fma_int8),
    reads_clock=True,
    whole_chip=True,
    energy_bound=True,
    assumptions=assumptions,
)
