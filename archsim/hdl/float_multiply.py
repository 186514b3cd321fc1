"""A combinational multiplier of two bf16 numbers, with an fp32 product."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.floats import FRACTION_BITS, INFINITY, NAN, Float, leading_zeros, shifted_right

BF16_FRACTION_BITS = 7
BIAS = 127


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
        # zeros at the top of both significands, counted beside the multiplication
        zeros = Signal(4)
        m.d.comb += zeros.eq(leading_zeros(a.significand) + leading_zeros(b.significand))
        # exponent that the product has if its leading one is at bit 15 once the zeros are gone
        exponent = Signal(range(-300, 400))
        m.d.comb += exponent.eq(a.exponent + b.exponent - (BIAS - 1) - zeros)

        significand = Signal(16)
        m.d.comb += significand.eq((a.significand * b.significand) << zeros)
        normal = self._normal(m, exponent, significand)
        subnormal = self._subnormal(m, exponent, significand)

        sign = a.sign ^ b.sign
        infinite = a.infinite | b.infinite
        zero = (self.a[:-1] == 0) | (self.b[:-1] == 0)
        with m.If(a.nan | b.nan | (infinite & zero)):
            m.d.comb += self.product.eq(NAN)
        with m.Elif(infinite):
            m.d.comb += self.product.eq(Cat(Const(INFINITY, 31), sign))
        with m.Elif(zero):
            m.d.comb += self.product.eq(Cat(Const(0, 31), sign))
        with m.Elif(exponent > 1):
            m.d.comb += self.product.eq(Cat(normal, sign))
        with m.Else():
            m.d.comb += self.product.eq(Cat(subnormal, sign))
        return m

    def _normal(self, m: Module, exponent: Signal, significand: Signal) -> Signal:
        """Return the magnitude of a product of exponent 2 or more: exact, or infinite."""
        magnitude = Signal(31)
        high = significand[15]
        field = Mux(high, exponent, exponent - 1)
        fraction = Mux(high, significand[:15], Cat(Const(0, 1), significand[:14]))
        exact = Cat(Const(0, FRACTION_BITS - 15), fraction, field[:8])
        m.d.comb += magnitude.eq(Mux(field >= 255, INFINITY, exact))
        return magnitude

    def _subnormal(self, m: Module, exponent: Signal, significand: Signal) -> Signal:
        """Return the magnitude of a product of exponent 1 or less, rounded to steps of 2^-149.

        A carry out of the fraction makes the least normal number, as it should.
        """
        distance = Signal(range(32))
        with m.If(exponent < -30):
            m.d.comb += distance.eq(31)
        with m.Else():
            m.d.comb += distance.eq(1 - exponent)
        # the significand's top bit is worth 2^-126; two bits more to round with
        frame = Cat(Const(0, 2 + FRACTION_BITS - 15), significand)
        shifted = shifted_right(m, frame, distance, "product")
        kept, half, rest = shifted[2:], shifted[1], shifted[0]
        magnitude = Signal(31)
        m.d.comb += magnitude.eq(kept + (half & (rest | kept[0])))
        return magnitude
