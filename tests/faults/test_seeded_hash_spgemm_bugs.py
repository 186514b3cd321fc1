"""Bugs put into the hash SpGEMM engine's timing, values and RTL: conformance must notice each."""

from __future__ import annotations

from typing import Any

import pytest

from archsim.engines.hash_spgemm import ENGINE
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.verify import check

from .mutants import engine_with, is_caught

SEED, MOST = 3, 14
SPECS = {
    "scan": HashSpgemmSpec(
        lanes=3, banks=2, slots=32, queue=3, hash="high", tokens="static", atomics="cas_add",
        write_back="scan",
    ),
    "dense": HashSpgemmSpec(lanes=3, banks=2, slots=32, queue=2, slots_per_product=1),
}  # fmt: skip

# module, what stands there, what stands there instead, spec, symptom
TIMING = {
    "rows that are not read ahead": (
        "cycle_loop", "self.rows_asked - self.rows_joined < depth",
        "self.rows_asked - self.rows_joined < 1", "dense", "cycles",
    ),
    "arbiter that begins with lane 0 each time": (
        "cycle_loop", "            self.last_reader = reader", "            pass", "dense",
        "counter",
    ),
    "banks that serve the lowest lane": (
        "cycle_loop", "            self.last_in_bank[bank] = number", "            pass", "scan",
        "counter",
    ),
    "a queue a word deeper": (
        "cycle_loop", "depth = self.spec.queue", "depth = self.spec.queue + 1", "dense", "cycles",
    ),
    "what came back last goes again first": (
        "cycle_loop", ".again.append(outcome[1])", ".again.appendleft(outcome[1])", "dense", "",
    ),
    "tokens by row to any lane": (
        "cycle_loop", 'if self.spec.tokens == "dynamic":', "if True:", "scan", "cycles",
    ),
    "banks walked without a step between": (
        "cycle_loop", "[False] * (bank > 0)", "[]", "dense", "cycles",
    ),
    "words outside the columns multiplied": (
        "cycle_loop", "        lane.product = lane.asked.popleft()",
        "        lane.product = lane.asked.popleft() or (0, 0)", "dense", "counter products",
    ),
    "response in the cycle after a request of latency two": (
        "memory_side", "max(memory.latency, 1)", "min(memory.latency, 1)", "dense", "cycles",
    ),
    "one read more in flight": (
        "memory_side", "len(self._due) < self.memory.outstanding",
        "len(self._due) <= self.memory.outstanding", "dense", "cycles",
    ),
}  # fmt: skip
VALUES = {
    "sums that do not wrap": (
        "reference", "values << unused >> unused", "values", "dense", "c: ",
    ),
    "values added, not multiplied": (
        "reference", "w.a_val[source] * w.b_val[entry]", "w.a_val[source] + w.b_val[entry]",
        "dense", "c: ",
    ),
    "row without its lowest bit": (
        "beats", "tag >> spec.col_bits", "tag >> spec.col_bits + 1", "scan", "c: ",
    ),
    "sub-tables half as large": (
        "beats", "_log2(w.size) << SIZE_AT", "_log2(w.size) // 2 << SIZE_AT", "scan", "counter",
    ),
    "columns of a range from the first": (
        "beats", '"left": w.left', '"left": 0', "dense", "",
    ),
}  # fmt: skip
RTL = {
    "no forwarding of a slot that is written": (
        "bank_rtl", "held.eq(Mux(passes, passed, table.read_data))", "held.eq(table.read_data)",
        "dense", "c: ",
    ),
    "a collision stays in its slot": (
        "bank_rtl", "doing.slot + self.collides", "doing.slot", "dense", "hung",
    ),
    "compare without a bit of the column": (
        "bank_rtl", "same = held.tag == doing.tag", "same = held.tag[1:] == doing.tag[1:]", "scan",
        "",
    ),
    "a hit that forgets what was there": (
        "bank_rtl", "new.value.eq(held.value + ", "new.value.eq(", "dense", "c: ",
    ),
    "colliding operation writes": (
        "bank_rtl", "(self.busy & ~self.collides)", "self.busy", "dense", "",
    ),
    "dense array keeps its length": (
        "bank_rtl", "m.d.sync += self.taken.eq(0)", "pass", "dense", "",
    ),
    "slots not emptied": (
        "write_back_rtl", "self.clear.eq((here & advance) << bank)", "self.clear.eq(0)", "scan", "",
    ),
    "a refused write is skipped": (
        "write_back_rtl", "advance.eq(~self.valid | self.taken)", "advance.eq(1)", "dense", "",
    ),
    "done while a bank works": (
        "rtl", "done = idle & ~Cat(bank.busy for bank in self.banks).any()", "done = idle", "scan",
        "",
    ),
    "window done while products wait": (
        "lane_rtl", "left.any() | places.r_rdy | full | waiting.r_rdy",
        "left.any() | places.r_rdy | full", "scan", "",
    ),
    "token taken before the last word is asked for": (
        "lane_rtl", "self.token.ready.eq(left == 0)", "self.token.ready.eq(left <= 1)", "dense", "",
    ),
    "read without room for its word": (
        "lane_rtl", "self.asks.eq((left != 0) & places.w_rdy)", "self.asks.eq(left != 0)", "dense",
        "",
    ),
    "a column too many": (
        "lane_rtl", "column < self.width", "column <= self.width", "dense", "",
    ),
    "rows joined before their nonzeros are gone": (
        "fetch_rtl", "rows.r_en.eq((left == 0) & rows.r_rdy)",
        "rows.r_en.eq((left <= 1) & rows.r_rdy)", "scan", "",
    ),
    "lanes in turn from lane 1": (
        "fetch_rtl", "lane.eq(Mux(lane == spec.lanes - 1, 0, lane + 1))",
        "lane.eq(Mux(lane == spec.lanes - 2, 0, lane + 1))", "scan", "",
    ),
    "count before the entries": (
        "rtl", "waiting.data.eq(written),", "waiting.data.eq(written + 1),", "dense", "entries: ",
    ),
    "arbiters keep their turn from job to job": (
        "round_robin", "with m.If(self.restart):", "with m.If(0):", "dense", "",
    ),
}  # fmt: skip
BUGS = {**TIMING, **VALUES, **RTL}


def _module(name: str) -> str:
    shared = {
        "memory_side": "archsim.engines.memory_side",
        "round_robin": "archsim.hdl.round_robin",
    }
    return shared.get(name, f"archsim.engines.hash_spgemm.{name}")


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_these_cases_find_nothing_in_the_engine_as_it_is(spec: Any) -> None:
    assert [] == [row for row in check(ENGINE, MOST, SEED, spec, "amaranth") if not row.ok]


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_seeded_bug_is_caught(bug: str) -> None:
    module, old, new, spec, symptom = BUGS[bug]
    engine = engine_with("hash_spgemm", "HashSpgemm", _module(module), old, new)
    assert is_caught(engine, SPECS[spec], MOST, SEED, symptom)
