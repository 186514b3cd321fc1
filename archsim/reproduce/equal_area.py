"""What makes a bit-slice array faster than a dense one of its area, factor by factor.

The time that products hold the dense array, over the time that they hold the bit-slice array, times
the dense array's area over the other's, is a product of

- ``area``: the dense array's area over the bit-slice array's;
- ``lanes``: digits a cycle of the one at best, over MACs a cycle of the other at best;
- ``clock``;
- ``1/NumPP``: MACs over digits other than zero of the encoded operand, from the tensors alone;
- ``edges``: lanes of the other operand that have an element, from shapes and mapping;
- ``columns``: digits that columns took, by the array's own counter, over what they had time for:
  waits for each other, groups of nothing but zeros, fill and drain are what is missing;
- ``1/dense utilisation``: MACs that the dense array had time for, over those done.

NumPP and edges know nothing of the simulation, so that the product's agreement with simulated times
says something. ``waiting`` is beside it: it makes of the arrays' time the time of the network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.design import Design
from archsim.engines import discover
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.errors import InputError
from archsim.formats.digits import nonzero_shares, widened
from archsim.mapping import GemmMapping
from archsim.operands import Operands
from archsim.result import OpRow, Result
from archsim.simulate import simulate
from archsim.trace import Op, Trace, as_gemm


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """The speed-up of a bit-slice array over a dense one of equal area.

    Parameters
    ----------
    factors
        By name, in the order of multiplication.
    simulated
        Of the arrays: ratio of the time that products hold them, at equal area.
    waiting
        Share of its time that the bit-slice array works, over the dense one's share.
    num_pp
        Digits other than zero of the encoded operand, a MAC.
    dense, bitslice
        What was simulated.
    """

    factors: Mapping[str, float]
    simulated: float
    waiting: float
    num_pp: float
    dense: Result
    bitslice: Result

    @property
    def product(self) -> float:
        """What the factors say."""
        return math.prod(self.factors.values())

    @property
    def off_percent(self) -> float:
        """Return how much more the factors say than the simulation."""
        return 100 * (self.product / self.simulated - 1)

    @property
    def network(self) -> float:
        """The speed-up of all of the network, with what the arrays wait for."""
        return self.simulated * self.waiting


@dataclass(frozen=True, slots=True)
class _Side:
    """One design's array, and what products took on it."""

    spec: Any
    result: Result
    rows: Mapping[str, OpRow]
    area_um2: float
    clock_mhz: float
    peak: int  # MACs or digits a cycle

    @property
    def cycles(self) -> int:
        return sum(sum(row.split_cycles.values()) for row in self.rows.values())

    @property
    def time_ps(self) -> int:
        return sum(row.occupied_ps for row in self.rows.values())

    @property
    def working(self) -> float:
        return self.time_ps / (self.result.metrics.time_us * 1e6)


def speedup_factors(trace: Trace, dense: Design, bitslice: Design, **options: Any) -> SpeedUp:
    """Return the speed-up of a design over another, both with one array for products.

    Parameters
    ----------
    options
        Of `simulate`: ``memo``, ``objective`` ...

    Raises
    ------
    InputError
        If a design has several arrays, or the second no array of columns of PEs.
    """
    base = _side(dense, trace, simulate(dense, trace, **options))
    other = _side(bitslice, trace, simulate(bitslice, trace, **options))
    spec = other.spec
    if not isinstance(spec, BitsliceSpec) or not spec.in_columns:
        raise InputError(
            f"design {bitslice.name!r}", "must have a bitslice array of pe opt3, opt4c or opt4e"
        )
    operands = Operands(trace)
    ops = [op for op in trace.ops if op.name in other.rows]
    macs = np.array([other.rows[op.name].macs for op in ops], float)
    digits = macs * [_num_pp(operands, op, spec) for op in ops]
    slots = digits / [_filled(op, other, spec) for op in ops]
    taken = sum(row.counts["digits"] for row in other.rows.values()) * spec.rows
    factors = {
        "area": base.area_um2 / other.area_um2,
        "lanes": other.peak / base.peak,
        "clock": other.clock_mhz / base.clock_mhz,
        "1/NumPP": float(macs.sum() / digits.sum()),
        "edges": float(digits.sum() / slots.sum()),
        "columns": taken / (other.peak * other.cycles),
        "1/dense utilisation": base.peak * base.cycles / float(macs.sum()),
    }
    ratio = base.time_ps / other.time_ps
    return SpeedUp(
        factors, ratio * factors["area"], other.working / base.working,
        float(digits.sum() / macs.sum()), base.result, other.result,
    )  # fmt: skip


def _side(design: Design, trace: Trace, result: Result) -> _Side:
    products = {op.name for op in trace.ops if op.kind in ("gemm", "conv")}
    rows = {row.name: row for row in result.per_op if row.name in products}
    names = {row.engine for row in rows.values()}
    if len(names) != 1:
        raise InputError(
            f"design {design.name!r}", "must run all products on one engine", sorted(names)
        )
    (name,) = names
    spec = design.engines[name]
    engine = discover()[result.engines[name]]
    area = sum(um2 for part, um2 in result.area_um2.items() if part.startswith(f"{name}."))
    peak = spec.pes * spec.lanes if isinstance(spec, BitsliceSpec) else engine.peak_macs(spec)
    return _Side(spec, result, rows, area, result.provenance["clocks_mhz"][name], peak)


def _num_pp(operands: Operands, op: Op, spec: BitsliceSpec) -> float:
    """Return digits other than zero, a MAC."""
    tallies = operands.of(op, (spec.encoded,)).tallies
    if not tallies:
        raise InputError(
            f"trace {operands.trace.name!r}: op {op.name!r}",
            f"must have values or counts of operand {spec.encoded}",
            fix="record them with: archsim trace MODEL --with-data -o FILE",
        )
    counts = widened(tallies[spec.encoded], spec.encoded_bits)
    return float(nonzero_shares(counts, spec.encoded_bits, spec.encoding).sum())


def _filled(op: Op, side: _Side, spec: BitsliceSpec) -> float:
    """Return the share of lanes of the operand that is not encoded that have an element."""
    mapping = side.result.mappings[op.name]
    assert isinstance(mapping, GemmMapping)
    product = as_gemm(op)
    extent, tile = (product.n, mapping.n) if spec.encoded == "a" else (product.m, mapping.m)
    whole, rest = divmod(extent, tile)
    lanes = (whole * -(-tile // spec.rows) + -(-rest // spec.rows)) * spec.rows
    return extent / lanes
