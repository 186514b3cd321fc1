"""Attention in Triton, with scores that never leave the chip: prefill, and decode in splits."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl

from archsim.gpu.kernel import Shape, Start, Tile

LOG2_E = 1.4426950408889634  # powers of two are what the hardware has


@triton.jit
def step(
    total, most, weight, queries, k, v, first, keys, d, scale, rows,
    BN: tl.constexpr, BD: tl.constexpr, MASKED: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    """Take BN keys into a block's sums; ``most`` and ``weight`` are of the scores so far."""
    columns, depth = first + tl.arange(0, BN), tl.arange(0, BD)
    there = (columns[:, None] < keys) & (depth[None, :] < d)
    keys_t = tl.load(k + columns[:, None] * d + depth[None, :], mask=there, other=0.0).T
    scores = tl.dot(queries, keys_t) * scale
    if MASKED:
        allowed = columns[None, :] < keys
        if CAUSAL:
            allowed = allowed & (columns[None, :] <= rows[:, None])
        scores = tl.where(allowed, scores, float("-inf"))
    higher = tl.maximum(most, tl.max(scores, 1))
    shares = tl.exp2(scores - higher[:, None])
    kept = tl.exp2(most - higher)
    values = tl.load(v + columns[:, None] * d + depth[None, :], mask=there, other=0.0)
    total = tl.dot(shares.to(tl.float16), values, total * kept[:, None])
    return total, higher, weight * kept + tl.sum(shares, 1)


@triton.jit
def prefill(
    q, k, v, o, n, d, group, scale,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, CAUSAL: tl.constexpr,
):  # fmt: skip
    block, head = tl.program_id(0), tl.program_id(1)
    rows, depth = block * BM + tl.arange(0, BM), tl.arange(0, BD)
    inside = (rows[:, None] < n) & (depth[None, :] < d)
    place = head * n * d + rows[:, None] * d + depth[None, :]
    k += head // group * n * d
    v += head // group * n * d
    queries = tl.load(q + place, mask=inside, other=0.0)
    total = tl.zeros((BM, BD), tl.float32)
    most = tl.full((BM,), float("-inf"), tl.float32)
    weight = tl.zeros((BM,), tl.float32)
    whole = tl.minimum(block * BM, n) if CAUSAL else n
    whole = whole // BN * BN  # keys of blocks that need no mask
    last = tl.minimum((block + 1) * BM, n) if CAUSAL else n
    for first in range(0, whole, BN):
        total, most, weight = step(
            total, most, weight, queries, k, v, first, n, d, scale, rows, BN, BD, False, CAUSAL
        )
    for first in range(whole, last, BN):
        total, most, weight = step(
            total, most, weight, queries, k, v, first, n, d, scale, rows, BN, BD, True, CAUSAL
        )
    tl.store(o + place, (total / weight[:, None]).to(tl.float16), mask=inside)


def launch_prefill(
    causal: bool, start: Start, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    q, k, v = operands["q"], operands["k"], operands["v"]
    heads, n, d = q.shape
    o = torch.empty_like(q)
    grid = (triton.cdiv(n, tile.sizes["BM"]), heads)
    start(
        prefill, grid, q, k, v, o, n, d, heads // k.shape[0], LOG2_E / d**0.5,
        BD=max(16, triton.next_power_of_2(d)), CAUSAL=causal, **tile.options,
    )  # fmt: skip
    return {"o": o}


def launch_whole(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    return launch_prefill(False, start, operands, tile)


def launch_causal(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    return launch_prefill(True, start, operands, tile)


@triton.jit
def decode(
    q, k, v, lengths, totals, mosts, weights, kv_heads, group, capacity, d, scale,
    BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    head, split = tl.program_id(0), tl.program_id(1)
    rows, depth = tl.arange(0, BM), tl.arange(0, BD)
    inside = (rows[:, None] < group) & (depth[None, :] < d)
    k += head.to(tl.int64) * capacity * d
    v += head.to(tl.int64) * capacity * d
    queries = tl.load(
        q + (head * group + rows[:, None]) * d + depth[None, :], mask=inside, other=0.0
    )
    keys = tl.load(lengths + head // kv_heads)
    share = tl.cdiv(tl.cdiv(keys, SPLITS), BN) * BN
    end = tl.minimum((split + 1) * share, keys)
    total = tl.zeros((BM, BD), tl.float32)
    most = tl.full((BM,), float("-inf"), tl.float32)
    weight = tl.zeros((BM,), tl.float32)
    for first in range(split * share, end, BN):
        total, most, weight = step(
            total, most, weight, queries, k, v, first, end, d, scale, rows, BN, BD, True, False
        )
    place = (head * SPLITS + split) * group + rows
    tl.store(totals + place[:, None] * d + depth[None, :], total, mask=inside)
    tl.store(mosts + place, most, mask=rows < group)
    tl.store(weights + place, weight, mask=rows < group)


@triton.jit
def combine(totals, mosts, weights, o, group, d, SPLITS: tl.constexpr, BD: tl.constexpr):
    head, row = tl.program_id(0), tl.program_id(1)
    splits, depth = tl.arange(0, SPLITS), tl.arange(0, BD)
    place = (head * SPLITS + splits) * group + row
    most = tl.load(mosts + place)
    kept = tl.exp2(most - tl.max(most, 0))
    parts = tl.load(
        totals + place[:, None] * d + depth[None, :], mask=depth[None, :] < d, other=0.0
    )
    total = tl.sum(parts * kept[:, None], 0) / tl.sum(tl.load(weights + place) * kept, 0)
    tl.store(o + (head * group + row) * d + depth, total.to(tl.float16), mask=depth < d)


def launch_decode(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    q, k, v = operands["q"], operands["k"], operands["v"]
    (batch, kv_heads, group, d), capacity = q.shape, k.shape[2]
    splits, width = tile.sizes["SPLITS"], max(16, triton.next_power_of_2(d))
    heads = batch * kv_heads
    totals, mosts, weights = (
        torch.empty((heads, splits, group, *more), dtype=torch.float32, device=q.device)
        for more in ((d,), (), ())
    )
    o = torch.empty_like(q)
    start(
        decode, (heads, splits), q, k, v, operands["lengths"], totals, mosts, weights, kv_heads,
        group, capacity, d, LOG2_E / d**0.5, BM=max(16, triton.next_power_of_2(group)), BD=width,
        **tile.options,
    )  # fmt: skip
    start(combine, (heads, group), totals, mosts, weights, o, group, d, SPLITS=splits, BD=width)
    return {"o": o}
