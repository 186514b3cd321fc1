"""Words of a Benes switch matrix, routed beforehand by the looping algorithm.

A matrix of W = 2^k ports is a column of W / 2 two-by-two switches, two matrices of W / 2 ports, and
a column again; of two ports, it is one switch: W log2 W - W / 2 in all, one bit of a word each. Bit
order: first column, matrix of the upper outputs, of the lower ones, last column.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

T = TypeVar("T")


def switch_count(ports: int) -> int:
    """Return the switches of a matrix of so many ports, a power of two."""
    return ports * (ports.bit_length() - 1) - ports // 2


def switched(bits: Sequence[int], values: Sequence[T]) -> list[T]:
    """Return values in the order that switches leave them in; a bit of 1 crosses a pair."""
    ports = len(values)
    if ports == 2:
        return list(values if not bits[0] else (values[1], values[0]))
    half, inner = ports // 2, switch_count(ports // 2)
    pairs = [values[2 * i : 2 * i + 2][:: -1 if bits[i] else 1] for i in range(half)]
    upper = switched(bits[half : half + inner], [pair[0] for pair in pairs])
    lower = switched(bits[half + inner : half + 2 * inner], [pair[1] for pair in pairs])
    outs: list[T] = []
    for bit, pair in zip(bits[half + 2 * inner :], zip(upper, lower, strict=True), strict=True):
        outs += pair[:: -1 if bit else 1]
    return outs


def routed(sources: Sequence[int]) -> list[int]:
    """Return the bits that bring input ``sources[o]`` to output o, for each o."""
    ports = len(sources)
    if ports == 2:
        return [int(sources[0] == 1)]
    half = ports // 2
    place = {source: out for out, source in enumerate(sources)}
    upper: dict[int, bool] = {}  # by output: whether it is reached through the upper matrix
    for start in range(ports):
        out = start
        while out not in upper:
            upper[out], upper[out ^ 1] = True, False
            out = place[sources[out ^ 1] ^ 1]  # its partner at the inputs came through the lower
    first = [int(not upper[place[2 * i]]) for i in range(half)]
    last = [int(not upper[2 * o]) for o in range(half)]
    inner = [[sources[o] // 2 for o in range(ports) if upper[o] is side] for side in (True, False)]
    return [*first, *routed(inner[0]), *routed(inner[1]), *last]


def strided(ports: int, stride: int) -> list[int]:
    """Return the input of each output of a stride permutation: i goes to where i is in columns.

    Input i comes out at ``(i mod stride) ports / stride + i div stride``.
    """
    sources = [0] * ports
    for i in range(ports):
        sources[i % stride * (ports // stride) + i // stride] = i
    return sources


@cache
def stride_words(ports: int) -> tuple[int, ...]:
    """Return the word for each stride of 1, 2, 4 to ``ports``."""
    words = []
    for log in range(ports.bit_length()):
        bits = routed(strided(ports, 1 << log))
        words.append(sum(bit << i for i, bit in enumerate(bits)))
    return tuple(words)
