"""Bugs put into the array of adder trees on purpose: the conformance suite must notice each.

Those of parts that it shares with the systolic array stand in `test_seeded_bugs`.
"""

from __future__ import annotations

import pytest

from archsim.engines.adder_tree import ENGINE
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.verify import check

from .mutants import engine_with, is_caught

pytestmark = pytest.mark.slow  # the systolic array's are in the quick set

SPEC = AdderTreeSpec(depth=3, cols=2, stages=2, acc_rows=4, a_bits=4, b_bits=4, acc_bits=13)
ARRAYS = {"mac": SPEC, "opt1": SPEC.model_copy(update={"pe": "opt1"})}
SEED = 7
MOST_CASES = 42

MODEL = {
    "lags as of a systolic array": (
        "engines.adder_tree.timing",
        "skewed=False",
        "skewed=True",
        "cycles",
    ),
    "one rank for all": (
        "engines.adder_tree.timing",
        "stages=spec.stages",
        "stages=1",
        "cycles",
    ),
    "rows land as they are fed": (
        "engines.gemm.stationary",
        "np.asarray(1 + self.span(self.rows, self.cols))",
        "np.asarray(self.span(self.rows, self.cols))",
        "cycles",
    ),
    "rows taken to work while tiles load": (
        "engines.gemm.stationary",
        "if not folds.skewed:",
        "if folds.skewed:",
        "counter fill",
    ),
    "ragged tile waited for as for a full one": (
        "engines.gemm.stationary",
        "_dead(chunk_rows, folds.last_depth, folds.stages)",
        "_dead(chunk_rows, folds.first_depth, folds.stages)",
        "counter fill",
    ),
    "partial sums in chunks of a tile": (
        "engines.adder_tree.beats",
        "partial_sums(found, spec.cols, spec.acc_rows)",
        "partial_sums(found, spec.cols, spec.depth)",
        "result",
    ),
}
RTL = {
    "rows announced a step early": (
        "hdl.stationary",
        "steps = landing - (len(seen) - 1)",
        "steps = landing - len(seen)",
        "result",
    ),
    "ranks not counted": (
        "hdl.stationary",
        "if self.skewed else self.stages",
        "if self.skewed else 1",
        "",
    ),
    "busy outlives the trees": (
        "hdl.stationary",
        "self._shape.span(self.depth, self.width), 0)",
        "self._shape.span(self.depth, self.width) + 1, 0)",
        "counter busy",
    ),
    "tile taken over with every beat": (
        "engines.adder_tree.rtl",
        "tree.swap.eq(windows.begins)",
        "tree.swap.eq(windows.loading)",
        "result",
    ),
    "slice fed without its register": (
        "engines.adder_tree.rtl",
        'delayed(m, advance, fed, 1, "fed")',
        "fed",
        "result",
    ),
    "operand from the multiplier above": (
        "engines.adder_tree.rtl",
        "held.eq(shadow)",
        "held.eq(above)",
        "result",
    ),
    "tile shifted on while the array waits": (
        "engines.adder_tree.rtl",
        "with m.If(self.advance & self.shift[i])",
        "with m.If(self.shift[i])",
        "result",
    ),
    "ranks move while the array waits": (
        "hdl.dot_product",
        "with m.If(self.advance):",
        "with m.If(self.advance | ~self.advance):",
        "result",
    ),
    "two ranks in one place": (
        "hdl.trees",
        "yield levels - i * (levels + 1) // stages",
        "yield levels",
        "result",
    ),
    "row of the bank not restarted": (
        "hdl.accumulator_bank",
        "Mux(self.ahead.top, 0, newest + 1)",
        "newest + 1",
        "result",
    ),
}
MAC = {
    "level not widened": (
        "hdl.dot_product",
        "min(len(values[0]) + 1, self._width)",
        "min(len(values[0]), self._width)",
        "result",
    ),
    "odd product left out": (
        "hdl.dot_product",
        "*values[len(values) - len(values) % 2 :]]",
        "*values[len(values) :]]",
        "result",
    ),
}
OPT1 = {
    "excess left in a pair": (
        "hdl.bitweight",
        "sign.replicate(more)",
        "Const(0, more)",
        "result",
    ),
    "excess of signs left in": (
        "hdl.dot_product",
        "Const(offset_start(self._depth, a_bits, b_bits), width)",
        "Const(offset_start(1, a_bits, b_bits), width)",
        "result",
    ),
    "sign of a row not inverted": (
        "hdl.booth",
        "Cat(Const(0, 2 * i), row[:-1], ~row[-1]) for",
        "Cat(Const(0, 2 * i), row) for",
        "result",
    ),
}
BUGS = {"mac": {**MODEL, **RTL, **MAC}, "opt1": OPT1}


@pytest.mark.parametrize("array", ARRAYS)
def test_these_cases_find_nothing_in_the_engine_as_it_is(array: str) -> None:
    rows = check(ENGINE, MOST_CASES, SEED, ARRAYS[array], "amaranth")
    assert [] == [row for row in rows if not row.ok]


@pytest.mark.parametrize(("array", "bug"), [(array, bug) for array in BUGS for bug in BUGS[array]])
def test_seeded_bug_is_caught(array: str, bug: str) -> None:
    module, old, new, symptom = BUGS[array][bug]
    engine = engine_with("adder_tree", "AdderTrees", f"archsim.{module}", old, new)
    assert is_caught(engine, ARRAYS[array], MOST_CASES, SEED, symptom)
