"""Products of packed 4-bit weights in Triton: with fp16, with int8 or int4, and in MXFP4.

Weights are the left operand, so that they go from registers to the tensor cores, and C is stored
transposed. A byte holds two codes of one block of `BLOCK` along k: `j` in the low half and
``j + BLOCK / 2`` in the high half, so that both halves of a loaded tile are operands as they come.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl

from archsim.gpu.kernel import Shape, Start, Tile
from archsim.gpu.source.gemm import block_of

BLOCK = tl.constexpr(128)  # elements along k that share a scale
HALF = tl.constexpr(64)


@triton.jit
def from_code(code):
    """Return codes 0 to 15 as fp16 numbers -8 to 7, without a conversion.

    With the bits of 1024 above it, a code is the number 1024 + code.
    """
    return ((code.to(tl.uint16) | 0x6400).to(tl.float16, bitcast=True) - 1032.0).to(tl.float16)


@triton.jit
def w4a16(x, w, scales, c, m, n, k, BM: tl.constexpr, BN: tl.constexpr, GROUP: tl.constexpr):
    block_n, block_m = block_of(tl.program_id(0), n, m, BN, BM, GROUP)
    rows = block_n * BN + tl.arange(0, BN)
    columns = block_m * BM + tl.arange(0, BM)
    half = tl.arange(0, HALF)
    from_x = x + columns[None, :] * k + half[:, None]
    from_w = w + rows[:, None] * (k // 2) + half[None, :]
    total = tl.zeros((BN, BM), tl.float32)
    for block in range(0, k // BLOCK):
        codes = tl.load(from_w, mask=rows[:, None] < n, other=0)
        low = tl.load(from_x, mask=columns[None, :] < m, other=0.0)
        high = tl.load(from_x + HALF, mask=columns[None, :] < m, other=0.0)
        scale = tl.load(scales + block * n + rows, mask=rows < n, other=0.0)
        part = tl.dot(from_code(codes & 15), low)
        part = tl.dot(from_code(codes >> 4), high, part)
        total += part * scale[:, None].to(tl.float32)
        from_x += BLOCK
        from_w += HALF
    inside = (rows[:, None] < n) & (columns[None, :] < m)
    tl.store(c + columns[None, :] * n + rows[:, None], total.to(tl.float16), mask=inside)


def launch_w4a16(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    x, w = operands["x"], operands["w"]
    (m, k), n = x.shape, w.shape[0]
    c = torch.empty((m, n), dtype=torch.float16, device=x.device)
    grid = (triton.cdiv(m, tile.sizes["BM"]) * triton.cdiv(n, tile.sizes["BN"]),)
    start(w4a16, grid, x, w, operands["scales"], c, m, n, k, **tile.options)
    return {"c": c}


@triton.jit
def low_half(codes):
    """Return the low halves of bytes as signed numbers."""
    return ((codes << 4).to(tl.int8)) >> 4


@triton.jit
def w4ax(
    x8, x4, w, x_scales, w_scales, c, m, n, k8, k4,
    BM: tl.constexpr, BN: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    block_n, block_m = block_of(tl.program_id(0), n, m, BN, BM, GROUP)
    rows = block_n * BN + tl.arange(0, BN)
    columns = block_m * BM + tl.arange(0, BM)
    half = tl.arange(0, HALF)
    blocks = (k8 + k4) // BLOCK
    from_w = w + rows[:, None] * ((k8 + k4) // 2) + half[None, :]
    from_w_scales, from_x_scales = w_scales + rows, x_scales + columns
    total = tl.zeros((BN, BM), tl.float32)
    from_x = x8 + columns[None, :] * k8 + half[:, None]
    for block in range(0, k8 // BLOCK):
        codes = tl.load(from_w, mask=rows[:, None] < n, other=0)
        low = tl.load(from_x, mask=columns[None, :] < m, other=0)
        high = tl.load(from_x + HALF, mask=columns[None, :] < m, other=0)
        part = tl.dot(low_half(codes), low, out_dtype=tl.int32)
        part = tl.dot(codes >> 4, high, part, out_dtype=tl.int32)
        w_scale = tl.load(from_w_scales + block * n, mask=rows < n, other=0.0)
        x_scale = tl.load(from_x_scales + block * m, mask=columns < m, other=0.0)
        total += part.to(tl.float32) * (w_scale[:, None] * x_scale[None, :])
        from_x += BLOCK
        from_w += HALF
    from_x = x4 + columns[None, :] * (k4 // 2) + half[:, None]
    for block in range(k8 // BLOCK, blocks):
        codes = tl.load(from_w, mask=rows[:, None] < n, other=0)
        others = tl.load(from_x, mask=columns[None, :] < m, other=0)
        part = tl.dot(low_half(codes), low_half(others), out_dtype=tl.int32)
        part = tl.dot(codes >> 4, others >> 4, part, out_dtype=tl.int32)
        w_scale = tl.load(from_w_scales + block * n, mask=rows < n, other=0.0)
        x_scale = tl.load(from_x_scales + block * m, mask=columns < m, other=0.0)
        total += part.to(tl.float32) * (w_scale[:, None] * x_scale[None, :])
        from_x += HALF
        from_w += HALF
    inside = (rows[:, None] < n) & (columns[None, :] < m)
    tl.store(c + columns[None, :] * n + rows[:, None], total.to(tl.float16), mask=inside)


def launch_w4ax(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    x8, x4, w = operands["x8"], operands["x4"], operands["w"]
    (m, k8), k4, n = x8.shape, 2 * x4.shape[1], w.shape[0]
    c = torch.empty((m, n), dtype=torch.float16, device=x8.device)
    grid = (triton.cdiv(m, tile.sizes["BM"]) * triton.cdiv(n, tile.sizes["BN"]),)
    start(
        w4ax, grid, x8, x4, w, operands["x_scales"], operands["w_scales"], c, m, n, k8, k4,
        **tile.options,
    )  # fmt: skip
    return {"c": c}


@triton.jit
def mxfp4(
    a, a_scales, b, b_scales, c, m, n, k,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    block_m, block_n = block_of(tl.program_id(0), m, n, BM, BN, GROUP)
    rows = block_m * BM + tl.arange(0, BM)
    columns = block_n * BN + tl.arange(0, BN)
    pairs, shared = tl.arange(0, BK // 2), tl.arange(0, BK // 32)
    total = tl.zeros((BM, BN), tl.float32)
    for first in range(0, k, BK):
        across, down = first // 2 + pairs[None, :], first // 2 + pairs[:, None]
        scaled = first // 32 + shared[None, :]
        left = tl.load(
            a + rows[:, None] * (k // 2) + across,
            mask=(rows[:, None] < m) & (across < k // 2), other=0,
        )  # fmt: skip
        right = tl.load(
            b + columns[None, :] * (k // 2) + down,
            mask=(columns[None, :] < n) & (down < k // 2), other=0,
        )  # fmt: skip
        left_scale = tl.load(
            a_scales + rows[:, None] * (k // 32) + scaled,
            mask=(rows[:, None] < m) & (scaled < k // 32), other=127,
        )  # fmt: skip
        right_scale = tl.load(
            b_scales + columns[:, None] * (k // 32) + scaled,
            mask=(columns[:, None] < n) & (scaled < k // 32), other=127,
        )  # fmt: skip
        total = tl.dot_scaled(left, left_scale, "e2m1", right, right_scale, "e2m1", total)
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    tl.store(c + rows[:, None] * n + columns[None, :], total, mask=inside)


def launch_mxfp4(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    a, b = operands["a"], operands["b"]
    m, n, k = a.shape[0], b.shape[0], 2 * a.shape[1]
    c = torch.empty((m, n), dtype=torch.float32, device=a.device)
    grid = (triton.cdiv(m, tile.sizes["BM"]) * triton.cdiv(n, tile.sizes["BN"]),)
    start(mxfp4, grid, a, operands["a_scales"], b, operands["b_scales"], c, m, n, k, **tile.options)
    return {"c": c}
