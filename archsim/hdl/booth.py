"""Multiplication by radix-4 Booth digits: partial products, and a multiplier that adds them up."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl import Adder
from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.compress import compressed
from archsim.hdl.digits import BoothCell, negated_where
from archsim.hdl.emit import place


def partial_product(digit: data.View, b: Value, minus_b: Value) -> Value:
    """Return ``digit b``, for a digit of radix 4, one bit wider than what it is chosen from.

    Parameters
    ----------
    b, minus_b
        The number and its opposite, both signed and one bit wider than the number needs: the
        opposite of -128 is 128.
    """
    signed_b = Mux(digit.negative, minus_b, b)
    once = Mux(digit.one, Cat(signed_b, signed_b[-1]), 0)
    return Mux(digit.two, Cat(Const(0, 1), signed_b), once).as_signed()


class PartialProducts(wiring.Component):
    """The rows of a product, one a Booth digit of ``a``; the opposite of ``b`` is made once.

    Members
    -------
    a, b : in
        Two's complement integers of ``a_bits`` and ``b_bits`` bits.
    rows : out
        Lowest digit first. Row i counts for ``4^i``; all of them add up to ``a b``.
    """

    def __init__(self, a_bits: int, b_bits: int) -> None:
        super().__init__(
            {
                "a": In(signed(a_bits)),
                "b": In(signed(b_bits)),
                "rows": Out(signed(b_bits + 2)).array((a_bits + 1) // 2),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        wide_b = Cat(self.b, self.b[-1]).as_signed()
        minus_b = Signal(signed(len(wide_b)))
        m.d.comb += minus_b.eq(negated_where(wide_b, 1))
        text = Cat(Const(0, 1), self.a, self.a[-1])
        for i, row in enumerate(self.rows):
            cell = place(m, platform, "booth_cell", f"digit_{i}", BoothCell)
            m.d.comb += [
                cell.window.eq(text[2 * i : 2 * i + 3]),
                row.eq(partial_product(cell.digit, wide_b, minus_b)),
            ]
        return m


def aligned_products(m: Module, platform: Any, a: Value, b: Value, width: int) -> list[Value]:
    """Return addends of a width that add up to ``a b`` modulo 2^width; adds their cells once.

    Rows are not extended by their signs, which would fill a tree with copies of them. A row whose
    sign bit is inverted is too large by that bit's weight; what all rows are too large by is one
    constant, taken off where the first row has nothing.
    """
    name = f"partial_products_{len(a)}x{len(b)}"
    cells = place(m, platform, name, "products", PartialProducts, len(a), len(b))
    m.d.comb += [cells.a.eq(a), cells.b.eq(b)]
    top = len(b) + 1  # place of a row's sign
    excess = -sum(1 << top + 2 * i for i in range(len(cells.rows)))
    aligned = []
    for i, row in enumerate(cells.rows):
        sign = row[-1]
        if len(cells.rows) == 1:
            whole = row
        elif i == 0:  # the constant has its first two bits at the sign and above it
            whole = Cat(row[:top], sign, sign, ~sign, Const(excess >> top + 3, signed(width)))
        else:
            whole = Cat(Const(0, 2 * i), row[:top], ~sign)
        addend = Signal(signed(width), name=f"product_{i}")
        m.d.comb += addend.eq(whole)
        aligned.append(addend)
    return aligned


def offset_products(m: Module, platform: Any, a: Value, b: Value, instance: str) -> list[Value]:
    """Return addends that are not negative, whose sum is `products_offset` more than ``a b``.

    Sums of such addends never wrap where there is room for the largest, so that many can be added
    up before a sign is made of them.
    """
    name = f"partial_products_{len(a)}x{len(b)}"
    cells = place(m, platform, name, instance, PartialProducts, len(a), len(b))
    m.d.comb += [cells.a.eq(a), cells.b.eq(b)]
    return [Cat(Const(0, 2 * i), row[:-1], ~row[-1]) for i, row in enumerate(cells.rows)]


class BoothMultiplier(wiring.Component):
    """``product = a b`` in the same cycle: partial products, a compressor tree and one adder.

    Members
    -------
    a, b : in
        Two's complement integers of ``a_bits`` and ``b_bits`` bits.
    product : out
    """

    def __init__(self, a_bits: int, b_bits: int, adder: Adder) -> None:
        self._adder = adder
        super().__init__(
            {
                "a": In(signed(a_bits)),
                "b": In(signed(b_bits)),
                "product": Out(signed(a_bits + b_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = len(self.product)
        addends = aligned_products(m, platform, self.a, self.b, width)
        total, carry = compressed(m, addends)
        adder = place(m, platform, f"add_{width}", "adder", CarryPropagateAdder, width, self._adder)
        m.d.comb += [adder.x.eq(total), adder.y.eq(carry), self.product.eq(adder.sum)]
        return m
