from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.emit import VerilogTarget, place, to_verilog


class Delay(wiring.Component):
    def __init__(self, bits: int, stages: int) -> None:
        self._stages = stages
        super().__init__({"d": In(bits), "q": Out(bits)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._stages:
            inner = place(m, platform, f"delay{self._stages}", "inner", Delay, 4, self._stages - 1)
            m.d.comb += inner.d.eq(self.d)
            m.d.sync += self.q.eq(inner.q)
        else:
            m.d.sync += self.q.eq(self.d)
        return m


class Two(wiring.Component):
    """Two parts under given names."""

    def __init__(self, *stages: int, name: str = "part") -> None:
        self._all, self._name = stages, name
        super().__init__({"d": In(4), "q": Out(4)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        value = self.d
        for i, stages in enumerate(self._all):
            part = place(m, platform, self._name, f"part_{i}", Delay, 4, stages)
            m.d.comb += part.d.eq(value)
            value = part.q
        m.d.comb += self.q.eq(value)
        return m


def modules(verilog: str) -> list[str]:
    lines = verilog.splitlines()
    return [line.split()[1].split("(")[0] for line in lines if line.startswith("module ")]


def test_equal_parts_share_a_module_and_parts_may_have_parts() -> None:
    assert ["top", "top_delay1", "top_part"] == sorted(modules(to_verilog(Two(1, 1, 1), "top")))


def test_a_name_stands_for_one_part_only() -> None:
    target = VerilogTarget("top")
    target.instance("part", Delay, 4, 0)
    target.instance("part", Delay, 4, 0)
    with pytest.raises(ValueError, match=r"^module top_part would stand for two different parts$"):
        target.instance("part", Delay, 4, 1)
