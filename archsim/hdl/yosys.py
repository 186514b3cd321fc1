"""Run Yosys commands in a child process: Yosys ends its process when a command fails."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from archsim.errors import ArchsimError, MissingExtra

_CHILD = """
import json, sys
from pyosys import libyosys
design = libyosys.Design()
for command in json.load(sys.stdin):
    libyosys.run_pass(command, design)
"""


class YosysError(ArchsimError):
    """Yosys refused a command; the message ends with what it printed last."""


def run(commands: Sequence[str], folder: Path) -> str:
    """Run the commands in order with ``folder`` as working directory and return the log."""
    if importlib.util.find_spec("pyosys") is None:
        raise MissingExtra("pyosys", "rtl")
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=json.dumps(list(commands)),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    log = child.stdout + child.stderr
    if child.returncode:
        raise YosysError("yosys failed:\n" + "\n".join(log.splitlines()[-12:]))
    return log
