"""A bank of the hash table: an operation a cycle, each one a read, a comparison and a write."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.hash_spgemm.parts_rtl import (
    lane_shape,
    line_bits,
    operation_layout,
    place_of,
    slot_layout,
)
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.hdl.emit import place
from archsim.hdl.row_memory import RowMemory


class HashBank(wiring.Component):
    """Every slot of the table that is in this bank; slot in cycle t, outcome in cycle t + 1.

    The table is one memory for each slot of a line, all of which an operation reads. A slot that is
    written while it is read gives its new value. Slots of a line fill from its first on.

    Members
    -------
    valid, lane, operation : in
        An operation of a lane begins.
    again, of_lane, outcome : out
        The one of the cycle before has to go on: it collided, or it added nothing yet. What it is
        then, and whose.
    inserts, hits, passed, busy : out
        What became of that one, how many other entries it passed, and that there is one.
    read, read_place : in; held : out
        For write-back: a slot, from the next cycle on.
    clear, clear_place : in
        Empty a slot.
    taken : out; list_read, list_row : in; listed : out; forget : in
        With ``write_back: dense``: how many slots are taken, where these are in order of arrival,
        and that none is any more.
    """

    def __init__(self, spec: HashSpgemmSpec) -> None:
        self._spec = spec
        self._depth = spec.slots // spec.banks
        place = range(self._depth)
        dense = {
            **{"list_read": In(1), "list_row": In(place), "listed": Out(place), "forget": In(1)},
            "taken": Out(range(self._depth + 1)),
        }
        super().__init__(
            {
                **{"valid": In(1), "lane": In(lane_shape(spec))},
                "operation": In(operation_layout(spec)),
                **{"again": Out(1), "of_lane": Out(lane_shape(spec))},
                "outcome": Out(operation_layout(spec)),
                **{name: Out(1) for name in ("inserts", "hits", "busy")},
                "passed": Out(range(spec.comparators + 1)),
                **{"read": In(1), "read_place": In(place), "held": Out(slot_layout())},
                **{"clear": In(1), "clear_place": In(place)},
                **(dense if spec.write_back == "dense" else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        line, lines = self._spec.comparators, self._depth // self._spec.comparators
        table = [
            place(m, platform, "table", f"table_{i}", RowMemory, lines, slot_layout())
            for i in range(line)
        ]
        asked = place_of(self._spec, self.operation.slot)
        doing, reading = Signal(operation_layout(self._spec), reset_less=True), Signal(range(line))
        m.d.sync += self.busy.eq(self.valid)
        with m.If(self.read):
            m.d.sync += reading.eq(self._within(self.read_place))
        with m.If(self.valid):
            m.d.sync += [doing.eq(self.operation), self.of_lane.eq(self.lane)]
        for i, memory in enumerate(table):
            here = self.read & (self._within(self.read_place) == i)
            m.d.comb += [
                memory.read.eq(self.valid | here),
                memory.read_row.eq(self._line(Mux(self.valid, asked, self.read_place))),
            ]
        m.d.comb += self.held.eq(Array([memory.read_data for memory in table])[reading])
        held = [self._forwarded(m, memory, self._line(asked)) for memory in table]
        done = place_of(self._spec, doing.slot)
        found, new = self._operate(m, doing, held)
        for i, memory in enumerate(table):
            cleared = self.clear & (self._within(self.clear_place) == i)
            m.d.comb += [
                memory.write.eq(cleared | (self.busy & found[i])),
                memory.write_row.eq(self._line(Mux(self.clear, self.clear_place, done))),
                memory.write_data.eq(Mux(self.clear, 0, new[i])),
            ]
        if self._spec.write_back == "dense":
            which = Signal(range(line))
            for i in range(line):
                with m.If(found[i]):
                    m.d.comb += which.eq(i)
            self._list(m, platform, which, self._line(done))
        return m

    def _within(self, at: Any) -> Value:
        """Return which of its line a slot is, by its place in the bank."""
        bits = line_bits(self._spec)
        return at[:bits] if bits else Const(0, 1)

    def _line(self, at: Any) -> Value:
        return at[line_bits(self._spec) :]

    def _forwarded(self, m: Module, memory: Any, row: Value) -> Any:
        """Return the slot that was read, or what was written into it meanwhile."""
        passes, passed = Signal(), Signal(slot_layout(), reset_less=True)
        m.d.sync += [
            passes.eq(self.valid & memory.write & (memory.write_row == row)),
            passed.eq(memory.write_data),
        ]
        held = Signal(slot_layout())
        m.d.comb += held.eq(Mux(passes, passed, memory.read_data))
        return held

    def _operate(self, m: Module, doing: Any, held: list[Any]) -> tuple[list[Value], list[Any]]:
        """Compare and add; return which slot of the line it is, and what each would hold then."""
        fused, last = self._spec.atomics == "fused", len(held) - 1
        compares = self.busy & ~doing.adds
        found, new, goes_by = [], [], Const(1)
        for i, slot in enumerate(held):
            ends = ~slot.valid | (slot.tag == doing.tag)
            mine = Signal(name=f"found_{i}")
            m.d.comb += mine.eq(Mux(doing.adds, self._within(doing.slot) == i, goes_by & ends))
            goes_by = goes_by & ~ends
            holds = Signal(slot_layout(), name=f"new_{i}")
            adds = doing.adds if i == last and not fused else Const(1)
            m.d.comb += [
                holds.valid.eq(1),
                holds.tag.eq(doing.tag),
                holds.value.eq(slot.value + Mux(adds, doing.value, 0)),  # an empty slot holds zero
            ]
            found.append(mine)
            new.append(holds)
        taken = [mine & slot.valid for mine, slot in zip(found, held, strict=True)]
        collides = compares & goes_by
        m.d.comb += [
            self.inserts.eq(compares & ~goes_by & ~Cat(taken).any()),
            self.hits.eq(compares & Cat(taken).any()),
            self.again.eq(collides | (compares & found[last] & (not fused))),
            self.outcome.eq(doing),
            self.outcome.adds.eq(~collides),
            self.outcome.slot.eq(doing.slot + Mux(collides, last + 1, last)),
        ]
        with m.If(collides):
            m.d.comb += self.passed.eq(last + 1)
        for i in range(1, last + 1):
            with m.If(compares & found[i]):
                m.d.comb += self.passed.eq(i)
        return found, new

    def _list(self, m: Module, platform: Any, which: Signal, line: Value) -> None:
        listed = place(m, platform, "list", "list", RowMemory, self._depth, range(self._depth))
        m.d.comb += [
            listed.write.eq(self.inserts),
            listed.write_row.eq(self.taken),
            listed.write_data.eq(Cat(which[: line_bits(self._spec)], line)),
            listed.read.eq(self.list_read),
            listed.read_row.eq(self.list_row),
            self.listed.eq(listed.read_data),
        ]
        with m.If(self.forget):
            m.d.sync += self.taken.eq(0)
        with m.Else():
            m.d.sync += self.taken.eq(self.taken + self.inserts)
