"""Cases as plans for the bench: integers only, so that they can travel to a simulator as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from archsim.engines import (
    IDEAL,
    Case,
    Ints,
    MemoryEnv,
    MemoryPort,
    Port,
    PortEnv,
    Rate,
    Rtl,
    Stalls,
    Timing,
)
from archsim.verify.drive import JobPlan, JobRecord, Pace
from archsim.verify.memory_port import MemoryPlan

# environment variables that tell the bench its files
PLAN_FILE = "ARCHSIM_BENCH_PLAN"
RECORDS_FILE = "ARCHSIM_BENCH_RECORDS"


def plan_case(rtl: Rtl, component: Any, case: Case, timing: Timing) -> list[JobPlan]:
    """Return what the bench does for a case; the model lends limits and beat counts only."""
    ports = rtl.ports(case.spec)
    plans = []
    for row, env in enumerate(case.envs):
        packed = rtl.pack(case.spec, case.jobs, row, case.data)
        streams = {name: port for name, port in ports.items() if isinstance(port, Port)}
        memories = {
            name: _memory(env.get(name, MemoryEnv()), packed[name], port)
            for name, port in ports.items()
            if isinstance(port, MemoryPort)
        }
        sides = [f"{name}_{side}" for name in memories for side in ("req", "rsp")]
        paces = {name: _pace(name, env.get(name, IDEAL)) for name in (*streams, *sides, "cmd")}
        plans.append(
            JobPlan(
                command=component.cmd.payload.shape().const(packed["cmd"]).as_bits(),
                inputs={
                    name: to_ints(packed[name], port)
                    for name, port in streams.items()
                    if port.direction == "in"
                },
                outputs={
                    name: results(timing, row, name, port)
                    for name, port in ports.items()
                    if isinstance(port, MemoryPort) or port.direction == "out"
                },
                pace=paces,
                limit=2 * int(timing.occupied[row]) + _longest(paces) + 200,
                memories=memories,
            )
        )
    return plans


def results(timing: Timing, row: int, name: str, port: Port | MemoryPort) -> int:
    """Return how many beats a job puts out on a port: of a memory, its writes."""
    if isinstance(port, MemoryPort):
        return int(timing.beats[f"{name}_req"][row] - timing.beats[f"{name}_rsp"][row])
    return int(timing.beats[name][row])


def _memory(env: PortEnv, image: Ints, port: MemoryPort) -> MemoryPlan:
    if not isinstance(env, MemoryEnv):
        raise TypeError(f"a memory port has a memory behind it, not {env!r}")
    words = [int(word) % (1 << port.bits) for word in image]
    pace = (env.latency, env.p, env.q, env.outstanding)
    return MemoryPlan(words, port.address_bits, port.bits, *pace)


def _pace(name: str, env: PortEnv) -> Pace:
    if isinstance(env, Stalls):
        return Pace(stalls=bits_text(env))
    if isinstance(env, Rate):
        return Pace(env.latency, env.p, env.q)
    raise TypeError(f"a stream is paced or stalls; {name!r} has {env!r}")


def bits_text(env: Stalls) -> str:
    """Return stall bits as ``0110``, cycle 0 first."""
    return "".join("1" if bit else "0" for bit in env.bits)


def _longest(paces: Mapping[str, Pace]) -> int:
    """Return how long an environment alone can hold a job up."""
    return max(len(pace.stalls or "") + pace.latency for pace in paces.values())


def to_ints(beats: Ints, port: Port) -> list[int]:
    """Return beats [beats, lanes] as integers, lane 0 in the lowest bits."""
    mask = (1 << port.bits) - 1
    packed = []
    for lanes in np.asarray(beats).tolist():
        word = 0
        for lane in reversed(lanes):
            word = word << port.bits | (lane & mask)
        packed.append(word)
    return packed


def from_ints(words: Sequence[int], port: Port | MemoryPort) -> Ints:
    """Return the lanes [beats, lanes] of packed beats; addresses and words of writes [beats, 2]."""
    if isinstance(port, MemoryPort):
        signed = Port("out", 1, port.bits, port.signed)
        addresses = [word >> port.bits for word in words]
        return np.column_stack([np.array(addresses, np.int64), from_ints(words, signed)])
    mask, sign = (1 << port.bits) - 1, 1 << (port.bits - 1) if port.signed else 0
    lanes = [
        [((word >> lane * port.bits & mask) ^ sign) - sign for lane in range(port.lanes)]
        for word in words
    ]
    return np.array(lanes, np.int64).reshape(len(words), port.lanes)


def jobs_to_json(jobs: Sequence[JobPlan]) -> list[dict[str, Any]]:
    return [asdict(job) for job in jobs]


def jobs_from_json(jobs: Sequence[Mapping[str, Any]]) -> list[JobPlan]:
    return [
        JobPlan(
            **{
                **job,
                "pace": {name: Pace(**pace) for name, pace in job["pace"].items()},
                "memories": {name: MemoryPlan(**plan) for name, plan in job["memories"].items()},
            }
        )
        for job in jobs
    ]


def records_from_json(records: Sequence[Mapping[str, Any]]) -> list[JobRecord]:
    return [JobRecord(**record) for record in records]
