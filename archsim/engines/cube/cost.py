"""Area, clock and energy of the cube, from fits through syntheses of its RTL.

`archsim.engines.cube.terms` says what fits are made of, `archsim.engines.cube.study` how they were
measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from archsim.engines.cube import terms
from archsim.engines.gemm.cost import Choices, Pricing, Structure
from archsim.hdl import Adder, Multiplier

STRUCTURES: Mapping[Choices, Structure] = {
    ("mac", "inferred", "inferred"): Structure("cube", terms.MAC),
    # opt1 has Booth rows whatever the multiplier
    **{
        ("opt1", multiplier, adder): Structure("cube_opt1", terms.OPT1)
        for multiplier in get_args(Multiplier)
        for adder in get_args(Adder)
    },
}
PRICING = Pricing("a cube", ("pe", "multiplier", "adder"), STRUCTURES, ("rows", "cols", "depth"))
area_um2, fmax_mhz, energy_pj = PRICING.area_um2, PRICING.fmax_mhz, PRICING.energy_pj
