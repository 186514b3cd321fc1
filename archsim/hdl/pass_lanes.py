"""Lanes in which the sums of columns leave, pass by pass: added, weighed, and added to C.

Columns leave in turn, one a cycle, the first to the last with rows of C, and again. Four stages:
pairs are taken; each is added; the sum is shifted by its bit weight; it is added to the row of C
that a memory keeps, or goes out with it.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl import Adder
from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.bitweight import ResolveLanes, pair_layout
from archsim.hdl.chunk_loader import bits_for
from archsim.hdl.digit_column import ColumnShape
from archsim.hdl.emit import place
from archsim.hdl.gemm import pick
from archsim.hdl.row_memory import RowMemory


class PassLanes(wiring.Component):
    """Takes columns' sums in turn; puts finished rows of C out.

    Members
    -------
    full, pairs, leaving : in, one a column
        Of the columns.
    taken : out, bit a column
        The column's sums leave in this cycle.
    row : out, stream
        A row of C, all passes added up.
    ends : out
        It is the command's last one.
    """

    def __init__(self, shape: ColumnShape, acc_bits: int, adder: Adder) -> None:
        self._shape, self._bits, self._adder = shape, acc_bits, adder
        banks = shape.banks
        self._row = data.ArrayLayout(signed(acc_bits), banks.rows)
        pairs = data.ArrayLayout(pair_layout(shape.pair_bits), banks.rows)
        super().__init__(
            {
                "full": In(banks.cols),
                "pairs": In(pairs).array(banks.cols),
                "leaving": In(shape.leaving).array(banks.cols),
                "taken": Out(banks.cols),
                "row": Out(stream.Signature(self._row)),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        shape, banks = self._shape, self._shape.banks
        column = Signal(bits_for(banks.cols))  # whose turn it is
        moves = Signal()  # nothing is held up by a row that cannot go out
        takes = Signal()
        leaving = Signal(shape.leaving)
        taken, added, weighed = (self._stage(name) for name in ("taken", "added", "weighed"))
        # a column's row of C is read when its sums are added, and must be written by then
        again = taken["valid"] & (taken["column"] == column)
        m.d.comb += [
            takes.eq(self.full.bit_select(column, 1) & moves & ~again),
            self.taken.eq(takes << column),
            Value.cast(leaving).eq(pick([Value.cast(x) for x in self.leaving], column)),
        ]
        with m.If(takes):
            m.d.sync += column.eq(Mux(leaving.wraps, 0, column + 1))

        pairs = Signal(data.ArrayLayout(pair_layout(shape.pair_bits), banks.rows), reset_less=True)
        m.submodules.lanes = lanes = ResolveLanes(banks.rows, shape.pair_bits, self._adder)
        totals = Signal(
            data.ArrayLayout(signed(shape.pair_bits), banks.rows), name="totals", reset_less=True
        )
        for i in range(banks.rows):
            m.d.comb += Value.cast(lanes.pairs[i]).eq(Value.cast(pairs[i]))
        with m.If(moves):
            m.d.sync += [
                *(taken["valid"].eq(takes), taken["column"].eq(column)),
                taken["leaving"].eq(leaving),
                Value.cast(pairs).eq(pick([Value.cast(x) for x in self.pairs], column)),
                *(added[name].eq(taken[name]) for name in added),
                *(weighed[name].eq(added[name]) for name in added),
                *(totals[i].eq(lanes.totals[i]) for i in range(banks.rows)),
            ]

        before = place(m, platform, "c_memory", "memory", RowMemory, max(2, banks.cols), self._row)
        shifted = self._weigh(m, moves, totals, added["leaving"].weight)
        sums = self._add(m, platform, before.read_data, shifted, weighed["leaving"])
        m.d.comb += [
            moves.eq(~self.row.valid | self.row.ready),
            before.read.eq(moves & added["valid"]),
            before.read_row.eq(added["column"]),
            before.write.eq(moves & weighed["valid"] & ~weighed["leaving"].closes),
            before.write_row.eq(weighed["column"]),
            Value.cast(before.write_data).eq(Value.cast(sums)),
            self.row.valid.eq(weighed["valid"] & weighed["leaving"].closes),
            self.row.p.eq(sums),
            self.ends.eq(weighed["leaving"].ends & weighed["leaving"].wraps),
        ]
        return m

    def _stage(self, name: str) -> dict[str, Any]:
        """Return registers that go with a column's sums."""
        return {
            "valid": Signal(name=f"{name}_valid"),
            "column": Signal(bits_for(self._shape.banks.cols), name=f"{name}_column"),
            "leaving": Signal(self._shape.leaving, name=f"{name}_leaving"),
        }

    def _weigh(self, m: Module, moves: Value, totals: data.View, weight: Value) -> data.View:
        """Return sums at their bit weight, registered."""
        shifted = Signal(self._row, name="shifted", reset_less=True)
        for i in range(self._shape.banks.rows):
            choices = []
            for place_ in range(self._shape.banks.passes):
                choice = Signal(signed(self._bits), name=f"weighed_{i}_{place_}")
                m.d.comb += choice.eq(totals[i] << 2 * place_)
                choices.append(choice)
            with m.If(moves):
                m.d.sync += shifted[i].eq(pick(choices, weight))
        return shifted

    def _add(
        self, m: Module, platform: Any, before: data.View, shifted: data.View, leaving: data.View
    ) -> data.View:
        """Return C with a pass's sums added."""
        sums = Signal(self._row)
        for i in range(self._shape.banks.rows):
            adder = place(
                m, platform, f"accumulate_{self._bits}", f"accumulate_{i}",
                CarryPropagateAdder, self._bits, self._adder,
            )  # fmt: skip
            m.d.comb += [
                adder.x.eq(shifted[i]),
                adder.y.eq(Mux(leaving.opens, 0, before[i])),
                sums[i].eq(adder.sum),
            ]
        return sums
