"""Where rows leave arrays that multiply matrices: partial sums are added, pairs become numbers."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats import Numbers
from archsim.hdl import Adder
from archsim.hdl.bitweight import PipelinedLanes, ResolveLanes, pair_layout
from archsim.hdl.compress import carry_save_add
from archsim.hdl.fifo import PairFifo
from archsim.hdl.mac import add


class ResultPort(wiring.Component):
    """Queues rows that leave the array and adds partial sums at the queue's exit.

    With ``resolve`` the rows are in carry-save form: a partial sum is a third addend, and each lane
    has an adder of that kind, which makes a number of all three. With ``pipelined`` it does so in
    two cycles. There is no queue then: a row waits in one place, takes its partial sums on its way
    into a second one, half added, and is a result from there; what moves makes room at once.

    Members
    -------
    start, accumulate : in
        A command is taken, and whether it adds partial sums.
    row : in, stream of ``cols`` lanes, numbers or, to be resolved, pairs
    c : in, stream of ``cols`` lanes
    result : out, stream of ``cols`` lanes
    refused : out
        A row waits because ``result`` is not ready.
    lacks_c : out
        A row waits for its partial sums only.
    emptied : out
        The last queued row leaves in this cycle.
    """

    def __init__(
        self,
        cols: int,
        bits: int,
        numbers: Numbers = "int",
        resolve: Adder | None = None,
        *,
        pipelined: bool = False,
    ) -> None:
        self._bits, self._numbers, self._resolve = bits, numbers, resolve
        self._pipelined = pipelined
        self._rows = data.ArrayLayout(pair_layout(bits) if resolve else signed(bits), cols)
        row = stream.Signature(data.ArrayLayout(signed(bits), cols))
        super().__init__(
            {
                "start": In(1),
                "accumulate": In(1),
                "row": In(stream.Signature(self._rows)),
                "c": In(row),
                "result": Out(row),
                "refused": Out(1),
                "lacks_c": Out(1),
                "emptied": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        if self._resolve and self._pipelined:
            return self._in_two_cycles(self._resolve)
        m = Module()
        m.submodules.queue = queue = PairFifo(self._rows)
        wiring.connect(m, wiring.flipped(self.row), queue.i)
        accumulate = Signal()
        with m.If(self.start):
            m.d.sync += accumulate.eq(self.accumulate)
        m.d.comb += [
            self.result.valid.eq(queue.o.valid & (self.c.valid | ~accumulate)),
            self.c.ready.eq(queue.o.valid & self.result.ready & accumulate),
            queue.o.ready.eq(self.result.ready & (self.c.valid | ~accumulate)),
            self.refused.eq(queue.o.valid & ~self.result.ready),
            self.lacks_c.eq(queue.o.valid & self.result.ready & accumulate & ~self.c.valid),
            self.emptied.eq((queue.level == 1) & queue.o.ready),
        ]
        partials = self._partials(accumulate)
        if self._resolve:
            m.submodules.lanes = lanes = ResolveLanes(len(partials), self._bits, self._resolve)
            for j, partial in enumerate(partials):
                rows = (queue.o.p[j].sum, queue.o.p[j].carry, partial.as_unsigned())
                pair = carry_save_add(*rows)
                m.d.comb += [
                    Value.cast(lanes.pairs[j]).eq(Cat(*pair)),
                    self.result.p[j].eq(lanes.totals[j]),
                ]
            return m
        for j, partial in enumerate(partials):
            total = add(m, platform, self._numbers, queue.o.p[j], partial, f"adder_{j}")
            m.d.comb += self.result.p[j].eq(total)
        return m

    def _in_two_cycles(self, adder: Adder) -> Module:
        m = Module()
        accumulate, pairs = Signal(), Signal(self._rows, reset_less=True)
        m.submodules.lanes = lanes = PipelinedLanes(self._rows.length, self._bits, adder)
        held, half_done = Signal(), Signal()  # a row waits to be added; one is half added
        moves, goes = Signal(), Signal()  # it, or none, stands in the way no longer
        m.d.comb += [
            goes.eq(~half_done | self.result.ready),
            moves.eq((self.c.valid | ~accumulate) & goes),
            self.row.ready.eq(~held | moves),
            self.c.ready.eq(held & accumulate & goes),
            lanes.take.eq(goes),
            self.result.valid.eq(half_done),
            self.refused.eq(half_done & ~self.result.ready),
            self.lacks_c.eq(held & accumulate & goes & ~self.c.valid),
            self.emptied.eq(half_done & self.result.ready & ~held),
        ]
        with m.If(self.start):
            m.d.sync += accumulate.eq(self.accumulate)
        with m.If(self.row.ready):
            m.d.sync += [held.eq(self.row.valid), pairs.eq(self.row.p)]
        with m.If(goes):
            m.d.sync += half_done.eq(held & moves)
        for j, (pair, partial) in enumerate(zip(pairs, self._partials(accumulate), strict=True)):
            rows = (pair.sum, pair.carry, partial.as_unsigned())
            m.d.comb += [
                Value.cast(lanes.pairs[j]).eq(Cat(*carry_save_add(*rows))),
                self.result.p[j].eq(lanes.totals[j]),
            ]
        return m

    def _partials(self, accumulate: Value) -> list[Value]:
        """Return what each lane adds."""
        return [Mux(accumulate, self.c.p[j], 0) for j in range(self._rows.length)]
