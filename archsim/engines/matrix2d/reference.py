"""Values of the 2D-matrix array, bit for bit: exact products, sums that wrap.

The same for every PE: sum and carry of a carry-save PE are one number modulo ``2^acc_bits``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.formats.requantise import wrap


def reference(spec: Matrix2dSpec, jobs: GemmJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``result`` [m, n] of every job: ``A B`` or ``C + A B``."""
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
