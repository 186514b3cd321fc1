"""A part between registers: how synthesis sees a cell as it stands in an array."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In


class PartTop(wiring.Component):
    """A part with a register before each input; outputs leave as they are.

    The part's module is called the top's name, a dot and ``part``.

    Members
    -------
    Those of the part; what comes in reaches it a cycle later.
    """

    def __init__(self, part: wiring.Component) -> None:
        self._part = part
        super().__init__(part.signature)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.part = part = self._part
        ports = zip(self.signature.flatten(self), self.signature.flatten(part), strict=True)
        for (path, member, outside), (_, _, inside) in ports:
            outer, port = Value.cast(outside), Value.cast(inside)
            if member.flow == In:
                held = Signal(len(outer), name="_".join(map(str, path)) + "_held", reset_less=True)
                m.d.sync += held.eq(outer)
                m.d.comb += port.eq(held)
            else:
                m.d.comb += outer.eq(port)
        return m
