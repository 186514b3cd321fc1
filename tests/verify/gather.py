"""A toy engine with a memory port: reads words one by one and writes each back, one more."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from amaranth.hdl import Module, Signal
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
    MemoryEnv,
    MemoryPort,
    Reason,
    Rtl,
    Stalls,
    Timing,
)

ADDRESS_BITS, BITS = 6, 8
HALF = 32  # results lie so far behind operands
REQUEST = data.StructLayout({"write": 1, "address": ADDRESS_BITS, "data": BITS})


class GatherSpec(EngineSpec):
    """No parameters."""

    kind: Literal["gather"] = "gather"


@dataclass(frozen=True, slots=True)
class GatherJobs(Jobs):
    """``count`` words each; ref ``mem`` [64]."""

    count: Ints


class Gather(wiring.Component):
    """Takes a count; then a read, its response and a write for each word."""

    fault = ""

    def __init__(self) -> None:
        counters = {name: Out(16) for name in ("busy", "fill", "drain")}
        super().__init__(
            {
                "cmd": In(stream.Signature(data.StructLayout({"count": 8}))),
                "mem_req": Out(stream.Signature(REQUEST)),
                "mem_rsp": In(stream.Signature(BITS)),
                "counters": Out(wiring.Signature(counters)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left, address, word = Signal(8), Signal(ADDRESS_BITS), Signal(BITS)
        request, counters = self.mem_req, self.counters
        m.d.comb += request.p.address.eq(address)
        with m.If(left != 0):
            m.d.sync += counters.busy.eq(counters.busy + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.cmd.ready.eq(1)
                with m.If(self.cmd.valid):
                    m.d.sync += [left.eq(self.cmd.p.count), address.eq(0)]
                    m.d.sync += [counters.fill.eq(1), counters.busy.eq(0)]
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += request.valid.eq(1)
                with m.If(request.ready):
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.comb += self.mem_rsp.ready.eq(1)
                with m.If(self.mem_rsp.valid):
                    m.d.sync += word.eq(self.mem_rsp.payload + 1)
                    m.next = "WRITE"
                if self.fault == "early":
                    m.d.sync += word.eq(self.mem_rsp.payload + 1)
                    m.next = "WRITE"
            with m.State("WRITE"):
                where = address if self.fault == "in place" else address + HALF
                m.d.comb += [request.valid.eq(1), request.p.write.eq(1)]
                m.d.comb += [request.p.address.eq(where), request.p.data.eq(word)]
                with m.If(request.ready if self.fault != "deaf" else 1):
                    m.d.sync += [left.eq(left - 1), address.eq(address + 1)]
                    m.next = "READ"
                    with m.If(left == 1):
                        m.next = "IDLE"
        return m


def time(spec: Any, jobs: GatherJobs, env: Env = NO_STALLS, values: Any = None) -> Timing:
    """Return the cycles of each job by looking at each."""
    cycles = np.array([_cycles(int(count), env) for count in jobs.count])
    split = {"busy": cycles, "fill": np.ones_like(cycles), "drain": np.zeros_like(cycles)}
    beats = {"mem_req": 2 * jobs.count, "mem_rsp": jobs.count}
    return Timing(cycles, cycles + 1, split, beats)


def _cycles(count: int, env: Env) -> int:
    memory = env.get("mem", MemoryEnv())
    assert isinstance(memory, MemoryEnv)

    def stalled(side: str, cycle: int) -> bool:
        bits = env.get(f"mem_{side}", Stalls(()))
        assert isinstance(bits, Stalls)
        return cycle < len(bits.bits) and bits.bits[cycle]

    cycle = free = 0
    for _ in range(count):
        cycle += 1
        while stalled("req", cycle):  # the read
            cycle += 1
        due = max(free, (cycle + max(memory.latency, 1)) * memory.p)
        free = due + memory.q
        cycle = -(-due // memory.p)
        while stalled("rsp", cycle):
            cycle += 1
        cycle += 1
        while stalled("req", cycle):  # the write
            cycle += 1
    return cycle


def reference(spec: Any, jobs: GatherJobs, values: Any) -> list[Mapping[str, Any]]:
    assert jobs.refs is not None
    return [
        {"y": (values[refs["mem"]][:count] + 1) % 2**BITS}
        for refs, count in zip(jobs.refs, jobs.count, strict=True)
    ]


def pack(spec: Any, jobs: GatherJobs, row: int, values: Any) -> Mapping[str, Any]:
    assert jobs.refs is not None
    return {"cmd": {"count": int(jobs.count[row])}, "mem": values[jobs.refs[row]["mem"]]}


def unpack(spec: Any, jobs: GatherJobs, row: int, beats: Mapping[str, Ints]) -> Mapping[str, Any]:
    y = np.zeros(int(jobs.count[row]), np.int64)
    addresses, words = beats["mem"].T
    y[addresses % HALF] = np.where(addresses >= HALF, words, -1)
    return {"y": y}


def cases(rng: np.random.Generator, spec: Any = None, count: int = 4) -> list[Case]:
    made = []
    for i, child in enumerate(rng.spawn(count)):
        counts = child.integers(1, 9, 2)
        values = {f"m{row}": child.integers(0, 2**BITS, 2 * HALF) for row in range(2)}
        q = int(child.integers(1, 12))
        memory = MemoryEnv(int(child.integers(0, 6)), int(child.integers(1, q + 1)), q)
        memory = dataclasses.replace(memory, outstanding=int(child.integers(1, 3)))
        stalls = {f"mem_{side}": Stalls(tuple(child.random(40) < 0.4)) for side in ("req", "rsp")}
        envs: tuple[Env, ...] = ({"mem": memory}, {"mem": memory, **stalls})
        jobs = GatherJobs(counts, refs=tuple({"mem": f"m{row}"} for row in range(2)))
        made.append(Case(f"{i:03d}", spec or GatherSpec(), jobs, envs, values))
    return made


def build(fault: str = "") -> Any:
    def built(spec: Any) -> Gather:
        component = Gather()
        component.fault = fault
        return component

    return built


RTL = Rtl(
    build=build(),
    ports=lambda spec: {"mem": MemoryPort(ADDRESS_BITS, BITS, signed=False)},
    pack=pack,
    unpack=unpack,
)
ENGINE = Engine(
    kind="gather",
    spec=GatherSpec,
    accepts=lambda spec, op: Reason("a toy takes no ops"),
    lower=lambda *_: None,
    reference=reference,
    time=time,
    actions=lambda *_: {},
    energy_pj=lambda *_: {},
    area_um2=lambda *_: {},
    fmax_mhz=lambda *_: Fmax(1.0, "toy"),
    lanes=lambda spec: {},
    rtl=RTL,
    cases=cases,
)


def faulty(fault: str) -> Engine:
    return dataclasses.replace(ENGINE, rtl=dataclasses.replace(RTL, build=build(fault)))
