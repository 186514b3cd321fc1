"""Operands as torch tensors, and results as they lie in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from archsim.gpu.kernel import Kernel
from archsim.gpu.values import PATTERNS, Array, Operands

STORED = {torch.bfloat16: torch.uint16, torch.float8_e4m3fn: torch.uint8}


def to_torch(kernel: Kernel, operands: Operands, device: Any) -> dict[str, torch.Tensor]:
    """Return operands as tensors; on device ``meta`` they have shapes and types, and no values."""
    tensors = {}
    for name, array in operands.items():
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if (pattern := PATTERNS.get(kernel.formats[name])) is not None:
            tensor = tensor.view(getattr(torch, pattern))
        tensors[name] = tensor.to(device)
    return tensors


def from_torch(results: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """Return results as they lie in memory."""
    return {
        name: tensor.view(STORED.get(tensor.dtype, tensor.dtype)).cpu().numpy()
        for name, tensor in results.items()
    }
