"""The engine itself: jobs through its own streams, with and without waits on every one."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from bus import Stream, stalls, start
from cocotb.triggers import FallingEdge
from jobs import PORTS, SEED, check, jobs


async def run(dut: Any, gaps: bool) -> None:
    rng = random.Random(SEED)
    todo = jobs()
    streams = {
        name: Stream(
            dut.clk, *(getattr(dut, f"{name}__{x}") for x in ("payload", "valid", "ready"))
        )
        for name in ("cmd", *PORTS)
    }
    for name, stream in streams.items():
        if name == "result":
            stream.ready.value = 0
        else:
            stream.valid.value, stream.data.value = 0, 0
    await start(dut, "clk", "rst", active=1)

    for name in (name for name, port in PORTS.items() if port["direction"] == "in"):
        beats = [beat for job in todo for beat in job.beats(name)]
        cocotb.start_soon(streams[name].send(beats, stalls(random.Random(f"{SEED}{name}"), gaps)))
    cocotb.start_soon(streams["cmd"].send([job.command() for job in todo], stalls(rng, gaps)))
    wait = stalls(random.Random(f"{SEED}result"), gaps)
    for job in todo:
        check(job, await streams["result"].receive(len(job.results()), wait), marked=False)
    await FallingEdge(dut.clk)


@cocotb.test()
async def jobs_at_full_rate(dut: Any) -> None:
    await run(dut, gaps=False)


@cocotb.test()
async def jobs_with_every_stream_stalling(dut: Any) -> None:
    await run(dut, gaps=True)
