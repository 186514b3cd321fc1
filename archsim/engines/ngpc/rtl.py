"""A neural-fields processor in hardware; `archsim.engines.ngpc.timing` has its rules.

Ports: ``level`` takes a level's description a beat, ``table`` a row of all banks of its table,
``weight`` the weights of an output of a layer; ``x`` a query's position; ``result`` gives a query's
outputs. A command that loads takes levels first, then tables, level by level, then weights, layer
by layer; then, as one that does not load, queries.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.ngpc.address_rtl import LANE_BITS, LEVEL_LANES, AddressPipe, level_layout
from archsim.engines.ngpc.level_rtl import EncodingEngine
from archsim.engines.ngpc.mlp_rtl import Mlp, result_layout, vector_layout
from archsim.engines.ngpc.spec import (
    ADDRESS_STAGES,
    AXES,
    MOST_LAYERS,
    POSITION_BITS,
    SHIFT_BITS,
    NgpcSpec,
)
from archsim.hdl.accounts import charges, counters_signature, tally
from archsim.hdl.emit import place

COUNT_BITS = 32
PORTS = ("level", "table", "weight", "x", "result")
SPLIT = ("busy", "fill", "drain", *(f"stall_{port}" for port in PORTS))
COUNTS = ("reads", "conflicts", "queue", "full", "join", "slot")


def command_layout(spec: NgpcSpec) -> data.StructLayout:
    """Return a command: queries, levels, log2 of queries in parallel, layers and their shifts."""
    return data.StructLayout(
        {
            **{"queries": COUNT_BITS, "levels": range(spec.engines + 1), "parallel_log2": 2},
            "layers": range(MOST_LAYERS + 1),
            "shifts": MOST_LAYERS * SHIFT_BITS,
            "load": 1,
        }
    )


class NeuralFieldsProcessor(wiring.Component):
    """Streams ``cmd``, ``level``, ``table``, ``weight``, ``x`` and ``result``; counters."""

    def __init__(self, spec: NgpcSpec) -> None:
        self.spec = spec
        lanes = spec.banks * spec.features
        super().__init__(
            {
                "cmd": In(stream.Signature(command_layout(spec))),
                "level": In(
                    stream.Signature(data.ArrayLayout(unsigned(LANE_BITS), len(LEVEL_LANES)))
                ),
                "table": In(stream.Signature(data.ArrayLayout(signed(spec.feature_bits), lanes))),
                "weight": In(stream.Signature(vector_layout(spec))),
                "x": In(stream.Signature(data.ArrayLayout(unsigned(POSITION_BITS), AXES))),
                "result": Out(stream.Signature(result_layout(spec))),
                "counters": Out(counters_signature((*SPLIT, *COUNTS))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self.spec
        self.charge = charges(SPLIT)
        self.events: dict[str, Any] = {}
        self.job, self.start, self.runs = Signal(command_layout(spec)), Signal(), Signal()
        self.engines, self.pipes = (
            [place(m, platform, name, f"{name}_{i}", part, spec) for i in range(spec.engines)]
            for name, part in (("encoder", EncodingEngine), ("address", AddressPipe))
        )
        m.submodules.mlp = self.mlp = Mlp(spec)
        with m.If(self.start):
            m.d.sync += self.job.eq(self.cmd.p)
        # what an engine does: a level, for one of the queries in parallel
        splits = range(spec.parallel.bit_length())  # log2 of queries in parallel
        which = self.job.parallel_log2
        self.slots = [_choice(which, [i % (1 << n) for n in splits]) for i in range(spec.engines)]
        self.levels = [_choice(which, [i >> n for n in splits]) for i in range(spec.engines)]
        self._control(m)
        in_flight = self._encode(m)
        self._give(m, in_flight)
        tally(m, self.start, self.counters, self.charge)
        for name, value in self.events.items():
            counter = getattr(self.counters, name)
            m.d.sync += counter.eq(Mux(self.start, 0, counter + value))
        return m

    # ------------------------------------------------------------------------------ command, loads

    def _control(self, m: Module) -> None:
        """Take a command, then what it loads, then queries until the last result has left."""
        last_level, last_row, last_weight = self._loads(m)
        self.done = Signal()
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.cmd.ready.eq(1), self.start.eq(self.cmd.valid)]
                m.d.comb += self.charge["fill"].eq(self.start)
                with m.If(self.cmd.valid):
                    with m.If(self.cmd.p.load):
                        m.next = "LEVEL"
                    with m.Else():
                        m.next = "RUN"
            for port, last, then in (
                ("level", last_level, "TABLE"), ("table", last_row, "WEIGHT"),
                ("weight", last_weight, "RUN"),
            ):  # fmt: skip
                with m.State(port.upper()):
                    beat = getattr(self, port)
                    m.d.comb += [
                        beat.ready.eq(1),
                        self.charge["fill"].eq(beat.valid),
                        self.charge[f"stall_{port}"].eq(~beat.valid),
                    ]
                    with m.If(beat.valid & last):
                        m.next = then
            with m.State("RUN"):
                m.d.comb += self.runs.eq(1)
                with m.If(self.done):
                    m.next = "IDLE"

    def _loads(self, m: Module) -> tuple[Value, Value, Value]:
        """Put what is loaded in its place; return for each port whether this is its last beat."""
        spec = self.spec
        takes = {name: Signal(name=f"takes_{name}") for name in ("level", "table", "weight")}
        for name, take in takes.items():
            port = getattr(self, name)
            m.d.comb += take.eq(port.valid & port.ready)
        level, row = Signal(range(spec.engines)), Signal(range(spec.rows))
        layer, output = Signal(range(MOST_LAYERS)), Signal(range(spec.mlp_width))
        row_counts = [Signal(range(spec.rows + 1), name=f"rows_{i}") for i in range(spec.engines)]
        given = dict(zip(LEVEL_LANES, self.level.p, strict=True))
        self.about = [Signal(level_layout(spec), name=f"level_{i}") for i in range(spec.engines)]
        ends_level = Signal()
        m.d.comb += ends_level.eq(row + 1 == Array(row_counts)[level])
        last_level = level + 1 == self.job.levels
        for i, engine in enumerate(self.engines):
            mine = self.levels[i] == level
            with m.If(takes["level"] & (level == i)):
                m.d.sync += row_counts[i].eq(given["rows"])
            with m.If(takes["level"] & mine):
                about = self.about[i]
                m.d.sync += [about[name].eq(given[name]) for name in LEVEL_LANES[:4]]
                m.d.sync += Cat(about.hashed, about.flat).eq(given["flags"])
            m.d.comb += [
                *(engine.write.eq(takes["table"] & mine), engine.write_row.eq(row)),
                engine.write_data.as_value().eq(self.table.p),
            ]
        with m.If(takes["level"] | (takes["table"] & ends_level)):
            m.d.sync += level.eq(Mux(last_level, 0, level + 1))
        with m.If(takes["table"]):
            m.d.sync += row.eq(Mux(ends_level, 0, row + 1))
        last_output = output == spec.mlp_width - 1
        last_layer = layer + 1 == self.job.layers
        with m.If(takes["weight"]):
            m.d.sync += output.eq(Mux(last_output, 0, output + 1))
            with m.If(last_output):
                m.d.sync += layer.eq(Mux(last_layer, 0, layer + 1))
        m.d.comb += [
            *(self.mlp.load.eq(takes["weight"]), self.mlp.layer.eq(layer)),
            *(self.mlp.row.eq(output), self.mlp.weights.eq(self.weight.p)),
            *(self.mlp.layers.eq(self.job.layers), self.mlp.shifts.eq(self.job.shifts)),
        ]
        return last_level, ends_level & last_level, last_output & last_layer

    # ---------------------------------------------------------------------------- positions, levels

    def _encode(self, m: Module) -> Value:
        """Gather queries to groups, find their corners; return whether a group is on its way."""
        spec = self.spec
        valid = Signal(ADDRESS_STAGES)
        ready, inject, held = (
            Signal(ADDRESS_STAGES + 1),
            Signal(),
            Signal(range(spec.join_depth + 1)),
        )
        rooms = Cat(engine.room for engine in self.engines).all()
        has_place = held != spec.join_depth
        self.leaves = Signal()  # a group leaves the join
        closes = self._gather(m, ready[0])
        for stage in range(ADDRESS_STAGES):
            m.d.comb += ready[stage].eq(~valid[stage] | ready[stage + 1])
            with m.If(ready[stage]):
                m.d.sync += valid[stage].eq(valid[stage - 1] if stage else closes)
        masks = self.present
        for stage in range(1, ADDRESS_STAGES - 1):
            later = Signal(len(masks), name=f"present_{stage}")
            with m.If(ready[stage]):
                m.d.sync += later.eq(masks)
            masks = later
        for i, (pipe, engine) in enumerate(zip(self.pipes, self.engines, strict=True)):
            used = self.levels[i] < self.job.levels
            m.d.comb += [
                *(pipe.level.eq(self.about[i]), pipe.enable.eq(ready[1:])),
                pipe.position.eq(Array(self.positions)[self.slots[i]]),
                pipe.reads.eq(used & masks.bit_select(self.slots[i], 1)),
                *(engine.push.eq(inject), engine.lookup.eq(pipe.lookup)),
            ]
        at_end = valid[-1]
        m.d.comb += [inject.eq(at_end & rooms & has_place), ready[-1].eq(rooms & has_place)]
        m.d.sync += held.eq(held + inject - self.leaves)
        self.events |= {
            "reads": sum((engine.reads for engine in self.engines), Const(0)),
            "conflicts": sum((engine.waits for engine in self.engines), Const(0)),
            "full": at_end & ~has_place,
            "queue": at_end & has_place & ~rooms,
        }
        return valid.any() | (held != 0)

    def _gather(self, m: Module, ready: Value) -> Value:
        """Take the positions of a group one by one; return whether one is complete."""
        spec = self.spec
        left, slot = Signal(COUNT_BITS), Signal(range(max(spec.parallel, 2)))
        ends = (slot + 1 == 1 << self.job.parallel_log2) | (left == 1)
        takes = self.x.valid & self.x.ready
        m.d.comb += self.x.ready.eq(self.runs & (left != 0) & (ready | ~ends))
        waiting = [Signal(self.x.p.shape(), name=f"waiting_{i}") for i in range(spec.parallel)]
        self.positions = [Signal(self.x.p.shape(), name=f"at_{i}") for i in range(spec.parallel)]
        self.present = Signal(spec.parallel)
        for i, (held, position) in enumerate(zip(waiting, self.positions, strict=True)):
            with m.If(takes & (slot == i)):
                m.d.sync += held.eq(self.x.p)
            with m.If(takes & ends):
                m.d.sync += position.eq(Mux(slot == i, self.x.p, held))
                m.d.sync += self.present[i].eq(slot >= i if i else 1)
        with m.If(self.start):
            m.d.sync += [left.eq(self.cmd.p.queries), slot.eq(0)]
        with m.Elif(takes):
            m.d.sync += [left.eq(left - 1), slot.eq(Mux(ends, 0, slot + 1))]
        self.takes = takes
        return takes & ends

    # ------------------------------------------------------------------------------- join, results

    def _give(self, m: Module, in_flight: Value) -> None:
        """Let the queries of a group, once all levels are there, go through the MLP in turn."""
        spec, mlp = self.spec, self.mlp
        there = Cat(engine.features.valid for engine in self.engines)
        left, given = Signal(COUNT_BITS), Signal(COUNT_BITS)
        slot, begun = Signal(range(max(spec.parallel, 2))), Signal()
        enters, waits = Signal(), Signal()
        ends = (slot + 1 == 1 << self.job.parallel_log2) | (left == 1)
        leaves = self.result.valid & self.result.ready
        m.d.comb += [
            waits.eq(there.all()),
            mlp.vector.valid.eq(waits),
            *(mlp.vector.p[i].eq(x) for i, x in enumerate(self._vector(slot))),
            enters.eq(waits & mlp.vector.ready),
            self.leaves.eq(enters & ends),
            *(engine.features.ready.eq(self.leaves) for engine in self.engines),
            self.done.eq(leaves & (given == 1)),
        ]
        wiring.connect(m, wiring.flipped(self.result), mlp.result)
        with m.If(self.start):
            m.d.sync += [left.eq(self.cmd.p.queries), given.eq(self.cmd.p.queries)]
            m.d.sync += [slot.eq(0), begun.eq(0)]
        with m.Else():
            m.d.sync += [given.eq(given - leaves), left.eq(left - enters)]
            with m.If(enters):
                m.d.sync += [slot.eq(Mux(ends, 0, slot + 1)), begun.eq(1)]
        charge = self.charge
        with m.If(self.runs):
            with m.If(left == 0):
                refused = self.result.valid & ~self.result.ready
                m.d.comb += [charge["stall_result"].eq(refused), charge["drain"].eq(~refused)]
            with m.Elif(waits & ~mlp.has_place):
                m.d.comb += charge["stall_result"].eq(1)
            with m.Elif(~in_flight & ~self.takes):
                m.d.comb += charge["stall_x"].eq(1)
            with m.Elif(begun | enters):
                m.d.comb += charge["busy"].eq(1)
            with m.Else():
                m.d.comb += charge["fill"].eq(1)
        self.events |= {
            "join": there.any() & ~there.all(),
            "slot": waits & mlp.has_place & ~mlp.vector.ready,
        }

    def _vector(self, slot: Value) -> list[Value]:
        """Return the features of one query of the group: what level by level, zeros beyond."""
        spec = self.spec
        found: list[Value] = []
        for lane in range(spec.mlp_width):
            level, feature = divmod(lane, spec.features)
            choices: list[Any] = []
            for log2 in range(spec.parallel.bit_length()):
                mine = [
                    self.engines[(level << log2) + p].features.p[feature]
                    if (level << log2) + p < spec.engines else Const(0)
                    for p in range(1 << log2)
                ]  # fmt: skip
                choices.append(Array(mine)[slot[:log2]] if log2 else mine[0])
            chosen = Array(choices)[self.job.parallel_log2]
            found.append(Mux(level < self.job.levels, chosen, 0))
        return found


def _choice(which: Value, values: Any) -> Value:
    """Return one of some constants."""
    constants = [Const(x) for x in values]
    found: Value = constants[0]
    for i, constant in enumerate(constants[1:], 1):
        found = Mux(which == i, constant, found)
    return found
