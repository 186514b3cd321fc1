"""Neural fields: a hash grid of two features an entry, then an MLP with one hidden layer, fused.

What entries a position reads, and with what weights, is `archsim.graphics.encoding`'s.
"""

from __future__ import annotations

import numpy as np

from archsim.gpu.draws import drawn, picked
from archsim.gpu.kernel import Draw, Extent, Kernel, Shape, Tile, Work
from archsim.gpu.kernels.gemm import product
from archsim.gpu.tensor_cores import dot_instructions
from archsim.gpu.values import Array, Expected, Operands, decode, encode
from archsim.graphics.encoding import Encoding, corners, weights

FEATURES = 2


def encoding_of(shape: Shape) -> Encoding:
    return Encoding(levels=shape["levels"], features=FEATURES, log2_table=shape["log2_table"])


def draw(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    n, hidden, outputs = shape["n"], shape["hidden"], shape["outputs"]
    encoding = encoding_of(shape)
    levels = encoding.table
    sizes = np.array([level.entries for level in levels], np.int32)
    positions = rng.random((n, 3), np.float32)
    if values in ("extreme", "special"):  # the ends of space, and cells' borders
        positions = rng.choice(np.array([0, 1, 0.5, 2.0**-24, 1 - 2.0**-24], np.float32), (n, 3))
    features = _moderate(rng, (encoding.entries, FEATURES), values)
    return {
        "positions": positions, "table": features,
        "scales": np.array([level.scale for level in levels], np.float32),
        "resolutions": np.array([level.resolution for level in levels], np.int32),
        "entries": sizes, "starts": (np.cumsum(sizes) - sizes).astype(np.int32),
        "hashed": np.array([level.hashed for level in levels], np.int32),
        "w_in": _moderate(rng, (hidden, encoding.outputs), values),
        "w_out": _moderate(rng, (outputs, hidden), values),
    }  # fmt: skip


def _moderate(rng: np.random.Generator, shape: tuple[int, ...], values: Draw) -> Array:
    """Draw numbers whose sums of products are fp16 numbers."""
    if values == "zeros":
        return drawn(rng, shape, "fp16", "zeros")
    if values in ("extreme", "special"):
        return picked(rng, shape, (0.0, 2.0**-24, 2.0**-14, 1.0))
    return encode(rng.standard_normal(shape) / 4, "fp16")


def oracle(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    """Return the field's values, and how far off they may be.

    Places in cells are rounded as the encoding rounds them. Weights and sums of corners err by a
    few roundings of fp32; features and neurons are rounded to fp16 on the way.
    """
    encoding = encoding_of(shape)
    w_in, w_out = (decode(operands[name], "fp16").T for name in ("w_in", "w_out"))
    encoded, off = _encoded(encoding, operands)
    off = off + 2.0**-11 * (np.abs(encoded) + off) + 2.0**-25
    first = product(encoded, w_in, unit)
    neurons = np.maximum(first.value, 0.0)
    of_neurons = first.error + (1 + (shape["levels"] * 2 + 2) * unit) * (off @ np.abs(w_in))
    of_neurons += 2.0**-11 * (neurons + of_neurons) + 2.0**-25
    second = product(neurons, w_out, unit)
    passed_on = (1 + (shape["hidden"] + 2) * unit) * (of_neurons @ np.abs(w_out))
    return {"results": Expected(second.value, second.error + passed_on)}


def _encoded(encoding: Encoding, operands: Operands) -> tuple[Array, Array]:
    """Return features [n, levels x 2] in float64, and how far off fp32 arithmetic may be."""
    table = decode(operands["table"], "fp16")
    found, errors = [], []
    for level, start in zip(encoding.table, operands["starts"], strict=True):
        cells, places = level.cells(operands["positions"])
        read = table[start + level.indices(corners(cells))]  # [n, corners, features]
        share = weights(places).astype(np.float64)
        found.append(np.einsum("nc,ncf->nf", share, read))
        errors.append(16 * 2.0**-24 * np.einsum("nc,ncf->nf", share, np.abs(read)) + 2.0**-126)
    return np.concatenate(found, axis=1), np.concatenate(errors, axis=1)


def work(shape: Shape) -> Work:
    n, hidden, outputs = shape["n"], shape["hidden"], shape["outputs"]
    encoding = encoding_of(shape)
    layers = encoding.outputs * hidden + hidden * outputs
    looked_up = 2 * encoding.corners * encoding.outputs
    touched = min(encoding.size_bytes(), n * encoding.levels * encoding.corners * 4)
    return Work(n * (2 * layers + looked_up), n * (12 + 2 * outputs) + touched + 2 * layers)


def tile(target: str) -> Tile:
    return Tile({"BP": 64}, warps=4, stages=1)


def instructions(target: str, tile: Tile) -> dict[str, int]:
    points, (width, hidden, outputs) = tile.sizes["BP"], (32, 64, 16)  # of the small shape
    first = dot_instructions(target, points, hidden, width, "fp16", tile.warps)
    second = dot_instructions(target, points, outputs, hidden, "fp16", tile.warps)
    return {name: count + second[name] for name, count in first.items()}


KERNELS = (
    Kernel(
        name="neural_field",
        computes="a hash grid of 2 features an entry and an MLP of one hidden layer, in fp16",
        formats={
            "positions": "fp32", "table": "fp16", "scales": "fp32", "resolutions": "int32",
            "entries": "int32", "starts": "int32", "hashed": "int32",
            "w_in": "fp16", "w_out": "fp16", "results": "fp16",
        },
        extents={
            "n": Extent(1 << 20, 1024, (1, 300), most=1 << 24),
            "levels": Extent(16, 16, (1, 16), most=16),
            "log2_table": Extent(19, 12, (8, 13), least=6, most=24),
            "hidden": Extent(64, 64, (1, 64), most=128),
            "outputs": Extent(16, 16, (1, 16), most=16),
        },
        draw=draw, oracle=oracle, work=work, source="archsim.gpu.source.field",
        tile=tile, instructions=instructions,
    ),
)  # fmt: skip
