"""Area, clock and energy of the 2D-matrix array, from fits through syntheses of its RTL.

`archsim.engines.matrix2d.terms` says what fits are made of, `archsim.engines.matrix2d.study` how
they were measured. The bank in which the passes of opt2 meet comes from the technology's SRAMs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from archsim.engines import SpecBatch
from archsim.engines.gemm.cost import BANKS, Choices, Pricing, Structure
from archsim.engines.matrix2d import terms
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.hdl import Adder, Multiplier
from archsim.tech.sram import SramCost

if TYPE_CHECKING:
    from archsim.tech import Tech


def bank(spec: Matrix2dSpec | SpecBatch, tech: Tech) -> SramCost:
    """Return one of the SRAMs that the bank of an opt2 array is made of: a row for each of PEs."""
    row_bits = spec.cols * spec.acc_bits
    return tech.sram(spec.rows * row_bits / 8 / BANKS, row_bits)


STRUCTURES: Mapping[Choices, Structure] = {
    ("mac", "booth", "prefix"): Structure("matrix2d", terms.MAC),
    ("mac", "inferred", "inferred"): Structure("matrix2d", terms.MAC),
    # the others have Booth digits whatever the multiplier
    **{
        (pe, multiplier, adder): its
        for pe, its in (
            ("opt1", Structure("matrix2d_opt1", terms.OPT1)),
            ("opt2", Structure("matrix2d_opt2", terms.OPT2, bank)),
        )
        for multiplier in get_args(Multiplier)
        for adder in get_args(Adder)
    },
}
PRICING = Pricing("a 2D-matrix array", ("pe", "multiplier", "adder"), STRUCTURES)
area_um2, fmax_mhz, energy_pj = PRICING.area_um2, PRICING.fmax_mhz, PRICING.energy_pj
