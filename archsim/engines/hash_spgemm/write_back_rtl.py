"""Write-back: finds the entries that the table holds, hands them to memory, empties their slots."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.hash_spgemm.parts_rtl import bank_of, place_of, slot_layout
from archsim.engines.hash_spgemm.spec import WORD_BITS, HashSpgemmSpec


class _WriteBack(wiring.Component):
    """What both ways of write-back have at their ports.

    Members
    -------
    start : in
        Begin in the next cycle.
    entry, valid : out; taken : in
        A word for memory, and that it goes.
    done : out
        The last step passes in this cycle.
    walked : out
        A slot was read.
    read, read_place : out; held : in
        By bank: read a slot, which comes in the next cycle.
    clear, clear_place : out
        By bank: empty a slot.
    """

    def __init__(self, spec: HashSpgemmSpec, more: dict[str, Any]) -> None:
        self._spec = spec
        self._depth = spec.slots // spec.banks
        self._place = range(self._depth)
        super().__init__(
            {
                **{"start": In(1), "entry": Out(WORD_BITS), "valid": Out(1), "taken": In(1)},
                **{"done": Out(1), "walked": Out(1)},
                **{"read": Out(spec.banks), "read_place": Out(self._place)},
                "held": In(slot_layout()).array(spec.banks),
                **{"clear": Out(spec.banks), "clear_place": Out(self._place)},
                **more,
            }
        )

    def _give(self, m: Module, here: Signal, bank: Any, place: Any) -> Signal:
        """Offer the slot that was read, if it holds an entry; return whether the next may come."""
        slot = Signal(slot_layout())
        m.d.comb += slot.eq(Array(list(self.held))[bank])
        advance = Signal()
        m.d.comb += [
            self.valid.eq(here & slot.valid),
            self.entry.eq(Cat(slot.tag, slot.value)),
            advance.eq(~self.valid | self.taken),
            self.clear.eq((here & advance) << bank),
            self.clear_place.eq(place),
        ]
        return advance


class TableScan(_WriteBack):
    """Reads every slot, in order: a slot a cycle."""

    def __init__(self, spec: HashSpgemmSpec) -> None:
        super().__init__(spec, {})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        ahead = Signal(range(self._spec.slots + 1), init=self._spec.slots)  # slot to be read
        here, slot = Signal(), Signal(range(self._spec.slots))
        active = Signal()
        bank, next_bank = (bank_of(self._spec, s) for s in (slot, ahead))
        advance = self._give(m, here, bank, place_of(self._spec, slot))
        more = ahead != self._spec.slots
        m.d.comb += [
            self.walked.eq(active & advance & more),
            self.read.eq(self.walked << next_bank),
            self.read_place.eq(place_of(self._spec, ahead)),
            self.done.eq(here & advance & ~more),
        ]
        with m.If(self.start):
            m.d.sync += [active.eq(1), ahead.eq(0)]
        with m.Elif(active & advance):
            m.d.sync += [here.eq(more), slot.eq(ahead)]
            with m.If(more):
                m.d.sync += ahead.eq(ahead + 1)
            with m.Else():
                m.d.sync += active.eq(0)
        return m


class DenseWalk(_WriteBack):
    """Reads the slots that are taken, bank by bank, each bank's in order of arrival.

    Members
    -------
    taken_slots : in
        By bank: how many are taken.
    list_read, list_row : out; listed : in
        By bank: which slot was the n-th, in the next cycle.
    """

    def __init__(self, spec: HashSpgemmSpec) -> None:
        row = range(spec.slots // spec.banks)
        more = {
            **{"list_read": Out(spec.banks), "list_row": Out(row)},
            "listed": In(row).array(spec.banks),
            "taken_slots": In(range(spec.slots // spec.banks + 1)).array(spec.banks),
        }
        super().__init__(spec, more)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        banks = self._spec.banks
        index = Signal(range(self._depth + 1))
        bank, listed_bank, bank_here = (
            Signal(range(banks + 1), name=n) for n in ("bank", "listed_bank", "bank_here")
        )
        listed, here, place, active = Signal(), Signal(), Signal(self._place), Signal()
        advance = self._give(m, here, bank_here, place)
        step = Signal()
        found = active & (bank != banks) & (index != Array(list(self.taken_slots))[bank])
        next_place = Array(list(self.listed))[listed_bank]
        m.d.comb += [
            step.eq(active & advance),
            self.list_read.eq((step & found) << bank),
            self.list_row.eq(index),
            self.walked.eq(step & listed),
            self.read.eq(self.walked << listed_bank),
            self.read_place.eq(next_place),
            self.done.eq(step & (bank == banks) & ~listed),
        ]
        with m.If(self.start):
            m.d.sync += [active.eq(1), bank.eq(0), index.eq(0)]
        with m.Elif(step):
            m.d.sync += [
                listed.eq(found), listed_bank.eq(bank),
                here.eq(listed), bank_here.eq(listed_bank), place.eq(next_place),
            ]  # fmt: skip
            with m.If(found):
                m.d.sync += index.eq(index + 1)
            with m.Elif(bank != banks):
                m.d.sync += [bank.eq(bank + 1), index.eq(0)]
            with m.If(self.done):
                m.d.sync += active.eq(0)
        return m
