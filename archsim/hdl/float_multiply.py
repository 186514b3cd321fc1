"""A combinational multiplier of two bf16 numbers, with an fp32 product."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.floats import FRACTION_BITS, INFINITY, NAN, Float, leading_zeros, shifted_right

BF16_FRACTION_BITS = 7
BIAS = 127
MOST_ZEROS = 14  # above the leading ones of two significands that are not zero
ROUNDING_BITS = 2  # half a step, and whether there is more


class Bf16Multiplier(wiring.Component):
    """``product = a b`` in one cycle, rounded to nearest even where fp32 cannot hold it.

    Two significands of 8 bits make one of 16, so only products beyond fp32's range are rounded:
    to infinity above it, to a subnormal or zero below.

    Members
    -------
    a, b : in
        bf16 bit patterns.
    product : out
        fp32 bit pattern; any NaN is the canonical one.
    """

    def __init__(self) -> None:
        super().__init__({"a": In(16), "b": In(16), "product": Out(32)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        a, b = Float(self.a, BF16_FRACTION_BITS), Float(self.b, BF16_FRACTION_BITS)
        # exponent of the product's bit 15, and of its leading one, or one less
        scale, exponent = Signal(range(-124, 383)), Signal(range(-138, 383))
        zeros = Signal(range(MOST_ZEROS + 1))
        subnormal = Signal()
        m.d.comb += [
            scale.eq(a.exponent + b.exponent - (BIAS - 1)),
            zeros.eq(leading_zeros(a.significand) + leading_zeros(b.significand)),
            exponent.eq(scale - zeros),
            subnormal.eq(exponent <= 1),
        ]
        # the product stands left of where it can go and is shifted right, once: to have its leading
        # one at the top of the frame, or, where that is farther, bit 15 at the scale of subnormals
        distance = Signal(range(64))
        with m.If(~subnormal):
            m.d.comb += distance.eq(MOST_ZEROS - zeros)
        with m.Elif(scale < -FRACTION_BITS):
            m.d.comb += distance.eq(63)
        with m.Else():
            m.d.comb += distance.eq(MOST_ZEROS + 1 - scale)
        low = Const(0, MOST_ZEROS + FRACTION_BITS - 15 + ROUNDING_BITS)
        left = Cat(low, (a.significand * b.significand)[:16])
        frame = shifted_right(m, left, distance, "product")[: FRACTION_BITS + 1 + ROUNDING_BITS]

        sign = a.sign ^ b.sign
        infinite = a.infinite | b.infinite
        zero = ~a.significand.any() | ~b.significand.any()
        with m.If(a.nan | b.nan | (infinite & zero)):
            m.d.comb += self.product.eq(NAN)
        with m.Elif(infinite):
            m.d.comb += self.product.eq(Cat(Const(INFINITY, 31), sign))
        with m.Elif(zero):
            m.d.comb += self.product.eq(Cat(Const(0, 31), sign))
        with m.Elif(subnormal):
            m.d.comb += self.product.eq(Cat(self._rounded(m, frame), sign))
        with m.Else():
            m.d.comb += self.product.eq(Cat(self._exact(m, exponent, frame), sign))
        return m

    def _exact(self, m: Module, exponent: Signal, frame: Value) -> Signal:
        """Return the magnitude of a product of exponent 2 or more: exact, or infinite."""
        high, magnitude = frame[-1], Signal(31)
        fraction = Mux(high, frame[ROUNDING_BITS:-1], frame[ROUNDING_BITS - 1 : -2])
        infinite = (exponent > 255) | (high & (exponent == 255))
        field = Mux(high, exponent[:8], (exponent - 1)[:8])
        m.d.comb += magnitude.eq(Mux(infinite, INFINITY, Cat(fraction, field)))
        return magnitude

    def _rounded(self, m: Module, frame: Value) -> Signal:
        """Return the magnitude of a product of exponent 1 or less, rounded to steps of 2^-149.

        A carry out of the fraction makes the least normal number, as it should.
        """
        magnitude = Signal(31)
        kept, half, rest = frame[ROUNDING_BITS:], frame[1], frame[0]
        m.d.comb += magnitude.eq(kept + (half & (rest | kept[0])))
        return magnitude
