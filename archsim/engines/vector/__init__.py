"""Vector unit: element-wise work, pooling, norms and layout moves, as a model."""

from __future__ import annotations

from archsim.engines import Engine, NoRtl, Port
from archsim.engines.vector import cost, timing
from archsim.engines.vector.spec import VectorSpec, accepts, lower

ENGINE = Engine(
    kind="vector",
    spec=VectorSpec,
    accepts=accepts,
    lower=lower,
    reference=timing.reference,
    time=timing.time,
    actions=timing.actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=lambda spec: {d: Port(d, spec.lanes, spec.lane_bits) for d in ("in", "out")},
    rtl=NoRtl("the vector unit is a throughput model: one lane operation a lane and cycle"),
    assumptions=lambda spec: (
        f"vector: one operation a lane and cycle, then {timing.PIPELINE_CYCLES} cycles to empty",
        "vector: a lane is priced as the node's measured lane; what feeds the lanes is not",
        "vector: values are not computed, only counted",
    ),
)
