"""The lanes between an engine's results and the buffer: what narrowing sums costs.

Bias, ReLU and requantisation keep pace with the drain: a row of integer lanes, one for each lane of
the result port, takes a row of sums a cycle. The system that `archsim rtl build --top axi` writes
has them; their price is that of the vector unit's lanes, by the same syntheses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archsim.engines import Engine
from archsim.engines.vector.cost import RowCost, row_cost
from archsim.trace import Op, as_gemm

if TYPE_CHECKING:
    from archsim.tech import Tech


def lanes_of(engine: Engine, spec: Any) -> tuple[int, int] | None:
    """Return lanes and bits of the row behind an engine; None unless it gives sums of integers."""
    types = engine.dtypes(spec) if engine.dtypes else ()
    if engine.sum_bits is None or not any(name.startswith("int") for name in types):
        return None
    results = (port for port in engine.lanes(spec).values() if port.direction == "out")
    return sum(port.lanes for port in results), int(engine.sum_bits(spec))


def row_of(engine: Engine, spec: Any, tech: Tech) -> RowCost | None:
    """Return what the row behind an engine costs; None where there is none, or no measured one."""
    found = lanes_of(engine, spec)
    return None if found is None else row_cost(*found, tech)


def results_of(op: Op) -> int:
    """Return how many elements of a product pass the lanes on their way to the buffer."""
    if not op.epilogue:
        return 0
    gemm = as_gemm(op)
    return gemm.m * gemm.n * gemm.groups
