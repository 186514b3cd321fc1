"""Number formats, bit-true in NumPy: what an engine's values mean and how they are rounded."""

from __future__ import annotations

from typing import Literal

Numbers = Literal["int", "bf16"]  # of operands: two's complement, or bfloat16 summed in fp32
