"""Values of the systolic array, bit for bit.

Integers: exact products, sums that wrap. bf16: operands and results are bit patterns, of bf16 and
of fp32; sums start from +0, take their products in order of k and then, where the job accumulates,
the partial sum. In ws and is a sum is of one fold, ``rows`` products; sums of folds are added in
order of k.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints
from archsim.engines.gemm.integers import wrap
from archsim.engines.systolic.spec import SystolicSpec
from archsim.formats import bf16


def reference(spec: SystolicSpec, jobs: GemmJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``result`` [m, n] of every job: ``A B`` or ``C + A B``, in the array's numbers."""
    if jobs.refs is None:
        raise ValueError("jobs name no operands: values need refs a, b (and c)")
    results: list[Mapping[str, NDArray[Any]]] = []
    for refs, accumulate in zip(jobs.refs, jobs.accumulate, strict=True):
        a, b = (np.asarray(data[refs[name]], np.int64) for name in ("a", "b"))
        c = np.asarray(data[refs["c"]], np.int64) if accumulate else np.zeros((1, 1), np.int64)
        if spec.numbers == "bf16":
            depth = a.shape[1] if spec.dataflow == "os" else spec.rows
            total = bf16.add(_folded(a, b, depth), c)
        else:
            total = wrap(a @ b + c, spec.acc_bits)  # a @ b wraps at 64 bits: no lower bit changes
        results.append({"result": total})
    return results


def _folded(a: Ints, b: Ints, depth: int) -> Ints:
    """Return the product of bf16 patterns as the sum of its folds of a depth along k."""
    total = bf16.matmul(a[:, :depth], b[:depth])
    for k in range(depth, a.shape[1], depth):
        total = bf16.add(total, bf16.matmul(a[:, k : k + depth], b[k : k + depth]))
    return total
