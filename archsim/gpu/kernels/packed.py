"""Products with pruned weights, which are loaded packed and computed on dense.

- ``spmm_masked``: any weights may be gone. A bit for each says whether it is kept, kept ones lie in
  order, and a row knows where its own begin: 2 bytes a kept weight and an eighth of one a weight.
  (Flash-LLM keeps a place of 16 bits beside each instead, and scatters into shared memory, which
  Triton cannot; `archsim.sparse.packed` has that form, too.)
- ``gemm_2to4``: two of four weights are kept, with two bits each.
"""

from __future__ import annotations

import numpy as np

from archsim.formats.bipolar import packed
from archsim.gpu.draws import drawn
from archsim.gpu.kernel import Draw, Extent, Kernel, Shape, Tile, Work
from archsim.gpu.kernels.gemm import product
from archsim.gpu.tensor_cores import dot_instructions
from archsim.gpu.values import Array, Expected, Operands, decode
from archsim.sparse.packed import pack_two_of_four, prune_two_of_four, unpack_two_of_four

WORD = 32


def draw_masked(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    m, n, k = shape["m"], shape["n"], shape["k"]
    weights = drawn(rng, (n, k), "fp16", values)
    here = rng.random((n, k)) * 100 < shape["kept"]
    starts = np.concatenate([[0], np.cumsum(here.sum(axis=1))])
    return {
        "x": drawn(rng, (m, k), "fp16", values), "masks": packed(here).view(np.int32),
        "starts": starts.astype(np.int32), "kept": np.append(weights[here], np.float16(0)),
    }  # fmt: skip


def weights_masked(operands: Operands, k: int) -> Array:
    """Return the dense weights [n, k] of packed ones."""
    octets = np.ascontiguousarray(operands["masks"]).view(np.uint8)
    here = np.unpackbits(octets, axis=-1, bitorder="little")[:, :k].astype(bool)
    dense = np.zeros(here.shape, np.float16)
    dense[here] = operands["kept"][:-1]
    return dense


def oracle_masked(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    weights = decode(weights_masked(operands, shape["k"]), "fp16")
    return {"c": product(decode(operands["x"], "fp16"), weights.T, unit)}


def work_masked(shape: Shape) -> Work:
    m, n, k = shape["m"], shape["n"], shape["k"]
    kept = n * k * shape["kept"] // 100
    read = 2 * m * k + 2 * kept + 4 * n * -(-k // WORD) + 4 * (n + 1)
    return Work(2 * m * kept, read + 2 * m * n)


def draw_two_of_four(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    m, n, k = shape["m"], shape["n"], shape["k"]
    kept, places = pack_two_of_four(prune_two_of_four(drawn(rng, (n, k), "fp16", values)))
    x = drawn(rng, (m, k), "fp16", values)
    return {"x": x, "kept": kept, "places": places.view(np.int16)}


def oracle_two_of_four(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    weights = unpack_two_of_four(operands["kept"], operands["places"].view(np.uint16))
    return {"c": product(decode(operands["x"], "fp16"), decode(weights, "fp16").T, unit)}


def work_two_of_four(shape: Shape) -> Work:
    m, n, k = shape["m"], shape["n"], shape["k"]
    return Work(m * n * k, 2 * m * k + n * k + n * k // 8 + 2 * m * n)


def tile(target: str) -> Tile:
    return Tile({"BM": 32, "BN": 128, "GROUP": 8}, warps=4, stages=2)


def tile_two_of_four(target: str) -> Tile:
    return Tile({"BM": 32, "BN": 128, "BK": 32, "GROUP": 8}, warps=8, stages=2)


def instructions(target: str, tile: Tile) -> dict[str, int]:
    sizes = tile.sizes
    depth = sizes.get("BK", WORD)
    return dot_instructions(target, sizes["BN"], sizes["BM"], depth, "fp16", tile.warps, copies=2)


KERNELS = (
    Kernel(
        name="spmm_masked",
        computes="C = X W' in fp16, of W a share of so many percent is kept, loaded packed",
        formats={"x": "fp16", "masks": "int32", "starts": "int32", "kept": "fp16", "c": "fp16"},
        extents={
            "m": Extent(16, 64, (1, 70)), "n": Extent(8192, 256, (1, 200)),
            "k": Extent(8192, 512, (1, 150)), "kept": Extent(20, 20, (0, 100), least=0, most=100),
        },
        draw=draw_masked, oracle=oracle_masked, work=work_masked,
        source="archsim.gpu.source.packed:launch_masked",
        tile=tile, instructions=instructions,
    ),
    Kernel(
        name="gemm_2to4",
        computes="C = X W' in fp16, of W two of four are kept, loaded packed",
        formats={"x": "fp16", "kept": "fp16", "places": "int16", "c": "fp16"},
        extents={
            "m": Extent(16, 64, (1, 70)), "n": Extent(8192, 256, (1, 200)),
            "k": Extent(8192, 512, (16, 160), step=16, least=16),
        },
        draw=draw_two_of_four, oracle=oracle_two_of_four, work=work_two_of_four,
        source="archsim.gpu.source.packed:launch_two_of_four",
        tile=tile_two_of_four, instructions=instructions,
    ),
)  # fmt: skip
