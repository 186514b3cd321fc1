"""Run programs on a system: as Verilog under cocotb, or as it is in Amaranth's simulator."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.sim import Simulator as AmaranthSimulator
from amaranth.sim import SimulatorContext

from archsim.hdl.emit import to_verilog
from archsim.verify import verilator
from archsim.verify.amaranth_bench import AmaranthPins
from archsim.verify.plan import PLAN_FILE, RECORDS_FILE
from archsim.verify.simulation import Simulator, default_simulator
from archsim.verify.system_drive import SystemPlan, SystemRecord, run_program


def run(
    system: wiring.Component, plans: Sequence[SystemPlan], simulator: Simulator | None = None
) -> list[SystemRecord]:
    """Run programs one after another, with a reset before each."""
    if (simulator or default_simulator()) == "amaranth":
        return _run_amaranth(system, plans)
    flat = list(system.signature.flatten(system))
    names = [("__".join(map(str, path)), member.flow) for path, member, _ in flat]
    plan = {
        "inputs": [name for name, flow in names if flow == wiring.In],
        "outputs": [name for name, flow in names if flow == wiring.Out],
        "cases": [asdict(plan) for plan in plans],
    }
    executable = verilator.build(to_verilog(system, "system"), "system")
    with tempfile.TemporaryDirectory() as scratch:
        files = {
            PLAN_FILE: str(Path(scratch) / "plan.json"),
            RECORDS_FILE: str(Path(scratch) / "records.json"),
        }
        Path(files[PLAN_FILE]).write_text(json.dumps(plan))
        verilator.run(executable, "archsim.verify.system_bench", "system", files)
        records = json.loads(Path(files[RECORDS_FILE]).read_text())
    return [SystemRecord(**record) for record in records]


def _run_amaranth(system: wiring.Component, plans: Sequence[SystemPlan]) -> list[SystemRecord]:
    m = Module()
    m.domains.sync = domain = ClockDomain()
    m.submodules.system = system
    records: list[SystemRecord] = []

    async def testbench(context: SimulatorContext) -> None:
        pins = AmaranthPins(context, system, domain)
        for plan in plans:
            records.append(await run_program(pins, plan))

    simulator = AmaranthSimulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return records
