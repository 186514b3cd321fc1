"""Bit-slice arrays: PEs that take only an operand's digits other than zero.

Two designs share a spec and its commands: modules ``column...`` have the faces of arrays whose
columns go at their own pace (opt3, opt4c, opt4e), ``lockstep_...`` those of arrays in which all PEs
step together (laconic, bitlet); `parts` puts them together.
"""

from __future__ import annotations

from typing import Any, Literal

from archsim.engines import Blocks, Engine, Reason, Rtl
from archsim.engines.bitslice import cost, panels, parts
from archsim.engines.bitslice.lockstep_digits import reads_values
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.lowering import integer_dtypes
from archsim.engines.gemm.reference import reference
from archsim.trace import Op


def accepts(spec: BitsliceSpec, op: Op) -> Literal[True] | Reason:
    if op.kind in ("gemm", "conv"):
        return True
    return Reason(f"a bit-slice array multiplies matrices (gemm, conv); it has no {op.kind}")


def assumptions(spec: BitsliceSpec) -> tuple[str, ...]:
    unknown = (
        "bitslice: digits of operands that the trace does not know are as of rounded normal "
        "integers, sigma 25 in 8 bits"
    )
    if not spec.in_columns:
        return (
            "bitslice: fill and drain are counted; folds of a buffer tile overlap, tiles do not",
            "bitslice: all PEs work on one beat, as long as the one that needs longest",
            f"bitslice: {spec.pe} is built in the style of the published PE; it is no model of it",
            unknown,
        )
    return (
        "bitslice: fill and drain are counted; folds of a buffer tile overlap, tiles do not",
        "bitslice: a group of digits takes a cycle for each other than zero, one at least",
        "bitslice: a column enters a bank of operands when the column before it has left it",
        f"bitslice: columns wait for each other after each {WAITS[spec.sync]}",
        unknown,
    )


WAITS = {"pass": "bit weight", "chunk": "chunk of k"}


def blocks(spec: BitsliceSpec) -> Blocks:
    encoded, other = spec.cols, spec.rows
    return (encoded, other, None) if spec.encoded == "a" else (other, encoded, None)


def build(spec: BitsliceSpec) -> Any:
    """Return the array as an Amaranth component."""
    # simulating needs no HDL
    from archsim.engines.bitslice.lockstep_rtl import Lockstep  # noqa: PLC0415
    from archsim.engines.bitslice.rtl import ColumnArray  # noqa: PLC0415

    return ColumnArray(spec) if spec.in_columns else Lockstep(spec)


def peak_macs(spec: BitsliceSpec) -> int:
    """Return the products a cycle of operands all of whose digits are zero: no bound is lower."""
    if not spec.in_columns:
        return spec.pes * spec.group
    return max(1, spec.pes * spec.lanes * spec.group // spec.passes)


ENGINE = Engine(
    kind="bitslice",
    spec=BitsliceSpec,
    accepts=accepts,
    lower=parts.lower,
    reference=reference,
    time=parts.time,
    actions=parts.actions,
    energy_pj=cost.energy_pj,
    area_um2=cost.area_um2,
    fmax_mhz=cost.fmax_mhz,
    lanes=parts.ports,
    rtl=Rtl(build=build, ports=parts.ports, pack=parts.pack, unpack=parts.unpack),
    cases=parts.cases,
    dtypes=integer_dtypes,
    peak_macs=peak_macs,
    sum_bits=lambda spec: spec.acc_bits,
    reads_values=reads_values,
    estimate=parts.estimate,
    figures=panels.figures,
    blocks=blocks,
    assumptions=assumptions,
    panels=panels.PANELS,
)
