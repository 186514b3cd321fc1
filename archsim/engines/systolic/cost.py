"""Area, clock and energy of the systolic array, from fits through syntheses of its RTL.

ws and is are one design and share tables. `archsim.engines.systolic.terms` and `stationary_terms`
say what fits are made of, `archsim.engines.systolic.study` and `stationary_study` how they were
measured. The accumulator bank of ws and is comes from the technology's SRAMs.
"""

from __future__ import annotations

from typing import get_args

from archsim.engines.gemm.cost import Choices, Pricing, Structure, accumulators
from archsim.engines.systolic import stationary_terms, terms
from archsim.hdl import Adder, Multiplier
from archsim.tech.table import CostTerms


def _stationary(dataflow: str, table: str, its: CostTerms) -> Structure:
    return Structure(table, its, accumulators, stationary_terms.BEATS[dataflow])


INFERRED = ("mac", "inferred", "inferred")  # PE, multiplier, adder
STRUCTURES: dict[Choices, Structure] = {
    ("os", "int", *INFERRED): Structure("systolic", terms.INTEGER),
    ("os", "bf16", *INFERRED): Structure("systolic_bf16", terms.BF16),
    ("ws", "int", *INFERRED): _stationary("ws", "systolic_stationary", stationary_terms.INTEGER),
    ("ws", "bf16", *INFERRED): _stationary("ws", "systolic_stationary_bf16", stationary_terms.BF16),
    ("is", "int", *INFERRED): _stationary("is", "systolic_stationary", stationary_terms.INTEGER),
    ("is", "bf16", *INFERRED): _stationary("is", "systolic_stationary_bf16", stationary_terms.BF16),
}
STRUCTURES |= {  # opt1 has Booth rows whatever the multiplier
    ("os", "int", "opt1", multiplier, adder): Structure("systolic_opt1", terms.OPT1)
    for multiplier in get_args(Multiplier)
    for adder in get_args(Adder)
}
STRUCTURES |= {
    (dataflow, "int", "opt1", multiplier, "inferred"): _stationary(
        dataflow, "systolic_stationary_opt1", stationary_terms.OPT1
    )
    for dataflow in ("ws", "is")
    for multiplier in get_args(Multiplier)
}
PRICING = Pricing(
    "a systolic array", ("dataflow", "numbers", "pe", "multiplier", "adder"), STRUCTURES
)
area_um2, fmax_mhz, energy_pj = PRICING.area_um2, PRICING.fmax_mhz, PRICING.energy_pj
