"""Monarch products in Triton: two block-diagonal products with a permutation after each."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl

from archsim.gpu.kernel import Shape, Start, Tile


@triton.jit
def block_diagonal(
    x, w, y, m, n, width, x_block, y_block, y_step,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """Multiply x's parts [m, width], each ``x_block`` behind the last, by blocks [width, width]."""
    block = tl.program_id(1)
    across = tl.cdiv(width, BN)
    rows = tl.program_id(0) // across * BM + tl.arange(0, BM)[:, None]
    columns = tl.program_id(0) % across * BN + tl.arange(0, BN)[None, :]
    depth = tl.arange(0, BK)
    x += block * x_block
    w += block * width * width
    total = tl.zeros((BM, BN), tl.float32)
    for first in range(0, width, BK):
        wide, down = first + depth[None, :], first + depth[:, None]
        left = tl.load(x + rows * n + wide, mask=(rows < m) & (wide < width), other=0.0)
        right = tl.load(
            w + columns * width + down, mask=(down < width) & (columns < width), other=0.0
        )
        total = tl.dot(left, right, total)
    y += rows * n + block * y_block + columns * y_step
    tl.store(y, total.to(tl.float16), mask=(rows < m) & (columns < width))


def launch(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    x, right, left = operands["x"], operands["right"], operands["left"]
    (m, n), q, p = x.shape, right.shape[0], left.shape[0]
    middle, y = torch.empty_like(x), torch.empty_like(x)
    blocks, options = tile.sizes, tile.options

    def grid(width: int, count: int) -> tuple[int, int]:
        return (triton.cdiv(m, blocks["BM"]) * triton.cdiv(width, blocks["BN"]), count)

    # each product writes its results where the other's blocks are rows
    start(block_diagonal, grid(p, q), x, right, middle, m, n, p, p, 1, q, **options)
    start(block_diagonal, grid(q, p), middle, left, y, m, n, q, q, 1, p, **options)
    return {"y": y}
