"""Dot-product engine: spec, reference, timing, cost and RTL."""

from __future__ import annotations

from typing import Any

from archsim.engines import Engine, Rtl
from archsim_dot import beats, cost, timing
from archsim_dot.cases import cases
from archsim_dot.reference import reference
from archsim_dot.spec import DOT, DotSpec, accepts, lower
from archsim_dot.views import CYCLES, DOT_ENERGY


def build(spec: DotSpec) -> Any:
    from archsim_dot.rtl import DotEngine  # noqa: PLC0415 (simulating needs no HDL)

    return DotEngine(spec)


ENGINE = Engine(
    kind="dot",
    spec=DotSpec,
    accepts=accepts,
    lower=lower,
    reference=reference,
    time=timing.time,
    actions=timing.actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=beats.ports,
    rtl=Rtl(build, beats.ports, beats.pack, beats.unpack),
    cases=cases,
    dtypes=lambda spec: frozenset({"int8"}),
    peak_macs=lambda spec: spec.lanes,
    op_kinds=(DOT,),
    metrics=(DOT_ENERGY,),
    panels=(CYCLES,),
    assumptions=lambda spec: (
        "dot: a result takes a cycle in which no operand is taken",
        "dot: a multiplier is priced as the node's measured vector lane; the adder tree is not",
    ),
)
