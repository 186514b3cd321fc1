"""An engine with a port to memory: its jobs, behind a memory that answers at once or late."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from bus import Stream, stalls, start
from jobs import SEED
from stored import Memory, jobs


async def run(dut: Any, gaps: bool) -> None:
    commands = Stream(dut.clk, *(getattr(dut, f"cmd__{x}") for x in ("payload", "valid", "ready")))
    commands.valid.value, commands.data.value = 0, 0
    memory = Memory(dut, stalls(random.Random(f"{SEED}memory"), gaps))
    await start(dut, "clk", "rst", active=1)
    memory.start()
    wait = stalls(random.Random(SEED), gaps)
    for job in jobs():
        await memory.run(job, commands, wait)


@cocotb.test()
async def jobs_at_full_rate(dut: Any) -> None:
    await run(dut, gaps=False)


@cocotb.test()
async def jobs_with_a_memory_that_makes_wait(dut: Any) -> None:
    await run(dut, gaps=True)
