"""Attention with fp16 operands and sums in fp32: prefill of n tokens, and decode of one token.

``group`` query heads share a head of keys and values. Decode cuts each cache into splits, one
program each, and combines them in a second function; caches have lengths of their own.
"""

from __future__ import annotations

from functools import partial
from typing import cast

import numpy as np

from archsim.gpu.draws import drawn, picked
from archsim.gpu.kernel import Draw, Extent, Kernel, Shape, Tile, Work
from archsim.gpu.tensor_cores import dot_instructions
from archsim.gpu.values import Array, Expected, Operands, decode
from archsim.trace import VECTOR_PASSES, Op, Role, Tensor, Trace

SPLITS = 16


def draw_prefill(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    kv_heads, group, n, d = (shape[name] for name in ("kv_heads", "group", "n", "d"))
    return {
        "q": drawn_scores(rng, (kv_heads * group, n, d), values),
        "k": drawn_scores(rng, (kv_heads, n, d), values),
        "v": drawn_values(rng, (kv_heads, n, d), values),
    }


def draw_decode(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    names = ("batch", "kv_heads", "group", "length", "d")
    batch, kv_heads, group, length, d = (shape[name] for name in names)
    return {
        "q": drawn_scores(rng, (batch, kv_heads, group, d), values),
        "k": drawn_scores(rng, (batch, kv_heads, length, d), values),
        "v": drawn_values(rng, (batch, kv_heads, length, d), values),
        "lengths": rng.integers(length - length // 4, length + 1, batch).astype(np.int32),
    }


def drawn_scores(rng: np.random.Generator, shape: tuple[int, ...], values: Draw) -> Array:
    """Draw queries or keys; extreme ones are small enough that a score has digits left."""
    if values == "extreme":
        return picked(rng, shape, (0.0, 2.0**-24, 2.0**-14, 4.0))
    return drawn(rng, shape, "fp16", values)


def drawn_values(rng: np.random.Generator, shape: tuple[int, ...], values: Draw) -> Array:
    """Draw values; none is infinite or NaN, as tiles would pass it on to masked rows."""
    return drawn(rng, shape, "fp16", "normal" if values == "special" else values)


def attend(q: Array, k: Array, v: Array, allowed: Array, unit: float) -> Expected:
    """Return softmax(Q K' / sqrt(d)) V of float64 arrays [..., n, d], and how far off it may be.

    A score errs by d + 2 steps of accumulation. A share e^s errs by that, by 2^-21 of `exp2`, and,
    as it enters the product with V, by half a digit of fp16, or of its least subnormal number.
    The sum over keys errs by a step for each. Results lie among the values whatever shares are.
    """
    d, keys = q.shape[-1], k.shape[-2]
    with np.errstate(invalid="ignore", over="ignore"):
        k_t = np.swapaxes(k, -1, -2)
        scores = np.where(allowed, q @ k_t / np.sqrt(d), -np.inf)
        terms = np.where(allowed, np.abs(q) @ np.abs(k_t) / np.sqrt(d), 0.0)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        weight = shares.sum(-1, keepdims=True)
        of_score = (d + 2) * unit * terms.max(-1, keepdims=True)
        of_share = np.expm1(2 * of_score) + 2.0**-11 + 2.0**-20 + 2 * (keys + 2) * unit
        sizes = np.abs(v)
        error = of_share * (shares / weight @ sizes) * 2 + 2.0**-24 * (allowed @ sizes)
        return Expected(shares / weight @ v, np.minimum(error, 2 * sizes.max(-2, keepdims=True)))


def oracle_prefill(
    causal: bool, shape: Shape, operands: Operands, unit: float
) -> dict[str, Expected]:
    q, k, v = (decode(operands[name], "fp16") for name in ("q", "k", "v"))
    allowed = np.ones((q.shape[1], k.shape[1]), bool)
    allowed = np.tril(allowed) if causal else allowed
    groups = np.arange(len(q)) // shape["group"]
    # head by head: scores of all of them may be more than there is memory
    heads = [attend(q[i], k[of], v[of], allowed, unit) for i, of in enumerate(groups)]
    values, errors = (np.stack(list(parts)) for parts in zip(*map(_parts, heads), strict=True))
    return {"o": Expected(values, errors)}


def _parts(expected: Expected) -> tuple[Array, Array]:
    return expected.value, np.broadcast_to(expected.error, expected.value.shape)


def oracle_decode(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    q, k, v = (decode(operands[name], "fp16") for name in ("q", "k", "v"))
    allowed = np.arange(k.shape[2]) < operands["lengths"][:, None, None, None]
    return {"o": attend(q, k, v, allowed, unit)}


def work_prefill(causal: bool, shape: Shape) -> Work:
    kv_heads, group, n, d = (shape[name] for name in ("kv_heads", "group", "n", "d"))
    pairs = n * (n + 1) // 2 if causal else n * n
    return Work(4 * kv_heads * group * pairs * d, 2 * 2 * kv_heads * (group + 1) * n * d)


def work_decode(shape: Shape) -> Work:
    heads = shape["batch"] * shape["kv_heads"]
    group, length, d = shape["group"], shape["length"], shape["d"]
    return Work(4 * heads * group * length * d, 2 * heads * d * (2 * length + 2 * group))


def trace_prefill(shape: Shape) -> Trace:
    kv_heads, group, n, d = (shape[name] for name in ("kv_heads", "group", "n", "d"))
    return attention_trace(group * n, n, d, kv_heads)


def trace_decode(shape: Shape) -> Trace:
    """Return decode with every cache as long as it may be."""
    heads = shape["batch"] * shape["kv_heads"]
    return attention_trace(shape["group"], shape["length"], shape["d"], heads)


def attention_trace(rows: int, keys: int, d: int, heads: int) -> Trace:
    """Return attention as traces have it: two products for each key head, a softmax in between."""
    shapes = {
        "q": (rows, d, "input"), "k": (d, keys, "input"), "scores": (rows, keys, "activation"),
        "shares": (rows, keys, "activation"), "v": (keys, d, "input"), "o": (rows, d, "output"),
    }  # fmt: skip
    tensors = {
        name: Tensor(name, (across, heads * down), "fp16", cast("Role", role))
        for name, (across, down, role) in shapes.items()
    }
    work = VECTOR_PASSES["softmax"] * rows * keys * heads
    ops = (
        Op("scores", "gemm", ("q", "k"), ("scores",), _product(rows, keys, d, heads), ("scale",)),
        Op("softmax", "vector", ("scores",), ("shares",), {"function": "softmax", "work": work}),
        Op("context", "gemm", ("shares", "v"), ("o",), _product(rows, d, keys, heads)),
    )
    return Trace("attention", tensors, ops)


def _product(m: int, n: int, k: int, groups: int) -> dict[str, int]:
    return {"m": m, "n": n, "k": k, "groups": groups}


def tile_prefill(target: str) -> Tile:
    keys = 64 if target in ("sm_90", "sm_100") else 32  # where sums lie in registers of warps
    return Tile({"BM": 128, "BN": keys}, warps=8, stages=1 if target == "sm_120" else 2)


def instructions_prefill(target: str, tile: Tile) -> dict[str, int]:
    """Return those of two products a step, in the loop without a mask and in the one with it."""
    return _both(target, tile.sizes["BM"], tile.sizes["BN"], SMALL_D, tile.warps, 2)


def tile_decode(target: str) -> Tile:
    return Tile({"BN": 64, "SPLITS": SPLITS}, warps=4, stages=3)


def instructions_decode(target: str, tile: Tile) -> dict[str, int]:
    return _both(target, 16, tile.sizes["BN"], SMALL_D, tile.warps, 1)


def _both(target: str, m: int, n: int, d: int, warps: int, loops: int) -> dict[str, int]:
    # loops of tcgen05.mma are peeled at the end, and at the head begin with scores alone
    scores = dot_instructions(target, m, n, d, "fp16", warps, copies=3)
    sums = dot_instructions(target, m, d, n, "fp16", warps, copies=2)
    return {name: loops * (count + sums[name]) for name, count in scores.items()}


SMALL_D = 128
HEADS = {"kv_heads": Extent(8, 2, (1, 2)), "group": Extent(4, 4, (1, 3))}
WIDTH = {"d": Extent(128, SMALL_D, (8, 128), step=8, least=8, most=256)}


def _prefill(name: str, what: str, causal: bool) -> Kernel:
    return Kernel(
        name=name, computes=f"{what} attention of n tokens, group query heads a key head, in fp16",
        formats={"q": "fp16", "k": "fp16", "v": "fp16", "o": "fp16"},
        extents={**HEADS, "n": Extent(4096, 256, (1, 200)), **WIDTH},
        draw=draw_prefill, oracle=partial(oracle_prefill, causal),
        work=partial(work_prefill, causal),
        source=f"archsim.gpu.source.attention:launch_{'causal' if causal else 'whole'}",
        tile=tile_prefill, instructions=instructions_prefill,
        trace=None if causal else trace_prefill,  # traces leave no product of a mask out
    )  # fmt: skip


KERNELS = (
    _prefill("attention", "whole", False),
    _prefill("attention_causal", "causal", True),
    Kernel(
        name="attention_decode",
        computes="attention of one token over caches of lengths of their own, in fp16",
        formats={"q": "fp16", "k": "fp16", "v": "fp16", "lengths": "int32", "o": "fp16"},
        extents={
            "batch": Extent(16, 2, (1, 3)), "kv_heads": Extent(8, 2, (1, 2)),
            "group": Extent(4, 4, (1, 8), most=64), "length": Extent(4096, 512, (1, 400)), **WIDTH,
        },
        draw=draw_decode, oracle=oracle_decode, work=work_decode,
        source="archsim.gpu.source.attention:launch_decode",
        tile=tile_decode, instructions=instructions_decode, trace=trace_decode,
    ),
)  # fmt: skip
