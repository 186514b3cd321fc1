"""Bugs put into the lockstep bit-slice arrays on purpose: the conformance suite notices each."""

from __future__ import annotations

import dataclasses
import importlib
import sys

import pytest

from archsim.engines import Engine, Rtl
from archsim.engines.bitslice import ENGINE
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.verify import check

from .mutants import REPLACED, Mutation, in_place, is_caught

ARRAYS = {
    "laconic": BitsliceSpec(
        pe="laconic", encoding="naf", rows=2, cols=3, group=2, a_bits=4, b_bits=4, acc_bits=9
    ),
    "bitlet": BitsliceSpec(
        pe="bitlet", encoding="sign_magnitude", rows=2, cols=2, group=3, a_bits=4, b_bits=4,
        acc_bits=9, encoded="b",
    ),
}  # fmt: skip
SEED = 7
MOST_CASES = 42

MODEL = {
    "rows before forgotten": (
        "engines.bitslice.lockstep_timing",
        "np.maximum(work[1:], stages + rows[:-1]).sum()",
        "work[1:].sum()",
        "cycles",
    ),
    "rows of the fold itself awaited": (
        "engines.bitslice.lockstep_timing",
        "stages + rows[:-1]",
        "stages + rows[1:]",
        "cycles",
    ),
    "a stage too few": (
        "engines.bitslice.lockstep_timing",
        '{"laconic": 3, "bitlet": 2}',
        '{"laconic": 2, "bitlet": 2}',
        "cycles",
    ),
    "first beat not filled in": (
        "engines.bitslice.lockstep_timing",
        "FILL_CYCLES = 2",
        "FILL_CYCLES = 1",
        "counter fill",
    ),
    "rows of PEs do not wait for each other": (
        "engines.bitslice.lockstep_digits",
        "np.maximum.reduceat(values, starts, axis=0)",
        "values[starts]",
        "cycles",
    ),
    "lists of terms added, not paired": (
        "engines.bitslice.lockstep_digits",
        "x[:, None, :, s] * y[None, :, :, s]",
        "x[:, None, :, s] + y[None, :, :, s]",
        "cycles",
    ),
    "a beat of zeros takes two cycles": (
        "engines.bitslice.lockstep_digits",
        "found = np.ones(",
        "found = 2 * np.ones(",
        "cycles",
    ),
    "next fold ends while rows wait": (
        "engines.bitslice.lockstep_recurrence",
        "end = max(worked, drain.free)",
        "end = worked",
        "cycles",
    ),
    "a missing beat charged to a": (
        "engines.bitslice.lockstep_loop",
        'lacks = "a" if offered["b"] else "b"',
        'lacks = "a"',
        "counter stall",
    ),
    "sums on their way do not hold a fold up": (
        "engines.bitslice.lockstep_loop",
        "(any(coming) or waiting > leave)",
        "(waiting > leave)",
        "cycles",
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
    "drain registers overwritten": (
        "engines.bitslice.lockstep_rtl",
        "last & (coming.any() | drain.blocked)",
        "last & coming.any()",
        "",
    ),
    "a fold waits after its end": (
        "engines.bitslice.lockstep_rtl",
        "waits.eq(holds & ends & last &",
        "waits.eq(holds & last &",
        "",
    ),
    "next beat a cycle late": (
        "engines.bitslice.lockstep_rtl",
        "folds.feeding & (~holds | done) &",
        "folds.feeding & ~holds &",
        "cycles",
    ),
    "beat of b taken without a": (
        "engines.bitslice.lockstep_rtl",
        "self.b.ready.eq(step.load)",
        "self.b.ready.eq(folds.feeding & (~holds | done))",
        "beat",
    ),
    "sum begins with every beat": (
        "engines.bitslice.lockstep_rtl",
        "step.run & first & ~begun",
        "step.run & ~begun",
        "result",
    ),
    "sum begins with every step": (
        "engines.bitslice.lockstep_rtl",
        "step.run & first & ~begun",
        "step.run & first",
        "result",
    ),
    "command ends with sums on their way": (
        "engines.bitslice.lockstep_rtl",
        "~holds & ~coming.any() & drain.empty & port.emptied",
        "drain.empty & port.emptied",
        "",
    ),
    "rows of the next fold drained": (
        "engines.bitslice.lockstep_rtl",
        "drain.fold_rows.eq(fold_rows)",
        "drain.fold_rows.eq(folds.fold_rows)",
        "",
    ),
    "gaps between folds": ("engines.bitslice.lockstep_rtl", "gaps=False", "gaps=True", "cycles"),
    "a beat counted as one slice": (
        "engines.bitslice.lockstep_rtl",
        "slices=spec.group",
        "slices=1",
        "",
    ),
}
LACONIC = {
    "outer term kept after its round": (
        "engines.bitslice.lockstep_rtl",
        "cell.step.eq(step.run & round_ends) for cell in of_slice",
        "cell.step.eq(0) for cell in of_slice",
        "",
    ),
    "a slice without terms is worked on": (
        "engines.bitslice.lockstep_rtl",
        "| ~some | ~others_some",
        "",
        "",
    ),
    "early finishers begin again": (
        "hdl.digit_terms",
        "self.term.live.eq(self.run & left.any())",
        "self.term.live.eq(self.run)",
        "result",
    ),
    "sign of the second term lost": (
        "hdl.term_pairs",
        "negative.eq(x.negative ^ y.negative)",
        "negative.eq(x.negative)",
        "result",
    ),
    "negative products counted as none": (
        "hdl.term_pairs",
        "minus[i].append(~(hits[i] & negative))",
        "minus[i].append(Const(1, 1))",
        "result",
    ),
    "counts side by side a place too near": (
        "hdl.term_pairs",
        "step = len(counts[0])",
        "step = len(counts[0]) - 1",
        "",
    ),
}
BITLET = {
    "pick of the next beat's operand": (
        "engines.bitslice.lockstep_rtl",
        "m.d.comb += Cat(*row[j].operands).eq(picked_from)",
        "m.d.comb += Cat(*row[j].operands).eq(taken)",
        "result",
    ),
    "other operand's lanes slice by slice": (
        "engines.bitslice.lockstep_rtl",
        "port[i + s * lanes]",
        "port[i * self.spec.group + s]",
        "result",
    ),
    "minus without its one": (
        "hdl.interleave",
        "pair = compressed(m, [*addends, ones])",
        "pair = compressed(m, addends)",
        "result",
    ),
    "significance of a weight below": (
        "hdl.interleave",
        "Cat(Const(0, weight), row[:-1], ~row[-1])",
        "Cat(Const(0, max(weight - 1, 0)), row[:-1], ~row[-1])",
        "result",
    ),
    "ends before all columns are empty": (
        "hdl.interleave",
        "self.more.eq(more.any())",
        "self.more.eq(more[0])",
        "",
    ),
}
BUGS = {"laconic": {**MODEL, **RTL, **LACONIC}, "bitlet": BITLET}
QUICK = {"rows before forgotten", "next beat a cycle late", "minus without its one"}
CASES = [
    pytest.param(array, bug, marks=[] if bug in QUICK else [pytest.mark.slow])
    for array, bugs in BUGS.items()
    for bug in bugs
]


def lockstep_with(module: str, old: str, new: str) -> Engine:
    """Return the engine with a fault in a module of it, or in what it uses."""
    package = "archsim.engines.bitslice"
    with in_place(Mutation(module, old, new), (*REPLACED, package)):
        engine: Engine = importlib.import_module(package).ENGINE
        array = importlib.import_module(f"{package}.lockstep_rtl").Lockstep
        assert module in sys.modules, f"the engine does not use {module}"
    assert isinstance(engine.rtl, Rtl)
    return dataclasses.replace(engine, rtl=dataclasses.replace(engine.rtl, build=array))


@pytest.mark.slow
@pytest.mark.parametrize("array", ARRAYS)
def test_these_cases_find_nothing_in_the_engine_as_it_is(array: str) -> None:
    rows = check(ENGINE, MOST_CASES, SEED, ARRAYS[array], "amaranth")
    assert [] == [row for row in rows if not row.ok]


@pytest.mark.parametrize(("array", "bug"), CASES)
def test_seeded_bug_is_caught(array: str, bug: str) -> None:
    module, old, new, symptom = BUGS[array][bug]
    engine = lockstep_with(f"archsim.{module}", old, new)
    assert is_caught(engine, ARRAYS[array], MOST_CASES, SEED, symptom)
