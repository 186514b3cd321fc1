"""Bugs put into timing, reference and RTL on purpose: the conformance suite must notice each."""

from __future__ import annotations

import pytest

from archsim.engines.systolic import ENGINE
from archsim.engines.systolic.spec import SystolicSpec
from archsim.verify import check

from .mutants import is_caught, systolic_with

SPEC = SystolicSpec(rows=3, cols=2, a_bits=4, b_bits=4, acc_bits=9)
ARRAYS = {
    "os": SPEC,
    "os opt1": SPEC.model_copy(update={"pe": "opt1"}),
    "ws": SPEC.model_copy(update={"dataflow": "ws", "acc_rows": 4}),
    "ws opt1": SPEC.model_copy(update={"dataflow": "ws", "acc_rows": 4, "pe": "opt1"}),
    "is": SPEC.model_copy(update={"dataflow": "is", "acc_rows": 4}),
    "wide ws": SPEC.model_copy(update={"rows": 2, "cols": 9, "dataflow": "ws", "acc_rows": 2}),
}
SEED = 7
MOST_CASES = 42

ENGINES = "archsim.engines.systolic"
TIMING = {
    "one fold too many for exact multiples": (
        "folds",
        "down, across = -(-jobs.m // rows),",
        "down, across = jobs.m // rows + 1,",
        "cycles",
    ),
    "bubbles for the rows forgotten": (
        "folds",
        "np.maximum(rows, cols + wait) if skewed",
        "np.maximum(1, cols + wait) if skewed",
        "cycles",
    ),
    "slow output reckoned from a cycle early": ("paced", "top + 2 +", "top + 1 +", "cycles"),
    "late operand reckoned from the first fold alone": (
        "paced",
        "np.maximum(first, last)",
        "first",
        "cycles",
    ),
    "drain of the last row lost": (
        "engines.gemm.timing",
        "folds.beats + folds.last_rows + folds.tail",
        "folds.beats + folds.rows + folds.tail",
        "cycles",
    ),
    "idle steps counted busy": (
        "engines.gemm.timing",
        "dead = folds.cols - folds.last_cols",
        "dead = 0 * folds.cols",
        "counter busy",
    ),
    "a and b stalls exchanged": (
        "cycle_loop",
        'elif feeding and not offered["b"]:\n            stalls["b"] += 1',
        'elif feeding and not offered["b"]:\n            stalls["a"] += 1',
        "counter stall.a",
    ),
    "output queue one place short": (
        "cycle_loop",
        "room=self.waiting < 2",
        "room=self.waiting < 1",
        "cycles",
    ),
    "drain register free a cycle late": (
        "cycle_loop",
        "left + (leave and not late)",
        "left",
        "cycles",
    ),
    "offer of c a beat early": (
        "recurrence",
        "earliest_offer(self.c, self.result)",
        "earliest_offer(self.c, self.result - 1)",
        "cycles",
    ),
    "ragged rows taken for full ones": (
        "recurrence",
        "m // rows * self.folds_n",
        "-(-m // rows) * self.folds_n",
        "cycles",
    ),
}
REFERENCE = {
    "sum one bit narrow": (
        "reference",
        "wrap(a @ b + c, spec.acc_bits)",
        "wrap(a @ b + c, spec.acc_bits - 1)",
        "result",
    ),
    "c added twice": ("reference", "wrap(a @ b + c,", "wrap(a @ b + 2 * c,", "result"),
    "no c at all": ("reference", "if accumulate else", "if False else", "result"),
    "operands of c in another order": (
        "slices",
        "row // together",
        "row // together // 2",
        "result",
    ),
}
RTL = {
    "lost skew cycle": ("gemm", "if not steps:", "if steps < 2:", "result"),
    "accumulator one bit narrow": (
        "rtl",
        "accumulator = Signal.like(self.sum, reset_less=True)",
        "accumulator = Signal(signed(len(self.sum) - 1))",
        "result",
    ),
    "sum not restarted": ("rtl", "Mux(self.first, 0, accumulator)", "accumulator", "result"),
    "sign of a lost": (
        "rtl",
        "sum_so_far, self.a, self.b",
        "sum_so_far, self.a.as_unsigned(), self.b",
        "result",
    ),
    "stale drain register": ("rtl", "finished.eq(total)", "finished.eq(accumulator)", "result"),
    "beat of a dropped while b is missing": (
        "hdl.folded",
        "array.a.ready.eq(advance & folds.feeding)",
        "array.a.ready.eq(folds.feeding)",
        "beat",
    ),
    "full drain register overwritten": (
        "row_drain",
        "self.blocked.eq((meets if self._late else meets & ~leaving).any())",
        "self.blocked.eq(0)",
        "result",
    ),
    "missing bubble": (
        "gemm",
        "pad_left.eq(least - 1)",
        "pad_left.eq(cols - 1)",
        "cycles",
    ),
    "rows of a ragged fold": ("gemm", "Mux(last_in_m, m_left, rows)", "rows", "beat"),
    "one beat short of k": (
        "gemm",
        "beats_left.eq(k_less_one)",
        "beats_left.eq(k_less_one - 1)",
        "",
    ),
    "c added without being asked": (
        "hdl.result_port",
        "Mux(accumulate, self.c.p[j], 0)",
        "self.c.p[j]",
        "result",
    ),
    "result offered before c is there": (
        "hdl.result_port",
        "self.result.valid.eq(queue.o.valid & (self.c.valid | ~accumulate))",
        "self.result.valid.eq(queue.o.valid)",
        "",
    ),
    "command taken before the last beat is out": (
        "hdl.result_port",
        "self.emptied.eq((queue.level == 1) & queue.o.ready)",
        "self.emptied.eq(queue.level == 1)",
        "before the job's last beat",
    ),
    "queue overruns": ("fifo", "self.i.ready.eq(self.level != 2)", "self.i.ready.eq(1)", ""),
    "waiting beat changes": (
        "fifo",
        "with m.If(push & ((self.level == 0) | pop)):",
        "with m.If(push):",
        "",
    ),
    "stall charged to the wrong port": (
        "gemm",
        'charge["stall_a"].eq(self.has_b)',
        'charge["stall_a"].eq(~self.has_b)',
        "counter stall",
    ),
}


OPT1 = {
    "pair not restarted": ("rtl", "Mux(self.first, 0, accumulator)", "accumulator", "result"),
    "pair kept as wide as a number": (
        "hdl.mac",
        "unsigned(2 * bits)",
        "unsigned(2 * bits - 1)",
        "result",
    ),
    "carries dropped when resolved": (
        "hdl.bitweight",
        "lower.y.eq(pair.carry[:low])",
        "lower.y.eq(0)",
        "result",
    ),
    "partial sum not resolved": (
        "hdl.result_port",
        "(pair.sum, pair.carry, partial.as_unsigned())",
        "(pair.sum, pair.carry, partial.as_unsigned() & 0)",
        "result",
    ),
    "step at once, operands late": (
        "hdl.folded",
        'held(self.advance, "advance")',
        "self.advance",
        "result",
    ),
    "row leaves before it is complete": (
        "row_drain",
        "some.eq(later | (waiting > 1)",
        "some.eq(complete | later | (waiting > 1)",
        "",
    ),
    "captured over a sum that waits": (
        "row_drain",
        "(meets if self._late else meets & ~leaving)",
        "(meets & ~meets if self._late else meets & ~leaving)",
        "",
    ),
    "sum taken for its own carry": (
        "hdl.bitweight",
        "addends += [self.addend.sum, self.addend.carry]",
        "addends += [self.addend.sum, self.addend.sum]",
        "result",
    ),
}


STATIONARY_TIMING = {
    "chunks of a full bank only": (
        "engines.gemm.stationary",
        "chunks, across, deep = -(-jobs.m // bank),",
        "chunks, across, deep = jobs.m // bank + 1,",
        "cycles",
    ),
    "tile in before it is loaded": (
        "engines.gemm.stationary",
        "(self.deep - 1) * np.maximum(chunk_rows, self.first_depth)",
        "(self.deep - 1) * chunk_rows",
        "cycles",
    ),
    "ragged tile loaded whole": (
        "engines.gemm.stationary",
        "periods + np.maximum(chunk_rows, self.last_depth)",
        "periods + np.maximum(chunk_rows, self.rows)",
        "cycles",
    ),
    "last window waits for a tile": (
        "engines.gemm.stationary",
        "np.maximum(self.last_rows, self.first_depth) - self.last_rows",
        "0 * self.last_rows",
        "cycles",
    ),
    "first tile loaded in no time": (
        "engines.gemm.stationary",
        "self.first_depth + windows - unfollowed - 1",
        "windows - unfollowed",
        "cycles",
    ),
    "work of the fold before forgotten": (
        "engines.gemm.stationary",
        "np.maximum(folds.span(folds.last_depth, width), older)",
        "folds.span(folds.last_depth, width)",
        "counter busy",
    ),
    "tiles once a job, not once a chunk": (
        "engines.gemm.stationary",
        '"b": folds.chunks * folds.across * jobs.k',
        '"b": folds.across * jobs.k',
        "beats of",
    ),
    "room in the queue a row late": (
        "engines.gemm.stationary_recurrence",
        "free[:height] = gone[:height] + 1",
        "free[:height] = gone[1 : height + 1] + 1",
        "cycles",
    ),
    "late partial sums charged to the result": (
        "engines.gemm.stationary_recurrence",
        "np.minimum(summed[:-2], free)",
        "start",
        "counter stall.c",
    ),
    "missing tile charged to the rows": (
        "engines.gemm.stationary_loop",
        'stalls["b"] += 1',
        'stalls["a"] += 1',
        "counter stall",
    ),
    "rows land a step early": (
        "engines.gemm.stationary_loop",
        "range(len(feeds) + landing, len(feeds) + landing + height)",
        "range(len(feeds) + landing - 1, len(feeds) + landing - 1 + height)",
        "cycles",
    ),
}
STATIONARY_VALUES = {
    "tile top first": (
        "slices",
        "np.concatenate([tile[::-1] for tile in tiles])",
        "np.concatenate([tile for tile in tiles])",
        "result",
    ),
}
STATIONARY_RTL = {
    "stale accumulators": (
        "hdl.accumulator_bank",
        "Mux(self.landing.first, 0, held[j])",
        "held[j]",
        "result",
    ),
    "sum read while it is written": (
        "hdl.accumulator_bank",
        "rows.write & (row_coming == row)",
        "0",
        "result",
    ),
    "row of the bank not restarted": (
        "hdl.accumulator_bank",
        "Mux(self.coming.top, 0, row + 1)",
        "row + 1",
        "result",
    ),
    "last fold along k kept in the bank": (
        "hdl.stationary",
        "self.last.eq(last_in_k)",
        "self.last.eq(last_in_k & ~first)",
        "",
    ),
    "chunk of one row more": (
        "hdl.stationary",
        "last_in_m.eq(m_left <= self._bank)",
        "last_in_m.eq(m_left < self._bank)",
        "",
    ),
    "window ends before its tile is in": (
        "hdl.stationary",
        "~feed_left[1:].any() & ~load_left[1:].any()",
        "~feed_left[1:].any()",
        "",
    ),
    "ragged depth after a ragged depth": (
        "hdl.stationary",
        "load_left.eq(depth(Mux(last_in_k, k, k_left - self._rows)))",
        "load_left.eq(depth(k_left))",
        "",
    ),
    "tile shifted into rows that still wait for theirs": (
        "stationary_rtl",
        "(windows.loading & ~windows.begins).replicate",
        "windows.loading.replicate",
        "result",
    ),
    "swap without skew": (
        "stationary_rtl",
        "swap.eq(Cat(windows.begins, swaps))",
        "swap.eq(windows.begins.replicate(spec.rows))",
        "result",
    ),
    "row fed without its register": (
        "stationary_rtl",
        "delayed(m, advance, fed, i + 1,",
        "delayed(m, advance, fed, i,",
        "result",
    ),
    "columns not brought level": (
        "stationary_rtl",
        'spec.cols - 1 - j, f"level_{j}"',
        'spec.cols - 1, f"level_{j}"',
        "result",
    ),
    "row lands although the queue is full": (
        "hdl.stationary",
        "blocked.eq(goes_out & ~port.row.ready)",
        "blocked.eq(0)",
        "",
    ),
    "row goes out while a beat is missing": (
        "hdl.stationary",
        "port.row.valid.eq(goes_out & operands)",
        "port.row.valid.eq(goes_out)",
        "",
    ),
    "work of older rows forgotten": (
        "hdl.stationary",
        "Mux(older > newest, older, newest)",
        "Mux(self.feeding, newest, older)",
        "counter busy",
    ),
}
STATIONARY_OPT1 = {
    "moving pair out of place": (
        "hdl.mac",
        "Value.cast(cell.addend).eq(addend)",
        "Value.cast(cell.addend).eq(addend >> 1)",
        "result",
    ),
    "pair from the bank halved": (
        "hdl.mac",
        "halves = (x[:width], x[width:], y[:width], y[width:])",
        "halves = (x[:width], x[:width], y[:width], y[width:])",
        "result",
    ),
    "half of a pair brought level": (
        "stationary_rtl",
        "sums.word_select(j, sum_bits)",
        "sums.word_select(j, sum_bits // 2)",
        "result",
    ),
    "row that lands again read from the bank": (
        "hdl.accumulator_bank",
        "lands_again.eq(self.landing.valid & (row == row_coming))",
        "lands_again.eq(0)",
        "result",
    ),
    "row written since it was read": (
        "hdl.accumulator_bank",
        "comes_again.eq(self.landing.valid & (row == row_ahead))",
        "comes_again.eq(0)",
        "result",
    ),
    "charge counted twice": (
        "hdl.accounts",
        "[(counter, 1) for counter in kept]",
        "[(counter, 2) for counter in kept]",
        "counter",
    ),
}


TRANSPOSED = {
    "is timed as ws": (
        "timing",
        "return GemmJobs(jobs.n, jobs.m, jobs.k, jobs.accumulate)",
        "return GemmJobs(jobs.m, jobs.n, jobs.k, jobs.accumulate)",
        "cycles",
    ),
    "result of is not turned back": (
        "beats",
        'result.T if spec.dataflow == "is" else result',
        "result.reshape(int(jobs.m[row]), -1)",
        "result",
    ),
    "ports of is not exchanged": (
        "timing",
        "{names.get(name, name): value for",
        "{name: value for",
        "",
    ),
    "extents of is not exchanged": (
        "stationary_rtl",
        'self.across = "n" if spec.dataflow == "ws" else "m"',
        'self.across = "n"',
        "",
    ),
    "stalls of is not exchanged": (
        "hdl.stationary",
        "shape, stationary, streamed, ahead=",
        "shape, streamed, stationary, ahead=",
        "counter stall",
    ),
}
OUTLIVED = {
    "work of the wider folds before forgotten": (
        "engines.gemm.stationary",
        "several = (folds.across > 1) & (width < folds.cols)",
        "several = False & (folds.across > 1)",
        "counter busy",
    ),
}
BUGS = {
    "os": {**TIMING, **REFERENCE, **RTL},
    "os opt1": OPT1,
    "ws": {**STATIONARY_TIMING, **STATIONARY_VALUES, **STATIONARY_RTL},
    "ws opt1": STATIONARY_OPT1,
    "is": TRANSPOSED,
    "wide ws": OUTLIVED,
}


SHARED = ("folds", "paced", "cycle_loop", "recurrence", "slices")


def _module(name: str) -> str:
    if name in ("gemm", "row_drain", "fifo"):
        return f"archsim.hdl.{name}"
    if name in SHARED:
        return f"archsim.engines.gemm.{name}"
    return f"archsim.{name}" if "." in name else f"{ENGINES}.{name}"


@pytest.mark.parametrize("array", ARRAYS)
def test_these_cases_find_nothing_in_the_engine_as_it_is(array: str) -> None:
    rows = check(ENGINE, MOST_CASES, SEED, ARRAYS[array], "amaranth")
    assert [] == [row for row in rows if not row.ok]


@pytest.mark.parametrize(("array", "bug"), [(array, bug) for array in BUGS for bug in BUGS[array]])
def test_seeded_bug_is_caught(array: str, bug: str) -> None:
    module, old, new, symptom = BUGS[array][bug]
    engine = systolic_with(_module(module), old, new)
    assert is_caught(engine, ARRAYS[array], MOST_CASES, SEED, symptom)
