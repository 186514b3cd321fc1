"""Bugs put into the 2D-matrix array on purpose: the conformance suite must notice each."""

from __future__ import annotations

import pytest

from archsim.engines.matrix2d import ENGINE
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.verify import check

from .mutants import engine_with, is_caught

pytestmark = pytest.mark.slow  # the systolic array's are in the quick set

SPEC = Matrix2dSpec(rows=3, cols=2, a_bits=4, b_bits=4, acc_bits=9)
ARRAYS = {
    "mac": SPEC,
    "opt1": SPEC.model_copy(update={"pe": "opt1"}),
    "opt2": Matrix2dSpec(rows=3, cols=2, a_bits=5, b_bits=4, acc_bits=14, pe="opt2"),
}
SEED = 7
MOST_CASES = 42

MODEL = {
    "bubbles for the rows forgotten": (
        "engines.gemm.folds",
        "if skewed else rows + wait",
        "if skewed else 1 + wait",
        "cycles",
    ),
    "last fold's rows taken for full ones": (
        "engines.gemm.timing",
        "folds.beats + folds.last_rows + folds.tail",
        "folds.beats + folds.rows + folds.tail",
        "cycles",
    ),
    "bubbles counted busy": (
        "engines.matrix2d.timing",
        "folds.count * folds.beats, ports",
        "folds.count * folds.period, ports",
        "counter busy",
    ),
    "capture waits for the top row only": (
        "engines.gemm.cycle_loop",
        "captures[end] = (first - 1, height)",
        "captures[end] = (previous if fold else -1, height)",
        "cycles",
    ),
    "rows complete one by one": (
        "engines.gemm.recurrence",
        "return row + self.lag if self.skewed else 0",
        "return row + self.lag",
        "",
    ),
    "capture without a place for its rows": (
        "engines.gemm.recurrence",
        "self._step(begin, self._free())",
        "self._step(begin, 0)",
        "cycles",
    ),
    "slow output reckoned as of a skewed array": (
        "engines.gemm.paced",
        "if folds.skewed else none)",
        "if folds.count.all() else none)",
        "counter stall.result",
    ),
    "sum one bit narrow": (
        "engines.gemm.reference",
        "wrap(total, spec.acc_bits)",
        "wrap(total, spec.acc_bits - 1)",
        "result",
    ),
    "no c at all": ("engines.gemm.reference", "if accumulate:", "if False:", "result"),
    "beats of c by columns": (
        "engines.gemm.slices",
        "np.lexsort((row, column, row // together))",
        "np.lexsort((row, row // together, column))",
        "result",
    ),
}
RTL = {
    "drain register overwritten": (
        "hdl.tile_drain",
        "self.blocked.eq(self.last & (waiting > self.leave))",
        "self.blocked.eq(0)",
        "",
    ),
    "capture waits a cycle too long": (
        "hdl.tile_drain",
        "self.last & (waiting > self.leave)",
        "self.last & (waiting != 0)",
        "cycles",
    ),
    "ragged fold drained whole": (
        "hdl.tile_drain",
        "waiting.eq(self.fold_rows)",
        f"waiting.eq({SPEC.rows})",
        "",
    ),
    "row counter not restarted": (
        "hdl.tile_drain",
        "Mux(self.leave, 0, self.row)",
        "self.row + self.leave",
        "result",
    ),
    "rows in another order": (
        "hdl.tile_drain",
        "Mux(waiting > 1, self.row + self.leave,",
        "Mux(waiting > 1, self.row,",
        "result",
    ),
    "gap as of a skewed array": (
        "hdl.gemm",
        "if self._skewed else rows + wait",
        "if self._skewed else rows + wait + 1",
        "cycles",
    ),
    "busy outlives the beat": (
        "hdl.gemm",
        "live = self.feeding | (live_left != 0)",
        "live = self.feeding | ~self.feeding",
        "counter busy",
    ),
    "bubbles added up": (
        "engines.matrix2d.rtl",
        "takes.eq(advance & folds.feeding)",
        "takes.eq(folds.feeding)",
        "result",
    ),
    "sum not restarted": (
        "engines.matrix2d.rtl",
        "Mux(self.first, 0, accumulator)",
        "accumulator",
        "result",
    ),
    "stale drain register": (
        "engines.matrix2d.rtl",
        "finished.eq(total)",
        "finished.eq(accumulator)",
        "result",
    ),
    "a of the row below": (
        "engines.matrix2d.rtl",
        "pe.a.eq(a[i])",
        "pe.a.eq(a[i - 1])",
        "result",
    ),
    "beat of b dropped while a is missing": (
        "engines.matrix2d.rtl",
        "self.b.ready.eq(advance & folds.feeding)",
        "self.b.ready.eq(folds.feeding)",
        "beat",
    ),
}
MAC = {
    "sign of a product lost": (
        "hdl.mac",
        "adder.x.eq(y), adder.y.eq(x)]\n    return adder.sum.as_signed()",
        "adder.x.eq(y.as_unsigned()), adder.y.eq(x)]\n    return adder.sum.as_signed()",
        "result",
    ),
    "carry not made": ("hdl.adders", "self.x & self.y", "self.x & 0", "result"),
}
OPT1 = {
    "carries dropped when resolved": (
        "hdl.bitweight",
        "lower.y.eq(pair.carry[:low])",
        "lower.y.eq(0)",
        "result",
    ),
    "carry lost between halves": (
        "hdl.bitweight",
        "upper.x.eq(Cat(kept[-1], above.sum))",
        "upper.x.eq(Cat(0, above.sum))",
        "result",
    ),
    "partial sum not resolved": (
        "hdl.result_port",
        "(pair.sum, pair.carry, partial.as_unsigned())",
        "(pair.sum, pair.carry, partial.as_unsigned() & 0)",
        "result",
    ),
    "half a sum overwritten": (
        "hdl.result_port",
        "goes.eq(~half_done | self.result.ready)",
        "goes.eq(1)",
        "",
    ),
    "row waits although the one before moves": (
        "hdl.result_port",
        "self.row.ready.eq(~held | moves)",
        "self.row.ready.eq(~held)",
        "",
    ),
    "job over with a row half added": (
        "hdl.result_port",
        "half_done & self.result.ready & ~held)",
        "held & moves)",
        "",
    ),
    "step at once, operands late": (
        "engines.matrix2d.rtl",
        "*beats, takes, first, last = step",
        "*beats, _, first, last = step",
        "result",
    ),
    "captured over rows that wait": (
        "hdl.tile_drain",
        "self.blocked.eq(self.last & any_wait)",
        "self.blocked.eq(0)",
        "",
    ),
    "row leaves before it is captured": (
        "hdl.tile_drain",
        "captures.eq(self.advance & self.last), captured",
        "captures.eq(self.last), captured",
        "",
    ),
    "last charge not awaited": (
        "hdl.gemm",
        'm.next = "CLOSE" if self._late else "IDLE"',
        'm.next = "IDLE"',
        "occupied",
    ),
    "last cycle not charged": (
        "hdl.accounts",
        '("fill", "drain") if late',
        '("fill",) if late',
        "counter drain",
    ),
    "rows as quick as with a queue": (
        "engines.gemm.folds",
        "2 * self.late + (self.passes > 1)",
        "self.late + (self.passes > 1)",
        "cycles",
    ),
    "capture as the last row leaves": (
        "engines.gemm.cycle_loop",
        "left + (leave and not late)",
        "left + leave",
        "",
    ),
    "row held up by the second before it": (
        "engines.gemm.recurrence",
        "if self.passes > 1 else self.added  # the row before makes it",
        "if self.passes > 1 else self.outs[0]",
        "",
    ),
    "pair before left out of the tree": (
        "hdl.bitweight",
        "addends += [self.addend.sum, self.addend.carry]",
        "addends += [self.addend.sum, self.addend.sum]",
        "result",
    ),
    "carry of a full adder in its own place": (
        "hdl.compress",
        "Cat(Const(0, 1), carry[:-1])",
        "carry",
        "result",
    ),
}
OPT2 = {
    "passes forgotten": (
        "engines.gemm.folds",
        "count=down * across * passes",
        "count=down * across",
        "cycles",
    ),
    "stage before the queue forgotten": (
        "engines.gemm.timing",
        "folds.tail + folds.way",
        "folds.tail + 2 * folds.late",
        "cycles",
    ),
    "every pass waits for the output": (
        "engines.gemm.cycle_loop",
        "(ready or not self.results[self.gone])",
        "ready",
        "cycles",
    ),
    "row of a small fold does not wait for the bank": (
        "engines.gemm.cycle_loop",
        "h if f % passes else PASS_STEPS",
        "PASS_STEPS",
        "cycles",
    ),
    "lowest digit first": (
        "engines.matrix2d.beats",
        "for window in reversed(",
        "for window in list(",
        "result",
    ),
    "window a bit too high": (
        "engines.matrix2d.beats",
        "2 * a >> 2 * d & 7",
        "a >> 2 * d & 7",
        "result",
    ),
    "beat ends a group early": (
        "hdl.gemm",
        "held.eq(left < slices * beats)",
        "held.eq(left < slices * beats + 1)",
        "",
    ),
    "next fold before the last pass": (
        "hdl.gemm",
        "ends &= last_part",
        "ends &= 1",
        "",
    ),
    "sums not moved up": (
        "hdl.passes",
        "Cat(Const(0, DIGIT_BITS), high)",
        "Cat(Const(0, 1), high)",
        "result",
    ),
    "sum of a pass extended by zeros": (
        "hdl.passes",
        "total.eq(low),",
        "total.eq(low.as_unsigned()),",
        "result",
    ),
    "partial sum added in every pass": (
        "hdl.passes",
        "partial = Mux(needs_c,",
        "partial = Mux(accumulate,",
        "result",
    ),
    "fold before not forgotten": (
        "hdl.passes",
        "before.passes.eq(self.row.p.begins)",
        "before.passes.eq(0)",
        "result",
    ),
    "bank read before it is written": (
        "hdl.passes",
        "| ~(row.one | row.two | row.three)",
        "| 1",
        "",
    ),
    "what inverted signs add left in": (
        "hdl.passes",
        "Const(-group >> 1,",
        "Const(-group,",
        "result",
    ),
    "opposite one too small": (
        "hdl.passes",
        "negated_where(wide, 1)",
        "~wide",
        "result",
    ),
    "job over with a row that waits": (
        "hdl.passes",
        "goes & ~held & ~staged)",
        "goes & ~staged)",
        "",
    ),
}
BUGS = {"mac": {**MODEL, **RTL, **MAC}, "opt1": OPT1, "opt2": OPT2}


@pytest.mark.parametrize("array", ARRAYS)
def test_these_cases_find_nothing_in_the_engine_as_it_is(array: str) -> None:
    rows = check(ENGINE, MOST_CASES, SEED, ARRAYS[array], "amaranth")
    assert [] == [row for row in rows if not row.ok]


@pytest.mark.parametrize(("array", "bug"), [(array, bug) for array in BUGS for bug in BUGS[array]])
def test_seeded_bug_is_caught(array: str, bug: str) -> None:
    module, old, new, symptom = BUGS[array][bug]
    engine = engine_with("matrix2d", "Matrix2d", f"archsim.{module}", old, new)
    assert is_caught(engine, ARRAYS[array], MOST_CASES, SEED, symptom)
