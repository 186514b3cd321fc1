"""Area, energy and clock: each multiplier priced as the node's measured vector lane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.tech import Tech
from archsim_dot.spec import DotSpec

PJ_PER_PS_OF_UW = 1e-6


def _of_lane(spec: DotSpec | SpecBatch, tech: Tech, figure: str) -> Any:
    """Return a figure of one lane; an array for a batch of specs."""
    return np.vectorize(lambda bits: getattr(tech.lane(int(bits)), figure))(spec.bits)[()]


def area_um2(spec: DotSpec | SpecBatch, tech: Tech) -> Mapping[str, Any]:
    return {"lanes": spec.lanes * _of_lane(spec, tech, "area_um2")}


def energy_pj(spec: DotSpec | SpecBatch, tech: Tech) -> Mapping[str, Any]:
    clock = spec.lanes * _of_lane(spec, tech, "clock_pj")
    leakage_uw = spec.lanes * _of_lane(spec, tech, "leakage_uw")
    return {
        "mac": _of_lane(spec, tech, "op_pj"),
        "clock": clock,
        "idle_cycle": clock,
        "leak_ps": leakage_uw * PJ_PER_PS_OF_UW,
    }


def fmax_mhz(spec: DotSpec | SpecBatch, tech: Tech) -> Fmax:
    return Fmax(np.full(np.shape(spec.lanes), np.inf), "not synthesised")
