"""Area, clock and energy of the array of adder trees, from fits through syntheses of its RTL.

Each PE has a table. `archsim.engines.adder_tree.terms` says what fits are made of,
`archsim.engines.adder_tree.study` how they were measured. The accumulator bank comes from the
technology's SRAMs; one of pairs has twice the bits.
"""

from __future__ import annotations

from typing import get_args

from archsim.engines.adder_tree.terms import TERMS
from archsim.engines.gemm.cost import Choices, Pricing, Structure, accumulators
from archsim.hdl import Multiplier

STRUCTURES: dict[Choices, Structure] = {
    ("mac", "inferred", "inferred"): Structure("adder_tree", TERMS, accumulators),
}
STRUCTURES |= {  # opt1 has Booth rows whatever the multiplier
    ("opt1", multiplier, "inferred"): Structure("adder_tree_opt1", TERMS, accumulators)
    for multiplier in get_args(Multiplier)
}
PRICING = Pricing(
    "an array of adder trees", ("pe", "multiplier", "adder"), STRUCTURES, ("depth", "cols")
)
