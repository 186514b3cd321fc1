"""The sequencer of a tensor train: stages, matrices of a mesh, vectors, and their addresses."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.rfnn.jobs import MAX_STAGES
from archsim.engines.rfnn.spec import RfnnSpec

EXTENT_BITS = 24
SHIFT_BITS = 5
ROUTE_BITS = 4
CYCLE_BITS = 16  # of an analog time


def stage_layout(words: int) -> data.StructLayout:
    """Return what a stage says, for buffers of so many words.

    A matrix of ``outputs x inputs`` for vectors ``before`` x ``after``, the words from a vector of
    ``before`` to the next one in either buffer, and what to do to amplitudes.
    """
    extent = range(words + 1)
    names = ("outputs", "inputs", "before", "after", "out_block", "in_block")
    return data.StructLayout(
        {**dict.fromkeys(names, extent), "shift": SHIFT_BITS, "route": ROUTE_BITS}
    )


class StridedWords(wiring.Component):
    """Addresses of a tile's words, by additions alone.

    Word j of vector (b, a) is at ``offset + b block + a + j stride``. The offset of the next tile
    is where the first vector's words end.

    Members
    -------
    stride, block : in
    rewind, move : in
        Begin a tile: at offset 0; at the next one; with neither, ``again`` at the same.
    again : in
    step : in
        The word is done.
    next_vector, next_block : in
        The vector is done; the next one begins a block.
    address : out
    """

    def __init__(self, words: int) -> None:
        self._words = words
        flags = ("rewind", "move", "again", "step", "next_vector", "next_block")
        extent = range(words + 1)
        super().__init__(
            {
                **{"stride": In(extent), "block": In(extent)},
                **dict.fromkeys(flags, In(1)),
                "address": Out(range(words)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        place = range(self._words)
        offset, following, block, vector = (Signal(place) for _ in range(4))
        first = Signal()  # vector of the tile
        begin, begins = Signal(place), Signal()
        beyond = Signal(place)
        m.d.comb += [
            beyond.eq(self.address + self.stride),
            begins.eq(self.rewind | self.move | self.again),
        ]
        with m.If(self.move):
            m.d.comb += begin.eq(Mux(first & self.step, beyond, following))
        with m.Elif(~self.rewind):
            m.d.comb += begin.eq(offset)
        with m.If(self.step):
            m.d.sync += self.address.eq(beyond)
            with m.If(first):
                m.d.sync += following.eq(beyond)
        with m.If(self.next_vector):
            m.d.sync += first.eq(0)
            with m.If(self.next_block):
                m.d.sync += [x.eq(block + self.block) for x in (block, vector, self.address)]
            with m.Else():
                m.d.sync += [x.eq(vector + 1) for x in (vector, self.address)]
        with m.If(begins):
            m.d.sync += [x.eq(begin) for x in (offset, block, vector, self.address)]
            m.d.sync += first.eq(1)
        return m


class TensorSequencer(wiring.Component):
    """Runs the stages of vectors that are in the buffer.

    A stage takes a cycle to read what it is, and for each tile of its matrix, of outputs first and
    of inputs within, the time of switches and of programming where there are any, and then for
    each vector a cycle a word to load, one to apply, the analog time, the samples, and a cycle a
    word to store. A cycle after the last stage ends it.

    Members
    -------
    start : in
        Vectors are in the buffer; only while ``idle``.
    vectors, stages, analog_cycles, program : in
        How many pass through how many stages; whether meshes are programmed. To be held.
    fetch, stage : out; entry : in
        Read a stage; it is there from the next cycle on, until the next read.
    switch, tile : out
        Set the switches, for this tile of all stages; in the first cycle of their time.
    programs : out; programmed : in
        Program the tile's mesh; this is the last cycle of it.
    load, load_address, lane, opens : out
        Read a word, for a converter; it is the vector's first.
    apply, convert, take : out
        Amplitudes are set from the next cycle on; a sample begins; a sample is there.
    store, store_address, adds : out
        Store a word; add it to what is there.
    turn : out
        The buffers change sides at the end of this cycle.
    idle, passing, done : out
        Nothing to do; a vector is on its way; the last cycle.
    """

    def __init__(self, spec: RfnnSpec) -> None:
        self._spec = spec
        words = spec.buffer_words
        flags = ("fetch", "switch", "programs", "load", "opens", "apply", "convert", "take")
        more = ("store", "adds", "turn", "idle", "passing", "done")
        super().__init__(
            {
                **dict.fromkeys(("start", "program", "programmed"), In(1)),
                "vectors": In(range(words + 1)),
                "stages": In(range(MAX_STAGES + 1)),
                "analog_cycles": In(CYCLE_BITS),
                "entry": In(stage_layout(words)),
                **dict.fromkeys((*flags, *more), Out(1)),
                "stage": Out(range(MAX_STAGES)),
                "tile": Out(EXTENT_BITS),
                "load_address": Out(range(words)),
                "store_address": Out(range(words)),
                "lane": Out(range(spec.modes)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec, entry = self._spec, self.entry
        words = range(spec.buffer_words + 1)
        m.submodules.loads = loads = StridedWords(spec.buffer_words)
        m.submodules.stores = stores = StridedWords(spec.buffer_words)
        m.d.comb += [
            *(walk.stride.eq(entry.after) for walk in (loads, stores)),
            loads.block.eq(entry.in_block),
            stores.block.eq(entry.out_block),
            self.load_address.eq(loads.address),
            self.store_address.eq(stores.address),
        ]

        # of the tile: words before it; of the vector: which one it is; of the vector: its word
        inputs_before, outputs_before = Signal(words), Signal(words)
        after, before, vector = Signal(words), Signal(words), Signal(words)
        lane = self.lane
        last_after, last_before, last_vector = (Signal() for _ in range(3))
        last_in, last_out = Signal(), Signal()  # tile along inputs and outputs
        last_word = Signal()
        side, extent = Signal(words), Signal(words)
        m.d.comb += [
            last_after.eq(after + 1 == entry.after),
            last_before.eq(before + 1 == entry.before),
            last_vector.eq(last_after & last_before & (vector + 1 == self.vectors)),
            last_in.eq(inputs_before + spec.modes >= entry.inputs),
            last_out.eq(outputs_before + spec.modes >= entry.outputs),
            side.eq(Mux(self.store, outputs_before, inputs_before)),
            extent.eq(Mux(self.store, entry.outputs, entry.inputs)),
            last_word.eq((lane == spec.modes - 1) | (side + lane + 1 == extent)),
            self.adds.eq(inputs_before != 0),
            self.opens.eq(lane == 0),
        ]

        wait = Signal(CYCLE_BITS)
        sample, samples = (
            Signal(range(count)) for count in (spec.sample_cycles, 1 << spec.samples_log2)
        )
        ends_vector, ends_tile, ends_stage = Signal(), Signal(), Signal()
        last_stage = self.stage + 1 == self.stages

        def begin_tile() -> None:
            """Go on to what comes first in a tile's time."""
            if spec.switched:
                m.next = "SWITCH"
                return
            with m.If(self.program):
                m.next = "PROGRAM"
            with m.Else():
                m.next = "LOAD"

        m.d.sync += wait.eq(wait + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                m.d.sync += [self.stage.eq(0), self.tile.eq(0)]
                with m.If(self.start):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += [self.fetch.eq(1), loads.rewind.eq(1), stores.rewind.eq(1)]
                m.d.comb += self.turn.eq(self.stage != 0)
                m.d.sync += [inputs_before.eq(0), outputs_before.eq(0), wait.eq(0)]
                begin_tile()
            if spec.switched:
                with m.State("SWITCH"):
                    m.d.comb += self.switch.eq(wait == 0)
                    with m.If(wait == spec.switch_cycles):
                        with m.If(self.program):
                            m.next = "PROGRAM"
                        with m.Else():
                            m.next = "LOAD"
            with m.State("PROGRAM"):
                m.d.comb += self.programs.eq(1)
                with m.If(self.programmed):
                    m.next = "LOAD"
            with m.State("LOAD"):
                m.d.comb += [self.passing.eq(1), self.load.eq(1), loads.step.eq(1)]
                m.d.sync += lane.eq(Mux(last_word, 0, lane + 1))
                with m.If(last_word):
                    m.next = "APPLY"
            with m.State("APPLY"):
                m.d.comb += [self.passing.eq(1), self.apply.eq(1)]
                m.d.sync += wait.eq(1)
                m.next = "ANALOG"
            with m.State("ANALOG"):
                m.d.comb += self.passing.eq(1)
                m.d.sync += [sample.eq(0), samples.eq(0)]
                with m.If(wait == self.analog_cycles):
                    m.next = "SAMPLE"
            with m.State("SAMPLE"):
                m.d.comb += [
                    self.passing.eq(1),
                    self.convert.eq(sample == 0),
                    self.take.eq(sample == spec.sample_cycles - 1),
                ]
                m.d.sync += sample.eq(Mux(self.take, 0, sample + 1))
                with m.If(self.take):
                    m.d.sync += samples.eq(samples + 1)
                    with m.If(samples == (1 << spec.samples_log2) - 1):
                        m.next = "STORE"
            with m.State("STORE"):
                m.d.comb += [self.passing.eq(1), self.store.eq(1), stores.step.eq(1)]
                m.d.sync += [lane.eq(Mux(last_word, 0, lane + 1)), wait.eq(0)]
                m.d.comb += [
                    ends_vector.eq(last_word),
                    ends_tile.eq(last_word & last_vector),
                    ends_stage.eq(ends_tile & last_in & last_out),
                ]
                with m.If(ends_vector):
                    m.next = "LOAD"
                with m.If(ends_tile):
                    begin_tile()
                with m.If(ends_stage):
                    m.d.sync += self.stage.eq(self.stage + 1)
                    m.next = "READ"
                    with m.If(last_stage):
                        m.next = "TURN"
            with m.State("TURN"):
                m.d.comb += [self.turn.eq(1), self.done.eq(1)]
                m.next = "IDLE"

        for walk in (loads, stores):
            m.d.comb += [walk.next_vector.eq(ends_vector), walk.next_block.eq(last_after)]
        with m.If(ends_vector):
            m.d.sync += after.eq(Mux(last_after, 0, after + 1))
        with m.If(ends_vector & last_after):
            m.d.sync += before.eq(Mux(last_before, 0, before + 1))
        with m.If(ends_vector & last_after & last_before):
            m.d.sync += vector.eq(Mux(ends_tile, 0, vector + 1))
        with m.If(ends_tile):
            m.d.comb += [
                loads.rewind.eq(last_in), loads.move.eq(~last_in),
                stores.move.eq(last_in), stores.again.eq(~last_in),
            ]  # fmt: skip
            m.d.sync += [
                self.tile.eq(self.tile + 1),
                inputs_before.eq(Mux(last_in, 0, inputs_before + spec.modes)),
            ]
            with m.If(last_in):
                m.d.sync += outputs_before.eq(outputs_before + spec.modes)
        return m
