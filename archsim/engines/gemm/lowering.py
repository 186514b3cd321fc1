"""Commands of a mapping's steps, and the operand formats of integer ports."""

from __future__ import annotations

from typing import Any

from archsim.engines import Data, GemmJobs
from archsim.engines.gemm import MAX_EXTENT
from archsim.errors import InfeasibleError
from archsim.trace import DTYPE_BITS, Op


def lower(spec: Any, op: Op, mapping: Any, data: Data | None = None) -> GemmJobs:
    """Return one job a step of the mapping, whose m, n, k, accumulate are arrays [steps]."""
    longest = int(max(extent.max() for extent in (mapping.m, mapping.n, mapping.k)))
    if longest > MAX_EXTENT:
        raise InfeasibleError(
            f"a tile of op {op.name!r}",
            demand=longest,
            bound=MAX_EXTENT,
            unit="rows or columns in one command",
            levers=("map it with a smaller tile",),
        )
    return GemmJobs(mapping.m, mapping.n, mapping.k, mapping.accumulate)


def integer_dtypes(spec: Any) -> frozenset[str]:
    """Return the integer formats that ports of ``a_bits`` and ``b_bits`` both hold."""
    bits = min(spec.a_bits, spec.b_bits)
    return frozenset(name for name in ("int4", "int8", "int16") if DTYPE_BITS[name] <= bits)
