"""Variants of SMASH on the shipped block, simulated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from archsim.design import load_design
from archsim.engines.piuma.spec import ALGORITHMS
from archsim.frontends.products import multiplied
from archsim.plan import Memo
from archsim.result import OpRow, Result
from archsim.simulate import simulate
from archsim.sparse import Csr
from archsim.trace import Trace

DESIGN, ENGINE = "piuma_like", "block"


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of one product; what is counted for one of them serves the others."""

    trace: Trace
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @classmethod
    def of(cls, a: Csr, b: Csr | None = None) -> Runs:
        """Return the runs of A squared, or of A B."""
        return cls(multiplied("product", "by recipe", a, b).build())

    def run(self, **fields: Any) -> Result:
        """Return the result on a block with some fields of its own."""
        own = {f"engines.{ENGINE}.{name}": value for name, value in fields.items()}
        return simulate(load_design(DESIGN, own), self.trace, memo=self.memo)

    def variants(self) -> tuple[Result, ...]:
        """Return the results of V1, V2 and V3."""
        return tuple(self.run(algorithm=algorithm) for algorithm in ALGORITHMS)

    def speed_ups(self) -> tuple[float, float, float]:
        """Return V2's speed over V1's, V3's over V2's, and V3's over V1's."""
        v1, v2, v3 = (result.metrics.time_us for result in self.variants())
        return v1 / v2, v2 / v3, v1 / v3


def row_of(result: Result) -> OpRow:
    """Return the row of the one op that there is."""
    return result.per_op[0]
