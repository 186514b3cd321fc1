"""Kernels without a GPU: run in Triton's interpreter, or compiled ahead of time.

Both happen in child processes, many problems or builds in one, as starting one takes seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from archsim.errors import ArchsimError, InputError, MissingExtra
from archsim.gpu.kernel import (
    INTERPRETER,
    Draw,
    Instructions,
    Kernel,
    Shape,
    Tile,
    accumulate_unit,
)
from archsim.gpu.measure import differences
from archsim.gpu.values import Operands

EXTRA = "gpu"
LAST_LINES = 12
MOST_INTERPRETED = 1 << 31
MOST_SECONDS = 1800  # that a process works


class KernelError(ArchsimError):
    """A kernel that the interpreter or a compiler failed on; the message ends as the log does."""


@dataclass(frozen=True)
class Problem:
    """A kernel, a shape of it, and operands of that shape."""

    kernel: Kernel
    shape: Shape
    operands: Operands


@dataclass(frozen=True)
class Build:
    """A kernel compiled for a target.

    Attributes
    ----------
    functions
        What each of its functions holds (`machine_code.Function.to_dict`).
    expected
        How many tensor instructions it should hold.
    files
        PTX, disassembly and cubin of each function, by file name.
    """

    kernel: Kernel
    target: str
    tile: Tile
    functions: tuple[dict[str, Any], ...]
    expected: Instructions
    files: dict[str, bytes]

    @property
    def tensor(self) -> dict[str, int]:
        """Return the tensor instructions that its functions hold together."""
        total: dict[str, int] = {}
        for function in self.functions:
            for name, count in function["tensor_ptx"].items():
                total[name] = total.get(name, 0) + count
        return total

    @property
    def spills(self) -> int:
        return sum(function["spills"] for function in self.functions)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kernel": self.kernel.name, "target": self.target, "tile": self.tile.options,
            "tensor": self.tensor, "expected": dict(self.expected), "spills": self.spills,
            "functions": list(self.functions),
        }  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What the interpreter's results are beside an oracle's."""

    kernel: Kernel
    shape: Shape
    seed: int
    values: Draw
    disagreements: tuple[str, ...]

    @property
    def text(self) -> str:
        extents = ", ".join(f"{name} {extent}" for name, extent in self.shape.items())
        what = f"{self.kernel.name} ({extents}; {self.values} operands, seed {self.seed})"
        if self.disagreements:
            return "\n  ".join((f"{what}: differs from its oracle", *self.disagreements))
        return f"{what}: results are what the oracle allows"

    def to_dict(self) -> dict[str, Any]:
        return {
            "kernel": self.kernel.name, "shape": dict(self.shape), "seed": self.seed,
            "values": self.values, "disagreements": list(self.disagreements),
        }  # fmt: skip


def interpreted(kernel: Kernel, shape: Shape, seed: int, values: Draw) -> Verdict:
    """Run a kernel in the interpreter, and compare it with its oracle.

    Raises
    ------
    InputError
        If that would take long: the interpreter is thousands of times slower than a GPU.
    """
    operations = kernel.work(shape).operations
    if operations > MOST_INTERPRETED:
        raise InputError(
            "--interpret", f"is for problems of at most {MOST_INTERPRETED:,} operations",
            operations, fix="take a smaller --shape",
        )  # fmt: skip
    operands = kernel.draw(shape, np.random.default_rng(seed), values)
    (results,) = interpret([Problem(kernel, shape, operands)])
    expected = kernel.oracle(shape, operands, accumulate_unit(INTERPRETER, kernel.summed))
    return Verdict(kernel, shape, seed, values, tuple(differences(kernel, results, expected)))


def interpret(problems: Sequence[Problem]) -> list[dict[str, np.ndarray]]:
    """Return each problem's results as Triton's interpreter computes them, in one process.

    Raises
    ------
    MissingExtra
        If torch or Triton is not installed.
    KernelError
        If a kernel fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        jobs = []
        for place, problem in zip(_places(folder, len(problems)), problems, strict=True):
            np.savez(place / "operands.npz", **problem.operands)  # type: ignore[arg-type]
            jobs.append(_job(problem.kernel, problem.shape, INTERPRETER))
        _work("interpret", folder, jobs)
        results = []
        for number in range(len(problems)):
            with np.load(folder / str(number) / "results.npz", allow_pickle=False) as stored:
                results.append(dict(stored))
        return results


def compile_for(wanted: Sequence[tuple[Kernel, str]], processes: int = 1) -> list[Build]:
    """Compile kernels for targets without a GPU, shared out to so many processes.

    Raises
    ------
    InputError
        If a target is unknown, or refuses its kernel.
    MissingExtra
        If torch or Triton is not installed.
    KernelError
        If a compiler fails.
    """
    for kernel, target in wanted:
        kernel.check_target(target)
    with ThreadPoolExecutor(processes) as pool:
        parts = pool.map(_compile, [wanted[first::processes] for first in range(processes)])
        shared = [list(part) for part in parts]
    return [shared[i % processes][i // processes] for i in range(len(wanted))]


def _compile(wanted: Sequence[tuple[Kernel, str]]) -> list[Build]:
    if not wanted:
        return []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        places = _places(folder, len(wanted))
        _work("compile", folder, [_job(k, k.small_shape, target) for k, target in wanted])
        builds = []
        for place, (kernel, target) in zip(places, wanted, strict=True):
            tile = kernel.tile(target)
            files = {path.name: path.read_bytes() for path in sorted(place.iterdir())}
            functions = tuple(json.loads(files.pop("functions.json")))
            expected = kernel.instructions(target, tile)
            builds.append(Build(kernel, target, tile, functions, expected, files))
        return builds


def _places(folder: Path, count: int) -> list[Path]:
    places = [folder / str(number) for number in range(count)]
    for place in places:
        place.mkdir()
    return places


def _job(kernel: Kernel, shape: Shape, target: str) -> dict[str, Any]:
    tile = asdict(kernel.tile(target))
    return {"kernel": kernel.name, "shape": dict(shape), "target": target, "tile": tile}


def _work(what: Literal["interpret", "compile"], folder: Path, jobs: list[dict[str, Any]]) -> None:
    for package in ("torch", "triton"):
        if find_spec(package) is None:
            raise MissingExtra(package, EXTRA)
    (folder / "jobs.json").write_text(json.dumps(jobs), "utf-8")
    command = [sys.executable, "-m", "archsim.gpu.worker", what, str(folder)]
    try:
        child = subprocess.run(
            command, env=_environment(what, folder), capture_output=True, text=True, check=False,
            timeout=MOST_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        names = ", ".join(dict.fromkeys(job["kernel"] for job in jobs))
        took = f"took more than {MOST_SECONDS:,} s to {what}; take a smaller --shape"
        raise KernelError(f"{names}: {took}") from None
    if child.returncode:
        begun = json.loads(child.stdout.splitlines()[-1]) if child.stdout else jobs[0]
        log = "\n".join(child.stderr.splitlines()[-LAST_LINES:])
        raise KernelError(f"{begun['kernel']}: failed to {what}:\n{log}")


def _environment(what: str, folder: Path) -> dict[str, str]:
    """Return the worker's environment: what decides Triton's answers is set, not inherited."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TRITON_")}
    return {
        **inherited,
        "TRITON_INTERPRET": "1" if what == "interpret" else "0",
        "TRITON_DEFAULT_FP_FUSION": "1",  # its default changes between versions
        "TRITON_CACHE_DIR": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",  # sums in one order
    }
