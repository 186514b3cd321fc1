"""The cocotb test: runs the cases of a plan file on the Verilog and writes down what came back."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer
from cocotb.types import Logic

from archsim.verify.drive import run_case
from archsim.verify.plan import PLAN_FILE, RECORDS_FILE, jobs_from_json


class CocotbPins:
    """Pins of the simulated top; the clock is driven here, an edge a tick."""

    def __init__(self, top: Any, inputs: list[str], outputs: list[str]) -> None:
        self._handles = {name: getattr(top, name) for name in (*inputs, *outputs)}
        self._inputs = inputs
        self._clock, self._reset = top.clk, top.rst
        self._driven: dict[str, int] = {}

    def set(self, name: str, value: int) -> None:
        if self._driven.get(name) != value:
            self._driven[name] = value
            self._handles[name].value = value

    def get(self, name: str) -> int:
        value = self._handles[name].value
        return int(value) if isinstance(value, Logic) else int(value.to_unsigned())

    async def settle(self) -> None:
        await Timer(1, "step")

    async def tick(self) -> None:
        self._clock.value = 1
        await self.settle()
        self._clock.value = 0  # takes effect together with what is set next

    async def reset(self) -> None:
        for name in self._inputs:
            self.set(name, 0)
        self._reset.value = 1
        await self.settle()
        await self.tick()
        self._reset.value = 0
        await self.settle()


@cocotb.test()
async def run_plan(top: Any) -> None:
    plan = json.loads(Path(os.environ[PLAN_FILE]).read_text())
    pins = CocotbPins(top, plan["inputs"], plan["outputs"])
    top.clk.value = 0
    records = []
    for case in plan["cases"]:
        done = await run_case(pins, jobs_from_json(case), plan["counters"], plan["widths"])
        records.append([asdict(record) for record in done])
    Path(os.environ[RECORDS_FILE]).write_text(json.dumps(records))
