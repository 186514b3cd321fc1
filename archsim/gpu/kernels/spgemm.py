"""Products of sparse matrices, C = A B, row by row with a hash table for each row of C.

A and B are by rows, with at most ``a_row`` and ``b_row`` entries in a row. Rows of C come out as
long as their tables, sorted by column, with what is not used at their ends: column -1, value 0.
"""

from __future__ import annotations

import numpy as np

from archsim.gpu.draws import drawn
from archsim.gpu.kernel import Draw, Extent, Kernel, Shape, Tile, Work
from archsim.gpu.values import Array, Expected, Operands, decode
from archsim.sparse import Csr

LEAST_SLOTS = 16
FLUSHED = 2.0**-126  # additions in global memory take subnormal numbers for zero (PTX ISA, atom)


def slots(shape: Shape) -> int:
    """Return the slots of a row's table: twice its products, a power of two."""
    products = shape["a_row"] * shape["b_row"]
    return max(LEAST_SLOTS, 2 << (products - 1).bit_length())


def draw(shape: Shape, rng: np.random.Generator, values: Draw) -> Operands:
    found: Operands = {}
    for name, rows, columns in (("a", "m", "k"), ("b", "k", "n")):
        longest = min(shape[f"{name}_row"], shape[columns])
        lengths = rng.integers(0, longest + 1, shape[rows])
        picked = [np.sort(rng.choice(shape[columns], n, replace=False)) for n in lengths]
        entries = int(lengths.sum())
        found = {
            **found,
            f"{name}_start": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
            f"{name}_columns": np.concatenate([*picked, np.zeros(1)]).astype(np.int32),
            f"{name}_values": drawn(rng, (entries + 1,), "tf32", values),
        }
    return found


def matrix(operands: Operands, name: str, columns: int, values: Array) -> Csr:
    """Return an operand as a matrix; the entry at its end, so that none is empty, is left out."""
    start = operands[f"{name}_start"].astype(np.int64)
    indices = operands[f"{name}_columns"][:-1]
    return Csr((len(start) - 1, columns), start, indices, values)


def oracle(shape: Shape, operands: Operands, unit: float) -> dict[str, Expected]:
    a, b = (decode(operands[f"{name}_values"][:-1], "tf32") for name in "ab")
    extents = {"a": shape["k"], "b": shape["n"]}
    left, right = matrix(operands, "a", extents["a"], a), matrix(operands, "b", extents["b"], b)
    m, width = shape["m"], slots(shape)
    lengths = np.zeros(m, np.int64)
    columns, values = np.full((m, width), -1), np.zeros((m, width))
    error = np.zeros((m, width))
    for row in range(m):
        entries = slice(left.indptr[row], left.indptr[row + 1])
        where, terms = _products(right, left.indices[entries], a[entries])
        unique, at = np.unique(where, return_inverse=True)
        lengths[row] = len(unique)
        columns[row, : len(unique)] = unique
        with np.errstate(invalid="ignore", over="ignore"):
            np.add.at(values[row], at, terms)
            np.add.at(error[row], at, np.abs(terms))
    steps = shape["a_row"] + 2
    with np.errstate(invalid="ignore", over="ignore"):
        error = steps * (unit * error + FLUSHED)
    return {"lengths": Expected(lengths), "columns": Expected(columns),
            "values": Expected(values, error)}  # fmt: skip


def _products(b: Csr, rows: Array, factors: Array) -> tuple[Array, Array]:
    """Return the columns and values of all scalar products of a row of A."""
    assert b.values is not None
    parts = [slice(b.indptr[k], b.indptr[k + 1]) for k in rows]
    where = np.concatenate([*(b.indices[part] for part in parts), np.zeros(0, np.int64)])
    with np.errstate(invalid="ignore", over="ignore"):
        terms = [factor * b.values[part] for factor, part in zip(factors, parts, strict=True)]
    return where.astype(np.int64), np.concatenate([*terms, np.zeros(0)])


def work(shape: Shape) -> Work:
    """Return what rows half as long as they may be take, which is what is drawn in the mean."""
    m, k = shape["m"], shape["k"]
    a, b = m * shape["a_row"] // 2, k * shape["b_row"] // 2
    products = a * shape["b_row"] // 2
    return Work(2 * products, 8 * (a + b) + 4 * (m + k + 2) + 8 * m * slots(shape))


def tile(target: str) -> Tile:
    return Tile({}, warps=4, stages=1)


def instructions(target: str, tile: Tile) -> dict[str, int]:
    return {}  # of CUDA cores alone


def _operand(name: str) -> dict[str, str]:
    return {f"{name}_start": "int32", f"{name}_columns": "int32", f"{name}_values": "fp32"}


KERNELS = (
    Kernel(
        name="spgemm_hash",
        computes="C = A B, all sparse, in fp32, with a hash table for each row",
        formats={
            "a_values": "fp32", **_operand("a"), **_operand("b"),
            "lengths": "int32", "columns": "int32", "values": "fp32",
        },
        extents={
            "m": Extent(16384, 64, (1, 6)), "n": Extent(16384, 64, (1, 30)),
            "k": Extent(16384, 64, (1, 20)), "a_row": Extent(16, 8, (1, 4), most=32),
            "b_row": Extent(16, 8, (1, 6), most=32),
        },
        draw=draw, oracle=oracle, work=work, source="archsim.gpu.source.spgemm",
        tile=tile, instructions=instructions,
    ),
)  # fmt: skip
