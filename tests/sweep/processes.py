"""Sweeps in processes of their own, to be killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

RUN = """
import resource, sys
from archsim.errors import ArchsimError
from archsim.sweep import plan, run_sweep
from tests.sweep import fakes

if __name__ == "__main__":
    path, out, evaluate, limit = sys.argv[1:]
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    plan.model_version = lambda: "1"  # the source may change while a test runs
    try:
        run_sweep(path, out, 2, evaluate=getattr(fakes, evaluate))
    except ArchsimError as fault:
        print(fault)
"""


def command(folder: Path, evaluate: str, file_limit_bytes: int = 0) -> list[str]:
    """Return the command that runs ``question.yaml`` of a folder into its ``out``, two workers."""
    script = folder / "run.py"
    script.write_text(RUN)
    return [
        sys.executable, str(script), str(folder / "question.yaml"), str(folder / "out"), evaluate,
        str(file_limit_bytes),
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """Return an environment in which a process finds what this one imports."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def children(pid: int) -> dict[int, int]:
    """Return the living processes below one and their parents, from /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended just now
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    below = [pid]
    for ancestor in below:
        below += [child for child, parent in parents.items() if parent == ancestor]
    return {child: parents[child] for child in below[1:]}


def workers(pid: int) -> list[int]:
    """Return a sweep's workers: the children of its fork server."""
    return [child for child, parent in children(pid).items() if parent != pid]
