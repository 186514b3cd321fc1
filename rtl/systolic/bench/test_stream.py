"""The bus wrapper: commands through AXI4-Lite, products through AXI4-Stream."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from bus import Registers, Stream, pulse, stalls, start
from cocotb.triggers import FallingEdge
from jobs import MANIFEST, PORTS, SEED, Job, check, jobs

OKAY, SLVERR = 0, 2
OFFSET = {register["name"]: register["offset"] for register in MANIFEST["registers"]}
BUSY, PENDING, REFUSED = 1, 2, 4


async def begin(dut: Any) -> dict[str, Stream]:
    streams = {}
    for name, port in PORTS.items():
        signals = [getattr(dut, f"{port['axis']}_t{x}") for x in ("data", "valid", "ready")]
        last = getattr(dut, f"{port['axis']}_tlast") if name == "result" else None
        streams[name] = Stream(dut.aclk, *signals, last)
        if name == "result":
            streams[name].ready.value = 0
        else:
            streams[name].valid.value, streams[name].data.value = 0, 0
    for name in ("awaddr", "awprot", "awvalid", "wdata", "wstrb", "wvalid", "bready",
                 "araddr", "arprot", "arvalid", "rready"):  # fmt: skip
        getattr(dut, f"s_axi_{name}").value = 0
    await start(dut, "aclk", "aresetn", active=0)
    return streams


async def command(registers: Registers, job: Job) -> None:
    """Queue a job as software would: fields, wait for a place in the queue, START."""
    for name, value in job.fields.items():
        assert await registers.write(OFFSET[name.upper()], value) == OKAY
    while (await registers.read(OFFSET["STATUS"]))[0] & PENDING:
        pass
    assert await registers.write(OFFSET["CONTROL"], 1) == OKAY
    assert not (await registers.read(OFFSET["STATUS"]))[0] & REFUSED


async def run(dut: Any, streams: dict[str, Stream], todo: list[Job], *, gaps: bool) -> None:
    rng = random.Random(SEED)
    registers = Registers(dut, dut.aclk, stalls(rng, gaps))

    async def commands() -> None:
        for job in todo:
            await command(registers, job)

    for name in ("a", "b", "c"):
        beats = [beat for job in todo for beat in job.beats(name)]
        cocotb.start_soon(streams[name].send(beats, stalls(random.Random(f"{SEED}{name}"), gaps)))
    commanded = cocotb.start_soon(commands())
    wait = stalls(random.Random(f"{SEED}result"), gaps)
    for job in todo:
        check(job, await streams["result"].receive(len(job.results()), wait), marked=True)
    await commanded
    assert await registers.read(OFFSET["STATUS"]) == (0, OKAY)
    assert await registers.read(OFFSET["JOBS"]) == (len(todo), OKAY)


@cocotb.test()
async def products_at_full_rate(dut: Any) -> None:
    await run(dut, await begin(dut), jobs(), gaps=False)


@cocotb.test()
async def products_with_every_stream_stalling(dut: Any) -> None:
    await run(dut, await begin(dut), jobs(), gaps=True)


@cocotb.test()
async def a_reset_forgets_what_was_under_way(dut: Any) -> None:
    streams = await begin(dut)
    registers = Registers(dut, dut.aclk, lambda: 0)
    job = max(jobs(), key=lambda job: len(job.beats("a")))
    await command(registers, job)
    await command(registers, job)  # one runs, one waits
    for name in ("a", "b"):
        cocotb.start_soon(streams[name].send(job.beats(name)[:3], lambda: 0))
    for _ in range(20):  # the engine waits for more
        await FallingEdge(dut.aclk)
    assert await registers.read(OFFSET["STATUS"]) == (BUSY | PENDING, OKAY)
    await pulse(dut, "aclk", "aresetn", active=0)
    assert await registers.read(OFFSET["STATUS"]) == (0, OKAY)
    await run(dut, streams, jobs()[:6], gaps=False)


@cocotb.test()
async def registers_identify_and_refuse(dut: Any) -> None:
    await begin(dut)
    registers = Registers(dut, dut.aclk, lambda: 0)
    lanes = PORTS["a"]["lanes"] | PORTS["b"]["lanes"] << 16
    assert await registers.read(OFFSET["GEOMETRY"]) == (lanes, OKAY)
    assert await registers.read(OFFSET["ID"]) == (int.from_bytes(b"ARCH", "big"), OKAY)
    assert await registers.write(OFFSET["ID"], 0) == SLVERR
    assert await registers.write(OFFSET["M"] + 1, 1) == SLVERR
    assert await registers.read(0xFC) == (0, SLVERR)
    assert await registers.write(OFFSET["CONTROL"], 1) == OKAY  # a command of extent zero
    assert await registers.read(OFFSET["STATUS"]) == (REFUSED, OKAY)
