"""A PE that adds operands by the bits of others, of every significance at once.

Bits of one significance of a group of integers stand in a column. From each column one that is set
is picked a cycle, and with it the operand that it multiplies. In the style of Bitlet (H. Lu et al.,
MICRO 2021).
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats.digits import Scheme
from archsim.hdl import Adder
from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.compress import compressed
from archsim.hdl.digits import DigitEncoder
from archsim.hdl.emit import place
from archsim.hdl.gemm import pick

STAGES = 2  # cycles from picking to the picks' sum: picks, partial sum


def pick_layout(group: int) -> data.StructLayout:
    """Return the layout of a pick: an operand of a group, added or taken off, if ``live``."""
    return data.StructLayout({"index": range(group), "negative": 1, "live": 1})


class Interleaver(wiring.Component):
    """Picks a set bit of every significance, lowest operand first, a cycle.

    Members
    -------
    values : in
        A group of integers of ``bits`` bits.
    load : in
        Take them.
    run : in
        Pick.
    picks : out
        What was picked in the cycle before, lowest significance first.
    more : out
        Some significance has a set bit after the one that is next.
    """

    def __init__(self, group: int, bits: int, scheme: Scheme) -> None:
        self._scheme = scheme
        super().__init__(
            {
                "values": In(signed(bits)).array(group),
                "load": In(1),
                "run": In(1),
                "picks": Out(pick_layout(group)).array(bits),
                "more": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        group, bits = len(self.values), len(self.picks)
        encoders = [DigitEncoder(bits, self._scheme) for _ in range(group)]
        for i, encoder in enumerate(encoders):
            m.submodules[f"encoder_{i}"] = encoder
            m.d.comb += encoder.value.eq(self.values[i])
        more = Signal(bits)
        for weight, picked in enumerate(self.picks):
            left = Signal(group, name=f"left_{weight}")
            minus = Signal(group, name=f"minus_{weight}", reset_less=True)
            lowest = Signal(group, name=f"lowest_{weight}")
            m.d.comb += [
                lowest.eq(left & -left),
                more[weight].eq((left & ~lowest).any()),
            ]
            with m.If(self.load):
                m.d.sync += [
                    left.eq(Cat(encoder.digits[weight].one for encoder in encoders)),
                    minus.eq(Cat(encoder.digits[weight].negative for encoder in encoders)),
                ]
            with m.Elif(self.run):
                m.d.sync += left.eq(left & ~lowest)
            m.d.sync += [
                picked.live.eq(self.run & left.any()),
                picked.negative.eq(self.run & (lowest & minus).any()),
                picked.index.eq(
                    reduce(or_, [Mux(lowest[i], i, 0) for i in range(group)], Const(0, 1))
                ),
            ]
        m.d.comb += self.more.eq(more.any())
        return m


class InterleavedElement(wiring.Component):
    """Adds up picked operands, each at its pick's significance, one of each a cycle.

    Members
    -------
    picks : in
        Of every significance, lowest first.
    operands : in
        The group that is picked from.
    first, last : in
        Of the picks a cycle ago: they begin, or end, a sum.
    sum : out
        The last finished sum, until the next one finishes.
    """

    def __init__(self, group: int, bits: int, operand_bits: int, acc_bits: int, adder: Adder):
        self._adder = adder
        super().__init__(
            {
                "picks": In(pick_layout(group)).array(bits),
                "operands": In(signed(operand_bits)).array(group),
                "first": In(1),
                "last": In(1),
                "sum": Out(signed(acc_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        weights, bits = len(self.picks), len(self.operands[0])
        width = min(weights + bits, len(self.sum))
        # a row whose sign bit is inverted is too large by that bit's weight
        excess = -sum(1 << bits - 1 + weight for weight in range(weights))
        addends = [Const(excess, signed(weights + bits + 1))[:width]]
        for weight, picked in enumerate(self.picks):
            operand = Mux(picked.live, pick(list(self.operands), picked.index), 0)
            row = Signal(bits, name=f"row_{weight}")
            addend = Signal(width, name=f"addend_{weight}")
            m.d.comb += [
                row.eq(operand ^ picked.negative.replicate(bits)),
                addend.eq(Cat(Const(0, weight), row[:-1], ~row[-1])),
            ]
            addends.append(addend)
        ones = Signal(width)  # what makes inverted rows opposites
        m.d.comb += ones.eq(Cat(picked.negative for picked in self.picks))
        pair = compressed(m, [*addends, ones])
        partial = place(
            m, platform, f"partial_{width}", "partial", CarryPropagateAdder, width, self._adder
        )
        adder = place(
            m, platform, f"accumulate_{len(self.sum)}", "accumulate",
            CarryPropagateAdder, len(self.sum), self._adder,
        )  # fmt: skip
        held = Signal(signed(width), reset_less=True)
        accumulator = Signal.like(self.sum, reset_less=True)
        finished = Signal.like(self.sum, reset_less=True)
        total = adder.sum.as_signed()
        m.d.comb += [
            partial.x.eq(pair[0]),
            partial.y.eq(pair[1]),
            adder.x.eq(held),
            adder.y.eq(Mux(self.first, 0, accumulator)),
            self.sum.eq(finished),
        ]
        m.d.sync += [held.eq(partial.sum), accumulator.eq(total)]
        with m.If(self.last):
            m.d.sync += finished.eq(total)
        return m
