"""Run all benchmarks, each in a process of its own; write ``last.json`` and the README's table.

python benchmarks/run.py [--scalesim PYTHON] [--zigzag PYTHON] [--only SCRIPT ...]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCRIPTS = (
    "calibrate", "mapping_search", "digits", "batch_points", "event_kernel", "scalesim", "zigzag",
    "worker_memory", "sweep_scaling", "rf_meshes", "rf_networks", "spgemm",
    "neural_graphics",
)  # fmt: skip
PEERS = ("scalesim", "zigzag")
PACKAGES = ("archsim", "numpy", "simpy")
BEGIN, END = "<!-- figures: written by run.py -->", "<!-- end of figures -->"


def measure(script: str, options: list[str]) -> list[dict[str, Any]]:
    command = [sys.executable, str(HERE / f"{script}.py"), "--json", *options]
    print(f"{script} ...", file=sys.stderr, flush=True)
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: list[dict[str, Any]] = json.loads(result.stdout)
    return figures


def table(last: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in last["versions"].items())
    lines = [f"Last taken with {versions}.", "", "| figure | measured | target |", "|---|---|---|"]
    for figures in last["figures"].values():
        for x in figures:
            value = f"{x['value']:,.0f}" if x["value"] >= 1000 else f"{x['value']:.3g}"
            verdict = {True: "", False: " **missed**", None: ""}[x["ok"]]
            note = f"<br>{x['note']}" if x["note"] else ""
            lines.append(f"| {x['name']}{note} | {value} {x['unit']} | {x['target']}{verdict} |")
    lines += [f"| {script} | not run | |" for script in last["not_run"]]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, help="keep the others' last figures")
    for peer in PEERS:
        parser.add_argument(f"--{peer}", help=f"a Python that has the peer: see {peer}.py")
    asked = vars(parser.parse_args())
    options = {peer: [f"--{peer}", asked[peer]] for peer in PEERS if asked[peer]}
    wanted = asked["only"] or SCRIPTS
    skipped = [peer for peer in PEERS if peer in wanted and peer not in options]
    kept = json.loads((HERE / "last.json").read_text("utf-8"))["figures"] if asked["only"] else {}
    taken = {
        script: measure(script, options.get(script, []))
        for script in wanted
        if script not in skipped
    }
    last: dict[str, Any] = {
        "versions": {"Python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "not_run": skipped,
        "figures": {s: (kept | taken)[s] for s in SCRIPTS if s in kept | taken},
    }
    (HERE / "last.json").write_text(json.dumps(last, indent=1) + "\n", "utf-8")
    readme = HERE / "README.md"
    head, rest = readme.read_text("utf-8").split(BEGIN)
    tail = rest.split(END)[1]
    readme.write_text(f"{head}{BEGIN}\n{table(last)}\n{END}{tail}", "utf-8")
    missed = [
        x["name"] for figures in last["figures"].values() for x in figures if x["ok"] is False
    ]
    for name in missed:
        print(f"missed: {name}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
