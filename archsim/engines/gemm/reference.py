"""Values of engines that multiply matrices of integers, bit for bit: exact products, wrapped sums.

The same for every PE: a sum kept in parts is one number modulo ``2^acc_bits``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs
from archsim.formats.requantise import wrap


def reference(spec: Any, jobs: GemmJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``result`` [m, n] of every job: ``A B`` or ``C + A B``, in ``acc_bits`` bits."""
    if jobs.refs is None:
        raise ValueError("jobs name no operands: values need refs a, b (and c)")
    results: list[Mapping[str, NDArray[Any]]] = []
    for refs, accumulate in zip(jobs.refs, jobs.accumulate, strict=True):
        a, b = (np.asarray(data[refs[name]], np.int64) for name in ("a", "b"))
        total = a @ b  # wraps at 64 bits: no lower bit changes
        if accumulate:
            total = total + np.asarray(data[refs["c"]], np.int64)
        results.append({"result": wrap(total, spec.acc_bits)})
    return results
