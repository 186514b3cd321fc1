"""Fields that specs of engines with multiply-accumulate PEs share: how a PE computes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from archsim.hdl import Adder, Multiplier, Pe

PeField = Annotated[
    Pe, Field(description="carries of a sum propagate with every product (mac), or once (opt1)")
]
MultiplierField = Annotated[
    Multiplier, Field(description="of mac PEs: left to synthesis, or Booth rows; opt1 has Booth's")
]
AdderField = Annotated[
    Adder, Field(description="carry-propagate adders: of the PEs (mac), of the lanes (opt1)")
]
