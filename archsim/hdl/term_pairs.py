"""A PE that multiplies terms: powers of two are added as exponents and counted, not shifted.

In the style of Laconic (S. Sharify et al., ISCA 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from archsim.hdl import Adder
from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.compress import compressed
from archsim.hdl.digit_terms import term_layout
from archsim.hdl.emit import place

STAGES = 3  # cycles from terms handed out to their sum: terms, counts, partial sum


def ones(bits: Sequence[Value]) -> Value:
    """Return how many bits are set, through full adders."""
    if len(bits) < 2:
        return Value.cast(bits[0] if bits else 0)
    first, *rest = bits
    half = len(rest) // 2
    return (ones(rest[:half]) + ones(rest[half:]) + first)[: bits_for(len(bits))]


class TermPairElement(wiring.Component):
    """Adds up products of pairs of terms, one of each lane a cycle.

    A pair's exponents add up to that of its product. Products are counted by exponent, over all
    lanes, less those that are negative; the counts, each at its exponent's place, are added up.

    Members
    -------
    x, y : in
        Terms of ``lanes`` pairs.
    first, last : in
        Of the pairs two cycles ago: they begin, or end, a sum.
    sum : out
        The last finished sum, until the next one finishes.
    """

    def __init__(self, lanes: int, x_bits: int, y_bits: int, acc_bits: int, adder: Adder) -> None:
        self._lanes, self._adder = lanes, adder
        self._exponents = x_bits + y_bits - 1  # integers of a width have terms below 2^bits
        super().__init__(
            {
                "x": In(term_layout(x_bits)).array(lanes),
                "y": In(term_layout(y_bits)).array(lanes),
                "first": In(1),
                "last": In(1),
                "sum": Out(signed(acc_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        partial = self._reduced(m, platform, self._counted(m))
        held = Signal.like(partial, reset_less=True)
        accumulator = Signal.like(self.sum, reset_less=True)
        finished = Signal.like(self.sum, reset_less=True)
        adder = place(
            m, platform, f"accumulate_{len(self.sum)}", "accumulate",
            CarryPropagateAdder, len(self.sum), self._adder,
        )  # fmt: skip
        total = adder.sum.as_signed()
        m.d.comb += [
            adder.x.eq(held),
            adder.y.eq(Mux(self.first, 0, accumulator)),
            self.sum.eq(finished),
        ]
        m.d.sync += [held.eq(partial), accumulator.eq(total)]
        with m.If(self.last):
            m.d.sync += finished.eq(total)
        return m

    def _counted(self, m: Module) -> list[Value]:
        """Return, for each exponent, ``lanes`` plus its products less its negative ones."""
        plus: list[list[Value]] = [[] for _ in range(self._exponents)]
        minus: list[list[Value]] = [[] for _ in range(self._exponents)]
        for lane, (x, y) in enumerate(zip(self.x, self.y, strict=True)):
            exponent = Signal(range(self._exponents), name=f"exponent_{lane}")
            hits = Signal(self._exponents, name=f"hits_{lane}")
            negative = Signal(name=f"negative_{lane}")
            m.d.comb += [
                exponent.eq(x.exponent + y.exponent),
                negative.eq(x.negative ^ y.negative),
                hits.eq((x.live & y.live) << exponent),
            ]
            for i in range(self._exponents):
                plus[i].append(hits[i] & ~negative)
                minus[i].append(~(hits[i] & negative))
        counts = []
        for i in range(self._exponents):
            count = Signal(range(2 * self._lanes + 1), name=f"count_{i}", reset_less=True)
            m.d.sync += count.eq(ones([*plus[i], *minus[i]]))
            counts.append(count)
        return counts

    def _reduced(self, m: Module, platform: Any, counts: list[Value]) -> Value:
        """Return the sum of counts at their places, less ``lanes`` at each.

        Counts as far apart as one is wide lie side by side in one addend.
        """
        step = len(counts[0])
        width = min(self._exponents + bits_for(self._lanes) + 1, len(self.sum))
        excess = -self._lanes * ((1 << self._exponents) - 1)
        addends = [Const(excess, signed(width + 1))[:width]]
        for offset in range(min(step, len(counts))):
            side_by_side = Cat(Const(0, offset), *counts[offset::step])
            addend = Signal(width, name=f"side_by_side_{offset}")
            m.d.comb += addend.eq(side_by_side)
            addends.append(addend)
        adder = place(
            m, platform, f"reduce_{width}", "reduce", CarryPropagateAdder, width, self._adder
        )
        pair = compressed(m, addends)
        m.d.comb += [adder.x.eq(pair[0]), adder.y.eq(pair[1])]
        return adder.sum.as_signed()
