"""Products with packed weights in Triton: loaded as they are kept, and computed on dense.

Weights are the left operand, and C is stored transposed, as with 4-bit weights. A program unpacks
blocks of rows by where each number of the dense block lies among those that are kept, and loads
only these. Triton can neither scatter into shared memory nor use sparse tensor instructions;
`archsim.gpu.cuda` can.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl

from archsim.gpu.kernel import Shape, Start, Tile
from archsim.gpu.source.bits import ones
from archsim.gpu.source.gemm import block_of

WORD = tl.constexpr(32)


@triton.jit
def masked(
    x, masks, starts, kept, c, m, n, k, words,
    BM: tl.constexpr, BN: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    block_n, block_m = block_of(tl.program_id(0), n, m, BN, BM, GROUP)
    rows = block_n * BN + tl.arange(0, BN)
    columns = block_m * BM + tl.arange(0, BM)
    depth = tl.arange(0, WORD)
    below = ((tl.full((WORD,), 1, tl.uint32) << depth.to(tl.uint32)) - 1)[None, :]
    first = tl.load(starts + rows, mask=rows < n, other=0)
    total = tl.zeros((BN, BM), tl.float32)
    for word in range(0, words):
        mask = tl.load(masks + rows * words + word, mask=rows < n, other=0).to(tl.uint32)
        there = ((mask[:, None] >> depth[None, :].to(tl.uint32)) & 1) != 0
        place = first[:, None] + ones(mask[:, None] & below)
        weights = tl.load(kept + place, mask=there, other=0.0)
        down = word * WORD + depth[:, None]
        right = tl.load(
            x + columns[None, :] * k + down, mask=(columns[None, :] < m) & (down < k), other=0.0
        )
        total = tl.dot(weights, right, total)
        first += ones(mask)
    inside = (rows[:, None] < n) & (columns[None, :] < m)
    tl.store(c + columns[None, :] * n + rows[:, None], total.to(tl.float16), mask=inside)


def launch_masked(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    x, masks = operands["x"], operands["masks"]
    (m, k), (n, words) = x.shape, masks.shape
    c = torch.empty((m, n), dtype=torch.float16, device=x.device)
    grid = (triton.cdiv(m, tile.sizes["BM"]) * triton.cdiv(n, tile.sizes["BN"]),)
    start(
        masked, grid, x, masks, operands["starts"], operands["kept"], c, m, n, k, words,
        **tile.options,
    )  # fmt: skip
    return {"c": c}


@triton.jit
def two_of_four(
    x, kept, places, c, m, n, k,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    block_n, block_m = block_of(tl.program_id(0), n, m, BN, BM, GROUP)
    rows = (block_n * BN + tl.arange(0, BN))[:, None]
    columns = block_m * BM + tl.arange(0, BM)
    depth = tl.arange(0, BK)
    total = tl.zeros((BN, BM), tl.float32)
    for start in range(0, k, BK):
        across = start + depth[None, :]
        inside = (rows < n) & (across < k)
        four = across // 4
        pair = tl.load(kept + rows * (k // 4) + four, mask=inside, other=0).to(tl.uint32)
        field = tl.load(places + rows * (k // 16) + across // 16, mask=inside, other=0)
        both = field.to(tl.int32) >> (four % 4 * 4)  # two bits each
        at = across % 4
        bits = tl.where(at == ((both >> 2) & 3), pair >> 16, 0)
        bits = tl.where(at == (both & 3), pair & 0xFFFF, bits)
        weights = bits.to(tl.uint16).to(tl.float16, bitcast=True)
        down = start + depth[:, None]
        right = tl.load(
            x + columns[None, :] * k + down, mask=(columns[None, :] < m) & (down < k), other=0.0
        )
        total = tl.dot(weights, right, total)
    here = (rows < n) & (columns[None, :] < m)
    tl.store(c + columns[None, :] * n + rows, total.to(tl.float16), mask=here)


def launch_two_of_four(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    x, kept = operands["x"], operands["kept"].view(torch.int32)  # both of four in a word
    (m, k), n = x.shape, kept.shape[0]
    c = torch.empty((m, n), dtype=torch.float16, device=x.device)
    grid = (triton.cdiv(m, tile.sizes["BM"]) * triton.cdiv(n, tile.sizes["BN"]),)
    start(two_of_four, grid, x, kept, operands["places"], c, m, n, k, **tile.options)
    return {"c": c}
