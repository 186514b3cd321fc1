"""Values of the dot-product engine, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data
from archsim_dot.spec import DotJobs, DotSpec


def reference(spec: DotSpec, jobs: DotJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``result`` [count] of every job: sums that wrap at ``acc_bits``."""
    assert jobs.refs is not None
    unused = np.int64(64 - spec.acc_bits)
    results: list[Mapping[str, NDArray[Any]]] = []
    for refs in jobs.refs:
        a, b = (np.asarray(data[refs[port]], np.int64) for port in ("a", "b"))
        results.append({"result": (a * b).sum(axis=1) << unused >> unused})
    return results
