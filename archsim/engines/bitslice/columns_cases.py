"""Conformance cases of arrays of columns: every PE, encoding and barrier, rings of every size."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from archsim.engines import Case, Ints
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import told
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.environments import Rng, upto
from archsim.engines.gemm import cases
from archsim.engines.gemm.cases import FOLDED, Shape
from archsim.engines.gemm.integers import random_integers

SPECS = (
    BitsliceSpec(pe="opt4c", rows=2, cols=4, depth=16),
    BitsliceSpec(
        pe="opt3", rows=1, cols=4, depth=16, encoded="b", encoding="mbe", sync="pass", a_bits=5
    ),
    BitsliceSpec(pe="opt4e", rows=1, cols=2, depth=64, encoding="mbe", slack=2, acc_bits=20),
    BitsliceSpec(pe="opt4e", rows=2, cols=2, depth=32, encoded="b", sync="pass", b_bits=4),
    BitsliceSpec(pe="opt4c", rows=1, cols=8, depth=64, group=2, slack=2, a_bits=3, acc_bits=16),
    BitsliceSpec(pe="opt3", rows=4, cols=1, depth=8, group=8, a_bits=12, b_bits=4, adder="ripple"),
)
SHAPES: Mapping[str, Shape] = {
    **FOLDED,
    "one_chunk": lambda rng, s: (upto(rng, 2 * s.cols), upto(rng, 2 * s.rows), upto(rng, s.depth)),
    "chunks": lambda rng, s: (
        upto(rng, s.cols), upto(rng, s.rows), s.depth * upto(rng, 2) + upto(rng, s.depth // 2),
    ),
    "many_folds": lambda rng, s: (
        upto(rng, 3 * s.cols), upto(rng, 3 * s.rows), upto(rng, 2 * s.group * s.lanes),
    ),
    "small_rings": lambda rng, s: (
        upto(rng, 2 * s.cols), upto(rng, 3 * s.rows),
        s.group * s.lanes * upto(rng, 2) + upto(rng, 2) - 1,
    ),
}  # fmt: skip


def case(rng: Rng, index: int, spec: BitsliceSpec) -> Case:
    """Return a case; 77 of them bring every shape together with every environment."""
    made = cases.case(rng, index, spec, SHAPES, operands, _length)
    columns = {f.name: getattr(made.jobs, f.name) for f in dataclasses.fields(made.jobs)}
    nonzero = np.tile(told(spec, {}), (len(made.jobs), 1))
    return dataclasses.replace(made, jobs=BitsliceJobs(**columns, nonzero=nonzero))


def operands(
    rng: np.random.Generator, spec: BitsliceSpec, m: int, n: int, k: int
) -> Mapping[str, Ints]:
    """Return ``a`` [m, k], ``b`` [k, n] and ``c`` [m, n], of which some rows are mostly zeros."""
    found = {
        "a": random_integers(rng, (m, k), spec.a_bits),
        "b": random_integers(rng, (k, n), spec.b_bits),
        "c": random_integers(rng, (m, n), spec.acc_bits),
    }
    if rng.random() < 0.5:
        found["a"] = found["a"] * (rng.random((m, k)) < rng.random((m, 1)))
        found["b"] = found["b"] * (rng.random((k, n)) < rng.random((1, n)))
    return found


def _length(spec: BitsliceSpec, m: int, n: int, k: int) -> int:
    """Return about how many cycles a job takes."""
    if spec.encoded == "b":
        m, n = n, m
    folds = -(-m // spec.cols) * -(-n // spec.rows)
    return folds * (spec.passes * max(k // spec.lanes, spec.cols) + 10)
