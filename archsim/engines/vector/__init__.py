"""Vector unit: integer lanes with reference, exact timing and RTL; other functions as a model."""

from __future__ import annotations

from typing import Any

from archsim.engines import Engine, Rtl
from archsim.engines.vector import beats, cases, cost, timing
from archsim.engines.vector.reference import reference
from archsim.engines.vector.spec import VectorSpec, accepts, lower


def assumptions(spec: VectorSpec) -> tuple[str, ...]:
    ties = "once, ties to even" if spec.rounding == "half_even" else "once, ties upward"
    counted = f"one operation a lane and cycle, then {timing.PIPELINE_CYCLES} cycles to empty"
    return (
        "vector: an operand a lane and cycle; pairs and windows take theirs in turn",
        f"vector: integers are scaled by {spec.scale_bits}-bit multipliers and rounded {ties}",
        f"vector: functions that integer lanes do not have, and floats, are counted: {counted}",
        "vector: lanes for those are priced as the node's measured lane; what feeds them is not",
    )


def build(spec: VectorSpec) -> Any:
    """Return the unit as an Amaranth component."""
    from archsim.engines.vector.rtl import VectorUnit  # noqa: PLC0415 (simulating needs no HDL)

    return VectorUnit(spec)


ENGINE = Engine(
    kind="vector",
    spec=VectorSpec,
    accepts=accepts,
    lower=lower,
    reference=reference,
    time=timing.time,
    actions=timing.actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=beats.ports,
    rtl=Rtl(build=build, ports=beats.ports, pack=beats.pack, unpack=beats.unpack),
    cases=cases.cases,
    assumptions=assumptions,
)
