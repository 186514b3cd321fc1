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
        lanes=3, banks=2, slots=32, queue=3, hash="high", token="static", atomics="cas_add",
        write_back="scan",
    ),
    "dense": HashSpgemmSpec(lanes=3, banks=2, slots=32, queue=2, slots_per_product=1),
    "lines": HashSpgemmSpec(
        lanes=3, banks=2, slots=32, queue=3, token="row", atomics="cas_add", comparators=4,
        hash="low",
    ),
    "few rows": HashSpgemmSpec(lanes=2, banks=1, slots=64, queue=4, col_bits=28),
}  # fmt: skip

# module, what stands there, what stands there instead, spec, symptom
TIMING = {
    "rows that are not read ahead": (
        "cycle_loop", "not self.closed and ahead < depth", "not self.closed and ahead < 1", "dense",
        "cycles",
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
        "cycle_loop", 'if how == "nonzero" or (how == "row" and not goes_on):', "if True:", "scan",
        "cycles",
    ),
    "tokens of a row to any lane": (
        "cycle_loop", '(how == "row" and not goes_on)', 'how == "row"', "lines", "cycles",
    ),
    "rows read on behind the window": (
        "cycle_loop", "and not self.closed and", "and", "dense", "cycles",
    ),
    "nonzeros of a row asked for before it has come": (
        "cycle_loop", "self.entries = 0 ", "self.entries = sum(self.rows) ", "dense", "cycles",
    ),
    "an addition that takes no comparator": (
        "cycle_loop", "and found == line[-1]", "and not line", "lines", "counter operations",
    ),
    "an addition always by itself": (
        "cycle_loop", "and found == line[-1]", "", "lines", "counter operations",
    ),
    "slots behind the one found count as looked at": (
        "cycle_loop", "min(found + 1, line.stop) - slot", "len(line)", "lines", "counter probes",
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
    "half of a row's products": (
        "beats", "counts | products << HALF", "counts | products // 2 << HALF", "scan", "rows: ",
    ),
    "rows of the window only": (
        "beats", '"rows": len(counts)', '"rows": len(w.counts)', "scan", "cycles",
    ),
    "columns of a range from the first": (
        "beats", '"left": w.left', '"left": 0', "dense", "",
    ),
}  # fmt: skip
RTL = {
    "no forwarding of a slot that is written": (
        "bank_rtl", "held.eq(Mux(passes, passed, memory.read_data))",
        "held.eq(memory.read_data)", "dense", "c: ",
    ),
    "a collision stays in its slot": (
        "bank_rtl", "doing.slot + Mux(collides, last + 1, last)", "doing.slot + last", "dense",
        "hung",
    ),
    "compare without a bit of the column": (
        "bank_rtl", "(slot.tag == doing.tag)", "(slot.tag[1:] == doing.tag[1:])", "scan", "",
    ),
    "a hit that forgets what was there": (
        "bank_rtl", "holds.value.eq(slot.value + ", "holds.value.eq(", "dense", "c: ",
    ),
    "colliding operation writes": (
        "bank_rtl", "(self.busy & found[i])", "self.busy", "dense", "",
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
        "lane_rtl", "places.r_rdy | full | waiting.r_rdy", "places.r_rdy | full", "scan", "",
    ),
    "token taken before the last word is asked for": (
        "lane_rtl", "[self.token.ready.eq(left == 0), self.free.eq(left == 0)]",
        "[self.token.ready.eq(left <= 1), self.free.eq(left <= 1)]", "dense", "",
    ),
    "a token that waits begun too early": (
        "lane_rtl", "tokens.r_en.eq(left == 0)", "tokens.r_en.eq(left <= 1)", "lines", "",
    ),
    "a lane that is free while tokens wait": (
        "lane_rtl", "self.free.eq((left == 0) & ~tokens.r_rdy)", "self.free.eq(left == 0)", "lines",
        "",
    ),
    "a search that begins within a line": (
        "lane_rtl", "Cat(Const(0, line), slot[line:])", "slot", "lines", "",
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
        "fetch_rtl", "aim.lane.eq(Mux(aim.lane == spec.lanes - 1, 0, aim.lane + 1))",
        "aim.lane.eq(Mux(aim.lane == spec.lanes - 2, 0, aim.lane + 1))", "scan", "",
    ),
    "every token its row's first": (
        "fetch_rtl", "aim.first.eq(0)", "aim.first.eq(1)", "lines", "cycles",
    ),
    "rows asked for behind the window": (
        "fetch_rtl", "self.asks[number].eq(~ends & (room != 0))",
        "self.asks[number].eq((left != 0) & (room != 0))", "dense", "cycles",
    ),
    "window done while rows are on their way": (
        "fetch_rtl", "return ends & (room == self._spec.queue)", "return ends", "few rows", "",
    ),
    "a small row behind the window's end": (
        "distributor_rtl", "self.comes & ~self.closed & (", "self.comes & (", "scan", "",
    ),
    "a row that no longer fits": (
        "distributor_rtl", "before + products <= cap", "before <= cap", "scan", "rows: ",
    ),
    "an empty row beside one that is alone": (
        "distributor_rtl", "cap + 1, self.word", "cap, self.word", "scan", "rows: ",
    ),
    "more rows than tags tell": (
        "distributor_rtl", " & ~self.rows[-1]", "", "few rows", "hung",
    ),
    "sub-tables as small as their products": (
        "distributor_rtl", ".eq(bit + loose)", ".eq(bit)", "few rows", "counter",
    ),
    "sub-tables that overlap": (
        "distributor_rtl", "Cat(before << loose)", "Cat(before)", "few rows", "counter",
    ),
    "every slot of a line that fits taken": (
        "bank_rtl", "goes_by = goes_by & ~ends", "goes_by = goes_by & Const(1)", "lines", "",
    ),
    "additions that wait for no other operation": (
        "bank_rtl", "if i == last and not fused", "if not fused", "lines", "c: ",
    ),
    "walk of a line's first slots": (
        "bank_rtl", "Cat(which[: line_bits(self._spec)], line)",
        "Cat(Const(0, line_bits(self._spec)), line)", "lines", "",
    ),
    "count before the entries": (
        "rtl", "Cat(written, self.fetch.rows)", "Cat(~written, self.fetch.rows)", "dense",
        "entries: ",
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
