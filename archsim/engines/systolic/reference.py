"""Values of the systolic array, bit for bit: exact products, sums that wrap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints
from archsim.engines.systolic.spec import SystolicSpec


def reference(spec: SystolicSpec, jobs: GemmJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``result`` [m, n] of every job: ``A B`` or ``C + A B``, wrapped to ``acc_bits``."""
    if jobs.refs is None:
        raise ValueError("jobs name no operands: values need refs a, b (and c)")
    results: list[Mapping[str, NDArray[Any]]] = []
    for refs, accumulate in zip(jobs.refs, jobs.accumulate, strict=True):
        a, b = (np.asarray(data[refs[name]], np.int64) for name in ("a", "b"))
        total = a @ b  # wraps at 64 bits, which changes no lower bit
        if accumulate:
            total = total + np.asarray(data[refs["c"]], np.int64)
        results.append({"result": wrap(total, spec.acc_bits)})
    return results


def wrap(values: Ints, bits: int) -> Ints:
    """Return the values that two's complement of ``bits`` bits keeps of integers."""
    shift = np.int64(64 - bits)
    return (values << shift) >> shift
