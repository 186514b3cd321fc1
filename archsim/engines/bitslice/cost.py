"""Area, clock and energy of bit-slice arrays, from fits through syntheses of their RTL."""

from __future__ import annotations

from archsim.engines.bitslice import lockstep_terms
from archsim.engines.gemm.cost import Pricing, Structure

PRICING = Pricing(
    name="a bit-slice array",
    fields=("pe",),
    structures={
        ("laconic",): Structure("bitslice_laconic", lockstep_terms.LACONIC),
        ("bitlet",): Structure("bitslice_bitlet", lockstep_terms.BITLET),
    },
)
