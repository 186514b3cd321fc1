"""Area and energy of the block, put together from measured parts: a lower bound of either.

There is no RTL. A core is priced as a measured vector lane of 64 bits, its threads' registers, its
caches and the scratchpad as SRAM; what decodes, orders and connects them is not priced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.engines.piuma.spec import WORD_BYTES, PiumaSpec

if TYPE_CHECKING:
    from archsim.tech import Tech

REGISTERS = 32  # of a thread
CACHE_BYTES = 32 << 10  # of a core: 192 KiB of a block with six (Hot Chips 2023)
PJ_PER_PS_OF_UW = 1e-6
Spec = PiumaSpec | SpecBatch


def _cores(spec: Spec) -> Any:
    return spec.mtcs + spec.stcs


def _memories(spec: Spec, tech: Tech) -> Mapping[str, tuple[Any, Any]]:
    """Return how many there are of each memory, and what one costs."""
    width = 8 * WORD_BYTES
    registers = np.asarray(spec.threads) * REGISTERS * WORD_BYTES
    return {
        "registers": (spec.mtcs, tech.sram(registers, width)),
        "caches": (_cores(spec), tech.sram(CACHE_BYTES, width)),
        "scratchpad": (
            spec.spad_banks, tech.sram(np.asarray(spec.spad_bytes) // spec.spad_banks, width),
        ),
    }  # fmt: skip


def area_um2(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    memories = {part: n * cost.area_um2 for part, (n, cost) in _memories(spec, tech).items()}
    return {"cores": _cores(spec) * tech.lane(8 * WORD_BYTES).area_um2, **memories}


def energy_pj(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    """Return the energy of each action; see `archsim.engines.piuma.timing.actions`."""
    lane, memories = tech.lane(8 * WORD_BYTES), _memories(spec, tech)
    registers, caches, scratchpad = (memories[x][1] for x in ("registers", "caches", "scratchpad"))
    leakage_uw = _cores(spec) * lane.leakage_uw
    leakage_uw = leakage_uw + sum(n * cost.leakage_uw for n, cost in memories.values())
    clock = _cores(spec) * lane.clock_pj
    return {
        "instruction": lane.op_pj + caches.read_pj + 2 * registers.read_pj + registers.write_pj,
        "atomic": scratchpad.read_pj + scratchpad.write_pj,
        "scratchpad_word": scratchpad.read_pj,
        "clock": clock,
        "idle_cycle": clock,
        "leak_ps": leakage_uw * PJ_PER_PS_OF_UW,
    }


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    return Fmax(np.full(np.shape(spec.mtcs), np.inf), "a model: nothing was synthesised")
