"""Sums of several products at a time: trees of adders, or one of compressors, with registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Const, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.bitweight import extended, offset_start
from archsim.hdl.booth import offset_products
from archsim.hdl.compress import compressor_level
from archsim.hdl.emit import place
from archsim.hdl.mac import Arithmetic, multiply
from archsim.hdl.trees import compressor_levels, pair_top, ranks


class DotProduct(wiring.Component):
    """``a_0 b_0 + a_1 b_1 + ...``, at the end of ``stages`` ranks of registers.

    ``pe: mac``: each product is a number, and a binary tree adds them, a bit wider each level.
    ``pe: opt1``: the Booth rows of all products go through one compressor tree, whose two results
    are the sum. Ranks are spread evenly over the ends of products and levels; the last one is the
    tree's end.

    Parameters
    ----------
    depth
        Number of products.
    width
        Bits of the sum, which wraps there.
    stages
        1 or more; at most one more than the levels of a binary tree.

    Members
    -------
    advance : in
        Enable of every register.
    a, b : in
        ``depth`` two's complement integers each.
    sum : out
        As `Arithmetic.sum_shape` has it.
    """

    def __init__(
        self, depth: int, a_bits: int, b_bits: int, width: int, stages: int, how: Arithmetic
    ) -> None:
        self._depth, self._width, self._stages, self._how = depth, width, stages, how
        super().__init__(
            {
                "advance": In(1),
                "a": In(signed(a_bits)).array(depth),
                "b": In(signed(b_bits)).array(depth),
                "sum": Out(how.sum_shape(width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        made = (self._number if self._how.pe == "mac" else self._pair)(m, platform)
        m.d.comb += self.sum.eq(made)
        return m

    def _number(self, m: Module, platform: Any) -> Value:
        """Return the sum as a number, in the last rank."""
        how, level = self._how, 0
        values = [
            multiply(m, platform, how, a, b, f"multiplier_{i}")
            for i, (a, b) in enumerate(zip(self.a, self.b, strict=True))
        ]
        at = set(ranks((self._depth - 1).bit_length(), self._stages))
        values = self._held(m, values, level in at, f"rank_{level}")
        while len(values) > 1:
            level += 1
            width = min(len(values[0]) + 1, self._width)
            sums = []
            for i in range(0, len(values) - 1, 2):
                sums.append(self._added(m, platform, width, values[i : i + 2], f"add_{level}_{i}"))
            values = [*sums, *values[len(values) - len(values) % 2 :]]
            values = self._held(m, values, level in at, f"rank_{level}")
        return values[0]

    def _added(
        self, m: Module, platform: Any, width: int, values: Sequence[Value], instance: str
    ) -> Value:
        total = Signal(signed(width), name=instance)
        x, y = values
        if self._how.adder == "inferred":
            m.d.comb += total.eq(x + y)
            return total
        adder = place(
            m, platform, f"add_{width}", instance, CarryPropagateAdder, width, self._how.adder
        )
        m.d.comb += [adder.x.eq(x), adder.y.eq(y), total.eq(adder.sum)]
        return total

    def _pair(self, m: Module, platform: Any) -> Value:
        """Return the sum as a pair, made of the last rank.

        Addends are kept from being negative, so that the two that are left have the whole sum.
        """
        a_bits, b_bits = len(self.a[0]), len(self.b[0])
        top = pair_top(self._depth, a_bits, b_bits)
        width = min(top + 1, self._width)
        rows: list[Value] = [Const(offset_start(self._depth, a_bits, b_bits), width)]
        for i, (a, b) in enumerate(zip(self.a, self.b, strict=True)):
            for j, addend in enumerate(offset_products(m, platform, a, b, f"products_{i}")):
                row = Signal(width, name=f"product_{i}_{j}")
                m.d.comb += row.eq(addend)
                rows.append(row)
        levels = compressor_levels(len(rows))
        at = set(ranks(levels, self._stages))
        rows = self._held(m, rows, 0 in at, "rank_0")
        for level in range(1, levels + 1):
            rows = compressor_level(m, rows, level)
            rows = self._held(m, rows, level in at, f"rank_{level}")
        total, carry = rows
        return extended(total, carry, top, self._width)

    def _held(self, m: Module, values: Sequence[Value], hold: bool, name: str) -> list[Value]:
        """Return the values, or a rank of registers that takes them over."""
        if not hold:
            return list(values)
        held = []
        for i, value in enumerate(values):
            if isinstance(value, Const):
                held.append(value)
                continue
            register = Signal(value.shape(), name=f"{name}_{i}", reset_less=True)
            with m.If(self.advance):
                m.d.sync += register.eq(value)
            held.append(register)
        return held
