"""Area, clock and energy of the array of adder trees, from fits through syntheses of its RTL.

Each PE has a table. `archsim.engines.adder_tree.terms` says what fits are made of,
`archsim.engines.adder_tree.study` how they were measured. The accumulator bank comes from the
technology's SRAMs; one of pairs has twice the bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines.adder_tree.terms import TERMS
from archsim.engines.gemm.cost import BANKS, Choices, Pricing, Structure
from archsim.tech.sram import SramCost

if TYPE_CHECKING:
    from archsim.tech import Tech


def accumulators(spec: Any, tech: Tech) -> SramCost:
    """Return one of the SRAMs that the accumulator bank is made of."""
    row_bits = spec.cols * spec.acc_bits * np.where(np.asarray(spec.pe) == "opt1", 2, 1)
    return tech.sram(spec.acc_rows * row_bits / 8 / BANKS, row_bits)


STRUCTURES: Mapping[Choices, Structure] = {
    ("mac", "inferred", "inferred"): Structure("adder_tree", TERMS, accumulators),
    # its Booth rows are there whatever the multiplier
    ("opt1", "inferred", "inferred"): Structure("adder_tree_opt1", TERMS, accumulators),
    ("opt1", "booth", "inferred"): Structure("adder_tree_opt1", TERMS, accumulators),
}
PRICING = Pricing(
    "an array of adder trees", ("pe", "multiplier", "adder"), STRUCTURES, ("depth", "cols")
)
