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
from archsim.hdl.bitweight import ResolveLanes, pair_layout
from archsim.hdl.booth import partial_product
from archsim.hdl.compress import carry_save_add, compressed
from archsim.hdl.digits import DIGIT, negated_where
from archsim.hdl.emit import place
from archsim.hdl.fifo import PairFifo
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

    A row first enters a stage. From there lanes add its pairs up on their way into a queue of two
    rows. Behind that the sums are added to what the passes before left in a bank, moved up by a
    digit. Rows of the last pass take partial sums and leave; those of other passes go into the bank
    and wait for nothing.

    The bank is read as a row enters the stage, and what it gives waits beside the row. Between two
    passes of a row are as many rows as its fold has: with three, its sum is written when it is
    read, as stage and queue hold no more. A row of a fold of one or two waits for that.

    Members
    -------
    start, accumulate : in
        A command is taken, and whether it adds partial sums.
    row : in, stream
        ``pairs`` of ``pair_bits`` bits, a lane each; whether the pass ``begins`` or ``ends`` its
        fold; the row's ``place`` in the bank; whether its fold has ``one`` row or ``two``.
    c : in, stream of ``cols`` lanes
    result : out, stream of ``cols`` lanes
    refused : out
        A row waits because ``result`` is not ready.
    lacks_c : out
        A row waits for its partial sums only.
    emptied : out
        The last queued row leaves in this cycle.
    """

    def __init__(self, rows: int, cols: int, pair_bits: int, bits: int, adder: Adder) -> None:
        self._rows, self._adder, self._pair_bits, self._bits = rows, adder, pair_bits, bits
        self._result = data.ArrayLayout(signed(bits), cols)
        tag = {"ends": 1, "place": range(rows)}
        self._sums = data.StructLayout({"sums": data.ArrayLayout(signed(pair_bits), cols), **tag})
        pairs = data.ArrayLayout(pair_layout(pair_bits), cols)
        row = data.StructLayout({"pairs": pairs, "begins": 1, "one": 1, "two": 1, **tag})
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
        m.submodules.queue = queue = PairFifo(self._sums)
        m.submodules.resolve = resolve = ResolveLanes(
            self._result.length, self._pair_bits, self._adder
        )
        staged, stage = Signal(), Signal.like(self.row.p, reset_less=True)
        free = Signal()  # for a row to enter
        written = Signal()  # what the pass before made of that row is in the bank
        m.d.comb += [
            written.eq(
                self.row.p.begins
                | (~self.row.p.one & ~self.row.p.two)
                | (~staged & (queue.level == 0))
                | (self.row.p.two & ~(staged & (queue.level != 0)) & (queue.level != 2))
            ),
            free.eq(~staged | queue.i.ready),
            self.row.ready.eq(free & written),
            queue.i.valid.eq(staged),
            *(queue.i.p[tag].eq(stage[tag]) for tag in ("ends", "place")),
        ]
        with m.If(free):
            m.d.sync += [staged.eq(self.row.valid & written), stage.eq(self.row.p)]
        for j, pair in enumerate(stage.pairs):
            m.d.comb += [resolve.pairs[j].eq(pair), queue.i.p.sums[j].eq(resolve.totals[j])]
        head, accumulate = queue.o.p, Signal()
        with m.If(self.start):
            m.d.sync += accumulate.eq(self.accumulate)
        needs_c = head.ends & accumulate
        m.d.comb += [
            self.result.valid.eq(queue.o.valid & head.ends & (self.c.valid | ~accumulate)),
            self.c.ready.eq(queue.o.valid & self.result.ready & needs_c),
            queue.o.ready.eq(~head.ends | (self.result.ready & (self.c.valid | ~accumulate))),
            self.refused.eq(queue.o.valid & head.ends & ~self.result.ready),
            self.lacks_c.eq(queue.o.valid & self.result.ready & needs_c & ~self.c.valid),
            self.emptied.eq((queue.level == 1) & queue.o.ready & ~staged),
        ]
        before = self._sums_before(m, platform, queue, stage)
        m.submodules.lanes = lanes = ResolveLanes(self._result.length, self._bits, self._adder)
        for j, lower in enumerate(head.sums):
            total = Signal(signed(self._bits), name=f"sum_{j}")
            higher = Cat(Const(0, DIGIT_BITS), before[j])[: self._bits]
            partial = Mux(needs_c, self.c.p[j], 0)
            rows = (total.as_unsigned(), higher, partial.as_unsigned())
            m.d.comb += [
                total.eq(lower),  # extended by its sign
                Value.cast(lanes.pairs[j]).eq(Cat(*carry_save_add(*rows))),
                self.result.p[j].eq(lanes.totals[j]),
            ]
        return m

    def _sums_before(
        self, m: Module, platform: Any, queue: PairFifo, stage: data.View
    ) -> list[Value]:
        """Return what the passes before have added up to in the row at the queue's head."""
        head, results = queue.o.p, self.result.p
        m.submodules.before = before = PairFifo(self._result)
        m.d.comb += [before.i.valid.eq(queue.i.valid), before.o.ready.eq(queue.o.ready)]
        bank = place(m, platform, "memory", "bank", RowMemory, self._rows, self._result)
        m.d.comb += [
            bank.write.eq(queue.o.valid & ~head.ends),
            bank.write_row.eq(head.place),
            bank.write_data.eq(results),
            bank.read.eq(self.row.valid & self.row.ready & ~self.row.p.begins),
            bank.read_row.eq(self.row.p.place),
            before.i.p.eq(Mux(stage.begins, 0, Value.cast(bank.read_data))),
        ]
        return list(before.o.p)
