"""Bugs put into the vector unit's timing, arithmetic and RTL: conformance must notice each."""

from __future__ import annotations

import pytest

from archsim.engines.vector import ENGINE
from archsim.engines.vector.spec import VectorSpec
from archsim.verify import check

from .mutants import engine_with

pytestmark = pytest.mark.slow  # the systolic array's are in the quick set

SPEC = VectorSpec(lanes=3, lane_bits=12, scale_bits=10)
SEED = 11

TIMING = {
    "a stage too few": ("recurrence", "STAGES = 6", "STAGES = 5", "cycles"),
    "parameters used in the cycle that takes them": (
        "recurrence", "entered + (beat > 0)), loaded + 1)", "entered + (beat > 0)), loaded)", "",
    ),
    "window handed on before its last tap": (
        "recurrence", "to_rounding if first else 0", "0", "cycles",
    ),
    "clamp freed a cycle late": (
        "recurrence",
        "to_clamp = max(to_rounding + 1, left)",
        "to_clamp = max(to_rounding + 1, left + 1)",
        "cycles",
    ),
    "offers of operands a beat early": (
        "timing", "x.latency - (-beat * x.q // x.p)", "x.latency - ((1 - beat) * x.q // x.p)", "",
    ),
    "results that wait counted once only": (
        "timing", "range(STAGES if", "range(1 if", "counter stall.y",
    ),
    "parameters taken for in time": (
        "timing", "np.asarray(sets_in_time & taken_at_once)", "np.asarray(taken_at_once)", "",
    ),
    "ragged beat lost": (
        "timing", "-(-jobs.results // np.asarray(spec.lanes))",
        "jobs.results // np.asarray(spec.lanes)", "",
    ),
}  # fmt: skip
VALUES = {
    "ties to even taken upward": ("formats", 'if rounding == "half_even":', "if False:", "y: "),
    "saturation forgotten": ("formats", "np.clip(kept, -most - 1, most)", "kept", "y: "),
    "zero point inside the scale": (
        "formats", "np.clip(rounded + zero_point, low, high)", "np.clip(rounded, low, high)", "y: ",
    ),
    "sum one bit wide": ("formats", "np.asarray(bias, np.int64), acc_bits)",
                         "np.asarray(bias, np.int64), acc_bits + 1)", "y: "),
    "odd taps of every job": ("reference", "& bool(jobs.alternate[row])", "", "y: "),
    "parameters of the set before": (
        "reference", "parameters[beat // int(jobs.hold[row]), lane]",
        "parameters[np.maximum(beat - 1, 0) // int(jobs.hold[row]), lane]", "y: ",
    ),
    "taps in another order": (
        "beats", ".transpose(0, 2, 1).reshape(-1", ".reshape(-1", "y: ",
    ),
}  # fmt: skip
RTL = {
    "rounding bit lost": ("requantise", "kept[:bits].as_signed() != most), half, 0)",
                          "kept[:bits].as_signed() != most), 0, 0)", "y: "),
    "tie bit taken for the rest": (
        "requantise", "(1 << shift) - 1)[1 :", "(1 << shift))[1 :", "y: ",
    ),
    "product cut": (
        "requantise",
        'product = register(signed(scaling.product_bits), "product")',
        'product = register(signed(scaling.product_bits - 2), "product")',
        "y: ",
    ),
    "window not restarted": (
        "requantise", "window.eq(Mux(self.first, product, kept))", "window.eq(kept)", "y: ",
    ),
    "limits exchanged when out of range": (
        "requantise", "Mux(product[-1], -most - 1, most)", "Mux(product[-1], most, -most - 1)",
        "y: ",
    ),
    "shift of the beat behind": (
        "requantise", "for stage in range(stages - 2):", "for stage in range(stages - 3):", "y: ",
    ),
    "full stage overwritten": ("requantise", "room = ~full[stage] | room", "room = 1", ""),
    "every tap gives a result": (
        "requantise", "m.d.sync += full[3].eq(flags.last)", "pass", "",
    ),
    "job done while results wait": (
        "requantise", "self.o.valid & self.o.ready & ~full[:-1].any()",
        "self.o.valid & ~full[:-1].any()", "before the job's last beat",
    ),
    "operand taken without parameters": (
        "rtl", "self.x.ready.eq(row.i.ready & sequencer.feeding & holding)",
        "self.x.ready.eq(row.i.ready & sequencer.feeding)", "",
    ),
    "a set too many taken": (
        "rtl", "(released & ~sequencer.ends_job)", "released", "parameters takes a beat beyond",
    ),
    "set kept for one beat more": (
        "rtl", "self.ends_set.eq(self.last & (hold_left == 1))",
        "self.ends_set.eq(self.last & (hold_left == 0))", "",
    ),
    "odd tap for even": ("rtl", "self.odd.eq(0)", "self.odd.eq(1)", "y: "),
    "waiting for operands charged to parameters": (
        "rtl", 'charge["busy"].eq(self.step), charge["stall_x"].eq(~self.step)',
        'charge["busy"].eq(self.step), charge["stall_parameters"].eq(~self.step)', "counter stall",
    ),
}  # fmt: skip


def _module(name: str) -> str:
    shared = {"requantise": "archsim.hdl.requantise", "formats": "archsim.formats.requantise"}
    return shared.get(name, f"archsim.engines.vector.{name}")


def test_these_cases_find_nothing_in_the_engine_as_it_is() -> None:
    assert [] == [row for row in check(ENGINE, 98, SEED, SPEC, "amaranth") if not row.ok]


@pytest.mark.parametrize("bug", [*TIMING, *VALUES, *RTL])
def test_seeded_bug_is_caught(bug: str) -> None:
    module, old, new, symptom = {**TIMING, **VALUES, **RTL}[bug]
    engine = engine_with("vector", "VectorUnit", _module(module), old, new)
    for cases in (7, 21, 49, 98):  # a case is the same however many there are: most bugs need few
        rows = check(engine, cases, SEED, SPEC, "amaranth")
        if any(symptom in text for row in rows for text in row.disagreements):
            return
    pytest.fail(f"not caught in {cases} cases")
