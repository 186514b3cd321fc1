"""Dense products in Triton: C = A B, for every pair of formats that tensor cores multiply."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl

from archsim.gpu.kernel import Shape, Start, Tile
from archsim.gpu.source.narrow import read, written

RESULTS = {torch.int8: torch.int32, torch.float8_e4m3fn: torch.bfloat16}  # others: as operands
EXACT_STEPS = 128  # products of fp8 that Hopper may sum with 13 bits before fp32 takes over


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
    a, b, c, m, n, k, a_row, b_row, c_row,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr,
    SUM: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    block_m, block_n = block_of(tl.program_id(0), m, n, BM, BN, GROUP)
    rows = block_m * BM + tl.arange(0, BM)[:, None]
    columns = block_n * BN + tl.arange(0, BN)[None, :]
    depth = tl.arange(0, BK)
    total = tl.zeros((BM, BN), SUM)
    for first in range(0, k, BK):
        down, across = first + depth[:, None], first + depth[None, :]
        left = tl.load(a + rows * a_row + across, mask=(rows < m) & (across < k), other=0.0)
        right = tl.load(b + down + columns * b_row, mask=(down < k) & (columns < n), other=0.0)
        total = tl.dot(
            left, right, total, out_dtype=SUM, input_precision="tf32", max_num_imprecise_acc=STEPS
        )
    tl.store(
        c + rows * c_row + columns, total.to(c.dtype.element_ty), mask=(rows < m) & (columns < n)
    )


def launch(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    form = operands["a"].dtype
    a, b = read(start, operands["a"]), read(start, operands["b"])
    (m, k), n, result = a.shape, b.shape[0], RESULTS.get(form, form)
    c = torch.empty((m, n), dtype=written(start, result), device=a.device)
    grid = (triton.cdiv(m, tile.sizes["BM"]) * triton.cdiv(n, tile.sizes["BN"]),)
    start(
        gemm, grid, a, b, c, m, n, k, a.stride(0), b.stride(0), c.stride(0),
        SUM=tl.int32 if form == torch.int8 else tl.float32,
        STEPS=EXACT_STEPS if form == torch.float8_e4m3fn else None,
        **tile.options,
    )  # fmt: skip
    return {"c": c.to(result)}
