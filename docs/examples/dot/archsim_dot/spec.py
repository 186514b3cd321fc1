"""What a person types to get a dot-product engine, the op it runs, the jobs it makes of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from archsim.engines import EngineSpec, Ints, Jobs, Reason
from archsim.trace import Op, OpKind


class DotSpec(EngineSpec):
    """``lanes`` multipliers, an adder tree, one accumulator that wraps at ``acc_bits``."""

    kind: Literal["dot"] = "dot"
    lanes: Annotated[int, Field(ge=1, le=1024, description="elements in a beat")] = 8
    bits: Annotated[int, Field(ge=2, le=16, description="bits of an element")] = 8
    acc_bits: Annotated[int, Field(ge=4, le=64, description="bits of a sum")] = 32


DOT = OpKind(
    "dot",
    {"count": int, "length": int},  # result[i] = sum of a[i] b[i]; a and b are [count, length]
    macs=lambda op: op.int_attr("count") * op.int_attr("length"),
)


@dataclass(frozen=True, slots=True)
class DotJobs(Jobs):
    """``count`` dot products of ``length`` elements, one after another; refs ``a``, ``b``."""

    count: Ints
    length: Ints


def steps(spec: Any, jobs: DotJobs) -> Ints:
    """Return the beats of one dot product; the last one's empty lanes carry zeros."""
    return np.asarray(-(-jobs.length // np.asarray(spec.lanes)))


def accepts(spec: DotSpec, op: Op) -> Literal[True] | Reason:
    return True if op.kind == "dot" else Reason(f"a dot-product engine has no {op.kind}")


def lower(spec: DotSpec, op: Op, slices: Any, data: object = None) -> DotJobs:
    """Return one job a slice; ``slices.work`` holds each slice's output elements."""
    return DotJobs(slices.work, np.full_like(slices.work, op.int_attr("length")))
