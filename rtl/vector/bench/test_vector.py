"""The vector unit: jobs through its own streams, with and without waits on every one."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from bus import Stream, stalls, start
from cocotb.triggers import FallingEdge
from vector import PORTS, SEED, check, jobs


async def run(dut: Any, gaps: bool, count: int) -> None:
    rng = random.Random(SEED)
    todo = jobs(rng, count)
    streams = {
        name: Stream(
            dut.clk, *(getattr(dut, f"{name}__{x}") for x in ("payload", "valid", "ready"))
        )
        for name in ("cmd", *PORTS)
    }
    for name, stream in streams.items():
        if name == "y":
            stream.ready.value = 0
        else:
            stream.valid.value, stream.data.value = 0, 0
    await start(dut, "clk", "rst", active=1)

    beats = {
        "cmd": [job.command() for job in todo],
        "x": [beat for job in todo for beat in job.operands()],
        "parameters": [beat for job in todo for beat in job.parameters()],
    }
    for name, each in beats.items():
        cocotb.start_soon(streams[name].send(each, stalls(random.Random(f"{SEED}{name}"), gaps)))
    wait = stalls(random.Random(f"{SEED}y"), gaps)
    for job in todo:
        check(job, await streams["y"].receive(job.beats, wait))
    await FallingEdge(dut.clk)


@cocotb.test()
async def jobs_at_full_rate(dut: Any) -> None:
    await run(dut, gaps=False, count=12)


@cocotb.test()
async def jobs_with_every_stream_stalling(dut: Any) -> None:
    await run(dut, gaps=True, count=12)
