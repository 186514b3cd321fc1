"""One encoding engine behind its addresses: queue, banks of the table, interpolation."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.engines.ngpc.address_rtl import lookup_layout
from archsim.engines.ngpc.spec import (
    AXES,
    CORNERS,
    FRACTION_BITS,
    WEIGHT_BITS,
    NgpcSpec,
)
from archsim.hdl.emit import place
from archsim.hdl.product import Product
from archsim.hdl.row_memory import RowMemory


def features_layout(spec: NgpcSpec) -> data.ArrayLayout:
    """Return the features of a level, as the MLP takes them."""
    return data.ArrayLayout(signed(spec.act_bits), spec.features)


def entry_layout(spec: NgpcSpec) -> data.ArrayLayout:
    return data.ArrayLayout(signed(spec.feature_bits), spec.features)


class LookupQueue(wiring.Component):
    """Lookups that wait for the banks: ``depth`` of them, and one past them where they are free.

    Members
    -------
    push, lookup : in; room : out
        Take a lookup at the end of this cycle, if there is room.
    free : in
        The banks take one at the end of this cycle.
    serve, next : out
        There is one, and which: the oldest, or the one that is pushed.
    """

    def __init__(self, spec: NgpcSpec) -> None:
        self._depth, self._layout = spec.fifo_depth, lookup_layout(spec)
        super().__init__(
            {
                **{"push": In(1), "lookup": In(self._layout), "room": Out(1)},
                **{"free": In(1), "serve": Out(1), "next": Out(self._layout)},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if not self._depth:
            m.d.comb += [
                self.room.eq(self.free), self.serve.eq(self.push), self.next.eq(self.lookup),
            ]  # fmt: skip
            return m
        bits = self._layout.size
        m.submodules.places = places = Memory(shape=bits, depth=self._depth, init=[])
        write, read = places.write_port(), places.read_port(domain="comb")
        first, last = (Signal(range(self._depth), name=name) for name in ("first", "last"))
        level = Signal(range(self._depth + 1))
        stays = self.push & ((level != 0) | ~self.free)
        leaves = self.free & (level != 0)
        m.d.comb += [
            self.room.eq((level != self._depth) | self.free),
            self.serve.eq((level != 0) | self.push),
            self.next.eq(Mux(level != 0, read.data, self.lookup)),
            read.addr.eq(first),
            write.addr.eq(last),
            write.data.eq(self.lookup),
            write.en.eq(stays),
        ]
        m.d.sync += level.eq(level + stays - leaves)
        for pointer, moves in ((last, stays), (first, leaves)):
            with m.If(moves):
                m.d.sync += pointer.eq(Mux(pointer == self._depth - 1, 0, pointer + 1))
        return m


class Interpolate(wiring.Component):
    """Adds corners by their weights, turn by turn; a query's sum leaves after its last turn.

    Weights are made axis by axis: a product, and what is left of its factor. So the eight add up to
    one whatever is cut off.

    Members
    -------
    place : in
        Of the query in the cell, `FRACTION_BITS` an axis; as the banks are read.
    corners, active, last : in
        Features of each corner, and which are this turn's; ``sram_cycles + 1`` cycles later.
    valid, features : out
        Two cycles after the last turn's.
    """

    def __init__(self, spec: NgpcSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "place": In(data.ArrayLayout(FRACTION_BITS, AXES)),
                "corners": In(data.ArrayLayout(entry_layout(spec), CORNERS)),
                **{"active": In(CORNERS), "turn": In(1), "last": In(1)},
                **{"valid": Out(1), "features": Out(features_layout(spec))},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self._spec
        weights = self._weights(m, platform)
        taken, ends = _late(m, "taken", self.turn, 2), _late(m, "ends", self.last, 2)
        first = Signal(init=1)
        with m.If(taken):
            m.d.sync += first.eq(ends)
        m.d.comb += self.valid.eq(taken & ends)
        sum_bits = spec.feature_bits + WEIGHT_BITS + 1
        for feature in range(spec.features):
            products = []
            for corner, weight in enumerate(weights):
                product = Signal(
                    signed(sum_bits), reset_less=True, name=f"product_{feature}_{corner}"
                )
                weigher = place(
                    m, platform, "weigher", f"weigher_{feature}_{corner}", Product,
                    signed(spec.feature_bits), WEIGHT_BITS + 1, signed(sum_bits),
                )  # fmt: skip
                m.d.comb += [
                    weigher.a.eq(self.corners[corner][feature]),
                    weigher.b.eq(Mux(self.active[corner], weight, 0)),
                ]
                m.d.sync += product.eq(weigher.product)
                products.append(product)
            turn = Signal(signed(sum_bits), reset_less=True, name=f"turn_sum_{feature}")
            total, kept = (
                Signal(signed(sum_bits), reset_less=True, name=f"{name}_{feature}")
                for name in ("total", "kept")
            )
            m.d.sync += turn.eq(sum(products[1:], products[0]))
            m.d.comb += total.eq(Mux(first, 0, kept) + turn)
            with m.If(taken):
                m.d.sync += kept.eq(total)
            m.d.comb += self.features[feature].eq(_activation(spec, total))
        return m

    def _weights(self, m: Module, platform: Any) -> list[Value]:
        """Return each corner's weight, ``sram_cycles + 1`` cycles after its place."""
        bits = WEIGHT_BITS + 1
        whole = self.place.as_value()
        for i in range(self._spec.sram_cycles - 1):
            held = Signal(len(whole), name=f"place_{i}", reset_less=True)
            m.d.sync += held.eq(whole)
            whole = held
        places = [whole[at : at + FRACTION_BITS] for at in range(0, len(whole), FRACTION_BITS)]
        high = Cat(Const(0, WEIGHT_BITS - FRACTION_BITS), places[0])
        weights: list[Value] = [(1 << WEIGHT_BITS) - high, high]
        held_z = Signal(FRACTION_BITS, name="place_z", reset_less=True)
        m.d.sync += held_z.eq(places[2])
        for axis, at in ((1, places[1]), (2, held_z)):
            parts: list[list[Value]] = [[], []]
            for i, weight in enumerate(weights):
                share = Signal(bits, name=f"share_{axis}_{i}")
                cut = place(
                    m, platform, "cut", f"cut_{axis}_{i}", Product, bits, FRACTION_BITS,
                    bits + FRACTION_BITS,
                )  # fmt: skip
                m.d.comb += [
                    *(cut.a.eq(weight), cut.b.eq(at)),
                    share.eq(cut.product >> FRACTION_BITS),
                ]
                for side, value in enumerate((weight - share, share)):
                    part = Signal(bits, name=f"weight_{axis}_{side}_{i}", reset_less=True)
                    m.d.sync += part.eq(value)
                    parts[side].append(part)
            weights = [*parts[0], *parts[1]]
        return weights


def _activation(spec: NgpcSpec, total: Value) -> Value:
    """Return a sum of weighted features as an activation, rounded half up."""
    shift = WEIGHT_BITS + spec.feature_bits - spec.act_bits
    rounded = (total + (1 << shift - 1)) >> shift
    most = (1 << spec.act_bits - 1) - 1
    return Mux(rounded > most, most, rounded)


class EncodingEngine(wiring.Component):
    """A level's table and what reads it.

    Members
    -------
    push, lookup : in; room : out
        Take a lookup; see `LookupQueue`.
    write, write_row, write_data : in
        Put a row of every bank into the table.
    features : out, stream
        Of queries, in their order; as many are kept as may be on their way.
    waits : out
        A corner waits for its turn in this cycle.
    reads : out
        Banks that are read in this cycle.
    """

    def __init__(self, spec: NgpcSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                **{"push": In(1), "lookup": In(lookup_layout(spec)), "room": Out(1)},
                **{"write": In(1), "write_row": In(range(spec.rows))},
                "write_data": In(data.ArrayLayout(entry_layout(spec), spec.banks)),
                "features": Out(stream.Signature(features_layout(spec))),
                **{"waits": Out(1), "reads": Out(range(spec.banks + 1))},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.queue = queue = LookupQueue(self._spec)
        busy, turn = Signal(), Signal(range(CORNERS))
        now = Signal(lookup_layout(self._spec), reset_less=True)
        last = turn == now.last
        m.d.comb += [
            *(queue.push.eq(self.push), queue.lookup.eq(self.lookup), self.room.eq(queue.room)),
            queue.free.eq(~busy | last),
            self.waits.eq(busy & ~last),
        ]
        with m.If(queue.free):
            m.d.sync += [busy.eq(queue.serve), now.eq(queue.next), turn.eq(0)]
        with m.Else():
            m.d.sync += turn.eq(turn + 1)
        active = Signal(CORNERS)
        m.d.comb += active.eq(
            Cat(corner == turn for corner in now.turns) & (busy & now.reads).replicate(CORNERS)
        )
        corners = self._banks(m, platform, now, active)
        m.submodules.interpolate = mix = Interpolate(self._spec)
        cycles = self._spec.sram_cycles + 1
        m.d.comb += [
            mix.place.eq(now.place),
            mix.corners.eq(Cat(corners)),
            mix.active.eq(_late(m, "active", active, cycles)),
            mix.turn.eq(_late(m, "turns", busy, cycles)),
            mix.last.eq(_late(m, "lasts", last, cycles)),
        ]
        self._join(m, mix)
        return m

    def _banks(self, m: Module, platform: Any, now: Any, active: Value) -> list[Value]:
        """Read the banks for the active corners; return the features of each, a register later."""
        spec = self._spec
        read_data = []
        reads = []
        for number in range(spec.banks):
            bank = place(
                m, platform, "grid_bank", f"bank_{number}", RowMemory, spec.rows, entry_layout(spec)
            )
            mine = [
                active[c] & (now.banks[c] == number if spec.banks > 1 else 1)
                for c in range(CORNERS)
            ]
            rows = [Mux(one, now.rows[c], 0) for c, one in enumerate(mine)]
            m.d.comb += [
                bank.write.eq(self.write),
                bank.write_row.eq(self.write_row),
                bank.write_data.eq(self.write_data[number]),
                bank.read.eq(Cat(mine).any()),
                bank.read_row.eq(_either(rows)),
            ]
            reads.append(bank.read)
            held = bank.read_data.as_value()
            read_data.append(_late(m, f"read_{number}", held, spec.sram_cycles - 1))
        m.d.comb += self.reads.eq(sum(reads, Const(0)))
        corners = []
        for corner in range(CORNERS):
            which = _late(m, f"bank_of_{corner}", now.banks[corner], spec.sram_cycles)
            found = Signal(entry_layout(spec), name=f"corner_{corner}", reset_less=True)
            with m.Switch(which):
                for number, value in enumerate(read_data):
                    with m.Case(number) if spec.banks > 1 else m.Default():
                        m.d.sync += found.eq(value)
            corners.append(found)
        return corners

    def _join(self, m: Module, mix: Interpolate) -> None:
        """Keep features until those of all levels are there."""
        bits = features_layout(self._spec).size
        m.submodules.join = join = SyncFIFO(width=bits, depth=self._spec.join_depth)
        m.d.comb += [
            join.w_en.eq(mix.valid),
            join.w_data.eq(mix.features),
            self.features.valid.eq(join.r_rdy),
            self.features.p.eq(join.r_data),
            join.r_en.eq(self.features.ready),
        ]


def _late(m: Module, name: str, value: Any, cycles: int) -> Any:
    """Return a value as it was so many cycles ago."""
    for i in range(cycles):
        held = Signal(len(value), name=f"{name}_late_{i}")
        m.d.sync += held.eq(value)
        value = held
    return value


def _either(values: list[Value]) -> Value:
    found = values[0]
    for value in values[1:]:
        found = found | value
    return found
