"""Conformance cases: both PEs and adders, ragged and thin shapes, every kind of environment."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archsim.engines import Case, Ints
from archsim.engines.environments import Rng, upto
from archsim.engines.gemm.cases import FOLDED, Shape, case
from archsim.engines.gemm.integers import random_integers
from archsim.engines.matrix2d.spec import Matrix2dSpec

# square, wide, tall and one-lane arrays; equal, unequal and odd widths; sums that wrap at once, and
# pairs of opt2 that hold no longer k than the shapes have
SPECS = (
    Matrix2dSpec(rows=4, cols=4),
    Matrix2dSpec(rows=4, cols=4, pe="opt1"),
    Matrix2dSpec(rows=3, cols=4, pe="opt2"),
    Matrix2dSpec(
        rows=5, cols=3, a_bits=8, b_bits=4, acc_bits=16, multiplier="inferred", adder="ripple"
    ),
    Matrix2dSpec(rows=2, cols=5, a_bits=3, b_bits=8, acc_bits=12, pe="opt1", adder="ripple"),
    Matrix2dSpec(
        rows=1, cols=2, a_bits=5, b_bits=3, acc_bits=16, pe="opt2", adder="inferred"
    ),
)  # fmt: skip
_SHAPES: Mapping[str, Shape] = {
    **FOLDED,
    "long_m": lambda rng, s: (
        s.rows + upto(rng, 12), upto(rng, 2 * s.cols + 1), upto(rng, 3 * s.rows),
    ),
    "long_n": lambda rng, s: (
        upto(rng, 2 * s.rows + 1), s.cols + upto(rng, 12), upto(rng, 3 * s.rows),
    ),
    "short_k": lambda rng, s: (upto(rng, 3 * s.rows), upto(rng, 3 * s.cols), upto(rng, s.rows)),
    "short_n": lambda rng, s: (upto(rng, 4 * s.rows), upto(rng, 2), upto(rng, 4 * s.rows)),
}  # fmt: skip


def _held(shape: Shape) -> Shape:
    """Return a shape whose k is no longer than sums hold."""

    def held(rng: Rng, spec: Matrix2dSpec) -> tuple[int, int, int]:
        m, n, k = shape(rng, spec)
        return m, n, min(k, spec.longest_k)

    return held


SHAPES = {name: _held(shape) for name, shape in _SHAPES.items()}


def cases(rng: Rng, spec: Matrix2dSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for.

    Numbers without a common factor: every shape meets every environment within 77 cases, and every
    spec as well within 462.
    """
    return [
        case(child, i, spec or SPECS[i % len(SPECS)], SHAPES, operands, _length)
        for i, child in enumerate(rng.spawn(count))
    ]


def operands(
    rng: np.random.Generator, spec: Matrix2dSpec, m: int, n: int, k: int
) -> Mapping[str, Ints]:
    """Return ``a`` [m, k], ``b`` [k, n] and ``c`` [m, n]."""
    return {
        "a": random_integers(rng, (m, k), spec.a_bits),
        "b": random_integers(rng, (k, n), spec.b_bits),
        "c": random_integers(rng, (m, n), spec.acc_bits),
    }


def _length(spec: Matrix2dSpec, m: int, n: int, k: int) -> int:
    """Return about how many cycles a job takes."""
    folds = -(-m // spec.rows) * -(-n // spec.cols) * spec.passes
    return folds * max(-(-k // spec.slices), spec.rows) + spec.rows
