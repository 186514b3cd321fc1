"""Conformance cases: both PEs, ragged and thin shapes, small banks, every kind of environment."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.engines import Case
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.engines.environments import Rng, upto
from archsim.engines.gemm.cases import FOLDED, Shape, case
from archsim.engines.gemm.integers import random_operands

# every PE, adder and multiplier; trees of one product, of powers of two and of others, with ranks
# in all places or at the end; equal and unequal widths; sums that wrap at once; banks that small
# jobs fill more than once
SPECS = (
    AdderTreeSpec(depth=4, cols=4, acc_rows=7),
    AdderTreeSpec(depth=4, cols=3, acc_rows=5, pe="opt1"),
    AdderTreeSpec(
        depth=5, cols=2, stages=1, acc_rows=4, a_bits=8, b_bits=4, acc_bits=16,
        multiplier="booth", adder="ripple",
    ),
    AdderTreeSpec(
        depth=3, cols=5, stages=3, acc_rows=3, a_bits=3, b_bits=8, acc_bits=12,
        pe="opt1", adder="prefix",
    ),
    AdderTreeSpec(
        depth=1, cols=2, stages=1, a_bits=16, b_bits=16, acc_bits=64, pe="opt1", adder="ripple"
    ),
    AdderTreeSpec(
        depth=7, cols=1, stages=4, acc_rows=2, a_bits=2, b_bits=5, acc_bits=7,
        multiplier="booth", adder="prefix",
    ),
)  # fmt: skip
LARGE_BANK = 256  # rows; cases do not fill larger ones


def _past_the_bank(rng: Rng, spec: AdderTreeSpec) -> int:
    """Return an extent that takes several chunks, unless the bank is very large."""
    bank = min(spec.acc_rows, LARGE_BANK)
    return bank + upto(rng, min(2 * bank, 12))


SHAPES: Mapping[str, Shape] = {
    **FOLDED,
    "long_m": lambda rng, s: (
        _past_the_bank(rng, s), upto(rng, 2 * s.cols + 1), upto(rng, 3 * s.depth),
    ),
    "long_k": lambda rng, s: (
        upto(rng, 2 * s.depth), upto(rng, 2 * s.cols), 2 * s.depth + upto(rng, 3 * s.depth),
    ),
    "short_m": lambda rng, s: (upto(rng, 2), upto(rng, 4 * s.cols), upto(rng, 4 * s.depth)),
    "short_n": lambda rng, s: (upto(rng, 4 * s.depth), upto(rng, 2), upto(rng, 4 * s.depth)),
}  # fmt: skip


def cases(rng: Rng, spec: AdderTreeSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for.

    Numbers without a common factor: every shape meets every environment within 77 cases, and every
    spec as well within 462.
    """
    return [
        case(child, i, spec or SPECS[i % len(SPECS)], SHAPES, random_operands, _length)
        for i, child in enumerate(rng.spawn(count))
    ]


def _length(spec: AdderTreeSpec, m: int, n: int, k: int) -> int:
    """Return about how many cycles a job takes, to size its stall vectors."""
    folds = -(-k // spec.depth) * -(-n // spec.cols)
    return folds * max(m, spec.depth) + spec.depth + spec.stages
