"""A combinational adder of two fp32 numbers."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.floats import FRACTION_BITS, INFINITY, NAN, Float, leading_zeros, shifted_right

EXTRA_BITS = 3  # guard, round, sticky: what rounding to nearest needs of an aligned addend
FRAME_BITS = FRACTION_BITS + 1 + EXTRA_BITS
GREATEST = 254  # biased exponent of a finite number


class Fp32Adder(wiring.Component):
    """``sum = x + y`` in one cycle, rounded to nearest even; subnormals are kept.

    The number of smaller magnitude is aligned to the other and added or subtracted; the result is
    normalised, as far as its exponent goes, and rounded. An exact zero is positive unless both
    are negative zeros.

    Members
    -------
    x, y : in
        fp32 bit patterns.
    sum : out
        fp32 bit pattern; any NaN is the canonical one.
    """

    def __init__(self) -> None:
        super().__init__({"x": In(32), "y": In(32), "sum": Out(32)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        x, y = Float(self.x, FRACTION_BITS), Float(self.y, FRACTION_BITS)
        swap, subtract, distance = Signal(), Signal(), Signal(8)
        m.d.comb += [
            swap.eq(self.x[:-1] < self.y[:-1]),
            subtract.eq(x.sign ^ y.sign),
            distance.eq(Mux(swap, y.exponent - x.exponent, x.exponent - y.exponent)),
        ]
        large, small, exponent = Signal(FRAME_BITS), Signal(FRAME_BITS), Signal(8)
        extra = Const(0, EXTRA_BITS)
        m.d.comb += [
            large.eq(Cat(extra, Mux(swap, y.significand, x.significand))),
            small.eq(Cat(extra, Mux(swap, x.significand, y.significand))),
            exponent.eq(Mux(swap, y.exponent, x.exponent)),
        ]
        # 31 places lose everything but the sticky bit
        near = distance[:5] | distance[5:].any().replicate(5)
        aligned = shifted_right(m, small, near, "aligned")
        total = Signal(FRAME_BITS + 1)
        # one adder for both: the lowest place carries in the one of a two's complement
        addend = Cat(subtract, aligned ^ subtract.replicate(FRAME_BITS), subtract)
        m.d.comb += total.eq((Cat(Const(1, 1), large) + addend)[1:])
        magnitude = self._rounded(m, exponent, total)

        sign = Mux(swap, y.sign, x.sign)
        with m.If(x.nan | y.nan | (x.infinite & y.infinite & subtract)):
            m.d.comb += self.sum.eq(NAN)
        with m.Elif(x.infinite | y.infinite):
            m.d.comb += self.sum.eq(Cat(Const(INFINITY, 31), sign))
        with m.Elif(total == 0):
            m.d.comb += self.sum.eq(Cat(Const(0, 31), x.sign & y.sign))
        with m.Else():
            m.d.comb += self.sum.eq(Cat(magnitude, sign))
        return m

    def _rounded(self, m: Module, exponent: Signal, total: Signal) -> Signal:
        """Return the magnitude of a sum whose bit below the top one is worth ``2^exponent``."""
        # a one where the exponent would be 1: normalisation goes no further
        limit = Signal(FRAME_BITS)
        m.d.comb += limit.eq((1 << (FRAME_BITS - 1)) >> (exponent - 1)[:8])
        zeros = Signal(5)
        m.d.comb += zeros.eq(leading_zeros(total[:-1] | limit))
        frame, field = Signal(FRAME_BITS), Signal(8)
        with m.If(~total[-1]):
            m.d.comb += [
                frame.eq(total[:-1] << zeros),
                field.eq(Mux(frame[-1], exponent - zeros, 0)),
            ]
        with m.Else():
            m.d.comb += field.eq(exponent + 1)
            with m.If(exponent != GREATEST):  # else infinite: no fraction
                m.d.comb += frame.eq(Cat(total[:2].any(), total[2:]))
        rest, half, last = frame[:2].any(), frame[2], frame[3]
        # rounding carries into the exponent, up to infinity
        magnitude = Signal(31)
        m.d.comb += magnitude.eq(Cat(frame[EXTRA_BITS:-1], field) + (half & (rest | last)))
        return magnitude
