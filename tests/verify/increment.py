"""A toy engine: adds one to each value that streams through; and faulty builds of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines import (
    NO_STALLS,
    Case,
    Engine,
    EngineSpec,
    Env,
    Fmax,
    Ints,
    Jobs,
    Port,
    Reason,
    Rtl,
    Stalls,
    Timing,
)  # fmt: skip

BITS = 8


class IncrementSpec(EngineSpec):
    """Width is fixed; the toy has no parameters."""

    kind: Literal["increment"] = "increment"


@dataclass(frozen=True, slots=True)
class IncrementJobs(Jobs):
    """``count`` values each; ref ``x`` [count]."""

    count: Ints


class Increment(wiring.Component):
    """Takes a count, then passes that many values on, one more each."""

    fault = ""

    def __init__(self) -> None:
        counters = {name: Out(16) for name in ("busy", "fill", "drain", "stall_x", "stall_y")}
        super().__init__(
            {
                "cmd": In(stream.Signature(data.StructLayout({"count": 8}))),
                "x": In(stream.Signature(BITS)),
                "y": Out(stream.Signature(BITS)),
                "counters": Out(wiring.Signature(counters)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left, counters = Signal(8), self.counters
        running, toggle = left != 0, Signal()
        m.d.sync += toggle.eq(~toggle)
        m.d.comb += [
            self.cmd.ready.eq(~running),
            self.y.valid.eq(running & self.x.valid),
            self.y.payload.eq(self.x.payload + 1),
            self.x.ready.eq(running & self.y.ready),
        ]
        with m.If(self.cmd.valid & self.cmd.ready):
            m.d.sync += [left.eq(self.cmd.p.count), counters.fill.eq(1)]
            for name in ("busy", "drain", "stall_x", "stall_y"):
                m.d.sync += getattr(counters, name).eq(0)
        with m.Elif(running):
            with m.If(~self.y.ready & self.y.valid):
                m.d.sync += counters.stall_y.eq(counters.stall_y + 1)
            with m.Elif(~self.x.valid):
                m.d.sync += counters.stall_x.eq(counters.stall_x + 1)
            with m.Else():
                stuck = (left == 1) & (self.fault == "hangs")
                m.d.sync += [counters.busy.eq(counters.busy + 1), left.eq(left - Mux(stuck, 0, 1))]
        match self.fault:
            case "withdraws":
                m.d.comb += self.y.valid.eq(running & self.x.valid & toggle)
                m.d.comb += self.x.ready.eq(running & self.y.ready & toggle)
            case "changes":
                m.d.comb += self.y.payload.eq(self.x.payload + 1 + toggle)
            case "greedy":
                m.d.comb += self.x.ready.eq(self.y.ready)
            case "talks on":
                m.d.comb += self.y.valid.eq(self.x.valid)
            case "hangs":
                m.d.comb += self.x.ready.eq(running & self.y.ready & (left != 1))
                m.d.comb += self.y.valid.eq(running & self.x.valid & (left != 1))
            case "deaf":
                m.d.comb += self.cmd.ready.eq(0)
            case "early":
                m.d.comb += self.cmd.ready.eq(left <= 1)
        return m


def time(spec: Any, jobs: IncrementJobs, env: Env = NO_STALLS, values: Any = None) -> Timing:
    """Return the cycles of each job by looking at each; only stall bits are modelled."""
    rows = [_cycles(int(count), env) for count in jobs.count]
    cycles, x, y = (np.array(column) for column in zip(*rows, strict=True))
    zero = np.zeros_like(cycles)
    split = {"busy": jobs.count, "fill": zero + 1, "drain": zero, "stall.x": x, "stall.y": y}
    return Timing(cycles, cycles + 1, split, {"x": jobs.count, "y": jobs.count})


def _cycles(count: int, env: Env) -> tuple[int, int, int]:
    def stalled(port: str, cycle: int) -> bool:
        bits = env.get(port, Stalls(()))
        assert isinstance(bits, Stalls)
        return cycle < len(bits.bits) and bits.bits[cycle]

    done = cycle = stall_x = stall_y = 0
    offered = not stalled("x", 0)
    while done < count:
        cycle += 1
        offered = offered or not stalled("x", cycle)
        if not offered:
            stall_x += 1
        elif stalled("y", cycle):
            stall_y += 1
        else:
            done, offered = done + 1, False
    return cycle, stall_x, stall_y


def reference(spec: Any, jobs: IncrementJobs, values: Any) -> list[Mapping[str, Any]]:
    assert jobs.refs is not None
    return [{"y": (values[refs["x"]] + 1) % 2**BITS} for refs in jobs.refs]


def pack(spec: Any, jobs: IncrementJobs, row: int, values: Any) -> Mapping[str, Any]:
    assert jobs.refs is not None
    x = values[jobs.refs[row]["x"]]
    return {"cmd": {"count": len(x)}, "x": x.reshape(-1, 1)}


def unpack(
    spec: Any, jobs: IncrementJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, Any]:
    return {"y": beats["y"].reshape(-1)}


def cases(rng: np.random.Generator, spec: Any = None, count: int = 4) -> list[Case]:
    made = []
    for i, child in enumerate(rng.spawn(count)):
        counts = child.integers(1, 9, 2)
        data_ = {f"x{row}": child.integers(0, 2**BITS, size) for row, size in enumerate(counts)}
        envs = tuple(
            {port: Stalls(tuple(child.random(20) < 0.4)) for port in ("x", "y")} for _ in counts
        )
        jobs = IncrementJobs(counts, refs=tuple({"x": f"x{row}"} for row in range(len(counts))))
        made.append(Case(f"{i:03d}", spec or IncrementSpec(), jobs, envs, data_))
    return made


def build(fault: str = "") -> Any:
    def built(spec: Any) -> Increment:
        component = Increment()
        component.fault = fault
        return component

    return built


RTL = Rtl(
    build=build(),
    ports=lambda spec: {
        "x": Port("in", 1, BITS, signed=False), "y": Port("out", 1, BITS, signed=False),
    },
    pack=pack,
    unpack=unpack,
)  # fmt: skip
ENGINE = Engine(
    kind="increment",
    spec=IncrementSpec,
    accepts=lambda spec, op: Reason("a toy takes no ops"),
    lower=lambda *_: None,
    reference=reference,
    time=time,
    actions=lambda *_: {},
    energy_pj=lambda *_: {},
    area_um2=lambda *_: {},
    fmax_mhz=lambda *_: Fmax(1.0, "toy"),
    lanes=lambda spec: {"x": BITS, "y": BITS},
    rtl=RTL,
    cases=cases,
)


def faulty(fault: str) -> Engine:
    return dataclasses.replace(ENGINE, rtl=dataclasses.replace(RTL, build=build(fault)))
