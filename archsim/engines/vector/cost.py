"""Area, energy and clock of the vector unit: so many lanes of the node's measured lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.engines.vector.spec import VectorSpec

if TYPE_CHECKING:
    from archsim.tech import Tech

PJ_PER_PS_OF_UW = 1e-6


def _of_lane(spec: VectorSpec | SpecBatch, tech: Tech, name: str) -> Any:
    bits = np.asarray(spec.lane_bits)
    values = {int(b): getattr(tech.lane(int(b)), name) for b in np.unique(bits)}
    found = np.array([values[int(b)] for b in bits.ravel()]).reshape(bits.shape)
    return found if isinstance(spec, SpecBatch) else float(found)


def area_um2(spec: VectorSpec | SpecBatch, tech: Tech) -> Mapping[str, Any]:
    return {"lanes": spec.lanes * _of_lane(spec, tech, "area_um2")}


def energy_pj(spec: VectorSpec | SpecBatch, tech: Tech) -> Mapping[str, Any]:
    clock = _of_lane(spec, tech, "clock_pj")
    return {
        "lane_op": _of_lane(spec, tech, "op_pj"),
        "lane_clock": clock,
        "idle_cycle": spec.lanes * clock,
        "leak_ps": spec.lanes * _of_lane(spec, tech, "leakage_uw") * PJ_PER_PS_OF_UW,
    }


def fmax_mhz(spec: VectorSpec | SpecBatch, tech: Tech) -> Fmax:
    bits = np.asarray(spec.lane_bits)
    return Fmax(_of_lane(spec, tech, "fmax_mhz"), tech.lane(int(bits.flat[0])).source)
