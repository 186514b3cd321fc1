"""The window distributor: which rows are in the window, and what part of the table each one has."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.hash_spgemm.parts_rtl import ROW_WORD, laid_layout
from archsim.engines.hash_spgemm.spec import TAG_BITS, HashSpgemmSpec


class WindowDistributor(wiring.Component):
    """Follows `archsim.sparse.hashing` with sizes that are powers of two, a row at a time.

    Members
    -------
    start : in
        A window begins in the next cycle.
    comes, word : in
        The next row's word.
    takes, laid : out
        That row is in the window, with this sub-table.
    closed : out
        A row has come that is not.
    rows : out
        Rows that the window has so far.
    """

    def __init__(self, spec: HashSpgemmSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                **{"start": In(1), "comes": In(1), "word": In(ROW_WORD)},
                **{"takes": Out(1), "laid": Out(laid_layout(spec))},
                **{"closed": Out(1), "rows": Out(TAG_BITS - spec.col_bits + 1)},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cap = self._spec.cap
        loose = self._spec.slots_per_product.bit_length() - 1
        before, products = Signal(range(2 * cap + 2)), Signal(range(cap + 2))
        fits = Signal()
        m.d.comb += [
            # a row of more than `cap` is alone: nothing fits behind it, were it empty
            products.eq(Mux(self.word.products > cap, cap + 1, self.word.products)),
            fits.eq((before + products <= cap) & ~self.rows[-1]),
            self.takes.eq(self.comes & ~self.closed & (fits | (self.rows == 0))),
            self.laid.count.eq(self.word.count),
            self.laid.base.eq(Cat(before << loose)),
        ]
        for bit in range(cap.bit_length()):
            with m.If(products[bit]):
                m.d.comb += self.laid.size_log2.eq(bit + loose)
        with m.If(self.start):
            m.d.sync += [self.closed.eq(0), self.rows.eq(0), before.eq(0)]
        with m.Elif(self.takes):
            m.d.sync += [self.rows.eq(self.rows + 1), before.eq(before + products)]
        with m.Elif(self.comes):
            m.d.sync += self.closed.eq(1)
        return m
