"""An arbiter that lets everybody have a turn."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class RoundRobin(wiring.Component):
    """Picks the first that wants, from the one after the last granted on, round and round.

    Parameters
    ----------
    count
        How many may want.

    Members
    -------
    restart : in
        The first comes first again, from the next cycle on.
    wants : in
    take : in
        The pick is granted in this cycle.
    valid, pick : out
        Whether anybody wants, and who is picked.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        super().__init__(
            {
                **{"restart": In(1), "wants": In(count), "take": In(1)},
                **{"valid": Out(1), "pick": Out(range(max(count, 2)))},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        last = Signal(range(max(self._count, 2)), init=self._count - 1)
        m.d.comb += self.valid.eq(self.wants.any())
        with m.Switch(last):
            for granted in range(self._count):
                with m.Case(granted):
                    for step in reversed(range(1, self._count + 1)):
                        chosen = (granted + step) % self._count
                        with m.If(self.wants[chosen]):
                            m.d.comb += self.pick.eq(chosen)
        with m.If(self.restart):
            m.d.sync += last.eq(self._count - 1)
        with m.Elif(self.take & self.valid):
            m.d.sync += last.eq(self.pick)
        return m
