"""Conformance cases: ragged and thin shapes, overlapping folds, and environments of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from archsim.engines import Case, Env, GemmJobs, Ints
from archsim.engines.environments import Rng, latencies, mixed, rates, slow, stalls, upto
from archsim.engines.systolic.spec import PORTS, SystolicSpec
from archsim.engines.systolic.values import operands

# every dataflow; square, wide, tall and one-lane arrays; equal and unequal widths; sums that wrap
# at once; floats, of one fold a sum and of several; banks that small jobs fill more than once
SPECS = (
    SystolicSpec(rows=4, cols=4),
    SystolicSpec(rows=5, cols=3, a_bits=8, b_bits=4, acc_bits=16, dataflow="ws", acc_rows=6),
    SystolicSpec(rows=6, cols=1, a_bits=16, b_bits=16, acc_bits=64),
    SystolicSpec(rows=2, cols=5, a_bits=3, b_bits=8, acc_bits=12, dataflow="is", acc_rows=3),
    SystolicSpec(rows=3, cols=4, numbers="bf16"),
    SystolicSpec(rows=3, cols=2, numbers="bf16", dataflow="ws", acc_rows=4),
)
MAX_JOBS = 3
LARGE_BANK = 256  # rows; cases do not fill larger ones
Shape = Callable[[Rng, SystolicSpec], tuple[int, int, int]]


def cases(rng: Rng, spec: SystolicSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for."""
    return [
        _case(child, i, spec or SPECS[i % len(SPECS)]) for i, child in enumerate(rng.spawn(count))
    ]


def _case(rng: Rng, index: int, spec: SystolicSpec) -> Case:
    # their numbers having no common factor, every shape meets every environment within 77 cases,
    # and every spec as well within 462
    shape_name = list(SHAPES)[index % len(SHAPES)]
    env_name = list(ENVS)[index % len(ENVS)]
    count = int(rng.integers(1, MAX_JOBS + 1))
    extents = np.array([SHAPES[shape_name](rng, spec) for _ in range(count)], np.int64)
    accumulate = rng.integers(0, 2, count).astype(bool)
    data: dict[str, Ints] = {}
    for i, (height, width, depth) in enumerate(extents.tolist()):
        values = operands(rng, spec, height, width, depth)
        data |= {f"{port}{i}": matrix for port, matrix in values.items()}
    refs = tuple({port: f"{port}{i}" for port in "abc"} for i in range(count))
    m, n, k = extents.T
    jobs = GemmJobs(m, n, k, accumulate, refs=refs)
    envs = tuple(ENVS[env_name](rng, _length(spec, *row)) for row in extents.tolist())
    return Case(f"{index:03d}-{shape_name}-{env_name}", spec, jobs, envs, data)


def _length(spec: SystolicSpec, m: int, n: int, k: int) -> int:
    """Return about how many cycles a job takes, to size its stall vectors."""
    rows, cols = spec.rows, spec.cols
    if spec.dataflow == "is":
        m, n = n, m
    if spec.dataflow == "os":
        folds, beats = -(-m // rows) * -(-n // cols), max(k, rows, cols)
    else:
        folds, beats = -(-k // rows) * -(-n // cols), max(m, rows)
    return folds * beats + rows + cols


# ---------------------------------------------------------------------------------------- shapes


def _past_the_bank(rng: Rng, spec: SystolicSpec) -> int:
    """Return an extent that takes several folds or chunks, unless the bank is very large."""
    piece = spec.rows if spec.dataflow == "os" else min(spec.acc_rows, LARGE_BANK)
    return piece + upto(rng, min(2 * piece, 12))


SHAPES: Mapping[str, Shape] = {
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
    "long_m": lambda rng, s: (
        _past_the_bank(rng, s), upto(rng, 2 * s.cols + 1), upto(rng, 3 * s.rows),
    ),
    "long_n": lambda rng, s: (
        upto(rng, 2 * s.cols + 1), _past_the_bank(rng, s), upto(rng, 3 * s.rows),
    ),
    "short_m": lambda rng, s: (upto(rng, 2), upto(rng, 4 * s.cols), upto(rng, 4 * s.rows)),
    "short_n": lambda rng, s: (upto(rng, 4 * s.cols), upto(rng, 2), upto(rng, 4 * s.rows)),
}  # fmt: skip


# ---------------------------------------------------------------------------------- environments


def _operands(rng: Rng, length: int) -> Env:
    """Let one operand starve the array."""
    return {str(rng.choice(["a", "b"])): slow(rng, length)}


def _outputs(rng: Rng, length: int) -> Env:
    """Let rows pile up in the drain registers: the results refused, or the partial sums late."""
    return {port: slow(rng, length) for port in ("c", "result") if rng.random() < 0.7}


ENVS: Mapping[str, Callable[[Rng, int], Env]] = {
    "ideal": lambda rng, length: {},
    "latency": lambda rng, length: latencies(rng, PORTS),
    "rates": lambda rng, length: rates(rng, PORTS),
    "stalls": lambda rng, length: stalls(rng, PORTS, length),
    "operands": _operands,
    "outputs": _outputs,
    "mixed": lambda rng, length: mixed(rng, PORTS, length),
}
