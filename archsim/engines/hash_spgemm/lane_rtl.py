"""A product lane: reads a row of B, multiplies, and works on the table until each product is in."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from archsim.engines.hash_spgemm.parts_rtl import (
    ENTRY_WORD,
    line_bits,
    operation_layout,
    place_layout,
    slot_bits,
    token_layout,
)
from archsim.engines.hash_spgemm.spec import (
    ADDRESS_BITS,
    INDEX_BITS,
    VALUE_BITS,
    WORD_BITS,
    HashSpgemmSpec,
)
from archsim.sparse.hashing import GOLDEN

AGAIN = 2  # operations that go again at most: one in the bank, one that was behind it


class ProductLane(wiring.Component):
    """Tokens in, operations on the table out.

    Members
    -------
    token : in, stream
    free : out
        It has no token that it would have to finish before another.
    b_at, left, width, span_log2 : in
        Of the window: where B lies, its columns, and what the scheme ``high`` spreads.
    asks, address : out; read : in
        A word of B, and that the read goes out.
    comes, word : in
        The oldest word that was asked for.
    wants, operation : out; granted : in
    again, outcome : in
        An operation goes again, changed.
    product : out
        The operation is a product's first.
    idle : out
    """

    def __init__(self, spec: HashSpgemmSpec) -> None:
        self._spec = spec
        operation = operation_layout(spec)
        super().__init__(
            {
                **{"token": In(stream.Signature(token_layout(spec))), "free": Out(1)},
                **{"b_at": In(ADDRESS_BITS), "left": In(INDEX_BITS), "width": In(INDEX_BITS)},
                **({"span_log2": In(6)} if spec.hash == "high" else {}),
                **{"asks": Out(1), "address": Out(ADDRESS_BITS), "read": In(1)},
                **{"comes": In(1), "word": In(WORD_BITS)},
                **{"wants": Out(1), "operation": Out(operation), "granted": In(1)},
                **{"again": In(1), "outcome": In(operation)},
                **{"product": Out(1), "idle": Out(1)},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = self._spec.queue
        place = place_layout(self._spec)
        m.submodules.places = places = SyncFIFO(width=place.size, depth=depth)
        m.submodules.words = words = SyncFIFO(width=WORD_BITS, depth=depth)
        self._walk(m, places)
        m.d.comb += [words.w_data.eq(self.word), words.w_en.eq(self.comes)]

        # the product register
        first = Signal(operation_layout(self._spec), reset_less=True)
        full, takes = Signal(), Signal()
        m.d.comb += takes.eq(words.r_rdy & (~full | (self.product & self.granted)))
        m.d.comb += [words.r_en.eq(takes), places.r_en.eq(takes)]
        made, counts = self._multiply(m, place(places.r_data), ENTRY_WORD(words.r_data))
        with m.If(takes):
            m.d.sync += [first.eq(made), full.eq(counts)]
        with m.Elif(self.product & self.granted):
            m.d.sync += full.eq(0)

        # operations that go again have the way
        m.submodules.waiting = waiting = SyncFIFO(width=len(first.as_value()), depth=AGAIN)
        m.d.comb += [
            waiting.w_data.eq(self.outcome.as_value()),
            waiting.w_en.eq(self.again),
            waiting.r_en.eq(self.granted),
            self.product.eq(full & ~waiting.r_rdy),
            self.wants.eq(full | waiting.r_rdy),
            self.operation.eq(Mux(waiting.r_rdy, waiting.r_data, first)),
            self.idle.eq(self.free & ~(places.r_rdy | full | waiting.r_rdy)),
        ]
        return m

    def _walk(self, m: Module, places: SyncFIFO) -> None:
        """Ask for the words of a token."""
        left, address = Signal(32), Signal(ADDRESS_BITS)
        place = Signal(place_layout(self._spec), reset_less=True)
        begins, token = self._token(m, left)
        m.d.comb += [
            self.asks.eq((left != 0) & places.w_rdy),
            self.address.eq(address),
            places.w_data.eq(place.as_value()),
            places.w_en.eq(self.read),
        ]
        with m.If(begins):
            m.d.sync += [
                left.eq(token.bounds.count),
                address.eq(self.b_at + token.bounds.at),
                place.eq(token.place),
            ]
        with m.If(self.read):
            m.d.sync += [left.eq(left - 1), address.eq(address + 1)]

    def _token(self, m: Module, left: Signal) -> tuple[Any, Any]:
        """Return whether a token begins, and which; those that follow their row wait in a queue."""
        if self._spec.token == "nonzero":
            m.d.comb += [self.token.ready.eq(left == 0), self.free.eq(left == 0)]
            return self.token.valid & self.token.ready, self.token.p
        layout = token_layout(self._spec)
        m.submodules.tokens = tokens = SyncFIFO(width=layout.size, depth=self._spec.queue)
        m.d.comb += [
            tokens.w_data.eq(self.token.p.as_value()),
            tokens.w_en.eq(self.token.valid),
            self.token.ready.eq(tokens.w_rdy),
            tokens.r_en.eq(left == 0),
            self.free.eq((left == 0) & ~tokens.r_rdy),
        ]
        return tokens.r_rdy & tokens.r_en, layout(tokens.r_data)

    def _multiply(self, m: Module, place: Any, entry: Any) -> tuple[Signal, Signal]:
        """Return the operation that a product begins with, and whether it is in the window."""
        spec, line = self._spec, line_bits(self._spec)
        column, slot = Signal(INDEX_BITS), Signal(slot_bits(spec))
        made, counts = Signal(operation_layout(spec)), Signal()
        value = (place.value.as_signed() * entry.value.as_signed())[:VALUE_BITS]
        m.d.comb += [
            column.eq(entry.column - self.left),
            counts.eq(column < self.width),
            made.tag.eq(Cat(column[: spec.col_bits], place.row)),
            slot.eq(place.base + self._within(m, column[: spec.col_bits], place.size_log2)),
            made.slot.eq(Cat(Const(0, line), slot[line:])),
            made.value.eq(value),
        ]
        return made, counts

    def _within(self, m: Module, column: Any, size_log2: Any) -> Signal:
        """Return a column's place in a sub-table."""
        within = Signal(slot_bits(self._spec))
        if self._spec.hash == "low":
            m.d.comb += within.eq(column & ((1 << size_log2) - 1))
        elif self._spec.hash == "multiplicative":
            mixed = Signal(GOLDEN.bit_length())
            m.d.comb += [
                mixed.eq(column * GOLDEN),
                within.eq(mixed[-len(within) :] >> (len(within) - size_log2)[: len(size_log2)]),
            ]
        else:
            with m.If(self.span_log2 > size_log2):
                m.d.comb += within.eq(column >> (self.span_log2 - size_log2)[:6])
            with m.Else():
                wider = (size_log2 - self.span_log2)[: size_log2.shape().width]
                m.d.comb += within.eq(column[: slot_bits(self._spec)] << wider)
        return within
