"""What the vector unit is, which ops it takes, and the jobs that it makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from archsim.engines import EngineSpec, Ints, Jobs, Reason
from archsim.trace import Op

KINDS = frozenset({"vector", "move"})


class VectorSpec(EngineSpec):
    """A row of identical lanes, each doing one operation a cycle."""

    kind: Literal["vector"] = "vector"
    lanes: Annotated[int, Field(gt=0, le=65536)] = 32
    lane_bits: Annotated[int, Field(gt=0, le=64)] = 32


@dataclass(frozen=True, slots=True)
class VectorJobs(Jobs):
    """Slices of element-wise ops; ``work`` counts lane operations."""

    work: Ints


def accepts(spec: VectorSpec, op: Op) -> Literal[True] | Reason:
    if op.kind in KINDS:
        return True
    return Reason(f"a vector unit runs {' and '.join(sorted(KINDS))} ops, not {op.kind}")


def lower(spec: VectorSpec, op: Op, slices: Any, data: object = None) -> VectorJobs:
    """Return one job a slice; ``slices.work`` holds each slice's lane operations."""
    return VectorJobs(slices.work)
