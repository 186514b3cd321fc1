"""Area, clock and energy as published: the die, its boost clock, the board's power limit.

Energy is an upper bound: the whole power limit for as long as kernels run or wait for memory, idle
power before they are launched. Both are of the chip with all of its memories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax
from archsim.engines.gpu.numbers import Spec

if TYPE_CHECKING:
    from archsim.tech import Tech

UM2_PER_MM2 = 1e6
PJ_PER_W_US = 1e6


def area_um2(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    return {"die": np.asarray(spec.die_mm2) * UM2_PER_MM2}


def energy_pj(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    """Return the energy of each action; see `archsim.engines.gpu.timing.actions`.

    A cycle without a job is one in which memory is waited for, so it costs as much as one with.
    """
    cycle_us = 1 / np.asarray(spec.mhz, float)
    at_limit = np.asarray(spec.board_w) * cycle_us * PJ_PER_W_US
    idle = np.asarray(spec.idle_w) * cycle_us * PJ_PER_W_US
    return {"kernel_cycle": at_limit, "launch_cycle": idle, "idle_cycle": at_limit}


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    return Fmax(np.full(np.shape(spec.sms), np.inf), "a boost clock; nothing was synthesised")
