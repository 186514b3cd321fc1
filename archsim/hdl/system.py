"""An engine with its DMA, its scratchpad and the sequencer that runs a program on them.

Two lists run side by side, transfers and jobs, each in order; counts of what has been done hold
one back until the other is far enough. That is the whole of double buffering: a load waits until
the job before last has freed its slot, a job until its loads are in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from archsim.hdl.descriptors import COUNT_BITS, JOB, SLOT_BITS, TAP, WORD_BITS, Geometry, Table
from archsim.hdl.dma import TRANSFER_LAYOUT, DescriptorReader, Dma, memory_port
from archsim.hdl.emit import VerilogTarget, reference
from archsim.hdl.operands import PixelFeeder, RowFeeder
from archsim.hdl.requantise import Requantise, Scaling
from archsim.hdl.scratchpad import LaneBanks, RowMemory
from archsim.hdl.walk import WALK_LAYOUT, ResultWalk, walk_of

JOB_LAYOUT, TAP_LAYOUT = data.StructLayout(JOB), data.StructLayout(TAP)
PROGRAM_ADDRESS_BITS = 16
NO_WRAP = 0xFFFF


@dataclass(frozen=True, slots=True)
class _Jobs:
    """The present job's signals between the parts of a system."""

    descriptor: Any  # of the job that starts next
    go: Signal  # it starts in this cycle
    ended: Signal  # the present one's last result is written in this cycle


class System(wiring.Component):
    """A GEMM engine, output stationary, on a memory.

    Parameters
    ----------
    engine
        Component with streams ``cmd`` {m, n, k, accumulate}, ``a``, ``b``, ``c``, ``result`` and
        ``counters``, whose lanes and widths are the geometry's.
    geometry
        Sizes.
    module
        Name of the engine's own Verilog module, for Verilog that instantiates it; empty: the engine
        is part of the system's.

    Members
    -------
    program : in
        Tables: ``enable`` writes ``word`` at ``address`` of ``table``; see `Geometry.tables`.
    start, transfers, jobs : in
        Run the program: so many rows of each list; only when not ``busy``.
    busy : out
    loads_done, stores_done, jobs_done, cycles : out
        Of the program that runs or ran last.
    ar, r, aw, w, b : memory port, in words of ``cols`` elements
    """

    def __init__(self, engine: wiring.Component, geometry: Geometry, module: str = "") -> None:
        self._engine, self._geometry, self._module = engine, geometry, module
        super().__init__(
            {
                "program": In(self.program_signature()),
                "start": In(1),
                "transfers": In(COUNT_BITS),
                "jobs": In(COUNT_BITS),
                "busy": Out(1),
                "loads_done": Out(COUNT_BITS),
                "stores_done": Out(COUNT_BITS),
                "jobs_done": Out(COUNT_BITS),
                "cycles": Out(32),
                **memory_port(geometry),
            }
        )

    @staticmethod
    def program_signature() -> wiring.Signature:
        """Return what writes the tables, as its source has it."""
        return wiring.Signature(
            {
                "enable": Out(1),
                "table": Out(2),
                "address": Out(PROGRAM_ADDRESS_BITS),
                "word": Out(WORD_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        g = self._geometry
        engine = self._engine
        if self._module and isinstance(platform, VerilogTarget):
            engine, m.submodules.engine = reference(self._module, engine.signature, "engine")
        else:
            m.submodules.engine = engine
        m.submodules.dma = dma = Dma(g)
        m.submodules.tiles = tiles = LaneBanks(g.rows, g.a_depth, g.word_bits)
        m.submodules.kept = kept = LaneBanks(g.rows, g.kept_depth, g.word_bits)
        m.submodules.weights = weights = RowMemory(g.b_depth, g.word_bits)
        m.submodules.sums = sums = RowMemory(g.c_depth, g.cols * g.acc_bits, ports=2)
        m.submodules.biases = biases = RowMemory(g.bias_depth, g.word_bits, parts=g.sum_words)
        tables = {name: self._table(m, name, table) for name, table in g.tables.items()}

        transfers = self._reader(m, "transfer_reader", tables["transfers"], TRANSFER_LAYOUT)
        wiring.connect(m, transfers.rows, dma.transfers)
        for name in ("ar", "r", "aw", "w", "b"):
            wiring.connect(m, getattr(dma, name), wiring.flipped(getattr(self, name)))
        m.d.comb += [
            transfers.count.eq(self.transfers),
            tiles.write.eq(dma.write_a), tiles.slot.eq(dma.slot), tiles.word.eq(dma.word),
            weights.write.eq(dma.write_b), weights.address.eq(dma.slot), weights.row.eq(dma.word),
            biases.write.eq(dma.write_bias), biases.address.eq(dma.slot),
            biases.row.eq(dma.word.replicate(g.sum_words)),
            sums.read_1.eq(dma.read), sums.address_1.eq(dma.address), dma.row.eq(sums.row_1),
            dma.jobs.eq(self.jobs_done), self.loads_done.eq(dma.loads),
            self.stores_done.eq(dma.stores), dma.clear.eq(self.start),
        ]  # fmt: skip

        reader = self._reader(m, "job_reader", tables["jobs"], JOB_LAYOUT)
        m.d.comb += reader.count.eq(self.jobs)
        jobs = _Jobs(reader.rows.p, Signal(name="go"), Signal(name="ended"))
        running = Signal()
        self._feed(m, engine, jobs, reader, running, tables["taps"], tiles, kept, weights, sums)
        self._results(m, engine, jobs, tables["scales"], kept, sums, biases)

        with m.If(jobs.go):
            m.d.sync += running.eq(1)
        with m.Elif(jobs.ended):
            m.d.sync += running.eq(0)
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), self.jobs_done.eq(0), self.cycles.eq(0)]
        with m.Else():
            m.d.sync += self.jobs_done.eq(self.jobs_done + jobs.ended)
            m.d.sync += self.cycles.eq(self.cycles + self.busy)
            with m.If(transfers.done & dma.idle & reader.done & ~running):
                m.d.sync += self.busy.eq(0)
        return m

    def _table(self, m: Module, name: str, table: Table) -> Memory:
        """Add a table of the program: a memory that is written a word at a time."""
        words = table.words
        m.submodules[name] = memory = Memory(shape=WORD_BITS * words, depth=table.depth, init=[])
        port = memory.write_port(granularity=WORD_BITS)
        shift = (table.stride_words - 1).bit_length()
        chosen = self.program.enable & (self.program.table == table.number)
        m.d.comb += [
            port.addr.eq(self.program.address[shift:]),
            port.data.eq(self.program.word.replicate(words)),
            port.en.eq(Mux(chosen, 1 << self.program.address[:shift], 0)),
        ]
        return memory

    def _reader(
        self, m: Module, name: str, table: Memory, layout: data.StructLayout
    ) -> DescriptorReader:
        m.submodules[name] = reader = DescriptorReader(layout)
        port = table.read_port()
        m.d.comb += [
            port.en.eq(reader.read), port.addr.eq(reader.address), reader.row.eq(port.data),
            reader.start.eq(self.start),
        ]  # fmt: skip
        return reader

    def _feed(
        self,
        m: Module,
        engine: Any,
        jobs: _Jobs,
        reader: DescriptorReader,
        running: Signal,
        taps: Memory,
        tiles: LaneBanks,
        kept: LaneBanks,
        weights: RowMemory,
        sums: RowMemory,
    ) -> None:
        """Start jobs when what they wait for has been, and feed the engine's operand ports."""
        g, job = self._geometry, jobs.descriptor
        m.submodules.pixels = pixels = PixelFeeder(g, JOB_LAYOUT, TAP_LAYOUT)
        m.submodules.rows = rows = RowFeeder(g)
        tap = taps.read_port(domain="comb")
        there = Signal()
        m.d.comb += [
            there.eq((self.loads_done >= job.loads) & (self.stores_done >= job.stores)),
            engine.cmd.valid.eq(reader.rows.valid & pixels.prepared & there & ~running),
            *(engine.cmd.p[name].eq(job[name]) for name in ("m", "n", "k", "accumulate")),
            jobs.go.eq(engine.cmd.valid & engine.cmd.ready),
            reader.rows.ready.eq(jobs.go),
            # a feeder sets up while the job before drains
            pixels.prepare.eq(reader.rows.valid & pixels.idle & ~jobs.go),
            pixels.job.eq(job), pixels.go.eq(jobs.go),
            tap.addr.eq(pixels.tap_index), pixels.tap.eq(tap.data),
            pixels.tile_words.eq(tiles.words), pixels.kept_words.eq(kept.words),
            rows.go.eq(jobs.go), rows.m.eq(job.m), rows.n.eq(job.n), rows.k.eq(job.k),
            rows.base.eq(job.b_base), rows.row.eq(weights.row_0),
            weights.read_0.eq(rows.read), weights.address_0.eq(rows.address),
        ]  # fmt: skip
        for banks in (tiles, kept):
            m.d.comb += [banks.read.eq(pixels.read), banks.entries.eq(pixels.entries)]
        wiring.connect(m, pixels.a, engine.a)
        wiring.connect(m, rows.b, engine.b)

        # partial sums: the rows that the results will overwrite
        m.submodules.partial = partial = ResultWalk(g.rows, g.cols)
        valid, wanted = Signal(), Signal()
        m.d.comb += [
            partial.start.eq(jobs.go & job.accumulate),
            partial.m.eq(job.m), partial.n.eq(job.n),
            partial.walk.eq(_rows_of(m, job.c_base, job.c_step)), partial.group_step.eq(1),
            wanted.eq(partial.active & (~valid | engine.c.ready)),
            partial.step.eq(wanted),
            sums.read_0.eq(wanted), sums.address_0.eq(partial.address),
            engine.c.valid.eq(valid), engine.c.p.eq(sums.row_0),
        ]  # fmt: skip
        with m.If(~valid | engine.c.ready):
            m.d.sync += valid.eq(wanted)

    def _results(
        self,
        m: Module,
        engine: Any,
        jobs: _Jobs,
        scales: Memory,
        kept: LaneBanks,
        sums: RowMemory,
        biases: RowMemory,
    ) -> None:
        """Write result rows where the job wants them: as sums, or scaled and rounded."""
        g = self._geometry
        job = Signal(JOB_LAYOUT, reset_less=True)
        with m.If(jobs.go):
            m.d.sync += job.eq(jobs.descriptor)
        scaling = Scaling(g.acc_bits, out_bits=g.bits)
        m.submodules.walk = walk = ResultWalk(g.rows, g.cols)
        m.submodules.requantise = lanes = Requantise(g.cols, scaling)
        passes = Signal()
        m.d.comb += [
            walk.start.eq(jobs.go), walk.m.eq(jobs.descriptor.m), walk.n.eq(jobs.descriptor.n),
            walk.walk.eq(walk_of(jobs.descriptor)),
            walk.group_step.eq(jobs.descriptor.out_group_step),
            engine.result.ready.eq(1),  # results are taken in any cycle
            passes.eq(engine.result.valid), walk.step.eq(passes),
            lanes.i.valid.eq(passes & job.narrow), lanes.o.ready.eq(1),
            lanes.i.p.x.eq(engine.result.p),
            lanes.zero_point.eq(job.zero_point.as_signed()),
            lanes.low.eq(job.low.as_signed()), lanes.high.eq(job.high.as_signed()),
        ]  # fmt: skip
        self._parameters(m, jobs, job, walk, scales, biases, lanes.i.p.parameters)

        # a narrow row leaves as many cycles later as the lanes have stages
        late = [Signal(SLOT_BITS + 2, name=f"late_{i}") for i in range(scaling.stages)]
        now = Cat(walk.address, walk.last, passes & job.narrow)
        for stage, before in zip(late, [now, *late], strict=False):
            m.d.sync += stage.eq(before)
        address, last, written = Signal(SLOT_BITS), Signal(), Signal()
        row = Signal(g.cols * g.acc_bits)
        with m.If(job.narrow):
            m.d.comb += [Cat(address, last, written).eq(late[-1]), row.eq(Cat(lanes.o.p))]
        with m.Else():
            m.d.comb += [
                address.eq(walk.address), last.eq(walk.last), written.eq(passes),
                row.eq(engine.result.p),
            ]  # fmt: skip
        m.d.comb += [
            jobs.ended.eq(written & last),
            sums.write.eq(written & ~job.keep), sums.address.eq(address), sums.row.eq(row),
            kept.write.eq(written & job.keep), kept.slot.eq(address), kept.word.eq(row),
        ]  # fmt: skip

    def _parameters(
        self,
        m: Module,
        jobs: _Jobs,
        job: Any,
        walk: ResultWalk,
        scales: Memory,
        biases: RowMemory,
        parameters: Any,
    ) -> None:
        """Look up what the lanes scale by: bias and scales of the row's columns of C."""
        g = self._geometry
        scale = scales.read_port(domain="comb")
        # the bias memory answers a cycle later: it is asked for the columns that are next
        m.d.comb += [
            scale.addr.eq(job.scale + walk.fold_n),
            biases.read_0.eq(1),
            biases.address_0.eq(job.bias + walk.next_fold_n),
        ]
        lane_bits = 6 + WORD_BITS
        for j in range(g.cols):
            lane = scale.data[lane_bits * j : lane_bits * (j + 1)]
            bias = biases.row_0.word_select(j, g.acc_bits)
            m.d.comb += [
                parameters[j].multiplier.eq(lane[:WORD_BITS]),
                parameters[j].shift.eq(lane[WORD_BITS:]),
                parameters[j].bias.eq(Mux(job.biased, bias, 0)),
            ]


def _rows_of(m: Module, base: Any, step: Any) -> Signal:
    """Return the walk over rows that lie ``step`` apart."""
    walk = Signal(WALK_LAYOUT)
    m.d.comb += [
        walk.pixel.eq(base), walk.columns.eq(NO_WRAP), walk.column_phases.eq(1),
        walk.row_phases.eq(1), walk.column_wrap.eq(step),
    ]  # fmt: skip
    return walk
