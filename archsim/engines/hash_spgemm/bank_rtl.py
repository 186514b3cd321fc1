"""A bank of the hash table: an operation a cycle, each one a read, a comparison and a write."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.hash_spgemm.parts_rtl import lane_shape, operation_layout, slot_layout
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.hdl.emit import place
from archsim.hdl.row_memory import RowMemory


class HashBank(wiring.Component):
    """Every slot of the table that is in this bank; slot in cycle t, outcome in cycle t + 1.

    A slot that is written while it is read gives its new value.

    Members
    -------
    valid, lane, operation : in
        An operation of a lane begins.
    again, of_lane, outcome : out
        The one of the cycle before has to go on: it collided, or it added nothing yet. What it is
        then, and whose.
    inserts, hits, collides, busy : out
        What became of that one, and that there is one.
    read, read_row : in; held : out
        For write-back: a slot, from the next cycle on.
    clear, clear_row : in
        Empty a slot.
    taken : out; list_read, list_row : in; listed : out; forget : in
        With ``write_back: dense``: how many slots are taken, the rows of these in order of arrival,
        and that none is any more.
    """

    def __init__(self, spec: HashSpgemmSpec) -> None:
        self._spec = spec
        self._depth = spec.slots // spec.banks
        row = range(self._depth)
        dense = {
            **{"list_read": In(1), "list_row": In(row), "listed": Out(row), "forget": In(1)},
            "taken": Out(range(self._depth + 1)),
        }
        super().__init__(
            {
                **{"valid": In(1), "lane": In(lane_shape(spec))},
                "operation": In(operation_layout(spec)),
                **{"again": Out(1), "of_lane": Out(lane_shape(spec))},
                "outcome": Out(operation_layout(spec)),
                **{name: Out(1) for name in ("inserts", "hits", "collides", "busy")},
                **{"read": In(1), "read_row": In(row), "held": Out(slot_layout())},
                **{"clear": In(1), "clear_row": In(row)},
                **(dense if spec.write_back == "dense" else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        table = place(m, platform, "table", "table", RowMemory, self._depth, slot_layout())
        row = self._row(self.operation.slot)
        doing = Signal(operation_layout(self._spec), reset_less=True)
        m.d.sync += self.busy.eq(self.valid)
        with m.If(self.valid):
            m.d.sync += [doing.eq(self.operation), self.of_lane.eq(self.lane)]
        m.d.comb += [
            table.read.eq(self.valid | self.read),
            table.read_row.eq(Mux(self.valid, row, self.read_row)),
            self.held.eq(table.read_data),
        ]
        held = self._forwarded(m, table, row)
        new = self._operate(m, doing, held)
        m.d.comb += [
            table.write.eq(self.clear | (self.busy & ~self.collides)),
            table.write_row.eq(Mux(self.clear, self.clear_row, self._row(doing.slot))),
            table.write_data.eq(Mux(self.clear, 0, new)),
        ]
        if self._spec.write_back == "dense":
            self._list(m, platform, self._row(doing.slot))
        return m

    def _row(self, slot: Any) -> Any:
        return slot[self._spec.banks.bit_length() - 1 :]

    def _forwarded(self, m: Module, table: Any, row: Any) -> Any:
        """Return the slot that was read, or what was written into it meanwhile."""
        passes, passed = Signal(), Signal(slot_layout(), reset_less=True)
        m.d.sync += [
            passes.eq(self.valid & table.write & (table.write_row == row)),
            passed.eq(table.write_data),
        ]
        held = Signal(slot_layout())
        m.d.comb += held.eq(Mux(passes, passed, table.read_data))
        return held

    def _operate(self, m: Module, doing: Any, held: Any) -> Any:
        """Compare and add; return what the slot holds then."""
        fused = self._spec.atomics == "fused"
        compares = self.busy & ~doing.adds
        same = held.tag == doing.tag
        new = Signal(slot_layout())
        m.d.comb += [
            self.inserts.eq(compares & ~held.valid),
            self.hits.eq(compares & held.valid & same),
            self.collides.eq(compares & held.valid & ~same),
            new.valid.eq(1),
            new.tag.eq(doing.tag),
            # an empty slot holds zero
            new.value.eq(held.value + Mux(fused | doing.adds, doing.value, 0)),
            self.again.eq(self.collides if fused else compares),
            self.outcome.eq(doing),
            self.outcome.adds.eq(~self.collides),
            self.outcome.slot.eq(doing.slot + self.collides),
        ]
        return new

    def _list(self, m: Module, platform: Any, row: Any) -> None:
        listed = place(m, platform, "list", "list", RowMemory, self._depth, range(self._depth))
        m.d.comb += [
            listed.write.eq(self.inserts),
            listed.write_row.eq(self.taken),
            listed.write_data.eq(row),
            listed.read.eq(self.list_read),
            listed.read_row.eq(self.list_row),
            self.listed.eq(listed.read_data),
        ]
        with m.If(self.forget):
            m.d.sync += self.taken.eq(0)
        with m.Else():
            m.d.sync += self.taken.eq(self.taken + self.inserts)
