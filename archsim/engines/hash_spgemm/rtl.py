"""The hash SpGEMM engine in hardware; `archsim.engines.hash_spgemm.timing` has its rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from archsim.engines.hash_spgemm.bank_rtl import HashBank
from archsim.engines.hash_spgemm.fetch_rtl import READERS, Fetch
from archsim.engines.hash_spgemm.lane_rtl import ProductLane
from archsim.engines.hash_spgemm.parts_rtl import COMMAND, REQUEST, bank_of
from archsim.engines.hash_spgemm.spec import WORD_BITS, HashSpgemmSpec
from archsim.engines.hash_spgemm.write_back_rtl import DenseWalk, TableScan
from archsim.hdl import emit
from archsim.hdl.accounts import COUNTER_BITS, charges, counters_signature
from archsim.hdl.round_robin import RoundRobin

SPLIT = ("busy", "fill", "drain", "stall_mem")
COUNTS = (
    "products", "operations", "adds", "probes", "inserts", "hits", "collisions", "conflicts",
    "slots_scanned",
)  # fmt: skip


class HashSpgemm(wiring.Component):
    """Streams ``cmd``, ``mem_req`` and ``mem_rsp``; counters of cycles and of events."""

    def __init__(self, spec: HashSpgemmSpec) -> None:
        self.spec = spec
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "mem_req": Out(stream.Signature(REQUEST)),
                "mem_rsp": In(stream.Signature(WORD_BITS)),
                "counters": Out(counters_signature((*SPLIT, *COUNTS))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self.spec
        self.start, self.charge = Signal(), charges(SPLIT)
        self.events: dict[str, Value] = {}
        self.job = Signal(COMMAND)
        m.submodules.fetch = self.fetch = Fetch(spec)
        self.lanes, self.banks = (
            [emit.place(m, platform, name, f"{name}_{i}", part, spec) for i in range(count)]
            for name, part, count in (
                ("lane", ProductLane, spec.lanes), ("bank", HashBank, spec.banks),
            )
        )  # fmt: skip
        m.submodules.write_back = self.write_back = (
            DenseWalk(spec) if spec.write_back == "dense" else TableScan(spec)
        )
        m.d.comb += [self.fetch.start.eq(self.start), self.fetch.command.eq(self.cmd.p)]
        with m.If(self.start):
            m.d.sync += self.job.eq(self.cmd.p)
        self._dispense(m)
        working = self._crossbar(m)
        room, count_offered, in_flight = self._memory(m)
        self._control(m, room, count_offered)
        self._account(m, working, in_flight)
        return m

    def _dispense(self, m: Module) -> None:
        """Give the next token to a lane that is free, or to its row's."""
        token, how = self.fetch.token, self.spec.token
        m.submodules.dispenser = dispenser = RoundRobin(self.spec.lanes)
        last = Signal(2)  # lane that took the token before
        with m.If(token.valid & dispenser.valid):
            m.d.sync += last.eq(dispenser.pick)
        m.d.comb += [
            dispenser.restart.eq(self.start),
            dispenser.take.eq(token.valid),
            token.ready.eq(dispenser.valid),
        ]
        for i, lane in enumerate(self.lanes):
            goes_on = lane.token.ready & (last == i)
            wants = {
                "nonzero": lane.free,
                "row": Mux(token.p.aim.first, lane.free, goes_on),
                "static": lane.token.ready & (token.p.aim.lane == i),
            }
            m.d.comb += [
                dispenser.wants[i].eq(wants[how]),
                lane.token.p.eq(token.p),
                lane.token.valid.eq(token.valid & dispenser.valid & (dispenser.pick == i)),
                lane.b_at.eq(self.job.b_at),
                lane.left.eq(self.job.left),
                lane.width.eq(self.job.width),
            ]
            if self.spec.hash == "high":
                m.d.comb += lane.span_log2.eq(self.job.span_log2)

    def _crossbar(self, m: Module) -> Value:
        """Let each bank serve one lane a cycle; return whether any does."""
        chosen = [bank_of(self.spec, lane.operation.slot) for lane in self.lanes]
        granted: list[list[Value]] = [[] for _ in self.lanes]
        refused = []
        for number, bank in enumerate(self.banks):
            m.submodules[f"bank_arbiter_{number}"] = arbiter = RoundRobin(self.spec.lanes)
            at_bank = [
                lane.wants & (slot == number) for lane, slot in zip(self.lanes, chosen, strict=True)
            ]
            operations = Array([lane.operation.as_value() for lane in self.lanes])
            m.d.comb += [
                arbiter.restart.eq(self.start),
                arbiter.wants.eq(Cat(at_bank)),
                arbiter.take.eq(1),
                bank.valid.eq(arbiter.valid),
                bank.lane.eq(arbiter.pick),
                bank.operation.eq(operations[arbiter.pick]),
            ]
            refused.append(sum(at_bank) - arbiter.valid)
            for i, mine in enumerate(granted):
                mine.append(arbiter.valid & (arbiter.pick == i))
        for i, lane in enumerate(self.lanes):
            back = [bank.again & (bank.of_lane == i) for bank in self.banks]
            outcomes = [
                Mux(mine, bank.outcome.as_value(), 0)
                for mine, bank in zip(back, self.banks, strict=True)
            ]
            m.d.comb += [
                lane.granted.eq(Cat(granted[i]).any()),
                lane.again.eq(Cat(back).any()),
                lane.outcome.eq(_either(outcomes)),
            ]
        self.events |= {
            "products": sum(lane.product & lane.granted for lane in self.lanes),
            "operations": sum(bank.valid for bank in self.banks),
            "adds": sum(bank.valid & bank.operation.adds for bank in self.banks),
            "probes": sum(bank.passed + bank.inserts + bank.hits for bank in self.banks),
            "inserts": sum(bank.inserts for bank in self.banks),
            "hits": sum(bank.hits for bank in self.banks),
            "collisions": sum(bank.passed for bank in self.banks),
            "conflicts": sum(refused),
            "slots_scanned": self.write_back.walked,
        }
        return Cat(bank.valid for bank in self.banks).any()

    def _memory(self, m: Module) -> tuple[Value, Signal, Value]:
        """Give the port to one request a cycle, and words to whom asked for them.

        Returns whether a request may go out, the flag with which the count does, and whether reads
        are in flight.
        """
        request, waiting, full = Signal(REQUEST, reset_less=True), Signal(REQUEST), Signal()
        readers = len(READERS) + self.spec.lanes
        depth = readers * self.spec.queue
        m.submodules.route = route = SyncFIFO(width=readers.bit_length(), depth=depth)
        m.submodules.readers = arbiter = RoundRobin(self.spec.lanes)
        count_offered, room, reads = Signal(), Signal(), Signal()
        asks = Cat(self.fetch.asks, arbiter.valid)
        m.d.comb += [
            room.eq(~full | self.mem_req.ready),
            reads.eq(room & asks.any()),
            self.mem_req.valid.eq(full),
            self.mem_req.payload.eq(request),
            self.mem_rsp.ready.eq(route.r_rdy),
            route.r_en.eq(self.mem_rsp.valid),
            route.w_en.eq(reads),
            arbiter.restart.eq(self.start),
            arbiter.wants.eq(Cat(lane.asks for lane in self.lanes)),
            arbiter.take.eq(room & ~self.fetch.asks.any()),
            self.write_back.taken.eq(room),
        ]
        comes = self.mem_rsp.valid & self.mem_rsp.ready
        for number, name in enumerate(READERS):
            before = self.fetch.asks[:number].any() if number else Const(0)
            goes = self.fetch.asks[number] & ~before
            m.d.comb += [
                self.fetch.read[number].eq(goes & room),
                self.fetch.comes[number].eq(comes & (route.r_data == number)),
            ]
            with m.If(goes):
                address = getattr(self.fetch, f"{name}_address")
                m.d.comb += [waiting.address.eq(address), route.w_data.eq(number)]
        m.d.comb += self.fetch.word.eq(self.mem_rsp.payload)
        for i, lane in enumerate(self.lanes):
            goes = arbiter.valid & (arbiter.pick == i) & ~self.fetch.asks.any()
            m.d.comb += [
                lane.read.eq(goes & room),
                lane.comes.eq(comes & (route.r_data == len(READERS) + i)),
                lane.word.eq(self.mem_rsp.payload),
            ]
            with m.If(goes):
                number = len(READERS) + i
                m.d.comb += [waiting.address.eq(lane.address), route.w_data.eq(number)]
        self._writes(m, waiting, count_offered, room)
        with m.If(room):
            m.d.sync += [
                request.eq(waiting),
                full.eq(asks.any() | self.write_back.valid | count_offered),
            ]
        self.is_offered = full
        return room, count_offered, route.r_rdy

    def _writes(self, m: Module, waiting: Any, count_offered: Signal, room: Signal) -> None:
        """Write entries one behind the other, then how many there are before them."""
        written = Signal(32)
        with m.If(self.start):
            m.d.sync += written.eq(0)
        with m.Elif(self.write_back.valid & room):
            m.d.sync += written.eq(written + 1)
        with m.If(self.write_back.valid):
            m.d.comb += [
                waiting.write.eq(1),
                waiting.address.eq(self.job.c_at + 1 + written),
                waiting.data.eq(self.write_back.entry),
            ]
        with m.Elif(count_offered):
            m.d.comb += [
                waiting.write.eq(1),
                waiting.address.eq(self.job.c_at),
                waiting.data.eq(Cat(written, self.fetch.rows)),
            ]

    def _control(self, m: Module, room: Value, count_offered: Signal) -> None:
        """Run a window: clear the table once, then products, write-back and the count."""
        places = self.spec.slots // self.spec.banks
        clearing, place = Signal(), Signal(range(places))
        idle = Cat(lane.idle for lane in self.lanes).all() & self.fetch.idle
        done = idle & ~Cat(bank.busy for bank in self.banks).any()
        self.runs = Signal()
        with m.FSM():
            with m.State("CLEAR"):
                m.d.comb += clearing.eq(1)
                m.d.sync += place.eq(place + 1)
                with m.If(place == places - 1):
                    m.next = "IDLE"
            with m.State("IDLE"):
                m.d.comb += [
                    self.cmd.ready.eq(~self.is_offered),
                    self.start.eq(self.cmd.valid & self.cmd.ready),
                ]
                with m.If(self.start):
                    m.next = "PRODUCTS"
            with m.State("PRODUCTS"):
                m.d.comb += [self.runs.eq(1), self.write_back.start.eq(done)]
                with m.If(done):
                    m.next = "WRITE"
            with m.State("WRITE"):
                with m.If(self.write_back.done):
                    m.next = "COUNT"
            with m.State("COUNT"):
                m.d.comb += count_offered.eq(1)
                with m.If(room):
                    m.next = "IDLE"
        for number, bank in enumerate(self.banks):
            walk = self.write_back
            m.d.comb += [
                bank.clear.eq(clearing | walk.clear[number]),
                bank.clear_place.eq(Mux(clearing, place, walk.clear_place)),
                bank.read.eq(walk.read[number]),
                bank.read_place.eq(walk.read_place),
                walk.held[number].eq(bank.held),
            ]
            if isinstance(walk, DenseWalk):
                m.d.comb += [
                    bank.list_read.eq(walk.list_read[number]),
                    bank.list_row.eq(walk.list_row),
                    bank.forget.eq(count_offered),
                    walk.listed[number].eq(bank.listed),
                    walk.taken_slots[number].eq(bank.taken),
                ]

    def _account(self, m: Module, working: Value, in_flight: Value) -> None:
        """Charge each occupied cycle, and count what happens."""
        occupied = self.start | ~self.cmd.ready
        m.d.comb += [
            self.charge["fill"].eq(self.start | (self.runs & ~working & ~in_flight)),
            self.charge["busy"].eq(self.runs & working),
        ]
        with m.If(self.runs):
            m.d.comb += self.charge["stall_mem"].eq(~working & in_flight)
        with m.Elif(~self.start & occupied):
            blocked = self.is_offered & ~self.mem_req.ready
            m.d.comb += [
                self.charge["stall_mem"].eq(blocked),
                self.charge["drain"].eq(~blocked),
            ]
        added: Mapping[str, Value] = {**self.charge, **self.events}
        for name, amount in added.items():
            counter = getattr(self.counters, name)
            with m.If(self.start):
                m.d.sync += counter.eq(int(name == "fill"))
            with m.Else():
                m.d.sync += counter.eq((counter + amount)[:COUNTER_BITS])


def _either(values: list[Value]) -> Value:
    """Return the one value that is not zero."""
    found = values[0]
    for value in values[1:]:
        found = found | value
    return found
