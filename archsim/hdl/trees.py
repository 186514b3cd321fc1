"""Shapes of trees of adders and of what they add: plain arithmetic, for hardware and its cost."""

from __future__ import annotations

from collections.abc import Iterator


def compressor_levels(addends: int) -> int:
    """Return the levels of full adders that make two of so many addends."""
    levels = 0
    while addends > 2:
        addends, levels = addends - addends // 3, levels + 1
    return levels


def after_level(values: int, level: int, *, compressed: bool) -> int:
    """Return how many of so many values are left after a level of a tree.

    Parameters
    ----------
    compressed
        Whether levels make two of three, or one of two.
    """
    for _ in range(level):
        values -= values // 3 if compressed else values // 2
    return values


def ranks(levels: int, stages: int) -> Iterator[int]:
    """Yield the levels of a tree after which registers stand, its end first; 0 is its leaves."""
    for i in range(stages):
        yield levels - i * (levels + 1) // stages


def products_offset(a_bits: int, b_bits: int) -> int:
    """Return what `archsim.hdl.booth.offset_products` add up to too much: the signs' weights."""
    return sum(1 << b_bits + 1 + 2 * i for i in range((a_bits + 1) // 2))


def pair_top(products: int, a_bits: int, b_bits: int) -> int:
    """Return the highest bit of a pair that adds up products and drops no carry.

    `archsim.hdl.bitweight.extended` says why it has to be there.
    """
    offset = products * products_offset(a_bits, b_bits)
    largest = products << a_bits + b_bits - 2
    return max(offset, largest).bit_length()
