"""2D-matrix array, operands by broadcast: spec, reference, timing, cost and RTL."""

from __future__ import annotations

from typing import Any, Literal

from archsim.engines import Blocks, Engine, Reason, Rtl
from archsim.engines.gemm.lowering import integer_dtypes, lower
from archsim.engines.gemm.reference import reference
from archsim.engines.matrix2d import beats, cases, cost, timing
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.trace import Op


def accepts(spec: Matrix2dSpec, op: Op) -> Literal[True] | Reason:
    if op.kind in ("gemm", "conv"):
        return True
    return Reason(f"a 2D-matrix array multiplies matrices (gemm, conv); it has no {op.kind}")


def assumptions(spec: Matrix2dSpec) -> tuple[str, ...]:
    drained = "rows" if spec.pe == "mac" else "rows + 2"
    folds: tuple[str, ...] = (
        f"matrix2d: a fold begins max(k, {drained}) cycles after the one before it",
    )
    if spec.pe == "opt2":
        folds = (
            f"matrix2d: a pass begins max(k / 4, {drained}) cycles after the one before it",
            "matrix2d: operands come again for each digit of A; the buffer gives out its windows",
        )
    return (
        "matrix2d: fill and drain are counted; folds of a buffer tile overlap, tiles do not",
        *folds,
        "matrix2d: operands reach all PEs in the cycle of their beat; no wires are modelled",
    )


def blocks(spec: Matrix2dSpec) -> Blocks:
    return spec.rows, spec.cols, None


def build(spec: Matrix2dSpec) -> Any:
    """Return the array as an Amaranth component."""
    # simulating needs no HDL
    from archsim.engines.matrix2d.rtl import Matrix2d  # noqa: PLC0415

    return Matrix2d(spec)


def peak_macs(spec: Matrix2dSpec) -> int:
    return spec.pes * spec.slices // spec.passes


ENGINE = Engine(
    kind="matrix2d",
    spec=Matrix2dSpec,
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
