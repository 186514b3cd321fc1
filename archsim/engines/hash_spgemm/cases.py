"""Conformance cases: small sparse matrices of every temper, memories fast and slow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Case, Env, Ints, MemoryEnv
from archsim.engines.environments import Rng, rate, stall_bits, upto
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.engines.hash_spgemm.windows import window_jobs
from archsim.sparse import Csr
from archsim.sparse.product import SparseProduct

# one lane to four, every number of banks, and both of every choice
SPECS = (
    HashSpgemmSpec(lanes=1, banks=1, slots=16, queue=4, hash="low", write_back="scan"),
    HashSpgemmSpec(
        lanes=2, banks=2, slots=32, queue=3, hash="high", atomics="cas_add", comparators=4
    ),
    HashSpgemmSpec(lanes=3, banks=4, slots=32, queue=5, token="row", write_back="scan"),
    HashSpgemmSpec(lanes=4, banks=4, slots=64, slots_per_product=1, col_bits=28, comparators=2),
    HashSpgemmSpec(
        lanes=4, banks=1, slots=32, queue=2, atomics="cas_add", hash="high", write_back="scan",
        comparators=2, token="row",
    ),
    HashSpgemmSpec(
        lanes=2, banks=4, slots=16, slots_per_product=4, token="static", atomics="cas_add",
        hash="low",
    ),
)  # fmt: skip
MOST_JOBS = 2


def cases(rng: Rng, spec: HashSpgemmSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for."""
    return [
        _case(child, i, spec or SPECS[i % len(SPECS)]) for i, child in enumerate(rng.spawn(count))
    ]


def _case(rng: Rng, index: int, spec: HashSpgemmSpec) -> Case:
    # every pattern meets every environment within 30 cases
    pattern = list(PATTERNS)[index % len(PATTERNS)]
    env_name = list(ENVS)[(index + index // len(PATTERNS)) % len(ENVS)]
    a, b = PATTERNS[pattern](rng, spec)
    data = {**_arrays(rng, "a", a), **_arrays(rng, "b", b)}
    every = window_jobs(spec, SparseProduct(Csr.of(a), Csr.of(b), b.shape[1]))
    jobs = every.take(np.sort(rng.permutation(len(every))[:MOST_JOBS]))
    lengths = (jobs.walked + jobs.entries + spec.slots).tolist()
    envs = tuple(ENVS[env_name](rng, length) for length in lengths)
    return Case(f"{index:03d}-{pattern}-{env_name}", spec, jobs, envs, data)


# -------------------------------------------------------------------------------------- patterns


Pattern = NDArray[np.bool_]


def _random(rng: Rng, shape: tuple[int, int], density: float) -> Pattern:
    return rng.random(shape) < density


def _any(rng: Rng, spec: HashSpgemmSpec) -> tuple[Pattern, Pattern]:
    m, k, n = upto(rng, 12), upto(rng, 16), upto(rng, 40)
    density = float(rng.choice([0.05, 0.2, 0.6]))
    return _random(rng, (m, k), density), _random(rng, (k, n), density)


def _skewed(rng: Rng, spec: HashSpgemmSpec) -> tuple[Pattern, Pattern]:
    """Give a few rows and columns nearly all."""
    n = 6 + upto(rng, 12)
    popular = rng.random(n) ** 4
    return rng.random((n, n)) < np.outer(popular, popular), rng.random((n, n)) < popular


def _dense_row(rng: Rng, spec: HashSpgemmSpec) -> tuple[Pattern, Pattern]:
    """Let a row have more products than a window takes: it is cut into ranges of columns."""
    k, n = 4 + upto(rng, 8), spec.slots + upto(rng, 20)
    a = _random(rng, (3, k), 0.2)
    a[1] = True
    return a, _random(rng, (k, n), 1.5 / k)


def _collisions(rng: Rng, spec: HashSpgemmSpec) -> tuple[Pattern, Pattern]:
    """Columns that want one slot: they differ in the bits that the scheme leaves out."""
    k, n = upto(rng, 4), 8 * spec.slots
    b = np.zeros((k, n), bool)
    b[:, :: spec.slots if spec.hash == "low" else 1][:, :8] = True
    return _random(rng, (upto(rng, 3), k), 0.7), b


def _empty(rng: Rng, spec: HashSpgemmSpec) -> tuple[Pattern, Pattern]:
    """Rows without nonzeros, nonzeros that meet rows without any, and many rows in a window."""
    k = upto(rng, 8)
    a, b = _random(rng, (10 + upto(rng, 40), k), 0.15), _random(rng, (k, 9), 0.3)
    b[rng.random(k) < 0.5] = False
    return a, b


def _one_entry(rng: Rng, spec: HashSpgemmSpec) -> tuple[Pattern, Pattern]:
    """All products of a window in one entry: every operation follows on one of the same slot."""
    k = upto(rng, min(spec.cap, 24))
    return np.ones((upto(rng, 2), k), bool), np.ones((k, 1), bool)


PATTERNS: Mapping[str, Callable[[Rng, HashSpgemmSpec], tuple[Pattern, Pattern]]] = {
    "any": _any,
    "skewed": _skewed,
    "dense_row": _dense_row,
    "collisions": _collisions,
    "empty": _empty,
    "one_entry": _one_entry,
}


def _arrays(rng: Rng, ref: str, pattern: Pattern) -> dict[str, Ints]:
    """Return a matrix with values of all magnitudes, so that sums wrap."""
    matrix = Csr.of(pattern)
    values = rng.integers(-(2**31), 2**31, matrix.entries) >> rng.integers(0, 31, matrix.entries)
    return {**matrix.arrays(ref), f"{ref}.values": values}


# ---------------------------------------------------------------------------------- environments


def _memory(rng: Rng) -> MemoryEnv:
    q = upto(rng, 4)
    latency = int(rng.choice([1, 1, 2, 5, 30]))
    return MemoryEnv(latency, upto(rng, q), q, int(rng.choice([1, 2, 8, 40])))


def _streams(rng: Rng, length: int) -> Env:
    return {f"mem_{side}": stall_bits(rng, 2 * length) for side in ("req", "rsp")}


ENVS: Mapping[str, Callable[[Rng, int], Env]] = {
    "ideal": lambda rng, length: {"mem": MemoryEnv(1, 1, 1, 64)},
    "memory": lambda rng, length: {"mem": _memory(rng)},
    "stalls": lambda rng, length: {**_streams(rng, length), "cmd": stall_bits(rng, 20)},
    "rates": lambda rng, length: {"mem_req": rate(rng), "mem_rsp": rate(rng)},
    "mixed": lambda rng, length: {"mem": _memory(rng), **_streams(rng, length)},
}
