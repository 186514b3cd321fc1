"""Area and energy, as far as something like it was measured: a PE's multiplier and adder.

A PE is priced as the node's measured vector lane of ``value_bits`` (add, compare, multiply, three
registers): a multiplication as one of its operations, a step of merging or comparing as one of a
lane of `INDEX_BITS`. Merge trees beyond that, queues, the crossbar between PEs and buffer and the
buffer's tags are not priced, as nothing like them was measured here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.engines.spgemm_dataflow.spec import SpgemmDataflowSpec
from archsim.trace import INDEX_BITS

if TYPE_CHECKING:
    from archsim.tech import Tech

Spec = SpgemmDataflowSpec | SpecBatch
PJ_PER_PS_OF_UW = 1e-6


def _of_lane(spec: Spec, tech: Tech, name: str) -> Any:
    """Return a figure of a PE's value lane and index lane, of each spec."""
    bits = np.asarray(spec.value_bits)
    index = getattr(tech.lane(INDEX_BITS), name)
    found = {int(b): getattr(tech.lane(int(b)), name) + index for b in np.unique(bits)}
    values = np.array([found[int(b)] for b in bits.ravel()]).reshape(bits.shape)
    return values if isinstance(spec, SpecBatch) else float(values)


def area_um2(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    return {"pes": spec.pes * _of_lane(spec, tech, "area_um2")}


def energy_pj(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    index_pj, clock_pj = tech.lane(INDEX_BITS).op_pj, _of_lane(spec, tech, "clock_pj")
    return {
        "multiply": _of_lane(spec, tech, "op_pj") - index_pj,
        "step": index_pj,
        "pe_cycle": clock_pj,
        "idle_cycle": spec.pes * clock_pj,
        "leak_ps": spec.pes * _of_lane(spec, tech, "leakage_uw") * PJ_PER_PS_OF_UW,
    }


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Return that no clock is known: a design has to assume one, with its reason."""
    limits = np.full(np.shape(spec.pes), np.inf)
    return Fmax(limits if isinstance(spec, SpecBatch) else float("inf"), "not synthesised")
