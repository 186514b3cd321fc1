"""Variants of SMASH on the shipped block, simulated."""

from __future__ import annotations

from typing import Any

from archsim.design import load_design
from archsim.engines.piuma.spec import ALGORITHMS
from archsim.frontends.products import multiplied
from archsim.result import OpRow, Result
from archsim.simulate import simulate
from archsim.sparse import Csr
from archsim.trace import Trace

DESIGN, ENGINE = "piuma_like", "block"


def square(a: Csr, b: Csr | None = None) -> Trace:
    """Return the trace of A squared, or of A B."""
    return multiplied("product", "by recipe", a, b).build()


def run(trace: Trace, **fields: Any) -> Result:
    """Return the result of a product on a block with some fields of its own."""
    own = {f"engines.{ENGINE}.{name}": value for name, value in fields.items()}
    return simulate(load_design(DESIGN, own), trace)


def variants(trace: Trace) -> tuple[Result, ...]:
    """Return the results of V1, V2 and V3."""
    return tuple(run(trace, algorithm=algorithm) for algorithm in ALGORITHMS)


def row_of(result: Result) -> OpRow:
    return result.per_op[0]


def us(result: Result) -> float:
    return result.metrics.time_us


def speed_ups(trace: Trace) -> tuple[float, float, float]:
    """Return V2's speed over V1's, V3's over V2's, and V3's over V1's."""
    v1, v2, v3 = map(us, variants(trace))
    return v1 / v2, v2 / v3, v1 / v3
