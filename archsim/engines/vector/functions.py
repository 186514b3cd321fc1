"""Which functions of a trace the integer lanes compute, and how they take their operands.

A result is ``clamp(round((op over taps of (x + bias) multiplier) / 2^shift) + zero_point)``, the op
being a sum or a maximum. Everything below is that with other parameters: an addition has two taps
with a multiplier each, ReLU is a clamp, an average's multiplier holds the division by its taps, a
move multiplies by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from archsim.trace import VECTOR_PASSES, Op

# bits that two's complement needs; types that are not here are no integers, or too wide
INTEGER_BITS: Mapping[str, int] = MappingProxyType(
    {"bool": 2, "int4": 4, "int8": 8, "uint8": 9, "int16": 16, "int32": 32}
)


@dataclass(frozen=True, slots=True)
class Function:
    """How lanes compute a function.

    Parameters
    ----------
    taps
        ``one`` operand, a ``pair`` of tensors that take turns, each with its own scale, or a
        ``window`` of one tensor.
    maximum
        Whether taps are compared and not added.
    by_channel
        Whether bias and scale may differ from channel to channel.
    """

    taps: Literal["one", "pair", "window"] = "one"
    maximum: bool = False
    by_channel: bool = False


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        **dict.fromkeys(("cast", "ceil", "clip", "floor", "neg", "relu", "round"), Function()),
        **dict.fromkeys(
            ("batch_norm", "bias", "offset", "quantise", "requantise", "scale"),
            Function(by_channel=True),
        ),
        **dict.fromkeys(("add", "sub"), Function("pair")),
        "max": Function("pair", maximum=True),
        **dict.fromkeys(
            ("average_pool", "global_average_pool", "reduce_mean", "reduce_sum"),
            Function("window"),
        ),
        **dict.fromkeys(
            ("global_max_pool", "max_pool", "reduce_max"), Function("window", maximum=True)
        ),
    }
)
MOVE = Function()
# an epilogue's clamp is the lane's own: what else is in it takes a pass
FUSED = frozenset({"cast", "clip", "quantise", "relu", "requantise", "round"})


def function_of(op: Op) -> Function | None:
    """Return how lanes compute an op, whatever its types; None if they do not."""
    if op.kind == "move":
        return MOVE
    name = op.attrs.get("function")
    if op.kind != "vector" or not isinstance(name, str) or not FUSED.issuperset(op.epilogue):
        return None
    found = FUNCTIONS.get(name)
    if found is not None and found.taps == "pair" and len(op.inputs) != 2:
        return None
    return found


def taps_of(op: Op, function: Function, results: int) -> int:
    """Return the taps of a result, 0 if the op's work is no whole number of them."""
    if function.taps != "window":
        return 2 if function.taps == "pair" else 1
    passes = sum(VECTOR_PASSES[name] for name in (str(op.attrs["function"]), *op.epilogue))
    taps, rest = divmod(op.int_attr("work"), passes * results)
    return 0 if rest else taps
