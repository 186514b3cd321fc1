"""Fields that specs of engines with multiply-accumulate PEs share: widths, how a PE computes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from archsim.hdl import Adder, Multiplier, Pe

ActivationBits = Annotated[int, Field(ge=2, le=16, description="bits of an activation")]
WeightBits = Annotated[int, Field(ge=2, le=16, description="bits of a weight")]
SumBits = Annotated[int, Field(ge=4, le=64, description="bits of a sum")]
PeField = Annotated[
    Pe, Field(description="carries of a sum propagate with every product (mac), or once (opt1)")
]
MultiplierField = Annotated[
    Multiplier, Field(description="of mac PEs: left to synthesis, or Booth rows; opt1 has Booth's")
]
AdderField = Annotated[
    Adder, Field(description="carry-propagate adders: of the PEs (mac), of the lanes (opt1)")
]


def check_sum_bits(spec: Any) -> None:
    """Raise `ValueError` unless sums of a spec hold a product."""
    product_bits = spec.a_bits + spec.b_bits
    if spec.acc_bits < product_bits:
        raise ValueError(
            f"acc_bits must be at least a_bits + b_bits = {product_bits}, not {spec.acc_bits}"
        )
