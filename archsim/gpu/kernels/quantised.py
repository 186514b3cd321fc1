"""Products of 4-bit weights: beside fp16, beside int8 or int4, and in MXFP4.

- ``gemm_w4a16``: symmetric codes of 4 bits about 8, an fp16 scale for 128 weights along k, fp16
  activations, as in MARLIN.
- ``gemm_w4ax``: the first ``k8`` channels of the activations in int8, where outliers are gathered,
  the other ``k4`` in int4; scales by blocks of 128 channels on both sides, as in COMET. Triton has
  no product of int4, so both become products of int8.
- ``gemm_mxfp4``: E2M1 elements, a power of two for 32 of them, on both sides. Where tensor cores
  have no such product, Triton widens to bf16.

A byte of packed weights holds codes j and j + 64 of a block of 128, low half first, so that tiles
need no reordering; bytes of MXFP4 hold neighbours, as instructions read them.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from archsim.formats.minifloat import FORMATS
from archsim.gpu.draws import drawn
from archsim.gpu.kernel import Draw, Extent, Kernel, Shape, Tile, Work
from archsim.gpu.kernels.gemm import product, product_trace
from archsim.gpu.tensor_cores import dot_instructions
from archsim.gpu.values import Array, Expected, Operands, decode
from archsim.trace import Trace

BLOCK, HALF = 128, 64  # as in the source
SHARED = 32  # elements of MXFP4 that share a scale
BIAS = 127  # of a scale's byte, whose value 255 is NaN


def packed(codes: Array) -> Array:
    """Return codes [n, k] of four bits, two in a byte [n, k / 2]: 64 apart in blocks of 128."""
    rows, k = codes.shape
    halves = (codes & 15).astype(np.uint8).reshape(rows, k // BLOCK, 2, HALF)
    return (halves[:, :, 0] | halves[:, :, 1] << 4).reshape(rows, k // 2)


def unpacked(stored: Array) -> Array:
    """Return the codes [n, k] that bytes [n, k / 2] hold, as integers 0 to 15."""
    rows, half = stored.shape
    blocks = stored.view(np.uint8).reshape(rows, half // HALF, 1, HALF)
    return np.concatenate([blocks & 15, blocks >> 4], axis=2).reshape(rows, 2 * half)


def signed(codes: Array) -> Array:
    """Return codes 0 to 15 as two's complement numbers."""
    return (codes.astype(np.int64) ^ 8) - 8


# ----------------------------------------------------------------------------------- with fp16


def draw_w4a16(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    m, n, k = shape["m"], shape["n"], shape["k"]
    codes = {"zeros": (8, 9), "extreme": (0, 16)}.get(values, (0, 16))
    scales = np.abs(drawn(rng, (k // BLOCK, n), "fp16", "normal")) / 8
    if values == "extreme":
        scales = rng.choice(np.array([2.0**-24, 1.0, 1024.0], np.float16), scales.shape)
    return {
        "x": drawn(rng, (m, k), "fp16", values), "w": packed(rng.integers(*codes, (n, k))),
        "scales": scales.astype(np.float16),
    }  # fmt: skip


def oracle_w4a16(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    weights = (unpacked(operands["w"]).astype(np.int64) - 8).T.astype(np.float64)
    scales = decode(operands["scales"], "fp16").repeat(BLOCK, axis=0)
    return {"c": product(decode(operands["x"], "fp16"), weights * scales, unit)}


def work_w4a16(shape: Shape) -> Work:
    m, n, k = shape["m"], shape["n"], shape["k"]
    return Work(2 * m * n * k, 2 * m * k + n * k // 2 + 2 * n * k // BLOCK + 2 * m * n)


def trace_w4a16(shape: Shape) -> Trace:
    return product_trace("gemm_w4a16", shape, ("fp16", "int4", "fp16"))


# ----------------------------------------------------------------------------- with int8 and int4


def draw_w4ax(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    m, n, k8, k4 = shape["m"], shape["n"], shape["k8"], shape["k4"]
    blocks = (k8 + k4) // BLOCK
    fours = (0, 1) if values == "zeros" else (0, 16)
    scales = [np.exp2(rng.uniform(-9, 0, (blocks, extent))).astype(np.float32) for extent in (m, n)]
    return {
        "x8": drawn(rng, (m, k8), "int8", values),
        "x4": packed(rng.integers(*fours, (m, k4))).view(np.int8),
        "w": packed(rng.integers(*fours, (n, k8 + k4))).view(np.int8),
        "x_scales": scales[0], "w_scales": scales[1],
    }  # fmt: skip


def oracle_w4ax(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    fours = signed(unpacked(operands["x4"]))
    codes = np.concatenate([operands["x8"].astype(np.int64), fours], axis=1)
    scaled = codes * operands["x_scales"].astype(np.float64).repeat(BLOCK, axis=0).T
    weights = signed(unpacked(operands["w"])).T
    weights = weights * operands["w_scales"].astype(np.float64).repeat(BLOCK, axis=0)
    # sums of a block are exact; the CUDA cores round two scalings and a sum of each
    return {"c": product(scaled, weights, 2.0**-24)}


def work_w4ax(shape: Shape) -> Work:
    m, n, k8, k4 = shape["m"], shape["n"], shape["k8"], shape["k4"]
    read = m * k8 + m * k4 // 2 + n * (k8 + k4) // 2
    return Work(2 * m * n * (k8 + k4), read + 4 * (m + n) * (k8 + k4) // BLOCK + 2 * m * n)


# ------------------------------------------------------------------------------------- MXFP4


def draw_mxfp4(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    k = shape["k"]
    operands = {}
    for name, rows in (("a", shape["m"]), ("b", shape["n"])):
        codes = rng.integers(0, 256, (rows, k // 2), np.uint8)
        operands[name] = codes & 0x88 if values == "zeros" else codes
        spread = 40 if values == "extreme" else 4
        scales = rng.integers(BIAS - spread, BIAS + spread, (rows, k // SHARED))
        if values == "special":
            scales = np.where(rng.random(scales.shape) < 0.01, 255, scales)
        operands[f"{name}_scales"] = scales.astype(np.uint8)
    return operands


def oracle_mxfp4(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    a, b = (_mx_values(operands[name], operands[f"{name}_scales"]) for name in ("a", "b"))
    return {"c": product(a, b.T, unit)}


def _mx_values(stored: Array, scales: Array) -> Array:
    codes = np.stack([stored & 15, stored >> 4], axis=-1).reshape(len(stored), -1)
    powers = np.where(scales == 255, np.nan, np.exp2(scales.astype(np.float64) - BIAS))
    return FORMATS["e2m1"].decode(codes) * powers.repeat(SHARED, axis=1)


def work_mxfp4(shape: Shape) -> Work:
    m, n, k = shape["m"], shape["n"], shape["k"]
    return Work(2 * m * n * k, (m + n) * (k // 2 + k // SHARED) + 4 * m * n)


# ------------------------------------------------------------------------------------- launches


def tile_of_weights(target: str) -> Tile:
    return Tile({"BM": 32, "BN": 128, "GROUP": 8}, warps=4, stages=3)


def halves(form: str, products: int, target: str, tile: Tile) -> dict[str, int]:
    """Return the instructions of so many products of half a block of weights."""
    sizes = tile.sizes
    one = dot_instructions(target, sizes["BN"], sizes["BM"], HALF, form, tile.warps)
    return {name: products * count for name, count in one.items()}


def tile_mxfp4(target: str) -> Tile:
    columns = 64 if target in ("sm_80", "sm_86", "sm_89") else 128  # widening takes registers
    return Tile({"BM": 128, "BN": columns, "BK": 128, "GROUP": 8}, warps=8, stages=2)


def instructions_mxfp4(target: str, tile: Tile) -> dict[str, int]:
    sizes = tile.sizes
    blocks = sizes["BM"], sizes["BN"], sizes["BK"]
    native = target in ("sm_100", "sm_120")
    return dot_instructions(target, *blocks, "e2m1" if native else "bf16", tile.warps)


ROWS = {"m": Extent(16, 64, (1, 80)), "n": Extent(8192, 256, (1, 300))}
KERNELS = (
    Kernel(
        name="gemm_w4a16",
        computes="C = X W', W in codes of 4 bits with fp16 scales of 128, X in fp16",
        formats={"x": "fp16", "w": "uint8", "scales": "fp16", "c": "fp16"},
        extents={**ROWS, "k": Extent(8192, 512, (128, 384), step=128, least=128)},
        draw=draw_w4a16, oracle=oracle_w4a16, work=work_w4a16,
        source="archsim.gpu.source.quantised:launch_w4a16",
        tile=tile_of_weights, instructions=partial(halves, "fp16", 2), trace=trace_w4a16,
    ),
    Kernel(
        name="gemm_w4ax",
        computes="C = X W', W in int4, k8 channels of X in int8 and k4 in int4, scales of 128",
        formats={
            "x8": "int8", "x4": "int8", "w": "int8", "x_scales": "fp32", "w_scales": "fp32",
            "c": "fp16",
        },
        extents={
            **ROWS,
            "k8": Extent(2048, 256, (0, 256), step=128, least=0),
            "k4": Extent(6144, 512, (128, 256), step=128, least=0),
        },
        draw=draw_w4ax, oracle=oracle_w4ax, work=work_w4ax,
        source="archsim.gpu.source.quantised:launch_w4ax",
        tile=tile_of_weights, instructions=partial(halves, "int8", 4),
    ),
    Kernel(
        name="gemm_mxfp4",
        computes="C = A B' in MXFP4, summed in fp32",
        formats={
            "a": "uint8", "a_scales": "uint8", "b": "uint8", "b_scales": "uint8", "c": "fp32",
        },
        extents={
            "m": Extent(4096, 256, (1, 200)), "n": Extent(4096, 256, (1, 200)),
            "k": Extent(4096, 512, (32, 320), step=32, least=32),
        },
        draw=draw_mxfp4, oracle=oracle_mxfp4, work=work_mxfp4,
        source="archsim.gpu.source.quantised:launch_mxfp4",
        tile=tile_mxfp4, instructions=instructions_mxfp4,
    ),
)  # fmt: skip
