"""Conformance cases of engines that multiply matrices: shapes, environments, their meeting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Case, Env, GemmJobs, Ints, PortEnv, Rate, Stalls
from archsim.engines.gemm import PORTS

MAX_JOBS = 3
Rng = np.random.Generator
Shape = Callable[[Rng, Any], tuple[int, int, int]]


def case(
    rng: Rng,
    index: int,
    spec: Any,
    shapes: Mapping[str, Shape],
    operands: Callable[[Rng, Any, int, int, int], Mapping[str, Ints]],
    length: Callable[[Any, int, int, int], int],
) -> Case:
    """Return a case of one to three jobs, of the shape and environment whose turn it is.

    Parameters
    ----------
    shapes
        ``(rng, spec) -> (m, n, k)`` by name. If their number has no common factor with that of the
        environments, every shape meets every environment.
    operands
        ``(rng, spec, m, n, k) -> {port: matrix}`` for ports a, b and c.
    length
        ``(spec, m, n, k)`` -> about how many cycles a job takes, to size its stall vectors.
    """
    shape_name = list(shapes)[index % len(shapes)]
    env_name = list(ENVIRONMENTS)[index % len(ENVIRONMENTS)]
    count = int(rng.integers(1, MAX_JOBS + 1))
    extents = np.array([shapes[shape_name](rng, spec) for _ in range(count)], np.int64)
    accumulate = rng.integers(0, 2, count).astype(bool)
    data: dict[str, Ints] = {}
    for i, (height, width, depth) in enumerate(extents.tolist()):
        values = operands(rng, spec, height, width, depth)
        data |= {f"{port}{i}": matrix for port, matrix in values.items()}
    refs = tuple({port: f"{port}{i}" for port in "abc"} for i in range(count))
    m, n, k = extents.T
    jobs = GemmJobs(m, n, k, accumulate, refs=refs)
    envs = tuple(ENVIRONMENTS[env_name](rng, length(spec, *row)) for row in extents.tolist())
    return Case(f"{index:03d}-{shape_name}-{env_name}", spec, jobs, envs, data)


# ---------------------------------------------------------------------------------------- shapes


def upto(rng: Rng, limit: int) -> int:
    return int(rng.integers(1, limit + 1))


FOLDED: Mapping[str, Shape] = {
    "ragged": lambda rng, s: (
        upto(rng, 3 * s.rows + 1), upto(rng, 3 * s.cols + 1), upto(rng, s.rows + s.cols + 2),
    ),
    "1xN": lambda rng, s: (1, upto(rng, 4 * s.cols), upto(rng, s.cols + 3)),
    "Nx1": lambda rng, s: (upto(rng, 4 * s.rows), 1, upto(rng, s.rows + 3)),
    "k1": lambda rng, s: (upto(rng, 3 * s.rows), upto(rng, 3 * s.cols), 1),
    "folds": lambda rng, s: (
        s.rows * upto(rng, 3) + upto(rng, 2) - 1, s.cols * upto(rng, 4), upto(rng, s.cols + 1),
    ),
    "deep": lambda rng, s: (
        upto(rng, s.rows + 1), upto(rng, 2 * s.cols), s.rows + s.cols + upto(rng, 40),
    ),
    "one": lambda rng, s: (upto(rng, 2), upto(rng, 2), upto(rng, 2)),
}  # fmt: skip


# ---------------------------------------------------------------------------------- environments


def _ideal(rng: Rng, length: int) -> Env:
    return {}


def _latency(rng: Rng, length: int) -> Env:
    return {port: Rate(latency=int(rng.integers(0, 30))) for port in PORTS}


def _rates(rng: Rng, length: int) -> Env:
    return {port: _rate(rng) for port in PORTS}


def _rate(rng: Rng) -> Rate:
    q = upto(rng, 7)
    return Rate(latency=int(rng.choice([0, 0, 1, 9])), p=upto(rng, q), q=q)


def _stalls(rng: Rng, length: int) -> Env:
    return {port: _bits(rng, length) for port in (*PORTS, "cmd")}


def _operands(rng: Rng, length: int) -> Env:
    """Let one operand starve the array."""
    return {str(rng.choice(["a", "b"])): _slow(rng, length)}


def _outputs(rng: Rng, length: int) -> Env:
    """Let rows pile up in the drain registers: the results refused, or the partial sums late."""
    return {port: _slow(rng, length) for port in ("c", "result") if rng.random() < 0.7}


def _slow(rng: Rng, length: int) -> PortEnv:
    if rng.random() < 0.5:
        return _bits(rng, 2 * length)
    return Rate(int(rng.integers(0, 2 * length)), 1, upto(rng, 6))


def _mixed(rng: Rng, length: int) -> Env:
    return {
        port: _rate(rng) if rng.random() < 0.5 else _bits(rng, length)
        for port in (*PORTS, "cmd")
        if rng.random() < 0.8
    }


def _bits(rng: Rng, length: int) -> PortEnv:
    """Return stall bits in runs, from rare single cycles to long silences."""
    stalled, run = rng.choice([0.1, 0.4, 0.8]), rng.choice([1, 3, length // 3 + 1])
    flips: NDArray[np.bool_] = rng.random(length // int(run) + 1) < stalled
    return Stalls(tuple(np.repeat(flips, run)[:length].tolist()))


ENVIRONMENTS: Mapping[str, Callable[[Rng, int], Env]] = {
    "ideal": _ideal,
    "latency": _latency,
    "rates": _rates,
    "stalls": _stalls,
    "operands": _operands,
    "outputs": _outputs,
    "mixed": _mixed,
}
