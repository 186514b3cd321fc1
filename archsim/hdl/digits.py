"""Encoders of integers into the signed digits of `archsim.formats.digits`: combinational cells."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats.digits import Scheme, digit_weights

# a digit of radix 4 as what selects its partial product; of zero, no bit is set
DIGIT = data.StructLayout({"one": 1, "two": 1, "negative": 1})


def negated_where(value: Value, negative: Any) -> Value:
    """Return an integer or its two's complement, of the same width, without a carry chain's sum.

    A bit changes where a lower one is set.
    """
    flips = [value[i] ^ (negative & value[:i].any()) for i in range(1, len(value))]
    return Cat(value[0], *flips)


class BoothCell(wiring.Component):
    """One digit of modified Booth encoding.

    Members
    -------
    window : in
        Two bits of the integer and the one below them, lowest first.
    digit : out
        -2 to 2, as `DIGIT`.
    """

    def __init__(self) -> None:
        super().__init__({"window": In(3), "digit": Out(DIGIT)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        below, low, high = self.window
        m.d.comb += [
            self.digit.one.eq(below ^ low),
            self.digit.two.eq(Mux(high, ~(below | low), below & low)),
            self.digit.negative.eq(high & ~(below & low)),
        ]
        return m


class EnTEncoder(wiring.Component):
    """All EN-T digits of an integer, in the form in which buffers keep them.

    Members
    -------
    value : in
        The integer, two's complement of ``bits`` bits.
    codes : out
        A code a position, lowest first: 0, 1, 2 are digits of the magnitude and 3 is its digit -1.
    negative : out
        Whether all digits are negated.
    """

    def __init__(self, bits: int) -> None:
        self._positions = (bits + 1) // 2
        super().__init__(
            {
                "value": In(signed(bits)),
                "codes": Out(2).array(self._positions),
                "negative": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        magnitude = Signal(2 * self._positions)
        m.d.comb += [
            self.negative.eq(self.value[-1]),
            magnitude.eq(negated_where(self.value, self.negative)),
        ]
        carry: Value = Const(0, 1)
        for i, code in enumerate(self.codes):
            low, high = magnitude[2 * i], magnitude[2 * i + 1]
            m.d.comb += code.eq(Cat(low ^ carry, high ^ (low & carry)))
            above = Signal(name=f"carry_{i}")  # none out of the highest: |value| <= 2^(bits - 1)
            m.d.comb += above.eq(high & (low | carry))
            carry = above
        return m


def digit_of_code(code: Value, negative: Value) -> data.View:
    """Return the `DIGIT` that a code and the sign of its integer stand for."""
    one, two = code[0], code[1] & ~code[0]
    return data.View(DIGIT, Cat(one, two, (code[1] & code[0]) ^ (negative & (one | two))))


class NafEncoder(wiring.Component):
    """The non-adjacent form of an integer, position by position.

    Members
    -------
    value : in
        The integer, two's complement of ``bits`` bits.
    nonzero, negative : out
        A bit a position, lowest first: whether the digit is 1 or -1, and whether it is -1.
    """

    def __init__(self, bits: int) -> None:
        super().__init__({"value": In(signed(bits)), "nonzero": Out(bits), "negative": Out(bits)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = len(self.nonzero)
        carry: Value = Const(0, 1)
        for i in range(bits):
            here, next_up = self.value[i], self.value[min(i + 1, bits - 1)]
            m.d.comb += [
                self.nonzero[i].eq(here ^ carry),
                self.negative[i].eq((here ^ carry) & next_up),
            ]
            above = Signal(name=f"carry_{i}")
            m.d.comb += above.eq((here & next_up) | (here & carry) | (next_up & carry))
            carry = above
        return m


class DigitEncoder(wiring.Component):
    """All digits of an integer, in any scheme.

    Members
    -------
    value : in
        The integer, two's complement of ``bits`` bits.
    digits : out
        A `DIGIT` a position, lowest first. The highest bit of two's complement is a digit -1.
    """

    def __init__(self, bits: int, scheme: Scheme) -> None:
        self._scheme = scheme
        positions = len(digit_weights(bits, scheme))
        super().__init__({"value": In(signed(bits)), "digits": Out(DIGIT).array(positions)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits, value = len(self.value), self.value
        if self._scheme == "mbe":
            text = Cat(Const(0, 1), value, value[-1])
            for i, digit in enumerate(self.digits):
                m.submodules[f"digit_{i}"] = cell = BoothCell()
                m.d.comb += [cell.window.eq(text[2 * i : 2 * i + 3]), digit.eq(cell.digit)]
            return m
        if self._scheme == "en_t":
            m.submodules.encoder = radix_4 = EnTEncoder(bits)
            m.d.comb += radix_4.value.eq(value)
            for digit, code in zip(self.digits, radix_4.codes, strict=True):
                m.d.comb += digit.eq(digit_of_code(code, radix_4.negative))
            return m
        ones, negative = Signal(bits), Signal(bits)
        if self._scheme == "naf":
            m.submodules.encoder = naf = NafEncoder(bits)
            m.d.comb += [naf.value.eq(value), ones.eq(naf.nonzero), negative.eq(naf.negative)]
        elif self._scheme == "twos_complement":
            m.d.comb += [ones.eq(value), negative.eq(1 << bits - 1)]
        else:
            m.d.comb += [
                ones.eq(negated_where(value, value[-1])),
                negative.eq(value[-1].replicate(bits)),
            ]
        for i, digit in enumerate(self.digits):
            m.d.comb += [digit.one.eq(ones[i]), digit.negative.eq(ones[i] & negative[i])]
        return m


class SparseEncoder(wiring.Component):
    """Which digits of a group are not zero.

    Members
    -------
    nonzero : in
        A bit a digit.
    indices : out
        Positions of the bits that are set, ascending; zero beyond ``count``.
    count : out
        How many are set.
    """

    def __init__(self, group: int) -> None:
        super().__init__(
            {
                "nonzero": In(group),
                "indices": Out(range(group)).array(group),
                "count": Out(range(group + 1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        group = len(self.nonzero)
        below: Value = Const(0, 1)  # how many are set below a position
        chosen: list[list[Value]] = [[] for _ in range(group)]
        for position in range(group):
            for place in range(position + 1):
                hit = self.nonzero[position] & (below == place)
                chosen[place].append(Mux(hit, position, 0))
            through = Signal(range(position + 2), name=f"through_{position}")
            m.d.comb += through.eq(below + self.nonzero[position])
            below = through
        for index, of_place in zip(self.indices, chosen, strict=True):
            m.d.comb += index.eq(_either(of_place))
        m.d.comb += self.count.eq(below)
        return m


def _either(values: list[Value]) -> Value:
    found, *rest = values
    for value in rest:
        found |= value
    return found
