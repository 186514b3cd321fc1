"""3D cube of PEs: spec, reference, timing, cost and RTL."""

from __future__ import annotations

from typing import Any, Literal

from archsim.engines import Blocks, Engine, Reason, Rtl
from archsim.engines.cube import beats, cases, cost, timing
from archsim.engines.cube.spec import CubeSpec
from archsim.engines.gemm.lowering import integer_dtypes, lower
from archsim.engines.gemm.reference import reference
from archsim.trace import Op


def accepts(spec: CubeSpec, op: Op) -> Literal[True] | Reason:
    if op.kind in ("gemm", "conv"):
        return True
    return Reason(f"a cube multiplies matrices (gemm, conv); it has no {op.kind}")


def assumptions(spec: CubeSpec) -> tuple[str, ...]:
    drained = "cols" if spec.pe == "mac" else "cols + 2"
    return (
        "cube: fill and drain are counted; folds of a buffer tile overlap, tiles do not",
        f"cube: a beat holds {spec.depth} slices of k, those beyond k zero",
        f"cube: a fold begins max(beats, rows, {drained}) cycles after the one before it",
        "cube: no preload, both operands stream; PEs beyond a ragged edge idle",
    )


def blocks(spec: CubeSpec) -> Blocks:
    """Return the extents of the sums, and of what a step takes of k."""
    return spec.rows, spec.cols, spec.depth


def build(spec: CubeSpec) -> Any:
    """Return the cube as an Amaranth component."""
    # simulating needs no HDL
    from archsim.engines.cube.rtl import Cube  # noqa: PLC0415

    return Cube(spec)


def peak_macs(spec: CubeSpec) -> int:
    return spec.pes


ENGINE = Engine(
    kind="cube",
    spec=CubeSpec,
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
    dtypes=integer_dtypes,
    peak_macs=peak_macs,
    sum_bits=lambda spec: spec.acc_bits,
    blocks=blocks,
    assumptions=assumptions,
)
