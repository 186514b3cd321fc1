"""The dot-product engine in hardware."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim_dot.spec import DotSpec

EXTENT_BITS, COUNTER_BITS = 24, 32
COUNTERS = ("busy", "fill", "drain", "stall_a", "stall_b", "stall_result")


class DotEngine(wiring.Component):
    """Streams ``cmd`` {count, steps}, ``a``, ``b`` and ``result``; counters of its cycles."""

    def __init__(self, spec: DotSpec) -> None:
        self.spec = spec
        command = data.StructLayout({"count": EXTENT_BITS, "steps": EXTENT_BITS})
        elements = data.ArrayLayout(signed(spec.bits), spec.lanes)
        total = data.ArrayLayout(signed(spec.acc_bits), 1)
        super().__init__(
            {
                "cmd": In(stream.Signature(command)),
                "a": In(stream.Signature(elements)),
                "b": In(stream.Signature(elements)),
                "result": Out(stream.Signature(total)),
                "counters": Out(wiring.Signature({name: Out(COUNTER_BITS) for name in COUNTERS})),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        charge = {name: Signal(name=f"charge_{name}") for name in COUNTERS}
        count, steps, left = (Signal(EXTENT_BITS, name=n) for n in ("count", "steps", "left"))
        total = Signal(signed(self.spec.acc_bits))
        products = sum(a * b for a, b in zip(self.a.p, self.b.p, strict=True))
        m.d.comb += self.result.p[0].eq(total)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.cmd.ready.eq(1), charge["fill"].eq(self.cmd.valid)]
                with m.If(self.cmd.valid):
                    m.d.sync += [
                        count.eq(self.cmd.p.count),
                        steps.eq(self.cmd.p.steps),
                        left.eq(self.cmd.p.steps),
                        total.eq(0),
                    ]
                    m.next = "FEED"
            with m.State("FEED"):
                both = self.a.valid & self.b.valid
                m.d.comb += [
                    self.a.ready.eq(both),
                    self.b.ready.eq(both),
                    charge["busy"].eq(both),
                    charge["stall_b"].eq(~self.b.valid),
                    charge["stall_a"].eq(self.b.valid & ~self.a.valid),
                ]
                with m.If(both):
                    m.d.sync += [total.eq(total + products), left.eq(left - 1)]
                    with m.If(left == 1):
                        m.next = "GIVE"
            with m.State("GIVE"):
                m.d.comb += [
                    self.result.valid.eq(1),
                    charge["drain"].eq(self.result.ready),
                    charge["stall_result"].eq(~self.result.ready),
                ]
                with m.If(self.result.ready):
                    m.d.sync += [count.eq(count - 1), left.eq(steps), total.eq(0)]
                    with m.If(count == 1):
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "FEED"
        for name in COUNTERS:
            counter = getattr(self.counters, name)
            with m.If(charge["fill"]):
                m.d.sync += counter.eq(int(name == "fill"))
            with m.Else():
                m.d.sync += counter.eq(counter + charge[name])
        return m
