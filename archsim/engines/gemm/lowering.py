"""Commands of a mapping's steps, and the operand formats of integer ports."""

from __future__ import annotations

from typing import Any

from archsim.engines import Data, GemmJobs
from archsim.engines.gemm import MAX_EXTENT
from archsim.errors import InfeasibleError
from archsim.trace import DTYPE_BITS, Op


def lower(spec: Any, op: Op, mapping: Any, data: Data | None = None) -> GemmJobs:
    """Return one job a step of the mapping, whose m, n, k, accumulate are arrays [steps].

    Raises
    ------
    InfeasibleError
        If a tile is larger than a command can say, or longer in k than ``spec.longest_k``, where
        an engine has such a bound.
    """
    check_command(op, mapping)
    if mapping.k.max() > (bound := getattr(spec, "longest_k", MAX_EXTENT)):
        raise InfeasibleError(
            f"a tile of op {op.name!r}",
            demand=int(mapping.k.max()),
            bound=bound,
            unit="elements of k, more than which the PEs' sums need not hold",
            levers=("map it with a tile shorter in k", "raise acc_bits"),
        )
    return GemmJobs(mapping.m, mapping.n, mapping.k, mapping.accumulate)


def check_command(op: Op, mapping: Any) -> None:
    """Raise `InfeasibleError` if a tile of a mapping is larger than a command can say."""
    longest = int(max(extent.max() for extent in (mapping.m, mapping.n, mapping.k)))
    if longest > MAX_EXTENT:
        raise InfeasibleError(
            f"a tile of op {op.name!r}",
            demand=longest,
            bound=MAX_EXTENT,
            unit="rows or columns in one command",
            levers=("map it with a smaller tile",),
        )


def integer_dtypes(spec: Any) -> frozenset[str]:
    """Return the integer formats that ports of ``a_bits`` and ``b_bits`` both hold."""
    bits = min(spec.a_bits, spec.b_bits)
    return frozenset(name for name in ("int4", "int8", "int16") if DTYPE_BITS[name] <= bits)
