"""Conformance cases of engines that multiply matrices: shapes, environments, their meeting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from archsim.engines import Case, GemmJobs, Ints
from archsim.engines.environments import Rng, kinds, one_slow, some_slow, upto
from archsim.engines.gemm import PORTS

MAX_JOBS = 3
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


# an operand starves the array; rows pile up in the drain registers
ENVIRONMENTS = kinds(PORTS, operands=one_slow("a", "b"), outputs=some_slow("c", "result"))
