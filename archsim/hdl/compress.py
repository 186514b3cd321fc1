"""Carry-save addition: many addends made two, with no carry that passes along the places.

All is modulo 2^width. Sum and carry are halves of one number and mean nothing alone: neither may be
extended by its sign; add first, then extend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.trees import compressor_levels


def carry_save_add(x: Value, y: Value, z: Value) -> tuple[Value, Value]:
    """Return the bits of a full adder at each place, (sum, carry), for addends of one width."""
    carry = (x & y) | (x & z) | (y & z)
    return x ^ y ^ z, Cat(Const(0, 1), carry[:-1])


def compressed(m: Module, addends: Sequence[Value]) -> tuple[Value, Value]:
    """Return two numbers that add up to all addends, of one width; adds the tree to a module.

    Where it stands in the module of its addends, their constant bits make it smaller.
    """
    rows, width = list(addends), len(addends[0])
    for level in range(compressor_levels(len(rows))):
        rows = compressor_level(m, rows, level)
    rows += [Const(0, width)] * (2 - len(rows))
    return rows[0], rows[1]


def compressor_level(m: Module, rows: Sequence[Value], level: int) -> list[Value]:
    """Return what a level of full adders leaves of addends: two of each three; adds it."""
    groups = len(rows) // 3
    made: list[Value] = []
    for group in range(groups):
        pair = carry_save_add(*rows[3 * group : 3 * group + 3])
        for half, value in zip(("sum", "carry"), pair, strict=True):
            row = Signal(len(rows[0]), name=f"{half}_{level}_{group}")
            m.d.comb += row.eq(value)
            made.append(row)
    return [*made, *rows[3 * groups :]]


class CompressorTree(wiring.Component):
    """Addends made two, by levels of full adders: 4:2 has two levels, 6:2 three.

    Each level takes what there is three by three (Wallace, 1964).

    Members
    -------
    addends : in
        ``inputs`` numbers of ``width`` bits.
    sum, carry : out
        Two that add up to as much, modulo 2^width.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(
            {"addends": In(width).array(inputs), "sum": Out(width), "carry": Out(width)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        total, carry = compressed(m, list(self.addends))
        m.d.comb += [self.sum.eq(total), self.carry.eq(carry)]
        return m
