"""Products of bipolar integers of p and q bits, as planes of bits (`archsim.formats.bipolar`).

Planes lie [bits, words, rows], 32 bits of k a word, so that neighbouring rows are loaded together.
"""

from __future__ import annotations

import numpy as np

from archsim.formats import bipolar
from archsim.gpu.kernel import Draw, Extent, Kernel, Shape, Tile, Work
from archsim.gpu.values import Array, Expected, Operands

WIDTHS = (("w", "m", "p"), ("x", "n", "q"))  # operand, its rows and its bits


def planes(codes: Array, bits: int) -> Array:
    """Return the planes of codes [rows, k] as they lie in memory: [bits, words, rows]."""
    words = bipolar.packed_planes(codes, bits).swapaxes(1, 2)
    return np.ascontiguousarray(words).view(np.int32)


def codes(stored: Array, k: int) -> Array:
    """Return the codes [rows, k] that planes hold."""
    words = np.ascontiguousarray(stored.view("<u4").swapaxes(1, 2))
    bits = np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")[..., :k]
    weights = 1 << np.arange(len(stored)).reshape(-1, 1, 1)
    found: Array = (bits.astype(np.int64) * weights).sum(axis=0)
    return found


def draw(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    drawn = {}
    for name, rows, width in WIDTHS:
        top = (1 << shape[width]) - 1
        size = (shape[rows], shape["k"])
        match values:
            case "zeros":  # there is no zero: the least of all
                whole = np.zeros(size, np.int64)
            case "extreme" | "special":
                whole = rng.choice([0, top], size)
            case _:
                whole = rng.integers(0, top + 1, size)
        drawn[name] = planes(whole, shape[width])
    return drawn


def oracle(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    w, x = (
        bipolar.to_values(codes(operands[name], shape["k"]), shape[width])
        for name, _, width in WIDTHS
    )
    return {"c": Expected(w @ x.T)}


def work(shape: Shape) -> Work:
    m, n, k, p, q = (shape[name] for name in ("m", "n", "k", "p", "q"))
    return Work(2 * m * n * k, (p * m + q * n) * -(-k // 32) * 4 + 4 * m * n)


def tile(target: str) -> Tile:
    return Tile({"BM": 64, "BN": 64, "GROUP": 8}, warps=4, stages=2)


def instructions(target: str, tile: Tile) -> dict[str, int]:
    return {}  # of CUDA cores alone


KERNELS = (
    Kernel(
        name="gemm_bipolar",
        computes="C = W X', W in bipolar integers of p bits, X of q bits, by counting bits",
        formats={"w": "int32", "x": "int32", "c": "int32"},
        extents={
            "m": Extent(4096, 256, (1, 80)), "n": Extent(64, 64, (1, 70)),
            "k": Extent(4096, 512, (1, 100)), "p": Extent(2, 2, (1, 4), most=8),
            "q": Extent(3, 3, (1, 3), most=8),
        },
        draw=draw, oracle=oracle, work=work, source="archsim.gpu.source.bipolar",
        tile=tile, instructions=instructions,
    ),
)  # fmt: skip
