"""Products of bipolar integers of any widths in Triton, by counting bits that differ.

Tensor cores' products of bits are out of Triton's reach (`archsim.gpu.cuda` has them), so bits are
counted on the CUDA cores, a word of 32 at a time. All pairs of planes of a block are added up in
registers, and C is written once.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl

from archsim.gpu.kernel import Shape, Start, Tile
from archsim.gpu.source.bits import ones
from archsim.gpu.source.gemm import block_of


@triton.jit
def bipolar(
    w, x, c, m, n, k, p, q, words, BM: tl.constexpr, BN: tl.constexpr, GROUP: tl.constexpr
):  # fmt: skip
    block_m, block_n = block_of(tl.program_id(0), m, n, BM, BN, GROUP)
    rows = block_m * BM + tl.arange(0, BM)
    columns = block_n * BN + tl.arange(0, BN)
    total = tl.zeros((BM, BN), tl.int32)
    for i in range(0, p):
        for j in range(0, q):
            different = tl.zeros((BM, BN), tl.int32)
            for word in range(0, words):
                left = tl.load(w + (i * words + word) * m + rows, mask=rows < m, other=0)
                right = tl.load(x + (j * words + word) * n + columns, mask=columns < n, other=0)
                left, right = left.to(tl.uint32), right.to(tl.uint32)
                different += ones(left[:, None] ^ right[None, :])
            total += different << (i + j)
    result = ((1 << p) - 1) * ((1 << q) - 1) * k - 2 * total
    inside = (rows[:, None] < m) & (columns[None, :] < n)
    tl.store(c + rows[:, None] * n + columns[None, :], result, mask=inside)


def launch(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    w, x = operands["w"], operands["x"]
    (p, words, m), (q, _, n) = w.shape, x.shape
    c = torch.empty((m, n), dtype=torch.int32, device=w.device)
    grid = (triton.cdiv(m, tile.sizes["BM"]) * triton.cdiv(n, tile.sizes["BN"]),)
    start(bipolar, grid, w, x, c, m, n, shape["k"], p, q, words, **tile.options)
    return {"c": c}
