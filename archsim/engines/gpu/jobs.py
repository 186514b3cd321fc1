"""Kernels: an op is one, cut into slices as its operands pass L2; a job is a slice."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints, Jobs, Reason, SpecBatch
from archsim.engines.gpu.numbers import computed_in
from archsim.engines.gpu.spec import GpuSpec
from archsim.gpu.devices import device
from archsim.graphics.field import KIND, TABLES, Field
from archsim.trace import DTYPE_BITS, INDEX_BITS, VECTOR_PASSES, Op, as_gemm

DENSE = ("gemm", "conv")
SPARSE = ("spgemm", "spmm")
KINDS = (*DENSE, *SPARSE, KIND, "vector", "move")
SECTOR_BYTES = 32  # the least that is read of memory or L2
CORNERS = 8  # of a cell, about
HASH_OPS = 10  # of lanes for an entry's address and weight; assumed
COMPARED = device("rtx3090")  # on which frames of neural fields are known
SPECIAL = frozenset(
    "celu elu erf exp gelu hard_swish l2_norm layer_norm log log_softmax masked_softmax mish pow "
    "quick_gelu reciprocal reduce_log_sum reduce_log_sum_exp rms_norm selu sigmoid silu softmax "
    "softplus sqrt tanh trigonometric".split()
)  # functions with an exponential, a root or a reciprocal for each element


@dataclass(frozen=True, slots=True)
class GpuJobs(Jobs):
    """Slices of kernels; all but the last three columns say what the whole kernel is.

    Parameters
    ----------
    m, n, k, groups
        Of a product; 0 where the kernel is none.
    a_bits, b_bits, c_bits
        Of an element.
    b_bytes
        Of B in memory, packed or whole.
    computed
        See `archsim.engines.gpu.numbers.computed_in`.
    half
        Two of every four weights are stored, as tensor cores take them.
    placed
        Weights that are stored with their places, and put there in shared memory.
    lane_ops, special_ops, fused_macs
        Operations on lanes beside the product, those of special functions, and multiply-adds in
        FP16 on tensor cores of a kernel that is no product.
    read_bytes, write_bytes
        That pass L2 once.
    gathered_bytes, gathered_of_bytes
        Rows of a sparse product that are read wherever they lie, and the matrix that they are of.
    atomics
        Additions to hash tables in shared memory.
    first
        Slices that the kernel is launched before.
    results, all_results
        Of the slice and of the whole: its share.
    """

    m: Ints
    n: Ints
    k: Ints
    groups: Ints
    a_bits: Ints
    b_bits: Ints
    c_bits: Ints
    b_bytes: Ints
    computed: Ints
    half: Ints
    placed: Ints
    lane_ops: Ints
    special_ops: Ints
    fused_macs: Ints
    read_bytes: Ints
    write_bytes: Ints
    gathered_bytes: Ints
    gathered_of_bytes: Ints
    atomics: Ints
    first: NDArray[np.bool_]
    results: Ints
    all_results: Ints


OF_SLICE = ("first", "results", "all_results", "refs")
KERNEL = tuple(f.name for f in fields(GpuJobs) if f.name not in OF_SLICE)


def accepts(spec: GpuSpec, op: Op) -> Literal[True] | Reason:
    if op.kind in KINDS:
        return True
    return Reason(f"runs {', '.join(KINDS)} ops, not {op.kind}")


def lower(spec: GpuSpec | SpecBatch, op: Op, slices: Any, data: object = None) -> GpuJobs:
    """Return one job a slice of the op's kernel."""
    whole = dict.fromkeys(KERNEL, 0)
    inputs, c = slices.dtypes[: len(slices.operands)], slices.dtypes[-1]
    whole["c_bits"] = DTYPE_BITS[c]
    whole["write_bytes"] = -(-slices.all_results * DTYPE_BITS[c] // 8)
    whole["read_bytes"] = sum(slices.operand_bytes)
    if op.kind in DENSE:
        whole |= _dense(op, slices, inputs)
    elif op.kind in SPARSE:
        whole |= _sparse(op, slices, inputs)
    elif op.kind == KIND:
        whole |= _field(op, slices)
    elif op.kind == "vector":
        function = str(op.attrs["function"])
        elements = max(slices.all_results, max(slices.operands, default=0))
        whole |= {"lane_ops": slices.all_work, "special_ops": elements * (function in SPECIAL)}
    count = len(slices.results)
    columns: dict[str, Any] = {
        name: np.full(count, value, np.int64) for name, value in whole.items()
    }
    return GpuJobs(
        **columns, first=slices.first, results=slices.results,
        all_results=np.full(count, slices.all_results, np.int64),
    )  # fmt: skip


def _dense(op: Op, slices: Any, inputs: tuple[str, ...]) -> dict[str, int]:
    product, packed = as_gemm(op), slices.packed[1]
    passes = sum(VECTOR_PASSES[name] for name in op.epilogue)
    half = packed is not None and 2 * packed.kept == slices.operands[1] and packed.place_bits == 2
    return {
        "m": product.m, "n": product.n, "k": product.k, "groups": product.groups,
        "a_bits": DTYPE_BITS[inputs[0]], "b_bits": DTYPE_BITS[inputs[1]],
        "b_bytes": slices.operand_bytes[1] or slices.operand_bytes[0],
        "computed": computed_in(*inputs[:2]), "half": int(half),
        "placed": packed.kept if packed is not None and not half else 0,
        "lane_ops": product.m * product.n * product.groups * passes,
    }  # fmt: skip


def _field(op: Op, slices: Any) -> dict[str, int]:
    """Return the queries of a frame in one kernel, and what else the frame takes, as lane work.

    Each entry that a query reads is a sector of L2, or of memory where a level's table does not
    fit: queries go level by level, a cell's corners in each. The rest of the frame is known as a
    time on an RTX 3090: it counts as what that GPU's lanes do meanwhile.
    """
    frame = Field.of(op)
    levels = max(count for count, _ in frame.reads) // CORNERS
    reads = frame.queries * sum(count for count, _ in frame.reads)
    rest_us = frame.gpu_us * frame.rest_share
    per_us = COMPARED["lanes"] * COMPARED["sms"] * COMPARED["clock_mhz"]
    return {
        "lane_ops": HASH_OPS * reads + round(rest_us * per_us),
        "fused_macs": frame.queries * frame.macs,
        "gathered_bytes": SECTOR_BYTES * reads,
        "gathered_of_bytes": slices.operand_bytes[TABLES] // max(levels, 1),
    }  # fmt: skip


def _sparse(op: Op, slices: Any, inputs: tuple[str, ...]) -> dict[str, int]:
    """Return a row-wise product: entries of A gather rows of B, hash tables add what lands."""
    products, both = op.int_attr("products"), op.kind == "spgemm"
    entry_bits = DTYPE_BITS[inputs[1]] + (INDEX_BITS if both else 0)
    whole = slices.operand_bytes[1] or slices.operand_bytes[0]  # A squared is read once
    return {
        "computed": computed_in(*inputs[:2]), "lane_ops": products,
        "gathered_bytes": products * entry_bits // 8, "gathered_of_bytes": whole,
        "atomics": 2 * products if both else 0,  # one pass counts, the other computes
    }  # fmt: skip
