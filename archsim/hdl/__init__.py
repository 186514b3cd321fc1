"""Hardware that engines share, and the ways out of it: Verilog, synthesis."""

from __future__ import annotations

from typing import Literal

# carries one place at a time, in log2(width) steps, or as synthesis chooses
Adder = Literal["inferred", "ripple", "prefix"]
Multiplier = Literal["inferred", "booth"]  # as synthesis chooses, or radix-4 Booth rows and a tree
# carries of a sum propagate with every product (mac), or once an output (opt1)
Pe = Literal["mac", "opt1"]
