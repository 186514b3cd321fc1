"""The cocotb test: runs programs on a system's Verilog and writes down what came of them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cocotb

from archsim.verify.bench import CocotbPins
from archsim.verify.plan import PLAN_FILE, RECORDS_FILE
from archsim.verify.system_drive import SystemPlan, run_program


@cocotb.test()
async def run_programs(top: Any) -> None:
    plan = json.loads(Path(os.environ[PLAN_FILE]).read_text())
    pins = CocotbPins(top, plan["inputs"], plan["outputs"])
    top.clk.value = 0
    records = [asdict(await run_program(pins, SystemPlan(**case))) for case in plan["cases"]]
    Path(os.environ[RECORDS_FILE]).write_text(json.dumps(records))
