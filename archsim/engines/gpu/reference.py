"""Results of products as a GPU's tensor cores give them: `archsim.gpu.accumulate`, by architecture.

Integers are exact and wrap at 32 bits; floats are added as the architecture's fastest instruction
adds them. What runs on lanes hangs on the order that a kernel takes, and has no reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data
from archsim.engines.gpu.jobs import GpuJobs
from archsim.engines.gpu.numbers import COMPUTED
from archsim.engines.gpu.spec import GpuSpec
from archsim.errors import InputError
from archsim.formats.minifloat import E4M3
from archsim.gpu.accumulate import RULES, tensor_core_matmul

OPERANDS = {
    "int4": "int8", "int8": "int8", "fp8": "e4m3", "fp16": "fp16", "bf16": "bf16", "fp32": "tf32",
}  # fmt: skip


def reference(spec: GpuSpec, jobs: GpuJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``c`` [m,n] of each job: int32, or fp32 before it is rounded to the result's format.

    Refs: ``a`` [m,k] and ``b`` [k,n], in numbers; they are rounded to the job's format. FP8 that an
    architecture lacks is widened to fp16, which holds it.

    Raises
    ------
    InputError
        If a job's format is not for tensor cores, or values are missing.
    """
    if jobs.refs is None:
        raise InputError("gpu: reference", "jobs must name operands a and b", None)
    found: list[Mapping[str, NDArray[Any]]] = []
    for row, refs in enumerate(jobs.refs):
        computed = COMPUTED[int(jobs.computed[row])]
        operands = OPERANDS.get(computed)
        if operands is None or (operands == "tf32" and spec.fp32 == "lanes"):
            raise InputError(
                "gpu: reference", f"must be of {', '.join(OPERANDS)} on tensor cores", computed,
            )  # fmt: skip
        a, b = data[refs["a"]], data[refs["b"]]
        if operands == "e4m3" and (spec.architecture, operands) not in RULES:
            operands, a, b = "fp16", E4M3.quantise(a), E4M3.quantise(b)
        found.append({"c": np.asarray(tensor_core_matmul(a, b, spec.architecture, operands))})
    return found
