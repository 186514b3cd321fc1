"""Bugs put into arrays of columns on purpose: the conformance suite must notice each."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.engines import Case, Rate
from archsim.engines.bitslice import ENGINE
from archsim.engines.bitslice.columns_cases import operands
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.verify import run_cases

from .mutants import engine_with

ARRAYS = {
    "opt4c": BitsliceSpec(
        pe="opt4c", rows=1, cols=2, depth=8, group=2, a_bits=4, b_bits=3, acc_bits=9
    ),
    "opt4e": BitsliceSpec(
        pe="opt4e", rows=1, cols=2, depth=16, group=2, encoding="mbe", a_bits=4, b_bits=3,
        acc_bits=9, sync="pass",
    ),
    "opt3": BitsliceSpec(
        pe="opt3", rows=1, cols=2, depth=8, group=4, encoded="b", a_bits=3, b_bits=3, acc_bits=8
    ),
}  # fmt: skip
SEED = 7


def directed(spec: BitsliceSpec) -> list[Case]:
    """Return few cases that reach what bugs hide in: chunks, small rings, full queues, one row."""
    depth, slow = spec.depth, Rate(p=1, q=40)
    late = {"b": Rate(3, 1, 3), "a": Rate(9, 1, 2)}
    told = (
        ("chunks", 3, 2, 2 * depth + 3, False, {}),
        ("refused", 3, 2, 2, True, {"result": slow}),
        ("late", 4, 1, depth + spec.group, False, late),
        ("one row", 1, 3, 1, False, {"result": Rate(latency=60)}),
        ("short", 5, 2, depth // 2 - 1, False, {}),
        ("small rings", 4, 2, spec.group, False, {}),
    )
    cases = []
    for (name, tall, wide, k, accumulate, env), rng in zip(
        told, np.random.default_rng(SEED).spawn(len(told)), strict=True
    ):
        m, n = (tall, wide) if spec.encoded == "a" else (wide, tall)
        extents = (np.array([x]) for x in (m, n, k))
        jobs = BitsliceJobs(
            *extents, np.array([accumulate]), np.full((1, spec.passes), np.nan),
            refs=({"a": "a", "b": "b", "c": "c"},),
        )  # fmt: skip
        cases.append(Case(name, spec, jobs, (env,), operands(rng, spec, m, n, k)))
    return cases


MODEL = {
    "a group of zeros is free": (
        "engines.bitslice.chunks",
        "np.maximum(digits, 1)",
        "np.maximum(digits, 0)",
        "",
    ),
    "groups lie in banks one after the other": (
        "engines.bitslice.chunks",
        "slots, chunk.ring, *digits.shape[3:]).sum(axis=2)",
        "chunk.ring, slots, *digits.shape[3:]).sum(axis=3)",
        "",
    ),
    "rings never shrink": (
        "engines.bitslice.chunks",
        "min(max(wanted, spec.slack), spec.banks)",
        "spec.banks",
        "cycles",
    ),
    "columns pass each other": (
        "engines.bitslice.column_passes",
        "if len(before) >= slack:",
        "if len(before) < 0:",
        "",
    ),
    "sums leave a cycle early": (
        "engines.bitslice.column_schedule",
        "TURN_CYCLES = 4",
        "TURN_CYCLES = 3",
        "cycles",
    ),
    "turns wait for nothing": (
        "engines.bitslice.column_schedule",
        "np.maximum(passed.complete, left + 1)",
        "np.maximum(passed.complete, left - 99)",
        "",
    ),
    "result lanes without an end": (
        "engines.bitslice.column_schedule",
        "room = self.out[-2] + 1 if len(self.out) > 1 else 0",
        "room = 0",
        "",
    ),
    "digits before they are there": (
        "engines.bitslice.column_ideal",
        "np.maximum(loaded + LOAD_CYCLES, latest)",
        "np.maximum(loaded + LOAD_CYCLES - 1, latest)",
        "cycles",
    ),
    "stalls of both operands swapped": (
        "engines.bitslice.column_schedule",
        "[min(b, y)]",
        "[y]",
        "counter stall",
    ),
    "waiting lanes forgotten": (
        "engines.bitslice.column_ideal",
        'waits["sync_wait"] += its.sync_wait',
        'waits["sync_wait"] += 0',
        "counter sync_wait",
    ),
    "sum one bit narrow": (
        "engines.gemm.reference",
        "wrap(total, spec.acc_bits)",
        "wrap(total, spec.acc_bits - 1)",
        "result",
    ),
}
RTL = {
    "zero digit looked for again": (
        "hdl.digit_lane",
        "m.d.sync += [left.eq(left & (left - 1)), worked_on.eq(1)]",
        "m.d.sync += [left.eq(left & (left - 2)), worked_on.eq(1)]",
        "",
    ),
    "column enters an occupied bank": (
        "hdl.digit_lane",
        "self.issues.eq(begun & (ahead != shape.slack))",
        "self.issues.eq(begun)",
        "",
    ),
    "elements beyond the end taken": (
        "hdl.digit_lane",
        "Mux(real[i], pick(windows, weight), 0)",
        "pick(windows, weight)",
        "",
    ),
    "fuller banks cut short": (
        "hdl.digit_lane",
        "((bank > last_bank) & (last_slot != 0))",
        "(last_slot != 0)",
        "",
    ),
    "pass of the wrong weight": (
        "hdl.digit_lane",
        "m.d.sync += weight.eq(weight + 1)",
        "m.d.sync += weight.eq(weight)",
        "",
    ),
    "sum not restarted": (
        "hdl.digit_column",
        "adds & (begins | turns)",
        "adds & begins",
        "result",
    ),
    "snapshot overwritten": (
        "hdl.digit_column",
        "turn.eq(self.ended.all() & ~self.turned & ~waiting)",
        "turn.eq(self.ended.all() & ~self.turned)",
        "",
    ),
    "one lane ends a pass for all": (
        "hdl.digit_column",
        "turn.eq(self.ended.all()",
        "turn.eq(self.ended.any()",
        "",
    ),
    "early finisher not gated": (
        "hdl.digit_column",
        "Mux(lane.issues, Value.cast(lane.digit), 0)",
        "Value.cast(lane.digit)",
        "result",
    ),
    "c begun anew by each chunk": (
        "hdl.digit_column",
        "self.leaving.opens.eq(chunk.opens & (weight == 0))",
        "self.leaving.opens.eq(weight == 0)",
        "result",
    ),
    "negation a one short": (
        "hdl.digit_elements",
        "[digit.negative for digit in digits]",
        "[Const(0, 1) for digit in digits]",
        "result",
    ),
    "row of C read before it is written": (
        "hdl.pass_lanes",
        "moves & ~again",
        "moves",
        "",
    ),
    "sums shifted as by bits": (
        "hdl.pass_lanes",
        "choice.eq(totals[i] << 2 * place_)",
        "choice.eq(totals[i] << place_)",
        "result",
    ),
    "copies for small rings left out": (
        "engines.bitslice.rtl",
        "((loader.group ^ j) & loader.ring == 0)",
        "(loader.group[: len(loader.ring)] == j)",
        "",
    ),
    "barrier passed by the first column": (
        "engines.bitslice.rtl",
        "barrier.eq(Cat(column.turned for column in columns).all())",
        "barrier.eq(columns[0].turned)",
        "",
    ),
    "half freed too early": (
        "hdl.chunk_loader",
        "self.wants.eq(self.loading & (self.held != 2))",
        "self.wants.eq(self.loading)",
        "",
    ),
    "digits counted twice": (
        "engines.bitslice.rtl",
        "counter.eq(counter + count)",
        "counter.eq(counter + count + (count > 1))",
        "counter",
    ),
}
OPT3 = {
    "digit not crossed off": (
        "hdl.digit_elements",
        "m.d.sync += left.eq(left & ~chosen)",
        "m.d.sync += left.eq(left)",
        "result",
    ),
    "highest digit first": (
        "hdl.digit_elements",
        "chosen.eq(nonzero & ~(nonzero - 1))",
        "chosen.eq(nonzero)",
        "result",
    ),
}
OPT4E = {
    "lanes joined too early": RTL["one lane ends a pass for all"],
    "early finisher not gated": RTL["early finisher not gated"],
    "barrier passed by the first column": RTL["barrier passed by the first column"],
    "columns pass each other": MODEL["columns pass each other"],
    "copies for small rings left out": RTL["copies for small rings left out"],
}
SINGLE = {  # what only one of the arrays can show
    "one lane ends a pass for all",
    "early finisher not gated",
    "row of C read before it is written",
}
BUGS = {
    "opt4c": {**MODEL, **{name: bug for name, bug in RTL.items() if name not in SINGLE}},
    "opt4e": OPT4E,
    "opt3": OPT3,
}


@pytest.mark.parametrize("array", ARRAYS)
def test_these_cases_find_nothing_in_the_engine_as_it_is(array: str) -> None:
    rows = run_cases(ENGINE, directed(ARRAYS[array]), SEED, "amaranth")
    assert [] == [row for row in rows if not row.ok]


@pytest.mark.slow
@pytest.mark.parametrize(("array", "bug"), [(array, bug) for array in BUGS for bug in BUGS[array]])
def test_seeded_bug_is_caught(array: str, bug: str) -> None:
    module, old, new, symptom = BUGS[array][bug]
    engine = engine_with("bitslice", "ColumnArray", f"archsim.{module}", old, new)
    rows = run_cases(engine, directed(ARRAYS[array]), SEED, "amaranth")
    assert any(symptom in text for row in rows for text in row.disagreements)
