"""Run plans on a component: as Verilog under cocotb, or as it is in Amaranth's simulator."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from amaranth.hdl import Value
from amaranth.lib import wiring

from archsim.hdl.emit import to_verilog
from archsim.verify import amaranth_bench, verilator
from archsim.verify.drive import JobPlan, JobRecord
from archsim.verify.plan import PLAN_FILE, RECORDS_FILE, jobs_to_json, records_from_json

Simulator = Literal["verilator", "amaranth"]
SIMULATORS: tuple[Simulator, ...] = ("verilator", "amaranth")
Run = Callable[[], list[list[JobRecord]]]


def default_simulator() -> Simulator:
    """Return the fastest simulator that works here."""
    return "verilator" if verilator.is_available() else "amaranth"


def prepare(
    component: wiring.Component, name: str, cases: Sequence[Sequence[JobPlan]], simulator: Simulator
) -> Run:
    """Return the simulation of all cases, to be run once, in a thread if wished."""
    pins = [
        ("__".join(map(str, path)), member.flow, value)
        for path, member, value in component.signature.flatten(component)
    ]
    counters = [pin for pin, _, _ in pins if pin.startswith("counters__")]
    widths = {
        pin.removesuffix("__payload"): len(Value.cast(value))
        for pin, flow, value in pins
        if pin.endswith("__payload") and flow == wiring.In
    }
    if simulator == "amaranth":
        return lambda: amaranth_bench.run(component, cases, counters, widths)
    plan = {
        "inputs": [pin for pin, flow, _ in pins if flow == wiring.In],
        "outputs": [pin for pin, flow, _ in pins if flow == wiring.Out],
        "counters": counters,
        "widths": widths,
        "cases": [jobs_to_json(case) for case in cases],
    }
    verilog = to_verilog(component, name)
    return lambda: _run_verilog(verilog, name, plan)


def _run_verilog(verilog: str, top: str, plan: dict[str, Any]) -> list[list[JobRecord]]:
    simulator = verilator.build(verilog, top)
    with tempfile.TemporaryDirectory() as scratch:
        files = {
            PLAN_FILE: str(Path(scratch) / "plan.json"),
            RECORDS_FILE: str(Path(scratch) / "records.json"),
        }
        Path(files[PLAN_FILE]).write_text(json.dumps(plan))
        verilator.run(simulator, "archsim.verify.bench", top, files)
        records = json.loads(Path(files[RECORDS_FILE]).read_text())
    return [records_from_json(case) for case in records]
