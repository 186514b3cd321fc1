"""Dense products: C [m, n] = A [m, k] B [k, n], A and B row by row."""

from __future__ import annotations

from functools import partial

import numpy as np

from archsim.gpu.draws import drawn
from archsim.gpu.kernel import Draw, Extent, Kernel, Shape, Tile, Work
from archsim.gpu.tensor_cores import dot_instructions
from archsim.gpu.values import Expected, Operands, decode

EXTENTS = {
    "m": Extent(4096, 256, (1, 200)),
    "n": Extent(4096, 256, (1, 200)),
    "k": Extent(4096, 512, (1, 300)),
}
BYTES = {"fp32": 4, "tf32": 4, "fp16": 2, "bf16": 2, "int32": 4, "int8": 1, "e4m3": 1}


def draw(form: str, shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    m, n, k = shape["m"], shape["n"], shape["k"]
    return {"a": drawn(rng, (m, k), form, values), "b": drawn(rng, (k, n), form, values)}


def oracle(form: str, shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    return {"c": product(decode(operands["a"], form), decode(operands["b"], form), unit)}


def product(a: np.ndarray, b: np.ndarray, unit: float) -> Expected:
    """Return a product and how far a sum of its terms in any order may lie from it.

    Each of k steps errs by at most ``unit`` of the sum of all terms' magnitudes, or by half of the
    least subnormal number. Products of integers are exact.
    """
    if a.dtype.kind == "i":
        return Expected(a @ b)
    with np.errstate(invalid="ignore", over="ignore"):
        terms = np.abs(a) @ np.abs(b)
        steps = a.shape[1] + 2
        return Expected(a @ b, steps * (unit * terms + 2.0**-149))


def work(form: str, result: str, shape: Shape) -> Work:
    m, n, k = shape["m"], shape["n"], shape["k"]
    read = (m * k + k * n) * BYTES[form]
    return Work(2 * m * n * k, read + m * n * BYTES[result])


def tile(depth: int, target: str) -> Tile:
    return Tile({"BM": 128, "BN": 128, "BK": depth, "GROUP": 8})


def instructions(form: str, target: str, tile: Tile) -> dict[str, int]:
    sizes = tile.sizes
    return dot_instructions(target, sizes["BM"], sizes["BN"], sizes["BK"], form, tile.warps)


def _kernel(form: str, result: str, computes: str, depth: int) -> Kernel:
    return Kernel(
        name=f"gemm_{form}",
        computes=computes,
        formats={"a": form, "b": form, "c": result},
        extents=EXTENTS,
        draw=partial(draw, form),
        oracle=partial(oracle, form),
        work=partial(work, form, result),
        source="archsim.gpu.source.gemm",
        tile=partial(tile, depth),
        instructions=partial(instructions, form),
    )


KERNELS = (_kernel("fp16", "fp16", "C = A B in fp16, summed in fp32", 64),)
