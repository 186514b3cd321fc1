"""Integers as lists of terms, one handed out a cycle: powers of two with a sign.

A digit of any scheme is a term or, where it is zero, none. Serialisers stand at the edges of an
array; every PE of a row or column works on what its serialiser hands out.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats.digits import Scheme
from archsim.hdl.digits import DIGIT, DigitEncoder


def term_layout(bits: int) -> data.StructLayout:
    """Return the layout of a term of an integer of some bits: ``+-2^exponent``, if ``live``."""
    return data.StructLayout({"exponent": range(bits), "negative": 1, "live": 1})


class TermSerialiser(wiring.Component):
    """Hands out an integer's terms, lowest first.

    Members
    -------
    value : in
    load : in
        Take the integer.
    run : in
        Hand out a term, or none where none is left.
    step : in
        Go on to the next one.
    again : in, of a serialiser that can begin again
        ... or to the first one.
    term : out
        What was handed out in the cycle before; not ``live`` where nothing was.
    more : out
        A term is left after the one that is next.
    some : out
        The integer has a term; of a serialiser that cannot begin again: has one left.
    """

    def __init__(self, bits: int, scheme: Scheme, again: bool) -> None:
        self._scheme, self._again = scheme, again
        super().__init__(
            {
                "value": In(signed(bits)),
                "load": In(1),
                "run": In(1),
                "step": In(1),
                **({"again": In(1)} if again else {}),
                "term": Out(term_layout(bits)),
                "more": Out(1),
                "some": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.encoder = encoder = DigitEncoder(len(self.value), self._scheme)
        m.d.comb += encoder.value.eq(self.value)
        positions = len(encoder.digits)
        digits = [Signal(DIGIT, name=f"digit_{i}", reset_less=True) for i in range(positions)]
        left, lowest, rest = Signal(positions), Signal(positions), Signal(positions)
        found = Cat(digit.one | digit.two for digit in encoder.digits)
        m.d.comb += [
            lowest.eq(left & -left),
            rest.eq(left & ~lowest),
            self.more.eq(rest.any()),
            self.some.eq(left.any()),
        ]
        follows = rest
        if self._again:
            every = Signal(positions)
            m.d.comb += self.some.eq(every.any())
            with m.If(self.load):
                m.d.sync += every.eq(found)
            follows = Mux(self.again, every, rest)
        with m.If(self.load):
            m.d.sync += left.eq(found)
            m.d.sync += [kept.eq(new) for kept, new in zip(digits, encoder.digits, strict=True)]
        with m.Elif(self.step):
            m.d.sync += left.eq(follows)

        radix_4 = self._scheme in ("mbe", "en_t")
        exponents = [2 * i + digit.two if radix_4 else i for i, digit in enumerate(digits)]
        chosen = [Mux(lowest[i], exponent, 0) for i, exponent in enumerate(exponents)]
        minus = Cat(lowest[i] & digit.negative for i, digit in enumerate(digits))
        m.d.sync += [
            self.term.live.eq(self.run & left.any()),
            self.term.negative.eq(minus.any()),
            self.term.exponent.eq(reduce(or_, chosen, Const(0, 1))),
        ]
        return m
