"""Area, clock and energy of the vector unit.

Its integer lanes are priced by fits through syntheses of their RTL (`archsim.engines.vector.terms`,
`archsim.engines.vector.study`); lanes for the other functions stand beside them and are priced as
the node's measured lane, without what feeds them. In a node where the unit was not measured, those
stand for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.engines.vector.spec import VectorSpec
from archsim.engines.vector.terms import (
    AREA_TERMS,
    DELAY_TERMS,
    ENERGY_TERMS,
    LANE_TERMS,
    WHOLE_TERMS,
    Spec,
)

if TYPE_CHECKING:
    from archsim.tech import Table, Tech

TABLE = "vector"  # of the integer lanes
PJ_PER_PS_OF_UW = 1e-6
SUM_BITS = 20  # of a convolution's sums: two 8-bit operands, some thousand products


def _of_lane(spec: Spec, tech: Tech, name: str) -> Any:
    bits = np.asarray(spec.lane_bits)
    values = {int(b): getattr(tech.lane(int(b)), name) for b in np.unique(bits)}
    found = np.array([values[int(b)] for b in bits.ravel()]).reshape(bits.shape)
    return found if isinstance(spec, SpecBatch) else float(found)


def area_um2(spec: VectorSpec | SpecBatch, tech: Tech) -> Mapping[str, Any]:
    lanes = {"lanes": spec.lanes * _of_lane(spec, tech, "area_um2")}
    if not tech.has_table(TABLE):
        return lanes
    return lanes | tech.table(TABLE).fit("area_um2").evaluate(AREA_TERMS, spec)


def energy_pj(spec: VectorSpec | SpecBatch, tech: Tech) -> Mapping[str, Any]:
    """Return the energy of each action; see `archsim.engines.vector.timing.actions`.

    ``idle_cycle`` is every flip-flop's clock; ``lane_clock`` spreads the same, and the control that
    moves in an occupied cycle, over the lanes, so that a cycle costs its clock exactly once.
    """
    lane_op = _of_lane(spec, tech, "op_pj")
    clock = spec.lanes * _of_lane(spec, tech, "clock_pj")
    leakage_uw = spec.lanes * _of_lane(spec, tech, "leakage_uw")
    if tech.has_table(TABLE):
        table = tech.table(TABLE)
        actions = table.fit("energy_pj").evaluate(ENERGY_TERMS, spec)
        control = actions.pop("control_cycle")
        clock = clock + _of_whole(spec, table, "clock_pj")
        leakage_uw = leakage_uw + _of_whole(spec, table, "leakage_uw")
    else:
        actions, control = {"tap": lane_op}, 0.0
    return {
        **actions,
        "lane_op": lane_op,
        "lane_clock": (clock + control) / spec.lanes,
        "idle_cycle": clock,
        "leak_ps": leakage_uw * PJ_PER_PS_OF_UW,
    }


def _of_whole(spec: Spec, table: Table, quantity: str) -> Any:
    return table.fit(quantity).evaluate(WHOLE_TERMS, spec)["unit"]


def fmax_mhz(spec: VectorSpec | SpecBatch, tech: Tech) -> Fmax:
    """Return the clock of the slower of the integer and the measured lanes."""
    measured = _of_lane(spec, tech, "fmax_mhz")
    if not tech.has_table(TABLE):
        bits = int(np.asarray(spec.lane_bits).flat[0])
        return Fmax(measured, f"{tech.lane(bits).source}; integer lanes were not measured")
    table = tech.table(TABLE)
    fit = table.fit("delay_ps")
    paths = fit.evaluate(DELAY_TERMS, spec).values()
    worst = np.maximum.reduce([np.asarray(path, float) for path in paths])
    mhz = np.minimum(np.floor(1e6 / worst), measured)
    most = max(row["spec"]["lanes"] for row in table.rows)
    return Fmax(
        float(mhz) if mhz.ndim == 0 else mhz,
        f"fit through {len(table.rows)} syntheses of up to {most} integer lanes in "
        f"{table.made['library']} ({table.made['yosys']}), error at most "
        f"{fit.max_error_percent:g} % on held-out ones, and the node's measured lane; no wires, no "
        "clock tree, typical corner",
    )


# ---------------------------------------------------------------------- lanes of another engine


@dataclass(frozen=True, slots=True)
class RowCost:
    """A row of integer lanes alone, without parameters and control of a unit's own.

    Parameters
    ----------
    result_pj
        Of one element that passes it, clock aside.
    clock_pj
        Of one cycle of all lanes.
    """

    area_um2: float
    result_pj: float
    clock_pj: float
    leakage_uw: float


def row_cost(lanes: int, bits: int, tech: Tech) -> RowCost | None:
    """Return what a row of lanes for sums of ``bits`` costs; None where none were measured.

    A lane between an array and the buffer has no taps and narrower results, so this is a little
    more than it needs. Sums are priced as ones of `SUM_BITS` bits, whatever the register's width.
    """
    if not tech.has_table(TABLE):
        return None
    width = min(max(bits, 8), 48)
    spec = VectorSpec(lanes=lanes, lane_bits=width, scale_bits=min(32, 64 - width))
    table = tech.table(TABLE)
    energy = table.fit("energy_pj").evaluate(ENERGY_TERMS, spec)
    rest = dict.fromkeys(WHOLE_TERMS["unit"].keys() - LANE_TERMS.keys(), _nothing)
    own = {"unit": {**LANE_TERMS, **rest}}
    return RowCost(
        area_um2=table.fit("area_um2").evaluate(AREA_TERMS, spec)["integer"],
        result_pj=energy["tap"] + min(SUM_BITS, width) * energy["operand_bit"] + energy["result"],
        clock_pj=table.fit("clock_pj").evaluate(own, spec)["unit"],
        leakage_uw=table.fit("leakage_uw").evaluate(own, spec)["unit"],
    )


def _nothing(spec: Spec) -> float:
    return 0.0
