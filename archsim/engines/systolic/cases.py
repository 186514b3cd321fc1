"""Conformance cases: ragged and thin shapes, overlapping folds, and environments of every kind."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.engines import Case
from archsim.engines.environments import Rng, upto
from archsim.engines.gemm.cases import FOLDED, Shape, case
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.values import operands

# every dataflow and PE; square, wide and tall arrays; equal and unequal widths; sums that wrap at
# once; floats, of one fold a sum and of several; banks that small jobs fill more than once
SPECS = (
    SystolicSpec(rows=4, cols=4),
    SystolicSpec(rows=5, cols=3, a_bits=8, b_bits=4, acc_bits=16, dataflow="ws", acc_rows=6),
    SystolicSpec(rows=6, cols=2, a_bits=7, b_bits=16, acc_bits=64, pe="opt1", adder="prefix"),
    SystolicSpec(
        rows=2, cols=5, a_bits=3, b_bits=8, acc_bits=12, dataflow="is", acc_rows=3,
        pe="opt1", adder="ripple",
    ),
    SystolicSpec(rows=3, cols=4, numbers="bf16"),
    SystolicSpec(rows=3, cols=2, numbers="bf16", dataflow="ws", acc_rows=4),
)  # fmt: skip
LARGE_BANK = 256  # rows; cases do not fill larger ones


def cases(rng: Rng, spec: SystolicSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for.

    Numbers without a common factor: every shape meets every environment within 77 cases, and every
    spec as well within 462.
    """
    return [
        case(child, i, spec or SPECS[i % len(SPECS)], SHAPES, operands, _length)
        for i, child in enumerate(rng.spawn(count))
    ]


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
    **FOLDED,
    "long_m": lambda rng, s: (
        _past_the_bank(rng, s), upto(rng, 2 * s.cols + 1), upto(rng, 3 * s.rows),
    ),
    "long_n": lambda rng, s: (
        upto(rng, 2 * s.cols + 1), _past_the_bank(rng, s), upto(rng, 3 * s.rows),
    ),
    "short_m": lambda rng, s: (upto(rng, 2), upto(rng, 4 * s.cols), upto(rng, 4 * s.rows)),
    "short_n": lambda rng, s: (upto(rng, 4 * s.cols), upto(rng, 2), upto(rng, 4 * s.rows)),
}  # fmt: skip
