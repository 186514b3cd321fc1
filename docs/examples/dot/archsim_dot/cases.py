"""Conformance cases: ragged lengths, and ports of every temper."""

from __future__ import annotations

import numpy as np

from archsim.engines import IDEAL, Case, PortEnv, Rate, Stalls
from archsim_dot.spec import DotJobs, DotSpec
from archsim_dot.timing import PORTS

SPECS = (
    DotSpec(lanes=1),
    DotSpec(lanes=5, bits=6, acc_bits=12),  # sums that wrap
    DotSpec(lanes=8, bits=16, acc_bits=64),
)
JOBS, MOST = 3, 20


def cases(rng: np.random.Generator, spec: DotSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for."""
    return [
        _case(child, i, spec or SPECS[i % len(SPECS)]) for i, child in enumerate(rng.spawn(count))
    ]


def _case(rng: np.random.Generator, index: int, spec: DotSpec) -> Case:
    counts, lengths = rng.integers(1, MOST, (2, JOBS))
    half, data = 2 ** (spec.bits - 1), {}
    for job, shape in enumerate(zip(counts, lengths, strict=True)):
        data[f"a{job}"], data[f"b{job}"] = rng.integers(-half, half, (2, *shape))
    refs = tuple({"a": f"a{job}", "b": f"b{job}"} for job in range(JOBS))
    envs = tuple({port: _env(rng) for port in (*PORTS, "cmd")} for _ in range(JOBS))
    return Case(f"{index:03d}", spec, DotJobs(counts, lengths, refs=refs), envs, data)


def _env(rng: np.random.Generator) -> PortEnv:
    kind = rng.integers(3)
    if kind == 0:
        return IDEAL
    if kind == 1:
        q = int(rng.integers(1, 6))
        return Rate(latency=int(rng.integers(10)), p=int(rng.integers(1, q + 1)), q=q)
    return Stalls(tuple((rng.random(100) < rng.random()).tolist()))
