"""Products made one bit weight at a time: digits of one weight in a PE, and passes made results.

The bit weight leaves the PE. In a pass it takes digits of one weight only, of several elements of k
at a time: their partial products need no shift against each other, one narrow compressor tree adds
them to the PE's pair. Between passes sums are weighed where they leave (OPT2 of Q. Wu et al., HPCA
2025).
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl import Adder
from archsim.hdl.accumulator_bank import FetchedRow
from archsim.hdl.bitweight import PipelinedLanes, pair_layout
from archsim.hdl.booth import partial_product
from archsim.hdl.compress import carry_save_add, compressed
from archsim.hdl.digits import DIGIT, negated_where
from archsim.hdl.emit import place
from archsim.hdl.row_memory import RowMemory

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

    A row passes three places. In the first its pairs are half added, in the second they are numbers
    and what the passes before left in a bank waits beside them, in the third both, moved by a digit
    against each other, are half added. Rows of the last pass take partial sums on their way into
    the third place and leave; those of other passes go into the bank and wait for nothing.

    The bank is read as a row enters. Between two passes of a row are as many rows as its fold has:
    with four, its sum is written when it is read, as there are three places. A row of a fold of
    fewer waits for that.

    Members
    -------
    start, accumulate : in
        A command is taken, and whether it adds partial sums.
    row : in, stream
        ``pairs`` of ``pair_bits`` bits, a lane each; whether the pass ``begins`` or ``ends`` its
        fold; the row's ``place`` in the bank; whether its fold has ``one`` row, ``two``, ``three``.
    c : in, stream of ``cols`` lanes
    result : out, stream of ``cols`` lanes
    refused : out
        A row waits because ``result`` is not ready.
    lacks_c : out
        A row waits for its partial sums only.
    emptied : out
        The last row leaves in this cycle.
    """

    def __init__(self, rows: int, cols: int, pair_bits: int, bits: int, adder: Adder) -> None:
        self._rows, self._adder, self._pair_bits, self._bits = rows, adder, pair_bits, bits
        self._result = data.ArrayLayout(signed(bits), cols)
        self._tag = data.StructLayout({"ends": 1, "place": range(rows)})
        pairs = data.ArrayLayout(pair_layout(pair_bits), cols)
        sizes = {"one": 1, "two": 1, "three": 1}
        row = data.StructLayout({"pairs": pairs, "begins": 1, "tag": self._tag, **sizes})
        super().__init__(
            {
                "start": In(1),
                "accumulate": In(1),
                "row": In(stream.Signature(row)),
                "c": In(stream.Signature(self._result)),
                "result": Out(stream.Signature(self._result)),
                "refused": Out(1),
                "lacks_c": Out(1),
                "emptied": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        entering, waiting, adding = (
            Signal(self._tag, name=f"tag_{name}", reset_less=True)
            for name in ("entering", "waiting", "adding")
        )
        staged, held, half_done = Signal(), Signal(), Signal()  # rows are in the three places
        enters, free, moves, adds, goes = (
            Signal(name=name) for name in ("enters", "free", "moves", "adds", "goes")
        )
        accumulate, needs_c = Signal(), Signal()
        m.d.comb += [
            goes.eq(~half_done | ~adding.ends | self.result.ready),
            needs_c.eq(waiting.ends & accumulate),
            adds.eq((self.c.valid | ~needs_c) & goes),
            moves.eq(~held | adds),
            free.eq(~staged | moves),
            self.row.ready.eq(free & self._written(staged, held, half_done)),
            enters.eq(self.row.valid & self.row.ready),
            self.c.ready.eq(held & needs_c & goes),
            self.result.valid.eq(half_done & adding.ends),
            self.refused.eq(half_done & ~goes),
            self.lacks_c.eq(held & needs_c & goes & ~self.c.valid),
            self.emptied.eq(half_done & goes & ~held & ~staged),
        ]
        with m.If(self.start):
            m.d.sync += accumulate.eq(self.accumulate)
        with m.If(free):
            m.d.sync += [staged.eq(enters), entering.eq(self.row.p.tag)]
        with m.If(moves):
            m.d.sync += [held.eq(staged), waiting.eq(entering)]
        with m.If(goes):
            m.d.sync += [half_done.eq(held & adds), adding.eq(waiting)]
        lower = self._resolved(m, free, moves)
        before = self._sums_before(m, platform, enters, free, moves, half_done, adding)
        m.submodules.lanes = lanes = PipelinedLanes(self._result.length, self._bits, self._adder)
        m.d.comb += lanes.take.eq(goes)
        for j, (low, high) in enumerate(zip(lower, before, strict=True)):
            total = Signal(signed(self._bits), name=f"sum_{j}")
            partial = Mux(needs_c, self.c.p[j], 0)
            higher = Cat(Const(0, DIGIT_BITS), high)[: self._bits]
            rows = (total.as_unsigned(), higher, partial.as_unsigned())
            m.d.comb += [
                total.eq(low),  # extended by its sign
                Value.cast(lanes.pairs[j]).eq(Cat(*carry_save_add(*rows))),
                self.result.p[j].eq(lanes.totals[j]),
            ]
        return m

    def _written(self, *places: Value) -> Value:
        """Return whether what the pass before made of the row to come is in the bank.

        It is if fewer rows are under way, in three places, than its fold has.
        """
        row, (a, b, c) = self.row.p, places
        return (
            row.begins
            | ~(row.one | row.two | row.three)
            | ~(a | b | c)
            | ~(row.one | (a & b) | (a & c) | (b & c))
            | (row.three & ~(a & b & c))
        )

    def _resolved(self, m: Module, free: Value, moves: Value) -> data.View:
        """Return the numbers that the pairs of the row in the second place add up to."""
        lanes = self._result.length
        m.submodules.resolve = resolve = PipelinedLanes(lanes, self._pair_bits, self._adder)
        numbers = Signal(data.ArrayLayout(signed(self._pair_bits), lanes), reset_less=True)
        m.d.comb += resolve.take.eq(free)
        m.d.comb += [resolve.pairs[j].eq(pair) for j, pair in enumerate(self.row.p.pairs)]
        with m.If(moves):
            m.d.sync += [numbers[j].eq(resolve.totals[j]) for j in range(lanes)]
        return numbers

    def _sums_before(
        self,
        m: Module,
        platform: Any,
        enters: Value,
        free: Value,
        moves: Value,
        half_done: Value,
        adding: data.View,
    ) -> data.View:
        """Return what the passes before have added up to in the row in the second place."""
        m.submodules.before = before = FetchedRow(self._result)
        bank = place(m, platform, "memory", "bank", RowMemory, self._rows, self._result)
        m.d.comb += [
            bank.write.eq(half_done & ~adding.ends),
            bank.write_row.eq(adding.place),
            bank.write_data.eq(self.result.p),
            bank.read.eq(enters & ~self.row.p.begins),
            bank.read_row.eq(self.row.p.tag.place),
            before.take.eq(moves),
            before.read.eq(bank.read_data),
        ]
        with m.If(free):  # the first pass has none before
            m.d.sync += before.passes.eq(self.row.p.begins)
        return before.row
