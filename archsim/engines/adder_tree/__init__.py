"""Array of adder trees: spec, reference, timing, cost and RTL."""

from __future__ import annotations

from typing import Any, Literal

from archsim.engines import Blocks, Engine, Reason, Rtl
from archsim.engines.adder_tree import beats, cases, cost, timing
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.engines.gemm.lowering import integer_dtypes, lower
from archsim.engines.gemm.reference import reference
from archsim.trace import Op


def accepts(spec: AdderTreeSpec, op: Op) -> Literal[True] | Reason:
    if op.kind in ("gemm", "conv"):
        return True
    return Reason(f"an array of adder trees multiplies matrices (gemm, conv); it has no {op.kind}")


def assumptions(spec: AdderTreeSpec) -> tuple[str, ...]:
    return (
        "adder_tree: fill and drain are counted; folds of a buffer tile overlap, tiles do not",
        "adder_tree: a tile of B loads while A streams past the one before",
        f"adder_tree: {spec.acc_rows} rows add up over k at a time; more load B again",
        "adder_tree: a slice of A reaches all trees in the cycle after its beat; no wires modelled",
    )


def blocks(spec: AdderTreeSpec) -> Blocks:
    """Return the extents of the tile that stays; rows of A stream."""
    return None, spec.cols, spec.depth


def build(spec: AdderTreeSpec) -> Any:
    """Return the array as an Amaranth component."""
    # simulating needs no HDL
    from archsim.engines.adder_tree.rtl import AdderTrees  # noqa: PLC0415

    return AdderTrees(spec)


def peak_macs(spec: AdderTreeSpec) -> int:
    return spec.pes


ENGINE = Engine(
    kind="adder_tree",
    spec=AdderTreeSpec,
    accepts=accepts,
    lower=lower,
    reference=reference,
    time=timing.time,
    actions=timing.actions,
    energy_pj=cost.PRICING.energy_pj,
    area_um2=cost.PRICING.area_um2,
    fmax_mhz=cost.PRICING.fmax_mhz,
    lanes=beats.ports,
    rtl=Rtl(build=build, ports=beats.ports, pack=beats.pack, unpack=beats.unpack),
    cases=cases.cases,
    dtypes=integer_dtypes,
    peak_macs=peak_macs,
    sum_bits=lambda spec: spec.acc_bits,
    blocks=blocks,
    assumptions=assumptions,
)
