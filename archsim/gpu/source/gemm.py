"""Dense products in Triton: C = A B, for every pair of formats that tensor cores multiply."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl

from archsim.gpu.kernel import Shape, Start, Tile

ACCUMULATORS = {torch.int8: torch.int32}  # of operands; all others are summed in fp32
RESULTS = {torch.int8: torch.int32, torch.float8_e4m3fn: torch.float32}  # others: as operands


@triton.jit
def block_of(program, rows, columns, BM: tl.constexpr, BN: tl.constexpr, GROUP: tl.constexpr):
    """Return the block [row, column] of a program; ``GROUP`` rows of blocks share columns in L2."""
    down, across = tl.cdiv(rows, BM), tl.cdiv(columns, BN)
    first = program // (GROUP * across) * GROUP
    height = tl.minimum(down - first, GROUP)
    inside = program % (GROUP * across)
    return first + inside % height, inside // height


@triton.jit
def gemm(
    a, b, c, m, n, k, a_row, a_column, b_row, b_column, c_row, c_column,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr,
    SUM: tl.constexpr, WIDEN: tl.constexpr,
):  # fmt: skip
    block_m, block_n = block_of(tl.program_id(0), m, n, BM, BN, GROUP)
    rows = block_m * BM + tl.arange(0, BM)[:, None]
    columns = block_n * BN + tl.arange(0, BN)[None, :]
    depth = tl.arange(0, BK)
    total = tl.zeros((BM, BN), SUM)
    for first in range(0, k, BK):
        down, across = first + depth[:, None], first + depth[None, :]
        left = tl.load(
            a + rows * a_row + across * a_column, mask=(rows < m) & (across < k), other=0.0
        )
        right = tl.load(
            b + down * b_row + columns * b_column, mask=(down < k) & (columns < n), other=0.0
        )
        if WIDEN:
            left, right = left.to(tl.float32), right.to(tl.float32)
        total = tl.dot(left, right, total, out_dtype=SUM)
    inside = (rows < m) & (columns < n)
    tl.store(c + rows * c_row + columns * c_column, total.to(c.dtype.element_ty), mask=inside)


def launch(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    a, b = operands["a"], operands["b"]
    (m, k), n = a.shape, b.shape[1]
    c = torch.empty((m, n), dtype=RESULTS.get(a.dtype, a.dtype), device=a.device)
    grid = (triton.cdiv(m, tile.sizes["BM"]) * triton.cdiv(n, tile.sizes["BN"]),)
    start(
        gemm, grid, a, b, c, m, n, k, *a.stride(), *b.stride(), *c.stride(),
        SUM=tl.int32 if a.dtype in ACCUMULATORS else tl.float32,
        WIDEN=start.interpreted and a.dtype == torch.bfloat16, **tile.options,
    )  # fmt: skip
    return {"c": c}
