"""Queues between streams."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class PairFifo(wiring.Component):
    """Queue of two payloads whose sides meet only in registers.

    ``i.ready``, ``o.valid`` and ``o.payload`` are registers (or one gate of them), so no path
    crosses the queue; two places are the fewest that still pass a payload every cycle.

    Parameters
    ----------
    shape
        Shape of the payload.

    Members
    -------
    i : in, stream of ``shape``
    o : out, stream of ``shape``
    level : out, 0 to 2
        Payloads held.
    """

    def __init__(self, shape: ShapeLike) -> None:
        self._shape = shape
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "level": Out(range(3)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        head = Signal(self._shape, reset_less=True)
        tail = Signal(self._shape, reset_less=True)
        push = self.i.valid & self.i.ready
        pop = self.o.valid & self.o.ready
        m.d.comb += [
            self.i.ready.eq(self.level != 2),
            self.o.valid.eq(self.level != 0),
            self.o.payload.eq(head),
        ]
        m.d.sync += self.level.eq(self.level + push - pop)
        # a payload goes to the head unless the head stays occupied
        with m.If(push & ((self.level == 0) | pop)):
            m.d.sync += head.eq(self.i.payload)
        with m.Elif(pop):
            m.d.sync += head.eq(tail)
        with m.If(push):
            m.d.sync += tail.eq(self.i.payload)
        return m
