"""The array of columns in hardware: loader, banks and their network, columns, result lanes.

`archsim.engines.bitslice.columns_timing` derives how long it takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from archsim.engines.bitslice.columns_beats import ports
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.hdl.accounts import charges, tally
from archsim.hdl.chunk_loader import BankShape, ChunkLoader, bits_for
from archsim.hdl.digit_column import ColumnShape, DigitColumn
from archsim.hdl.digits import EnTEncoder
from archsim.hdl.emit import place
from archsim.hdl.gemm import COUNTERS, array_members, pick
from archsim.hdl.pass_lanes import PassLanes
from archsim.hdl.result_port import ResultPort
from archsim.hdl.row_memory import RowMemory

COUNTS = ("digits", "empty", "bank_wait", "sync_wait")


def column_shape(spec: BitsliceSpec) -> ColumnShape:
    """Return what an array's columns are made of."""
    banks = BankShape(
        rows=spec.rows,
        cols=spec.cols,
        lanes=spec.lanes,
        group=spec.group,
        slack=spec.slack,
        groups=spec.depth // (spec.group * spec.lanes),
        passes=spec.passes,
    )
    return ColumnShape(
        banks,
        spec.encoding,
        spec.encoded_bits,
        spec.other_bits,
        spec.pair_bits,
        in_pe=spec.pe == "opt3",
        every_pass=spec.sync == "pass",
    )


class ColumnArray(wiring.Component):
    """Columns of PEs with the port protocol of GEMM engines.

    `archsim.engines.bitslice.columns_beats` has the order of beats. Extents of 0 in a command are
    not allowed.

    Members
    -------
    cmd, a, b, c : in, streams
    result : out, stream
    counters : out
        Cycles of the last job by what they were, and lanes times cycles by what lanes did; from
        ``cmd`` on, until the next ``cmd``.
    """

    def __init__(self, spec: BitsliceSpec) -> None:
        self.spec = spec
        self.across = "n" if spec.encoded == "a" else "m"  # the extent across a result's lanes
        super().__init__(array_members(ports(spec), (*COUNTERS, *COUNTS)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec, shape = self.spec, column_shape(self.spec)
        m.submodules.loader = loader = ChunkLoader(shape.banks)
        m.submodules.lanes = lanes = PassLanes(shape, spec.acc_bits, spec.adder)
        m.submodules.port = port = ResultPort(spec.rows, spec.acc_bits)
        wiring.connect(m, lanes.row, port.row)
        wiring.connect(m, wiring.flipped(self.c), port.c)
        wiring.connect(m, port.result, wiring.flipped(self.result))
        barrier, working, done = Signal(), Signal(), Signal()
        columns = self._columns(m, platform, shape, loader, working ^ done)
        idle, start = Signal(init=1), Signal()
        met = Signal(bits_for(spec.passes))  # barriers of this chunk that are behind
        m.d.comb += [
            barrier.eq(Cat(column.turned for column in columns).all()),
            done.eq(barrier & (met == (spec.passes - 1 if shape.every_pass else 0))),
            start.eq(self.cmd.valid & idle),
            self.cmd.ready.eq(idle),
            loader.start.eq(start),
            loader.m.eq(self.cmd.p.m if spec.encoded == "a" else self.cmd.p.n),
            loader.n.eq(self.cmd.p.n if spec.encoded == "a" else self.cmd.p.m),
            loader.k.eq(self.cmd.p.k),
            loader.offered.eq(self.a.valid & self.b.valid),
            loader.done.eq(done),
            *(self.a.ready.eq(loader.take), self.b.ready.eq(loader.take)),
            port.start.eq(start),
            port.accumulate.eq(self.cmd.p.accumulate),
        ]
        with m.If(barrier):
            m.d.sync += met.eq(Mux(done, 0, met + 1))
        m.d.sync += working.eq(working ^ done)
        for i, column in enumerate(columns):
            m.d.comb += [
                *(column.barrier.eq(barrier), column.working.eq(working)),
                lanes.full[i].eq(column.full),
                *(lanes.pairs[i][j].eq(column.pairs[j]) for j in range(spec.rows)),
                lanes.leaving[i].eq(column.leaving),
                column.resolved.eq(lanes.taken[i]),
            ]

        # the last row may go before columns without rows of C are through
        through, last_queued, gone = Signal(), Signal(), Signal()
        m.d.comb += through.eq((loader.held == 0) & ~loader.loading)
        with m.If(start):
            m.d.sync += [idle.eq(0), last_queued.eq(0), gone.eq(0)]
        with m.Elif(~idle):
            m.d.sync += [
                last_queued.eq(last_queued | (lanes.row.valid & lanes.row.ready & lanes.ends)),
                gone.eq(gone | (last_queued & port.emptied)),
                idle.eq((gone | (last_queued & port.emptied)) & through),
            ]
        self._account(m, start, idle, loader, port, columns)
        return m

    def _columns(
        self, m: Module, platform: Any, shape: ColumnShape, loader: ChunkLoader, half: Value
    ) -> list[Any]:
        """Add columns, which work on a half in this cycle, and banks with their network."""
        spec = self.spec
        ring = Mux(half, loader.chunks[1].ring, loader.chunks[0].ring) >> _log2(spec.slack)
        columns = [
            place(m, platform, "column", f"column_{i}", DigitColumn, shape)
            for i in range(spec.cols)
        ]
        encoded, other = (self.a, self.b) if spec.encoded == "a" else (self.b, self.a)
        encoded_beat = Signal.like(encoded.p, name="encoded_beat", reset_less=True)
        other_beat = Signal.like(other.p, name="other_beat", reset_less=True)
        with m.If(loader.take):
            m.d.sync += [encoded_beat.eq(encoded.p), other_beat.eq(other.p)]
        for i, column in enumerate(columns):
            for lane in range(spec.lanes):
                value = encoded_beat[lane * spec.cols + i]
                m.d.comb += column.stored[lane].eq(self._stored(m, platform, value, i, lane))
            m.d.comb += [
                *(column.index.eq(i), column.home.eq(i * spec.slack)),
                *(column.chunks[half].eq(loader.chunks[half]) for half in range(2)),
                *(column.loaded.eq(loader.loaded), column.write.eq(loader.write)),
                *(column.half.eq(loader.half), column.group.eq(loader.group)),
                column.element.eq(loader.element),
                column.next_finishes.eq(_next_in_ring(columns, i, ring)),
            ]
        rows = data.ArrayLayout(data.ArrayLayout(signed(spec.other_bits), spec.rows), spec.lanes)
        for lane in range(spec.lanes):
            row = data.View(rows, other_beat.as_value())[lane]
            self._network(m, platform, shape, loader, columns, lane, row)
        return columns

    def _stored(self, m: Module, platform: Any, value: Value, column: int, lane: int) -> Value:
        """Return an element of the encoded operand in the form in which it is kept."""
        if self.spec.encoding == "mbe":
            return value
        encoder = place(
            m, platform, "encoder", f"encoder_{column}_{lane}",
            EnTEncoder, self.spec.encoded_bits,
        )  # fmt: skip
        m.d.comb += encoder.value.eq(value)
        return Cat(encoder.codes, encoder.negative)

    def _network(
        self,
        m: Module,
        platform: Any,
        shape: ColumnShape,
        loader: ChunkLoader,
        columns: list[Any],
        lane: int,
        row: data.View,
    ) -> None:
        """Add a lane's banks: a beat's row goes to one of each ring, a column reads any."""
        banks = shape.banks
        deep = shape.together == 1  # an element a row of the memory, else a group
        element_bits = _log2(banks.group) if deep else 0
        slot_bits = _log2(banks.slots)
        given = []
        for j in range(banks.banks):
            memory = place(
                m, platform, "bank_memory", f"bank_{lane}_{j}",
                RowMemory, 2 << slot_bits + element_bits, shape.word, shape.together,
            )  # fmt: skip
            asks = [column.requests[lane] for column in columns]
            asked = [ask.valid & (ask.bank == j) for ask in asks]
            wanted = _either(
                Mux(hit, self._row(ask.element, ask.slot, ask.half, element_bits, slot_bits), 0)
                for hit, ask in zip(asked, asks, strict=True)
            )
            here = loader.write & ((loader.group ^ j) & loader.ring == 0)
            slot = loader.group >> _log2(banks.banks)
            m.d.comb += [
                memory.write.eq(Mux(here, 1 if deep else 1 << loader.element, 0)),
                memory.write_row.eq(
                    self._row(loader.element, slot, loader.half, element_bits, slot_bits)
                ),
                *(memory.write_data[i].eq(row) for i in range(shape.together)),
                memory.read.eq(Cat(asked).any()),
                memory.read_row.eq(wanted),
            ]
            given.append(Value.cast(memory.read_data))
        for i, column in enumerate(columns):
            bank = Signal(bits_for(banks.banks), name=f"bank_{lane}_of_{i}")
            m.d.sync += bank.eq(column.requests[lane].bank)
            m.d.comb += Value.cast(column.words[lane]).eq(pick(given, bank))

    @staticmethod
    def _row(element: Value, slot: Value, half: Value, element_bits: int, slot_bits: int) -> Value:
        """Return where a bank keeps an element."""
        return Cat(element[:element_bits], slot[:slot_bits], half)

    def _account(
        self,
        m: Module,
        start: Value,
        idle: Value,
        loader: ChunkLoader,
        port: ResultPort,
        columns: list[Any],
    ) -> None:
        """Count what the array and its lanes do."""
        lanes = {
            name: Cat(getattr(column, name) for column in columns)
            for name in ("digits", "empty", "waits", "ended")
        }
        charge = charges(COUNTERS)
        with m.If(idle):
            pass
        with m.Elif((lanes["digits"] | lanes["empty"]).any()):
            m.d.comb += charge["busy"].eq(1)
        with m.Elif(port.refused | port.lacks_c):
            m.d.comb += [
                charge["stall_result"].eq(port.refused),
                charge["stall_c"].eq(port.lacks_c),
            ]
        with m.Elif(lanes["ended"].any()):
            m.d.comb += charge["drain"].eq(1)
        with m.Elif(loader.wants & ~loader.take):
            m.d.comb += [charge["stall_a"].eq(self.b.valid), charge["stall_b"].eq(~self.b.valid)]
        with m.Else():
            more = loader.loading | (loader.held != 0)
            m.d.comb += [charge["fill"].eq(more), charge["drain"].eq(~more)]
        tally(m, start, self.counters, charge, ahead=True)
        counted = {
            "digits": lanes["digits"],
            "empty": lanes["empty"],
            "bank_wait": lanes["waits"],
            "sync_wait": Cat(column.pauses for column in columns),
        }
        for name, flags in counted.items():
            counter, count = getattr(self.counters, name), Signal(range(len(flags) + 1))
            m.d.sync += count.eq(_population(list(flags)))  # nothing counts in a job's last cycle
            with m.If(start):
                m.d.sync += counter.eq(0)
            with m.Else():
                m.d.sync += counter.eq(counter + count)


def _next_in_ring(columns: list[Any], index: int, ring: Value) -> Value:
    """Return which lanes of the next column finish a bank; ``ring`` is its columns less one."""
    found = columns[index].finishes
    ends = (index + 1 & -(index + 1)).bit_length() - 1  # rings of 2^ends columns end here
    for size in range(min(ends + 1, _log2(len(columns)))):
        after = index + 1 - (2 << size) if size < ends else index + 1
        found = Mux(ring[size], columns[after].finishes, found)
    return found


def _population(flags: list[Value]) -> Value:
    """Return how many flags are set, by a balanced tree."""
    while len(flags) > 1:
        sums = [x + y for x, y in zip(flags[::2], flags[1::2], strict=False)]
        flags = [*sums, *flags[len(sums) * 2 :]]
    return flags[0]


def _either(values: Iterable[Value]) -> Value:
    found: Value = Const(0)
    for value in values:
        found |= value
    return found


def _log2(count: int) -> int:
    return (count - 1).bit_length()
