"""Hardware that engines share, and the ways out of it: Verilog, synthesis."""

from __future__ import annotations

from typing import Literal

Adder = Literal["ripple", "prefix"]  # carries one place at a time, or in log2(width) steps
