"""What the vector unit is, which ops it takes, and the jobs that it makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from archsim.engines import EngineSpec, Ints, Jobs, Reason, SpecBatch
from archsim.engines.vector.functions import INTEGER_BITS, function_of, taps_of
from archsim.formats.requantise import Rounding
from archsim.trace import Op

KINDS = frozenset({"vector", "move"})
MAX_BEATS = 2**24 - 1  # of results, taps, and results between parameters, in one command


class VectorSpec(EngineSpec):
    """A row of lanes that scale, add or compare, and round integers.

    A lane takes an operand a cycle. Functions that it has no hardware for are counted as lane
    operations, one a cycle.
    """

    kind: Literal["vector"] = "vector"
    lanes: Annotated[int, Field(gt=0, le=65536, description="operands a cycle")] = 32
    lane_bits: Annotated[
        int, Field(ge=4, le=48, description="bits of an operand, of a sum and of a result")
    ] = 32
    scale_bits: Annotated[int, Field(ge=4, le=32, description="bits of a multiplier")] = 32
    rounding: Annotated[
        Rounding, Field(description="of ties: half_even as ONNX, half_up as TOSA")
    ] = "half_even"

    @model_validator(mode="after")
    def _a_product_has_64_bits(self) -> Self:
        if self.lane_bits + self.scale_bits > 64:
            raise ValueError(
                "lane_bits + scale_bits must be at most 64, "
                f"not {self.lane_bits} + {self.scale_bits}"
            )
        return self


@dataclass(frozen=True, slots=True)
class VectorJobs(Jobs):
    """Slices of ops: on the integer lanes, or where ``taps`` is 0 as lane operations.

    Parameters
    ----------
    work
        Lane operations by convention (`archsim.trace.VECTOR_PASSES`).
    results, taps
        Elements that go out, and operands of each.
    hold
        Beats of results to which a set of parameters applies.
    bits
        Of an operand.
    alternate
        Odd taps have the command's bias and multiplier, not the set's.
    maximum
        Taps are compared and not added.

    Refs: ``x`` [results, taps]; ``parameters`` [sets, lanes, 3], bias, multiplier and shift;
    ``tensor`` [5]: bias and multiplier of odd taps, zero point, least and greatest result.
    """

    work: Ints
    results: Ints
    taps: Ints
    hold: Ints
    bits: Ints
    alternate: NDArray[np.bool_]
    maximum: NDArray[np.bool_]


def accepts(spec: VectorSpec, op: Op) -> Literal[True] | Reason:
    if op.kind in KINDS:
        return True
    return Reason(f"a vector unit runs {' and '.join(sorted(KINDS))} ops, not {op.kind}")


def lower(spec: VectorSpec | SpecBatch, op: Op, slices: Any, data: object = None) -> VectorJobs:
    """Return one job a slice; `archsim.planner.Slices` says what of the op it is.

    An op is for the integer lanes if they have its function, and its types fit them.
    """
    function, lanes = function_of(op), np.asarray(spec.lanes)
    taps, channels = 0, 1
    if function is not None:
        taps = taps_of(op, function, slices.all_results)
        if function.by_channel and len(slices.operands) > 1:
            channels = slices.operands[1]
    widths = [INTEGER_BITS.get(dtype, 64) for dtype in slices.dtypes]
    beats = -(-slices.results // lanes)
    fits = (max(widths) <= np.asarray(spec.lane_bits)) & (np.maximum(beats, taps) <= MAX_BEATS)
    sets = np.minimum(-(-channels // lanes), beats)
    none = np.zeros(len(slices.work), bool)
    return VectorJobs(
        work=slices.work,
        results=slices.results,
        taps=np.where(fits, taps, 0),
        hold=-(-beats // sets),
        bits=none + widths[0],
        alternate=none | (function is not None and function.taps == "pair"),
        maximum=none | (function is not None and function.maximum),
    )
