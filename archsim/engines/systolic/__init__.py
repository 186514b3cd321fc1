"""Systolic array: spec, reference, timing, cost and RTL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from archsim.engines import Blocks, Engine, Reason, Rtl
from archsim.engines.gemm.lowering import integer_dtypes, lower
from archsim.engines.systolic import beats, cases, cost, timing
from archsim.engines.systolic.reference import reference
from archsim.engines.systolic.spec import Dataflow, SystolicSpec
from archsim.formats import Numbers
from archsim.trace import Op

NUMBER_ASSUMPTIONS: Mapping[Numbers, tuple[str, ...]] = {
    "int": (),
    "bf16": ("systolic: bf16 operands, fp32 products and sums, each rounded to nearest even",),
}


def accepts(spec: SystolicSpec, op: Op) -> Literal[True] | Reason:
    if op.kind in ("gemm", "conv"):
        return True
    return Reason(f"a systolic array multiplies matrices (gemm, conv); it has no {op.kind}")


def dtypes(spec: SystolicSpec) -> frozenset[str]:
    """Return the formats that both operand ports hold."""
    if spec.numbers != "int":
        return frozenset({spec.numbers})
    return integer_dtypes(spec)


def assumptions(spec: SystolicSpec) -> tuple[str, ...]:
    drained = "cols" if spec.pe == "mac" else "cols + 2"
    folds = (
        f"systolic: a fold begins max(k, rows, {drained}) cycles after the one before it",
        "systolic: no preload, both operands stream; PEs beyond a ragged edge idle",
    )
    if spec.dataflow != "os":
        streamed, stationary = ("A", "B") if spec.dataflow == "ws" else ("B", "A")
        folds = (
            f"systolic: a tile of {stationary} loads while {streamed} streams past the one before",
            f"systolic: {spec.acc_rows} rows add up over k at a time; more load {stationary} again",
        )
    return (
        "systolic: fill and drain are counted; folds of a buffer tile overlap, tiles do not",
        *folds,
        *NUMBER_ASSUMPTIONS[spec.numbers],
    )


def blocks(spec: SystolicSpec) -> Blocks:
    """Return the extents of what stays in the PEs; the axis that it does not span streams."""
    rows, cols = spec.rows, spec.cols
    stationary: Mapping[Dataflow, Blocks] = {
        "os": (rows, cols, None),
        "ws": (None, cols, rows),
        "is": (cols, None, rows),
    }
    return stationary[spec.dataflow]


def build(spec: SystolicSpec) -> Any:
    """Return the array as an Amaranth component."""
    # simulating needs no HDL
    from archsim.engines.systolic.rtl import SystolicArray  # noqa: PLC0415
    from archsim.engines.systolic.stationary_rtl import StationaryArray  # noqa: PLC0415

    return SystolicArray(spec) if spec.dataflow == "os" else StationaryArray(spec)


def peak_macs(spec: SystolicSpec) -> int:
    return spec.pes


ENGINE = Engine(
    kind="systolic",
    spec=SystolicSpec,
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
    dtypes=dtypes,
    peak_macs=peak_macs,
    sum_bits=lambda spec: spec.acc_bits,
    blocks=blocks,
    assumptions=assumptions,
)
