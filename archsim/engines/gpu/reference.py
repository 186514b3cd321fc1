"""Results of products as a GPU gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data
from archsim.engines.gpu.jobs import GpuJobs
from archsim.engines.gpu.spec import GpuSpec


def reference(spec: GpuSpec, jobs: GpuJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``c`` of each job, integers exact; refs ``a`` [m,k] and ``b`` [k,n]."""
    if jobs.refs is None:
        raise ValueError("jobs name no operands: values need refs a and b")
    return [
        {"c": np.asarray(data[refs["a"]], np.int64) @ np.asarray(data[refs["b"]], np.int64)}
        for refs in jobs.refs
    ]
