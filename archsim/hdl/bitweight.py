"""Multiply-accumulate in carry-save form: the carries of a sum are propagated once an output.

A PE keeps its sum as a pair, (sum, carry), that adds up to it. One compressor tree takes the
partial products of a product and the pair before. No carry runs along the accumulator, so its width
costs registers and no time in the tree (OPT1 of Q. Wu et al., HPCA 2025). A pair becomes a number
in lanes of adders where results leave.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl import Adder
from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.booth import aligned_products
from archsim.hdl.compress import compressed
from archsim.hdl.emit import place
from archsim.hdl.trees import pair_top, products_offset


def pair_layout(width: int) -> data.StructLayout:
    """Return the layout of a number in carry-save form, modulo 2^width."""
    return data.StructLayout({"sum": width, "carry": width})


def offset_start(products: int, a_bits: int, b_bits: int) -> int:
    """Return what to begin a sum of `offset_products` with, for `extended` to make it signed."""
    offset = products * products_offset(a_bits, b_bits)
    return (1 << pair_top(products, a_bits, b_bits)) - offset


def extended(total: Value, carry: Value, top: int, width: int) -> Value:
    """Return the bits of a pair of any width, of one that is too large by ``2^top``.

    Addends that are not negative make a pair that has the whole sum and drops no carry. They are
    too large by a power of two that is more than any sum, so at most one half has bit ``top``, and
    taking it off leaves nothing there. Where neither has it, taking it off leaves copies of a sign
    from there on.
    """
    if top >= width:  # a power of two that the sum wraps at
        return Cat(total[:width], carry[:width])
    sign = ~(total[top] | carry[top])
    more = width - top
    return Cat(total[:top], sign.replicate(more), carry[:top], Const(0, more))


class CarrySaveMultiplyAdd(wiring.Component):
    """``result = addend + a b`` in the same cycle, both in carry-save form.

    Booth digits of ``a`` choose multiples of ``b``; 8 bits make four, so the tree is a 6:2.

    Members
    -------
    a, b : in
        Two's complement integers of ``a_bits`` and ``b_bits`` bits.
    addend : in
    result : out
        Pairs of ``width`` bits each.
    """

    def __init__(self, a_bits: int, b_bits: int, width: int) -> None:
        self._width = width
        super().__init__(
            {
                "a": In(signed(a_bits)),
                "b": In(signed(b_bits)),
                "addend": In(pair_layout(width)),
                "result": Out(pair_layout(width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        addends = aligned_products(m, platform, self.a, self.b, self._width)
        addends += [self.addend.sum, self.addend.carry]
        total, carry = compressed(m, addends)
        m.d.comb += [self.result.sum.eq(total), self.result.carry.eq(carry)]
        return m


class CarrySaveMac(wiring.Component):
    """A sum of products in carry-save form, one product a cycle.

    Members
    -------
    a, b : in
        Two's complement integers of ``a_bits`` and ``b_bits`` bits.
    enable : in
        Whether to take a product in this cycle.
    first : in
        Whether the product is the first of its sum: the pair before is left out.
    total : out
        The sum so far, a pair; it changes in the cycle after.
    """

    def __init__(self, a_bits: int, b_bits: int, width: int) -> None:
        self._width = width
        super().__init__(
            {
                "a": In(signed(a_bits)),
                "b": In(signed(b_bits)),
                "enable": In(1),
                "first": In(1),
                "total": Out(pair_layout(width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cell = place(
            m, platform, "multiply_add", "multiply_add",
            CarrySaveMultiplyAdd, len(self.a), len(self.b), self._width,
        )  # fmt: skip
        m.d.comb += [
            cell.a.eq(self.a),
            cell.b.eq(self.b),
            cell.addend.eq(Mux(self.first, 0, self.total.as_value())),
        ]
        with m.If(self.enable):
            m.d.sync += self.total.eq(cell.result)
        return m


class ResolveLanes(wiring.Component):
    """Pairs made numbers, in the same cycle: an adder a lane.

    Members
    -------
    pairs : in
        ``lanes`` numbers in carry-save form.
    totals : out
        Each pair's sum, as a two's complement integer of ``width`` bits.
    """

    def __init__(self, lanes: int, width: int, adder: Adder) -> None:
        self._width, self._adder = width, adder
        super().__init__(
            {
                "pairs": In(pair_layout(width)).array(lanes),
                "totals": Out(signed(width)).array(lanes),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for lane, (pair, total) in enumerate(zip(self.pairs, self.totals, strict=True)):
            adder = place(
                m, platform, f"add_{self._width}", f"lane_{lane}",
                CarryPropagateAdder, self._width, self._adder,
            )  # fmt: skip
            m.d.comb += [adder.x.eq(pair.sum), adder.y.eq(pair.carry), total.eq(adder.sum)]
        return m


class PipelinedLanes(wiring.Component):
    """Pairs made numbers in two cycles: two adders a lane, each of half the places.

    Members
    -------
    take : in
        Whether the pairs are taken in this cycle.
    pairs : in
        ``lanes`` numbers in carry-save form.
    totals : out
        The sum of each pair that was taken last, as a two's complement integer of ``width`` bits.
    """

    def __init__(self, lanes: int, width: int, adder: Adder) -> None:
        self._width, self._adder = width, adder
        super().__init__(
            {
                "take": In(1),
                "pairs": In(pair_layout(width)).array(lanes),
                "totals": Out(signed(width)).array(lanes),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        low = 3 * self._width // 8
        for lane, (pair, total) in enumerate(zip(self.pairs, self.totals, strict=True)):
            lower = self._adder_of(m, platform, "lower", lane, low + 1)  # and its carry
            upper = self._adder_of(m, platform, "upper", lane, self._width - low + 1)
            kept = Signal(low + 1, name=f"lower_{lane}_kept", reset_less=True)
            above = Signal(pair_layout(self._width - low), name=f"above_{lane}", reset_less=True)
            m.d.comb += [
                lower.x.eq(pair.sum[:low]),
                lower.y.eq(pair.carry[:low]),
                # a place below, where two equal bits make a carry of what they are
                upper.x.eq(Cat(kept[-1], above.sum)),
                upper.y.eq(Cat(kept[-1], above.carry)),
                total.eq(Cat(kept[:low], upper.sum[1:])),
            ]
            with m.If(self.take):
                m.d.sync += [
                    kept.eq(lower.sum),
                    above.sum.eq(pair.sum[low:]),
                    above.carry.eq(pair.carry[low:]),
                ]
        return m

    def _adder_of(
        self, m: Module, platform: Any, half: str, lane: int, width: int
    ) -> CarryPropagateAdder:
        return place(
            m, platform, f"add_{width}", f"{half}_{lane}", CarryPropagateAdder, width, self._adder
        )
