"""Formats that Triton's interpreter gets wrong, and how kernels never show them to it.

The interpreter holds bf16 as bits and computes on them, cuts fp32 to bf16 instead of rounding, and
takes the NaN of e4m3 for 480. So where it runs a kernel, operands of these formats are widened to
fp32 before, and results are rounded after. On a GPU they stay what they are: widened there, they
would take another instruction.
"""

from __future__ import annotations

import torch

from archsim.gpu.kernel import Start

NARROW = (torch.bfloat16, torch.float8_e4m3fn)


def read(start: Start, operand: torch.Tensor) -> torch.Tensor:
    """Return an operand as a kernel reads it."""
    return operand.float() if start.interpreted and operand.dtype in NARROW else operand


def written(start: Start, result: torch.dtype) -> torch.dtype:
    """Return the type that a kernel writes a result in; ``launch`` converts it to the result's."""
    return torch.float32 if start.interpreted and result in NARROW else result
