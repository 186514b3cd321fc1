"""Conformance cases: both PEs, ragged and thin shapes, every kind of environment."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.engines import Case
from archsim.engines.cube.spec import CubeSpec
from archsim.engines.environments import Rng, upto
from archsim.engines.gemm.cases import FOLDED, Shape, case
from archsim.engines.gemm.integers import random_operands

# every PE, adder and multiplier; cubes, chains of one, chains longer than all else, one-lane
# arrays; equal and unequal widths; sums that wrap at once, and narrower than a chain
SPECS = (
    CubeSpec(rows=3, cols=3, depth=3),
    CubeSpec(rows=3, cols=3, depth=3, pe="opt1"),
    CubeSpec(
        rows=4, cols=2, depth=1, a_bits=8, b_bits=4, acc_bits=16, multiplier="booth", adder="ripple"
    ),
    CubeSpec(rows=2, cols=3, depth=4, a_bits=3, b_bits=8, acc_bits=11, pe="opt1", adder="ripple"),
    CubeSpec(
        rows=1, cols=3, depth=2, a_bits=16, b_bits=16, acc_bits=64, pe="opt1", adder="prefix"
    ),
    CubeSpec(
        rows=3, cols=1, depth=9, a_bits=2, b_bits=5, acc_bits=7, multiplier="booth", adder="prefix"
    ),
)  # fmt: skip
SHAPES: Mapping[str, Shape] = {
    **FOLDED,
    "long_m": lambda rng, s: (
        s.rows + upto(rng, 12), upto(rng, 2 * s.cols + 1), upto(rng, 3 * s.depth),
    ),
    "long_n": lambda rng, s: (
        upto(rng, 2 * s.rows + 1), s.cols + upto(rng, 12), upto(rng, 3 * s.depth),
    ),
    "short_k": lambda rng, s: (upto(rng, 4 * s.rows), upto(rng, 4 * s.cols), upto(rng, s.depth)),
    "chains": lambda rng, s: (
        upto(rng, 2 * s.rows), upto(rng, 2 * s.cols), s.depth * upto(rng, 9) + upto(rng, 2) - 1,
    ),
}  # fmt: skip


def cases(rng: Rng, spec: CubeSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for.

    Numbers without a common factor: every shape meets every environment within 77 cases, and every
    spec as well within 462.
    """
    return [
        case(child, i, spec or SPECS[i % len(SPECS)], SHAPES, random_operands, _length)
        for i, child in enumerate(rng.spawn(count))
    ]


def _length(spec: CubeSpec, m: int, n: int, k: int) -> int:
    """Return about how many cycles a job takes, to size its stall vectors."""
    folds = -(-m // spec.rows) * -(-n // spec.cols)
    beats = max(-(-k // spec.depth), spec.rows, spec.cols)
    return folds * beats + spec.rows + spec.cols + spec.depth
