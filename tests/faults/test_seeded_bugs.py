"""Bugs put into timing, reference and RTL on purpose: the conformance suite must notice each."""

from __future__ import annotations

import pytest

from archsim.engines.systolic import ENGINE
from archsim.engines.systolic.spec import SystolicSpec
from archsim.verify import check

from .mutants import systolic_with

SPEC = SystolicSpec(rows=3, cols=2, a_bits=4, b_bits=4, acc_bits=9)
SEED = 7

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
        "np.maximum(jobs.k, np.maximum(rows, cols))",
        "np.maximum(jobs.k, cols)",
        "cycles",
    ),
    "slow output reckoned from a cycle early": ("paced", "top + 2)", "top + 1)", "cycles"),
    "late operand reckoned from the first fold alone": (
        "paced",
        "np.maximum(first, last)",
        "first",
        "cycles",
    ),
    "drain of the last row lost": (
        "timing",
        "jobs.k + last_rows + cols\n",
        "jobs.k + rows + cols\n",
        "cycles",
    ),
    "idle steps counted busy": (
        "timing",
        "dead = cols - last_cols",
        "dead = 0 * cols",
        "counter busy",
    ),
    "a and b stalls exchanged": (
        "cycle_loop",
        'elif feeding and not offered["b"]:\n            stalls["b"] += 1',
        'elif feeding and not offered["b"]:\n            stalls["a"] += 1',
        "counter stall.a",
    ),
    "output queue one place short": ("cycle_loop", "queued < 2", "queued < 1", "cycles"),
    "drain register free a cycle late": (
        "cycle_loop",
        "captures[step] >= left + leave",
        "captures[step] >= left",
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
        "wrap(total, spec.acc_bits)",
        "wrap(total, spec.acc_bits - 1)",
        "result",
    ),
    "c added twice": ("reference", "total = total + np", "total = total + 2 * np", "result"),
    "no c at all": ("reference", "if accumulate:", "if False:", "result"),
    "operands of c in another order": (
        "beats",
        "row // spec.rows",
        "row // spec.rows // 2",
        "result",
    ),
}
RTL = {
    "lost skew cycle": ("rtl", "if steps:", "if steps > 1:", "result"),
    "accumulator one bit narrow": (
        "rtl",
        "accumulator = Signal.like(self.sum, reset_less=True)",
        "accumulator = Signal(signed(len(self.sum) - 1))",
        "result",
    ),
    "sum not restarted": ("rtl", "Mux(self.first, 0, accumulator)", "accumulator", "result"),
    "sign of a lost": ("rtl", "self.a * self.b", "self.a.as_unsigned() * self.b", "result"),
    "stale drain register": ("rtl", "finished.eq(total)", "finished.eq(accumulator)", "result"),
    "beat of a dropped while b is missing": (
        "rtl",
        "self.a.ready.eq(advance & folds.feeding)",
        "self.a.ready.eq(folds.feeding)",
        "beat",
    ),
    "full drain register overwritten": (
        "gemm",
        "self.blocked.eq((self.capture & full & ~leaving).any())",
        "self.blocked.eq(0)",
        "result",
    ),
    "missing bubble": (
        "gemm",
        "pad_left.eq(max(rows, cols) - 1)",
        "pad_left.eq(cols - 1)",
        "cycles",
    ),
    "rows of a ragged fold": ("gemm", "Mux(last_in_m, m_left, rows)", "rows", "beat"),
    "one beat short of k": ("gemm", "beats_left.eq(k - 1)", "beats_left.eq(k - 2)", ""),
    "c added without being asked": (
        "gemm",
        "Mux(accumulate, self.c.p[j], 0)",
        "self.c.p[j]",
        "result",
    ),
    "result offered before c is there": (
        "gemm",
        "self.result.valid.eq(queue.o.valid & (self.c.valid | ~accumulate))",
        "self.result.valid.eq(queue.o.valid)",
        "",
    ),
    "command taken before the last beat is out": (
        "gemm",
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


def _module(name: str) -> str:
    return f"archsim.hdl.{name}" if name in ("gemm", "fifo") else f"{ENGINES}.{name}"


def test_these_cases_find_nothing_in_the_engine_as_it_is() -> None:
    assert [] == [row for row in check(ENGINE, 49, SEED, SPEC, "amaranth") if not row.ok]


@pytest.mark.parametrize("bug", [*TIMING, *REFERENCE, *RTL])
def test_seeded_bug_is_caught(bug: str) -> None:
    module, old, new, symptom = {**TIMING, **REFERENCE, **RTL}[bug]
    engine = systolic_with(_module(module), old, new)
    for cases in (7, 21, 49):  # a case is the same however many there are: most bugs need few
        rows = check(engine, cases, SEED, SPEC, "amaranth")
        if any(symptom in text for row in rows for text in row.disagreements):
            return
    pytest.fail(f"not caught in {cases} cases")
