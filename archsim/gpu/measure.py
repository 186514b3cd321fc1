"""Measure a kernel on a GPU: verify it, then time it alone and cold, then sustained for its power.

The GPU is behind `Gpu`, so that everything but its own calls runs, and is tested, without one.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np

import archsim
from archsim.errors import InfeasibleError
from archsim.gpu.kernel import Draw, Kernel, Shape, Tile, accumulate_unit
from archsim.gpu.record import About, Record, State
from archsim.gpu.values import Array, Expected, Operands, disagreements

WARM_UP_MS = 50.0  # of launches before any is timed: compilation, clocks, page tables
TIMED_MS = 200.0  # of launches that are timed one by one
LEAST_TIMES, MOST_TIMES = 11, 201
SUSTAINED_MS = 1000.0  # power is averaged over about a tenth of it
MEMORY_SHARE = 0.8  # of the GPU's memory, for operands and results

Launch = Callable[[], Mapping[str, Any]]


class Gpu(Protocol):
    """A GPU that kernels are launched on. Tensors are its own; only `Gpu` looks into them."""

    about: About

    def put(self, kernel: Kernel, operands: Operands) -> Mapping[str, Any]:
        """Return operands as tensors on the GPU."""

    def launch(
        self, kernel: Kernel, shape: Shape, tensors: Mapping[str, Any], tile: Tile
    ) -> Mapping[str, Any]:
        """Start a kernel and return its results, which may not be there yet."""

    def get(self, results: Mapping[str, Any]) -> dict[str, Array]:
        """Return results as they lie in memory, once they are there."""

    def times_us(self, launch: Launch, count: int) -> list[float]:
        """Return the times of launches one by one, each after the L2 cache was overwritten."""

    def sustained_us(self, launch: Launch, count: int) -> float:
        """Return the mean time of launches back to back."""

    def state(self) -> State | str:
        """Return clocks, power and temperature now, or why they are not known."""


def measure(
    kernel: Kernel, shape: Shape, gpu: Gpu, *, seed: int = 0, values: Draw = "normal",
    command: str = "",
) -> Record:  # fmt: skip
    """Run a kernel on a GPU, compare its results with its oracle, and time it.

    Raises
    ------
    InputError
        If the kernel does not run on such a GPU.
    InfeasibleError
        If the problem does not fit its memory.
    """
    kernel.check_target(gpu.about.target)
    work = kernel.work(shape)
    if work.bytes > MEMORY_SHARE * gpu.about.memory_bytes:
        raise InfeasibleError(
            f"{kernel.name} on {gpu.about.name}", demand=work.bytes,
            bound=int(MEMORY_SHARE * gpu.about.memory_bytes), unit="bytes",
            levers=("take a smaller --shape",),
        )  # fmt: skip
    operands = kernel.draw(shape, np.random.default_rng(seed), values)
    tile = kernel.tile(gpu.about.target)
    tensors = gpu.put(kernel, operands)

    def launch() -> Mapping[str, Any]:
        return gpu.launch(kernel, shape, tensors, tile)

    results = gpu.get(launch())
    expected = kernel.oracle(shape, operands, accumulate_unit(gpu.about.target, kernel.summed))
    wrong = differences(kernel, results, expected)
    one_us = _warm_up(gpu, launch)
    times = gpu.times_us(launch, round(_between(LEAST_TIMES, TIMED_MS * 1e3 / one_us, MOST_TIMES)))
    sustained, state = _sustain(gpu, launch, one_us)
    return Record(
        kernel=kernel.name, shape=dict(shape), formats=dict(kernel.formats), values=values,
        seed=seed, tile=tile.options, gpu=gpu.about, times_us=tuple(times),
        sustained_us=sustained, state=state if isinstance(state, State) else None,
        state_missing="" if isinstance(state, State) else state,
        operations=work.operations, bytes=work.bytes, disagreements=tuple(wrong),
        same_bits=same_bits(kernel, results, operands, gpu.about.target),
        versions=versions(), command=command,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def differences(
    kernel: Kernel, results: Mapping[str, Array], expected: Mapping[str, Expected]
) -> list[str]:
    """Say of each result that an oracle does not allow how much of it differs, and where first."""
    if results.keys() != expected.keys():
        return [f"{kernel.name} has the results {', '.join(results)}, not {', '.join(expected)}"]
    found = []
    for name, result in results.items():
        bad = disagreements(result, expected[name], kernel.formats[name])
        if np.any(bad):
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            found.append(
                f"{name}: {bad.sum():,} of {bad.size:,} differ, first {name}{list(at)} = "
                f"{result[at]}, not {expected[name].value[at]}"
            )
    return found


def same_bits(
    kernel: Kernel, results: Mapping[str, Array], operands: Operands, target: str
) -> dict[str, float]:
    """Return what share of results the model of tensor cores gives to the bit."""
    given = {} if kernel.to_the_bit is None else kernel.to_the_bit(operands, target)
    shares = {}
    for name, array in given.items():
        part = results[name][tuple(slice(extent) for extent in array.shape)]
        nan = array.dtype.kind == "f" and np.isnan(array) & np.isnan(part)
        shares[name] = float(np.mean((part == array) | nan))
    return shares


def versions() -> dict[str, str]:
    """Return the versions of what a kernel's time and values depend on."""
    return {
        "archsim": archsim.__version__, "python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "torch", "triton")},
    }  # fmt: skip


def _warm_up(gpu: Gpu, launch: Launch) -> float:
    """Launch until the GPU is warm; return about how long a launch takes."""
    count, spent_us, one_us = 1, 0.0, 0.0
    while spent_us < WARM_UP_MS * 1e3:
        one_us = max(gpu.sustained_us(launch, count), 0.1)
        spent_us += count * one_us
        count *= 2
    return one_us


def _sustain(gpu: Gpu, launch: Launch, one_us: float) -> tuple[float, State | str]:
    """Launch back to back; return the mean time, and the median state while at it."""
    parts = 10
    count = max(1, round(SUSTAINED_MS * 1e3 / parts / one_us))
    times, states = [], []
    for part in range(parts):
        times.append(gpu.sustained_us(launch, count))
        state = gpu.state()
        if isinstance(state, str):
            missing = state
        elif part >= parts // 2:  # power follows work late
            states.append(state)
    mean = float(np.mean(times))
    if not states:
        return mean, missing
    medians = {
        name: float(np.median([getattr(state, name) for state in states]))
        for name in State.model_fields
    }
    return mean, State(**medians)


def _between(least: float, wanted: float, most: float) -> float:
    return min(max(least, wanted), most)
