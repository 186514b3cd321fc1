"""A process that runs kernels in Triton's interpreter, or compiles them without a GPU.

``python -m archsim.gpu.worker interpret|compile FOLDER`` does what FOLDER's ``jobs.json`` lists and
leaves each job's results beside it. It is a process of its own because Triton decides when it is
imported whether it interprets, and stays patched after a kernel failed in its interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from archsim.gpu.kernel import Started, Tile
from archsim.gpu.kernels import kernel
from archsim.gpu.tensors import from_torch, to_torch


class Compiled:
    """Compiles functions for the arguments they would be started with, and keeps them."""

    interpreted = False

    def __init__(self) -> None:
        self.functions: list[Any] = []

    def __call__(
        self, function: Any, grid: tuple[int, ...], *arguments: Any, **options: Any
    ) -> None:
        self.functions.append(function.warmup(*arguments, grid=grid, **options))


class AbsentDevice:
    """Stands for a GPU that is not there, so that Triton knows what to compile for."""

    def __init__(self, target: str) -> None:
        self.capability = int(target.removeprefix("sm_"))

    def get_current_device(self) -> int:
        return self.capability  # Triton keeps what it compiled by device

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget  # noqa: PLC0415

        return GPUTarget("cuda", self.capability, 32)


def interpret(job: dict[str, Any], place: Path) -> None:
    """Run a job's operands through its kernel."""
    chosen = kernel(job["kernel"])
    with np.load(place / "operands.npz", allow_pickle=False) as stored:
        operands = to_torch(chosen, dict(stored), "cpu")
    results = chosen.launch(Started(interpreted=True), job["shape"], operands, tile(job))
    np.savez(place / "results.npz", **from_torch(results))  # type: ignore[arg-type]


def build(job: dict[str, Any], place: Path) -> None:
    """Compile what a job's kernel starts for operands of a shape, and take it apart."""
    from triton import knobs  # noqa: PLC0415
    from triton.runtime import driver  # noqa: PLC0415

    from archsim.gpu.machine_code import function  # noqa: PLC0415

    chosen, target = kernel(job["kernel"]), job["target"]
    operands = chosen.draw(job["shape"], np.random.default_rng(0), "normal")
    start = Compiled()
    driver.set_active(AbsentDevice(target))
    chosen.launch(start, job["shape"], to_torch(chosen, operands, "meta"), tile(job))
    functions = []
    for number, built in enumerate(start.functions):
        name = f"{number}-{built.metadata.name}" if number else built.metadata.name
        (place / f"{name}.ptx").write_text(built.asm["ptx"], "utf-8")
        (place / f"{name}.sass").write_text(built.asm["sass"], "utf-8")
        cubin = place / f"{name}.cubin"
        cubin.write_bytes(built.asm["cubin"])
        dump = [knobs.nvidia.cuobjdump.path, "-res-usage", str(cubin)]
        resources = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
        found = function(
            name, target, built.asm["ptx"], built.asm["sass"], resources, built.metadata.shared
        )
        functions.append(found.to_dict())
    (place / "functions.json").write_text(json.dumps(functions), "utf-8")


def tile(job: dict[str, Any]) -> Tile:
    return Tile(**job["tile"])


def main(what: str, folder: Path) -> None:
    """Do a folder's jobs in order; the name of the one at work goes to stdout."""
    if (what == "interpret") != (os.environ.get("TRITON_INTERPRET") == "1"):
        raise ValueError("TRITON_INTERPRET must be 1 for interpret, and only for it")
    for number, job in enumerate(json.loads((folder / "jobs.json").read_text("utf-8"))):
        print(json.dumps(job), flush=True)
        {"interpret": interpret, "compile": build}[what](job, folder / str(number))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
