"""Products made one bit weight at a time: digits of one weight in a PE, and passes made results.

The bit weight leaves the PE. In a pass it takes digits of one weight only, of several elements of k
at a time: their partial products need no shift against each other, one narrow compressor tree adds
them to the PE's pair. Between passes sums are weighed where they leave (OPT2 of H. Wu et al., HPCA
2025).
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.hdl import Adder
from archsim.hdl.bitweight import ResolveLanes, pair_layout
from archsim.hdl.booth import partial_product
from archsim.hdl.compress import carry_save_add, compressed
from archsim.hdl.digits import DIGIT, negated_where
from archsim.hdl.fifo import PairFifo

WINDOW_BITS = 3  # of an operand: what a radix-4 digit is made from
DIGIT_BITS = 2  # from one digit's weight to the next


def multiples_layout(bits: int) -> data.StructLayout:
    """Return the layout of a number of ``bits`` bits and its opposite."""
    return data.StructLayout({"plus": signed(bits + 1), "minus": signed(bits + 1)})


def multiples(m: Module, name: str, b: Value) -> data.View:
    """Return a number and its opposite; adds what makes it to a module, once for all readers."""
    both = Signal(multiples_layout(len(b)), name=name)
    wide = Cat(b, b[-1]).as_signed()
    m.d.comb += [both.plus.eq(wide), both.minus.eq(negated_where(wide, 1))]
    return both


class DigitMultiplyAdd(wiring.Component):
    """``result = addend + digits . b`` in the same cycle, sums in carry-save form.

    Rows are not extended by their signs: each sign bit is inverted, which makes its row too large
    by that bit's weight, and one constant above the first row takes off what all are too large by.

    Members
    -------
    digits : in
        Of radix 4 and one weight, ``group`` of them, an even number.
    b : in
        What each is multiplied with, ``b_bits`` wide: `multiples`.
    addend : in
    result : out
        Pairs of ``width`` bits each.
    """

    def __init__(self, group: int, b_bits: int, width: int) -> None:
        self._top = b_bits + 1  # place of a row's sign
        super().__init__(
            {
                "digits": In(data.ArrayLayout(DIGIT, group)),
                "b": In(data.ArrayLayout(multiples_layout(b_bits), group)),
                "addend": In(pair_layout(width)),
                "result": Out(pair_layout(width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, top, group = len(self.result.sum), self._top, self.digits.shape().length
        excess = Const(-group >> 1, signed(width - top - 1))
        addends: list[Value] = []
        for i in range(group):
            row = partial_product(self.digits[i], self.b[i].plus, self.b[i].minus)
            addend = Signal(width, name=f"product_{i}")
            m.d.comb += addend.eq(Cat(row[:top], ~row[-1], *([] if i else [excess])))
            addends.append(addend)
        addends += [self.addend.sum, self.addend.carry]
        total, carry = compressed(m, addends)
        m.d.comb += [self.result.sum.eq(total), self.result.carry.eq(carry)]
        return m


class PassPort(wiring.Component):
    """Makes rows of results from rows of pairs that come once a pass, the highest weight first.

    A lane adds a row's pairs up on their way into a queue of two rows. Behind it they are added to
    what the passes before left in a bank, moved up by a digit. Rows of the last pass take partial
    sums and leave; those of other passes go into the bank and wait for nothing.

    Members
    -------
    start, accumulate : in
        A command is taken, and whether it adds partial sums.
    row : in, stream
        ``pairs`` of ``pair_bits`` bits, a lane each; the row's ``place`` in the bank; its ``part``:
        the pass, 0 first.
    c : in, stream of ``cols`` lanes
    result : out, stream of ``cols`` lanes
    refused : out
        A row waits because ``result`` is not ready.
    lacks_c : out
        A row waits for its partial sums only.
    emptied : out
        The last queued row leaves in this cycle.
    """

    def __init__(
        self, rows: int, cols: int, passes: int, pair_bits: int, bits: int, adder: Adder
    ) -> None:
        self._rows, self._passes, self._adder = rows, passes, adder
        self._pair_bits, self._bits = pair_bits, bits
        self._result = data.ArrayLayout(signed(bits), cols)
        tag = {"place": range(rows), "part": range(passes)}
        self._sums = data.StructLayout({"sums": data.ArrayLayout(signed(pair_bits), cols), **tag})
        pairs = data.ArrayLayout(pair_layout(pair_bits), cols)
        super().__init__(
            {
                "start": In(1),
                "accumulate": In(1),
                "row": In(stream.Signature(data.StructLayout({"pairs": pairs, **tag}))),
                "c": In(stream.Signature(self._result)),
                "result": Out(stream.Signature(self._result)),
                "refused": Out(1),
                "lacks_c": Out(1),
                "emptied": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cols = self._result.length
        m.submodules.queue = queue = PairFifo(self._sums)
        m.submodules.resolve = resolve = ResolveLanes(cols, self._pair_bits, self._adder)
        m.d.comb += [
            queue.i.valid.eq(self.row.valid),
            self.row.ready.eq(queue.i.ready),
            queue.i.p.place.eq(self.row.p.place),
            queue.i.p.part.eq(self.row.p.part),
            *(queue.i.p.sums[j].eq(resolve.totals[j]) for j in range(cols)),
            *(resolve.pairs[j].eq(self.row.p.pairs[j]) for j in range(cols)),
        ]
        head, accumulate = queue.o.p, Signal()
        with m.If(self.start):
            m.d.sync += accumulate.eq(self.accumulate)
        is_result, goes = Signal(), Signal()
        needs_c = is_result & accumulate
        m.d.comb += [
            is_result.eq(head.part == self._passes - 1),
            goes.eq(queue.o.valid & queue.o.ready),
            self.result.valid.eq(queue.o.valid & is_result & (self.c.valid | ~accumulate)),
            self.c.ready.eq(queue.o.valid & self.result.ready & needs_c),
            queue.o.ready.eq(~is_result | (self.result.ready & (self.c.valid | ~accumulate))),
            self.refused.eq(queue.o.valid & is_result & ~self.result.ready),
            self.lacks_c.eq(queue.o.valid & self.result.ready & needs_c & ~self.c.valid),
            self.emptied.eq((queue.level == 1) & queue.o.ready),
        ]

        m.submodules.bank = bank = Memory(shape=self._result, depth=self._rows, init=[])
        read, write = bank.read_port(domain="comb"), bank.write_port()
        m.submodules.lanes = lanes = ResolveLanes(cols, self._bits, self._adder)
        m.d.comb += [
            read.addr.eq(head.place),
            write.addr.eq(head.place),
            write.en.eq(goes & ~is_result),
        ]
        for j in range(cols):
            higher = Mux(head.part == 0, 0, Cat(Const(0, DIGIT_BITS), read.data[j]))
            sum_ = Signal(signed(self._bits), name=f"sum_{j}")  # extended
            partial = Mux(needs_c, self.c.p[j], 0)
            rows = (sum_.as_unsigned(), higher[: self._bits], partial.as_unsigned())
            m.d.comb += [
                sum_.eq(head.sums[j]),
                Value.cast(lanes.pairs[j]).eq(Cat(*carry_save_add(*rows))),
                self.result.p[j].eq(lanes.totals[j]),
                write.data[j].eq(lanes.totals[j]),
            ]
        return m
