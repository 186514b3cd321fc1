"""Monarch products: Y = X M' with M = P2 L P1 R, R of q blocks p x p and L of p blocks q x q.

P1 makes rows of the columns of a [q, p] array, P2 of a [p, q] one. In between, numbers are rounded
to fp16.
"""

from __future__ import annotations

import numpy as np

from archsim.gpu.draws import drawn, picked
from archsim.gpu.kernel import Draw, Extent, Kernel, Shape, Tile, Work
from archsim.gpu.kernels.gemm import product
from archsim.gpu.tensor_cores import dot_instructions
from archsim.gpu.values import Array, Expected, Operands, decode


def draw(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    m, p, q = shape["m"], shape["p"], shape["q"]
    of = (("x", (m, p * q)), ("right", (q, p, p)), ("left", (p, q, q)))
    if values == "extreme":  # what lies in between stays below fp16's largest number
        return {name: picked(rng, extents, (0.0, 2.0**-24, 2.0**-14, 8.0)) for name, extents in of}
    return {name: drawn(rng, extents, "fp16", values) for name, extents in of}


def oracle(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    m, p, q = shape["m"], shape["p"], shape["q"]
    x, right, left = (decode(operands[name], "fp16") for name in ("x", "right", "left"))
    with np.errstate(invalid="ignore", over="ignore"):
        parts = x.reshape(m, q, p).transpose(1, 0, 2)
        first = product(parts, right.transpose(0, 2, 1), unit)
        rounding = 2.0**-11 * (np.abs(first.value) + first.error) + 2.0**-25
        parts, off = (_turned(a) for a in (first.value, first.error + rounding))
        second = product(parts, left.transpose(0, 2, 1), unit)
        passed_on = off @ np.abs(left).transpose(0, 2, 1) * (1 + (q + 2) * unit)
        value, error = (_turned(a) for a in (second.value, second.error + passed_on))
        return {"y": Expected(_flat(value, m), _flat(error, m))}


def _turned(parts: Array) -> Array:
    """Make blocks of the columns of blocks: [blocks, m, width] to [width, m, blocks]."""
    return parts.transpose(2, 1, 0)


def _flat(parts: Array, m: int) -> Array:
    return np.ascontiguousarray(parts.transpose(1, 0, 2)).reshape(m, -1)


def work(shape: Shape) -> Work:
    m, p, q = shape["m"], shape["p"], shape["q"]
    return Work(2 * m * p * q * (p + q), 2 * (2 * m * p * q + p * q * (p + q)))


def tile(target: str) -> Tile:
    return Tile({"BM": 128, "BN": 64, "BK": 64}, warps=4, stages=3)


def instructions(target: str, tile: Tile) -> dict[str, int]:
    """Return those of both functions: one, compiled for either's strides."""
    blocks = tile.sizes["BM"], tile.sizes["BN"], tile.sizes["BK"]
    one = dot_instructions(target, *blocks, "fp16", tile.warps, copies=2)
    return {name: 2 * count for name, count in one.items()}


KERNELS = (
    Kernel(
        name="monarch",
        computes="Y = X (P2 L P1 R)', q blocks p x p and p blocks q x q, in fp16",
        formats={"x": "fp16", "right": "fp16", "left": "fp16", "y": "fp16"},
        extents={
            "m": Extent(4096, 256, (1, 200)), "p": Extent(64, 64, (1, 80), most=1024),
            "q": Extent(64, 32, (1, 24), most=1024),
        },
        draw=draw, oracle=oracle, work=work, source="archsim.gpu.source.monarch",
        tile=tile, instructions=instructions,
    ),
)  # fmt: skip
