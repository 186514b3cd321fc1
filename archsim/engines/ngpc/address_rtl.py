"""From a position to the banks of its corners: the address pipeline of one encoding engine.

Registers hold, one stage after another: the position scaled; the cell and the place in it; what
each axis adds to an entry's number; the corners' entries; their banks and turns. The position
itself is held before, for all engines.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.ngpc.spec import (
    AXES,
    CELL_BITS,
    CORNERS,
    FRACTION_BITS,
    POSITION_BITS,
    SCALE_BITS,
    SCALE_FRACTION,
    NgpcSpec,
)
from archsim.graphics.encoding import PRIMES
from archsim.hdl.emit import place
from archsim.hdl.product import Product

LANE_BITS = 32  # of each value of a level's description
LEVEL_LANES = ("scale", "stride_y", "stride_z", "limit", "rows", "flags")
STAGES = 5  # of registers here


def level_layout(spec: NgpcSpec) -> data.StructLayout:
    """Return what an engine knows of its level; ``limit`` is a mask where ``hashed``."""
    bits = spec.table_log2 + 1
    return data.StructLayout(
        {
            **{"scale": SCALE_BITS, "stride_y": bits, "stride_z": bits, "limit": bits},
            **{"hashed": 1, "flat": 1},
        }
    )


def bank_bits(spec: NgpcSpec) -> int:
    return spec.banks.bit_length() - 1


def lookup_layout(spec: NgpcSpec) -> data.StructLayout:
    """Return eight corners: rows, banks, the turn in which each is read, and the last turn."""
    row_bits = spec.table_log2 - bank_bits(spec)
    return data.StructLayout(
        {
            "rows": data.ArrayLayout(row_bits, CORNERS),
            "banks": data.ArrayLayout(bank_bits(spec), CORNERS),
            "turns": data.ArrayLayout(range(CORNERS), CORNERS),
            "last": range(CORNERS),
            "reads": 1,
            "place": data.ArrayLayout(FRACTION_BITS, AXES),
        }
    )


class AddressPipe(wiring.Component):
    """Scales a position to its level, finds the corners of its cell, and lets them take turns.

    Members
    -------
    level : in
    enable : in
        Of each stage's registers.
    position : in
    reads : in
        Whether there is a query for the last stage: without one no corner is read, in one turn.
    lookup : out
        Of the last stage.
    """

    def __init__(self, spec: NgpcSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "level": In(level_layout(spec)),
                "enable": In(STAGES),
                "position": In(data.ArrayLayout(POSITION_BITS, AXES)),
                "reads": In(1),
                "lookup": Out(lookup_layout(spec)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cells, places = self._cells(m, platform)
        terms, parities = self._terms(m, platform, cells)
        slots = self._slots(m, terms, parities)
        self._turns(m, slots, self._delayed(m, places, (2, 3)))
        return m

    def _held(self, m: Module, stage: int, name: str, value: Any, bits: int) -> Signal:
        register = Signal(bits, name=f"{name}_{stage}", reset_less=True)
        with m.If(self.enable[stage]):
            m.d.sync += register.eq(value)
        return register

    def _delayed(self, m: Module, values: list[Value], stages: tuple[int, ...]) -> list[Value]:
        for stage in stages:
            values = [
                self._held(m, stage, f"place_{axis}", value, len(value))
                for axis, value in enumerate(values)
            ]
        return values

    def _cells(self, m: Module, platform: Any) -> tuple[list[Value], list[Value]]:
        """Return the cell of each axis, and the place in it: products of halves, and their sum."""
        cells: list[Value] = []
        places: list[Value] = []
        below = POSITION_BITS + SCALE_FRACTION
        half = POSITION_BITS // 2
        for axis in range(AXES):
            products = []
            for side, part in enumerate((self.position[axis][:half], self.position[axis][half:])):
                scaler = place(
                    m, platform, "scaler", f"scaler_{axis}_{side}", Product,
                    half, SCALE_BITS, half + SCALE_BITS,
                )  # fmt: skip
                m.d.comb += [scaler.a.eq(part), scaler.b.eq(self.level.scale)]
                name = f"scaled_{axis}_{side}"
                products.append(self._held(m, 0, name, scaler.product, half + SCALE_BITS))
            low, high = products
            at = Signal(CELL_BITS + FRACTION_BITS, name=f"at_{axis}")
            m.d.comb += at.eq((low + (high << half) + (1 << below - 1)) >> below - FRACTION_BITS)
            off = self.level.flat if axis == AXES - 1 else 0
            held = self._held(m, 1, f"cell_{axis}", Mux(off, 0, at), len(at))
            places.append(held[:FRACTION_BITS])
            cells.append(held[FRACTION_BITS:])
        return cells, places

    def _terms(
        self, m: Module, platform: Any, cells: list[Value]
    ) -> tuple[list[list[Value]], list[Value]]:
        """Return by axis what either vertex adds to an entry's number; and cells' low bits."""
        spec, level = self._spec, self.level
        bits = spec.table_log2 + 1
        halves = spec.bank_map == "parity"
        found = []
        steps: list[Any] = [Const(1, bits)]
        for axis, stride in ((1, level.stride_y), (2, level.stride_z)):
            step = Signal(bits, name=f"step_{axis}")
            m.d.comb += step.eq(Mux(level.hashed, PRIMES[axis] % (1 << bits), stride))
            steps.append(step)
        for axis, (cell, step) in enumerate(zip(cells, steps, strict=True)):
            flat = level.flat if axis == AXES - 1 else Const(0)
            near = Mux(level.hashed, cell, cell >> 1) if halves else cell
            moves = ~flat & (level.hashed | cell[0]) if halves else ~flat
            first, second = (Signal(bits, name=f"near_{axis}_{i}") for i in range(2))
            if axis:
                strider = place(
                    m, platform, "strider", f"strider_{axis}", Product, CELL_BITS, bits, bits
                )
                m.d.comb += [strider.a.eq(near), strider.b.eq(step), first.eq(strider.product)]
            else:
                m.d.comb += first.eq(near)
            m.d.comb += second.eq(first + Mux(moves, step, 0))
            pair = [
                self._held(m, 2, f"term_{axis}_{i}", x, bits) for i, x in enumerate((first, second))
            ]
            found.append(pair)
        parities = [self._held(m, 2, f"odd_{axis}", cell[0], 1) for axis, cell in enumerate(cells)]
        return found, parities

    def _slots(self, m: Module, terms: list[list[Value]], parities: list[Value]) -> list[Value]:
        """Return the place of each corner's entry in the table memory."""
        spec, level = self._spec, self.level
        bits = spec.table_log2 + 1
        slots = []
        for corner in range(CORNERS):
            sides = [corner >> axis & 1 for axis in range(AXES)]
            x, y, z = (term[high] for term, high in zip(terms, sides, strict=True))
            whole, slot = Signal(bits, name=f"whole_{corner}"), Signal(bits, name=f"slot_{corner}")
            hashed = (x ^ y ^ z) & level.limit
            m.d.comb += whole.eq(x + y + z)
            if spec.bank_map == "parity":
                odd = [parity ^ high for parity, high in zip(parities, sides, strict=True)]
                odd[2] = odd[2] & ~level.flat
                low = Cat(odd[:2], Mux(level.flat, hashed[2], odd[2]))
                m.d.comb += slot.eq(Mux(level.hashed, Cat(low, hashed[3:]), Cat(odd, whole)))
            else:
                rest = Mux(whole >= level.limit, whole - level.limit, whole)
                m.d.comb += slot.eq(Mux(level.hashed, hashed, rest))
            slots.append(self._held(m, 3, f"slot_{corner}", slot, spec.table_log2))
        return slots

    def _turns(self, m: Module, slots: list[Value], places: list[Value]) -> None:
        """Let corners in one bank take turns, lowest first; those of one entry share a turn."""
        spec = self._spec
        bits = bank_bits(spec)
        lookup = Signal(lookup_layout(spec))
        banks = []
        for corner, slot in enumerate(slots):
            bank = Signal(bits, name=f"bank_{corner}")
            parts = [slot[at : at + bits] for at in range(0, len(slot), bits)] if bits else [bank]
            folded = parts[:1] if spec.bank_map != "fold" else parts
            value: Any = 0
            for part in folded:
                value = value ^ part
            m.d.comb += [
                bank.eq(value),
                lookup.banks[corner].eq(bank),
                lookup.rows[corner].eq(slot[bits:]),
            ]
            banks.append(bank)
        turns: list[Value] = []
        leads: list[Value] = []
        last: Value = Const(0)
        for corner, slot in enumerate(slots):
            turn = Signal(range(CORNERS), name=f"turn_{corner}")
            same = [slot == slots[before] for before in range(corner)]
            behind = sum(
                (leads[before] & (banks[before] == banks[corner]) for before in range(corner)),
                Const(0),
            )
            m.d.comb += turn.eq(behind)
            for before in reversed(range(corner)):
                with m.If(same[before]):
                    m.d.comb += turn.eq(turns[before])
            lead = Signal(name=f"leads_{corner}")
            m.d.comb += lead.eq(~Cat(same).any() if same else 1)
            turns.append(turn)
            leads.append(lead)
            m.d.comb += lookup.turns[corner].eq(turn)
            last = Mux(lead & (turn > last), turn, last)
        m.d.comb += [
            lookup.last.eq(Mux(self.reads, last, 0)),
            lookup.reads.eq(self.reads),
            *(lookup.place[axis].eq(place) for axis, place in enumerate(places)),
        ]
        held = Signal(lookup_layout(spec), reset_less=True)
        with m.If(self.enable[4]):
            m.d.sync += held.eq(lookup)
        m.d.comb += self.lookup.eq(held)
