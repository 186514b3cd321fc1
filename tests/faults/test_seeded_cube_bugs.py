"""Bugs put into the cube on purpose: the conformance suite must notice each."""

from __future__ import annotations

import pytest

from archsim.engines.cube import ENGINE
from archsim.engines.cube.spec import CubeSpec
from archsim.verify import check

from .mutants import engine_with, is_caught

pytestmark = pytest.mark.slow  # the systolic array's are in the quick set

SPEC = CubeSpec(rows=3, cols=2, depth=2, a_bits=4, b_bits=4, acc_bits=11)
ARRAYS = {"mac": SPEC, "opt1": SPEC.model_copy(update={"pe": "opt1"})}
SEED = 7
MOST_CASES = 42

MODEL = {
    "a beat for each slice": (
        "engines.cube.timing",
        "slices=spec.depth, behind=spec.depth,",
        "behind=spec.depth,",
        "",
    ),
    "sums as soon as products": (
        "engines.cube.timing",
        "slices=spec.depth, behind=spec.depth,",
        "slices=spec.depth, behind=spec.depth - 1,",
        "cycles",
    ),
    "ragged k without its beat": (
        "engines.gemm.folds",
        "beats = -(-jobs.k // slices)",
        "beats = jobs.k // slices + (jobs.k < slices)",
        "",
    ),
    "work in chains forgotten": (
        "engines.gemm.timing",
        "bubbles = folds.period - folds.beats + 2 - folds.behind",
        "bubbles = folds.period - folds.beats + 2",
        "counter busy",
    ),
    "captures before their sums": (
        "engines.gemm.cycle_loop",
        "end = fold * period + k - 1 + behind",
        "end = fold * period + k - 1",
        "cycles",
    ),
    "beats of the next fold forgotten in the chain": (
        "engines.gemm.recurrence",
        "self._steps(0, self.k - 1 + self.behind)",
        "self._steps(self.behind, self.k - 1 + self.behind)",
        "",
    ),
    "late sums reckoned as of a flat array": (
        "engines.gemm.paced",
        "folds.beats + folds.tail + delay",
        "folds.beats + folds.lag + delay",
        "cycles",
    ),
    "slices in another order": (
        "engines.cube.beats",
        'slices["a"].reshape(-1, spec.depth * spec.rows)',
        'slices["a"][:, ::-1].reshape(-1, spec.depth * spec.rows)',
        "result",
    ),
    "sum one bit narrow": (
        "engines.gemm.reference",
        "wrap(total, spec.acc_bits)",
        "wrap(total, spec.acc_bits - 1)",
        "result",
    ),
    "no c at all": ("engines.gemm.reference", "if accumulate:", "if False:", "result"),
}
RTL = {
    "operands of a chain not skewed": (
        "engines.cube.rtl",
        'i + d, f"{name}_{i}_{d}"',
        'i, f"{name}_{i}_{d}"',
        "result",
    ),
    "lanes of the neighbour": (
        "engines.cube.rtl",
        "lanes[d * count + i] for d",
        "lanes[i * spec.depth + d] for d",
        "result",
    ),
    "sum begins before its chain is there": (
        "engines.cube.rtl",
        "begins, spec.depth, ",
        "begins, spec.depth - 1, ",
        "result",
    ),
    "sum not restarted": (
        "engines.cube.rtl",
        "Mux(self.first, 0, accumulator)",
        "accumulator",
        "result",
    ),
    "stale drain register": (
        "engines.cube.rtl",
        "finished.eq(total)",
        "finished.eq(accumulator)",
        "result",
    ),
    "chain a place short": (
        "engines.cube.rtl",
        "total = pe.sum_next",
        "total = pe.sum_next if d else total",
        "result",
    ),
    "captured before the chain has ended": (
        "hdl.folded",
        'shape.behind, "ended"',
        'shape.behind - 1, "ended"',
        "",
    ),
    "flush as of a flat array": (
        "hdl.gemm",
        "cols - 2 + self._behind",
        "cols - 2",
        "",
    ),
    "chains not counted busy": (
        "hdl.gemm",
        "self.fold_cols - (2 - self._behind)",
        "self.fold_cols - 2",
        "counter busy",
    ),
    "last beat noticed a beat late": (
        "hdl.gemm",
        "will_be_last(beats_left, 2)",
        "will_be_last(beats_left, 1)",
        "",
    ),
    "counted although not charged": (
        "hdl.accounts",
        "m.Elif(charge[name]) if ahead",
        "m.Else() if ahead",
        "counter",
    ),
    "beat of b dropped while a is missing": (
        "hdl.folded",
        "array.b.ready.eq(advance & folds.feeding)",
        "array.b.ready.eq(folds.feeding)",
        "beat",
    ),
}
OPT1 = {
    "chains begin with nothing": (
        "engines.cube.rtl",
        "Const(offset_start(spec.depth, spec.a_bits, spec.b_bits), chain_shape(spec))",
        "Const(0, chain_shape(spec))",
        "result",
    ),
    "pairs of chains without copies of their sign": (
        "hdl.bitweight",
        "sign = ~(total[top] | carry[top])",
        "sign = Const(0, 1)",
        "result",
    ),
    "sign from the sum alone": (
        "hdl.bitweight",
        "~(total[top] | carry[top])",
        "~total[top]",
        "result",
    ),
    "offset of one product": (
        "hdl.bitweight",
        "offset = products * products_offset(a_bits, b_bits)",
        "offset = products_offset(a_bits, b_bits)",
        "result",
    ),
    "carries dropped when resolved": (
        "hdl.bitweight",
        "lower.y.eq(pair.carry[:low])",
        "lower.y.eq(0)",
        "result",
    ),
}
BUGS = {"mac": {**MODEL, **RTL}, "opt1": OPT1}


@pytest.mark.parametrize("array", ARRAYS)
def test_these_cases_find_nothing_in_the_engine_as_it_is(array: str) -> None:
    rows = check(ENGINE, MOST_CASES, SEED, ARRAYS[array], "amaranth")
    assert [] == [row for row in rows if not row.ok]


@pytest.mark.parametrize(("array", "bug"), [(array, bug) for array in BUGS for bug in BUGS[array]])
def test_seeded_bug_is_caught(array: str, bug: str) -> None:
    module, old, new, symptom = BUGS[array][bug]
    engine = engine_with("cube", "Cube", f"archsim.{module}", old, new)
    assert is_caught(engine, ARRAYS[array], MOST_CASES, SEED, symptom)
