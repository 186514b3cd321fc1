"""Number formats on tensor cores: what products of two formats are computed in, and how fast.

What a GPU does not have natively is computed in the next format that holds it, after operands were
widened: INT4 as INT8 and FP8 as FP16, as ptxas compiles them; a narrow weight beside a wide
activation as the wide one. Formats that no tensor core has run on the lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from archsim.engines import Floats, Ints, SpecBatch
from archsim.engines.gpu.spec import GpuSpec

Spec = GpuSpec | SpecBatch
COMPUTED = (
    "b1",
    "int4",
    "int8",
    "fp8",
    "fp16",
    "bf16",
    "fp32",
    "fp64",
    "int32",
    "int64",
    "complex128",
)
"""Formats of computation, the wider of two later; an integer beside a float becomes a float."""

_OF: Mapping[str, str] = MappingProxyType({"bool": "int8", "uint8": "int8", "int16": "int32"})


def computed_in(a: str, b: str) -> int:
    """Return the format, by its place in `COMPUTED`, in which a product is computed."""
    names = {_OF.get(dtype, dtype) for dtype in (a, b)}
    if names == {"int8", "fp8"}:  # neither holds the other
        names = {"fp16"}
    return max(COMPUTED.index(name) for name in names)


@dataclass(frozen=True, slots=True)
class Native:
    """How a product is computed; arrays of shape [n].

    Parameters
    ----------
    fma
        Multiply-adds a cycle and SM; 0 where tensor cores have nothing for it.
    bits
        Of an operand as it is computed on.
    share
        Of that peak, what the best products reach.
    lane_fma
        Multiply-adds a cycle and SM on lanes.
    """

    fma: Floats
    bits: Ints
    share: Floats
    lane_fma: Floats


def native(spec: Spec, computed: Ints) -> Native:
    """Return how products are computed that `computed_in` says the format of."""

    def of(name: str) -> Any:
        return np.asarray(getattr(spec, f"fma_{name}"), float)

    int4, fp8 = of("int4"), of("fp8")
    tf32 = np.where(np.asarray(spec.fp32) == "tf32", of("tf32"), 0)
    fp64 = np.where(of("fp64") > 0, of("fp64"), 1)
    lanes = np.asarray(spec.lanes, float)
    zero = 0 * lanes
    b1 = of("b1")
    table: dict[str, tuple[Any, Any, Any]] = {
        "b1": (np.where(b1 > 0, b1, of("int8")), np.where(b1 > 0, 1, 8), lanes),
        "int4": (np.where(int4 > 0, int4, of("int8")), np.where(int4 > 0, 4, 8), lanes),
        "int8": (of("int8"), 8, lanes),
        "fp8": (np.where(fp8 > 0, fp8, of("fp16")), np.where(fp8 > 0, 8, 16), lanes),
        "fp16": (of("fp16"), 16, lanes),
        "bf16": (of("fp16"), 16, lanes),
        "fp32": (tf32, 32, lanes),
        "fp64": (fp64, 64, fp64),
        "int32": (zero, 32, lanes / 2),
        "int64": (zero, 64, lanes / 8),
        "complex128": (fp64 / 4, 128, fp64 / 4),
    }
    shape = np.broadcast_shapes(np.shape(computed), np.shape(lanes))
    which = [np.broadcast_to(computed == place, shape) for place in range(len(COMPUTED))]

    def pick(column: int) -> Any:
        return np.select(which, [np.broadcast_to(table[x][column], shape) for x in COMPUTED])

    bits = pick(1)
    narrow = np.asarray(bits) <= 8
    share = np.where(narrow, np.asarray(spec.tensor_share_8bit), np.asarray(spec.tensor_share))
    return Native(pick(0).astype(float), bits, share, pick(2).astype(float))
