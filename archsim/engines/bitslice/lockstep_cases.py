"""Conformance cases of lockstep arrays: both PEs, ragged and thin shapes, many zeros or none."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from archsim.engines import Case, Ints
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import longest_beat, told
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.environments import Rng, upto
from archsim.engines.gemm import cases
from archsim.engines.gemm.cases import Shape
from archsim.engines.gemm.integers import random_integers

# square, wide, tall and one-lane arrays; groups of one and of no power of two; equal and unequal
# widths; each operand encoded; sums that wrap at once
LACONIC = (
    BitsliceSpec(pe="laconic", encoding="naf", rows=3, cols=2, group=4),
    BitsliceSpec(
        pe="laconic", encoding="en_t", rows=2, cols=3, group=3, a_bits=5, b_bits=8,
        acc_bits=13, encoded="b", adder="ripple",
    ),
    BitsliceSpec(
        pe="laconic", encoding="mbe", rows=1, cols=4, group=1, a_bits=12, b_bits=4, acc_bits=64,
    ),
)  # fmt: skip
BITLET = (
    BitsliceSpec(pe="bitlet", encoding="twos_complement", rows=2, cols=3, group=8),
    BitsliceSpec(
        pe="bitlet", encoding="sign_magnitude", rows=4, cols=2, group=5, a_bits=8, b_bits=4,
        acc_bits=12, encoded="b", adder="inferred",
    ),
    BitsliceSpec(
        pe="bitlet", encoding="twos_complement", rows=1, cols=1, group=1, a_bits=2, b_bits=16,
        acc_bits=18,
    ),
)  # fmt: skip
SHAPES: Mapping[str, Shape] = {
    "ragged": lambda rng, s: (
        upto(rng, 3 * s.cols), upto(rng, 3 * s.rows), upto(rng, 4 * s.group),
    ),
    "one beat": lambda rng, s: (upto(rng, 4 * s.cols), upto(rng, 4 * s.rows), upto(rng, s.group)),
    "short k": lambda rng, s: (upto(rng, 5 * s.cols), upto(rng, 3 * s.rows), upto(rng, 2)),
    "deep": lambda rng, s: (
        upto(rng, 2 * s.cols), upto(rng, 2 * s.rows), 4 * s.group + upto(rng, 8 * s.group),
    ),
    "thin": lambda rng, s: (upto(rng, 2), upto(rng, 6 * s.rows), upto(rng, 3 * s.group)),
    "narrow": lambda rng, s: (upto(rng, 6 * s.cols), upto(rng, 2), upto(rng, 3 * s.group)),
    "one": lambda rng, s: (1, 1, upto(rng, 2)),
    "whole": lambda rng, s: (s.cols * upto(rng, 3), s.rows * upto(rng, 3), s.group * upto(rng, 3)),
}  # fmt: skip


def case(rng: Rng, index: int, spec: BitsliceSpec) -> Case:
    """Return a case; 56 of them bring every shape together with every environment."""
    made = cases.case(rng, index, spec, SHAPES, operands, _length)
    columns = {f.name: getattr(made.jobs, f.name) for f in dataclasses.fields(made.jobs)}
    nonzero = np.tile(told(spec, {}), (len(made.jobs), 1))
    return dataclasses.replace(made, jobs=BitsliceJobs(**columns, nonzero=nonzero))


def operands(rng: Rng, spec: BitsliceSpec, m: int, n: int, k: int) -> Mapping[str, Ints]:
    """Return ``a`` [m, k], ``b`` [k, n] and ``c`` [m, n], of which some have many zeros."""
    return {
        "a": _sparse(rng, random_integers(rng, (m, k), spec.a_bits)),
        "b": _sparse(rng, random_integers(rng, (k, n), spec.b_bits)),
        "c": random_integers(rng, (m, n), spec.acc_bits),
    }


def _sparse(rng: Rng, values: Ints) -> Ints:
    """Return values as they are, or in part zero, or small."""
    match rng.integers(4):
        case 0:
            return values * (rng.random(values.shape) < rng.random())
        case 1:
            return values >> int(rng.integers(1, 4))
    return values


def _length(spec: BitsliceSpec, m: int, n: int, k: int) -> int:
    """Return about how many cycles a job takes."""
    down, across = -(-m // spec.cols), -(-n // spec.rows)
    return down * across * max(-(-k // spec.group) * longest_beat(spec) // 2, spec.cols) + spec.cols
