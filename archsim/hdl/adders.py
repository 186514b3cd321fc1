"""Carry-propagate adders whose structure is chosen, or left to synthesis."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl import Adder


class CarryPropagateAdder(wiring.Component):
    """``sum = x + y`` modulo 2^width, in the same cycle.

    ``ripple`` is a full adder a place, carries passing from each to the next. ``prefix`` finds the
    carries of all places in log2(width) steps, each over twice the distance (Kogge and Stone,
    1973). ``inferred`` is a ``+``.

    Members
    -------
    x, y : in
        Numbers of ``width`` bits.
    sum : out
    """

    def __init__(self, width: int, adder: Adder) -> None:
        self._adder = adder
        super().__init__({"x": In(width), "y": In(width), "sum": Out(width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._adder == "inferred":
            m.d.comb += self.sum.eq(self.x + self.y)
            return m
        width = len(self.sum)
        passes, makes = Signal(width), Signal(width)
        m.d.comb += [passes.eq(self.x ^ self.y), makes.eq(self.x & self.y)]
        carries = (_rippled if self._adder == "ripple" else _prefixed)(m, passes, makes)
        m.d.comb += self.sum.eq(passes ^ Cat(Const(0, 1), carries))
        return m


def _rippled(m: Module, passes: Value, makes: Value) -> Value:
    """Return the carry out of each place, found from the one below."""
    carries: list[Value] = [makes[0]]
    for place in range(1, len(makes)):
        carry = Signal(name=f"carry_{place}")
        m.d.comb += carry.eq(makes[place] | (passes[place] & carries[-1]))
        carries.append(carry)
    return Cat(*carries)


def _prefixed(m: Module, passes: Value, makes: Value) -> Value:
    """Return the carry out of each place; a step joins spans of places to those below them."""
    distance = 1
    while distance < len(makes):
        made = Signal(len(makes), name=f"makes_{2 * distance}")
        passed = Signal(len(makes), name=f"passes_{2 * distance}")
        m.d.comb += [
            made.eq(makes | (passes & (makes << distance))),
            passed.eq(passes & (passes << distance)),
        ]
        makes, passes = made, passed
        distance *= 2
    return makes
