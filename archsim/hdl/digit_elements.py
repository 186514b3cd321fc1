"""PEs that add up products digit by digit: multiples of an operand, chosen by another's digits.

All digits of a pass have one bit weight, so nothing is shifted, and the pair (sum, carry) is only
as wide as a pass needs (OPT3 and OPT4 of Q. Wu et al., HPCA 2025). A multiple is negated by
flipping its bits; the one that is missing then goes into the place that a carry leaves empty, so a
negation costs no carry chain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats.digits import Scheme
from archsim.hdl.bitweight import pair_layout
from archsim.hdl.compress import carry_save_add
from archsim.hdl.digits import DIGIT, BoothCell, digit_of_code
from archsim.hdl.emit import place

WINDOW_BITS = 3  # of an operand, or of its stored form, that make a digit of radix 4


def digit_of_window(m: Module, platform: Any, window: Value, scheme: Scheme, name: str) -> Value:
    """Return the `DIGIT` of what is stored of an operand at a bit weight; adds its cell.

    Of ``mbe`` a window is two bits of the operand and the one below, of ``en_t`` a code and the
    operand's sign.
    """
    if scheme == "en_t":
        return digit_of_code(window[:2], window[2])
    cell = place(m, platform, "booth_cell", name, BoothCell)
    m.d.comb += cell.window.eq(window)
    return Value.cast(cell.digit)


def chosen_multiple(digit: data.View, b: Value, width: int) -> Value:
    """Return ``digit b`` of a width, too small by one where the digit is negative."""
    multiple = Mux(digit.two, Cat(Const(0, 1), b), Mux(digit.one, Cat(b, b[-1]), 0))
    flipped = multiple ^ digit.negative.replicate(len(b) + 1)
    return Cat(flipped, flipped[-1].replicate(width - len(b) - 1))


def reduced(addends: Sequence[Value], ones: Sequence[Value]) -> tuple[Value, Value]:
    """Return two numbers that add up to addends of one width and to single ones.

    A level of full adders after the other, a one for each carry: there is room for two fewer ones
    than addends.
    """
    rows, left = deque(addends), deque(ones)
    while len(rows) > 2:
        total, carry = carry_save_add(rows.popleft(), rows.popleft(), rows.popleft())
        rows += [total, carry | left.popleft() if left else carry]
    return rows[0], rows[1]


class _Element(wiring.Component):
    """What these PEs share: a pair that adds up, and a snapshot of it that waits to leave.

    Members
    -------
    add : in
        Whether to take this cycle's digits; else the pair stays.
    fresh : in
        Whether they begin a sum: the pair before is left out.
    turn : in
        Whether to move the pair as it stands before this cycle's digits to ``pair``.
    pair : out
    """

    def __init__(self, members: dict[str, Any], pair_bits: int) -> None:
        self._pair_bits = pair_bits
        controls = {name: In(1) for name in ("add", "fresh", "turn")}
        super().__init__({**members, **controls, "pair": Out(pair_layout(pair_bits))})

    def _accumulate(
        self, m: Module, digits: Sequence[data.View], operands: Sequence[Value]
    ) -> None:
        # data needs no reset: what begins a sum leaves out what was there
        pair = Signal(pair_layout(self._pair_bits), reset_less=True)
        before = [Mux(self.fresh, 0, half) for half in (pair.sum, pair.carry)]
        multiples = [
            chosen_multiple(digit, b, self._pair_bits)
            for digit, b in zip(digits, operands, strict=True)
        ]
        total, carry = reduced([*multiples, *before], [digit.negative for digit in digits])
        with m.If(self.add):
            m.d.sync += [pair.sum.eq(total), pair.carry.eq(carry)]
        held = Signal.like(pair, reset_less=True)
        with m.If(self.turn):
            m.d.sync += held.eq(pair)
        m.d.comb += self.pair.eq(held)


class SelectingElement(_Element):
    """PE that is told its digits: a multiple of an operand a lane, all lanes added to one pair.

    With one lane the PE of OPT4C, with four a PE group of OPT4E.

    Members
    -------
    load : in, bit a lane
        Whether to take a lane's operand in this cycle, for digits of the next.
    b : in
        An operand a lane.
    digits : in
        A `DIGIT` a lane, zero where there is none.
    add, fresh, turn, pair
        As above.
    """

    def __init__(self, lanes: int, b_bits: int, pair_bits: int) -> None:
        members = {
            "load": In(lanes),
            "b": In(signed(b_bits)).array(lanes),
            "digits": In(DIGIT).array(lanes),
        }
        super().__init__(members, pair_bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        operands: list[Value] = []
        for lane, b in enumerate(self.b):
            held = Signal.like(b, name=f"b_{lane}", reset_less=True)
            with m.If(self.load[lane]):
                m.d.sync += held.eq(b)
            operands.append(held)
        self._accumulate(m, list(self.digits), operands)
        return m


class EncodingElement(_Element):
    """PE that finds its digits itself: those of a group that are not zero, lowest first (OPT3).

    Members
    -------
    load : in
        Whether to take a group of operands in this cycle, for digits of the next on.
    b : in
        An operand an element of the group.
    windows : in
        Of the other operand's elements, at the bit weight of the pass.
    add, fresh, turn, pair
        As above; ``add`` goes on to the next digit of the group.
    """

    def __init__(self, group: int, scheme: Scheme, b_bits: int, pair_bits: int) -> None:
        self._scheme = scheme
        members = {
            "load": In(1),
            "b": In(signed(b_bits)).array(group),
            "windows": In(WINDOW_BITS).array(group),
        }
        super().__init__(members, pair_bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        group = len(self.b)
        left = Signal(group)  # elements that this PE has not come by yet
        nonzero, chosen = Signal(group), Signal(group)
        digits, operands = [], []
        for i, (b, window) in enumerate(zip(self.b, self.windows, strict=True)):
            operand = Signal.like(b, name=f"b_{i}", reset_less=True)
            kept = Signal(WINDOW_BITS, name=f"window_{i}", reset_less=True)
            with m.If(self.load):
                m.d.sync += [operand.eq(b), kept.eq(window)]
            digit = data.View(DIGIT, digit_of_window(m, platform, kept, self._scheme, f"digit_{i}"))
            m.d.comb += nonzero[i].eq((digit.one | digit.two) & left[i])
            operands.append(operand)
            digits.append(digit)
        m.d.comb += chosen.eq(nonzero & ~(nonzero - 1))
        with m.If(self.load):
            m.d.sync += left.eq(~0)
        with m.Elif(self.add):
            m.d.sync += left.eq(left & ~chosen)
        digit, operand = Signal(DIGIT), Signal(signed(len(operands[0])))
        m.d.comb += [
            Value.cast(digit).eq(_one_of(chosen, [Value.cast(each) for each in digits])),
            operand.eq(_one_of(chosen, operands)),
        ]
        self._accumulate(m, [digit], [operand])
        return m


def _one_of(chosen: Value, values: Sequence[Value]) -> Value:
    """Return the value whose bit is set; zero if none is."""
    found: Value = Const(0)
    for i, value in enumerate(values):
        found |= value & chosen[i].replicate(len(value))
    return found
