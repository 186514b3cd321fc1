"""Bugs put into the neural-fields processor, its models and its values: each must be noticed."""

from __future__ import annotations

from typing import Any

import pytest

from archsim.engines.ngpc import ENGINE
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.verify import check

from .mutants import engine_with, is_caught

SEED, MOST = 11, 14
TINY: dict[str, Any] = {
    "engines": 2, "parallel": 2, "table_log2": 6, "features": 1, "feature_bits": 8, "banks": 4,
    "sram_cycles": 1, "fifo_depth": 1, "mlp_width": 4, "mlp_layers": 2, "mlp_stages": 3,
    "act_bits": 8, "outputs": 2,
}  # fmt: skip
SPECS = {
    "": NgpcSpec(**TINY),
    "lock": NgpcSpec(**TINY | {"fifo_depth": 0, "sram_cycles": 2, "bank_map": "fold"}),
    "layered": NgpcSpec(**TINY | {"mlp_mode": "layered", "fifo_depth": 2, "bank_map": "padded"}),
    "parity": NgpcSpec(**TINY | {"bank_map": "parity", "banks": 8, "features": 2}),
}

# module, what stands there, what stands there instead, spec, symptom
TIMING = {
    "queue of one query more": (
        "recurrence", "behind, places = max(self.spec.fifo_depth, 1)",
        "behind, places = self.spec.fifo_depth + 1", "layered", "counter queue",
    ),
    "banks that serve every corner by itself": (
        "service", "alone &= place != places[before]", "alone &= place >= 0", "", "counter reads",
    ),
    "turns of all corners added": (
        "service", "turns = np.maximum(turns, turn * alone)", "turns = turns + turn * alone", "",
        "cycles",
    ),
    "slots that are free a turn early": (
        "recurrence", "slots[now % stages] = now + latency",
        "slots[now % stages] = now + latency - stages", "", "cycles",
    ),
    "offers counted from the query before": (
        "recurrence", "self._offer = first_offer(x, len(takes), now)",
        "self._offer = first_offer(x, len(takes) - 1, now)", "", "",
    ),
    "results that leave as they are made": (
        "recurrence", "out = now + latency + 1\n", "out = now + latency\n", "layered", "cycles",
    ),
    "a join of a group more": (
        "recurrence", "max(self.spec.fifo_depth, 1), self.spec.join_depth\n",
        "max(self.spec.fifo_depth, 1), self.spec.join_depth + 1\n", "parity", "counter",
    ),
    "queries that are not there meet in banks": (
        "service", "turns = np.ones((groups * group, len(table)), np.int64)",
        "turns = np.full((groups * group, len(table)), 2)", "", "counter conflicts",
    ),
    "refused results taken for drain": (
        "timing", '"drain": cycles - end - held,', '"drain": cycles - end,', "", "counter drain",
    ),
    "tables sent by entries": (
        "timing", "level_rows(spec, level, encoding.dims) for level",
        "level.entries for level", "", "beats of table",
    ),
}  # fmt: skip
VALUES = {
    "positions on the grid's points": (
        "addresses", "scale_of(level) * positions + (1 << below - 1)",
        "scale_of(level) * positions", "", "",
    ),
    "features rounded down": (
        "reference", "total + (1 << shift - 1) >> shift", "total >> shift", "", "result",
    ),
    "weights that all cut": (
        "reference", "[weights - share, share]",
        "[weights * (256 - places[:, axis : axis + 1]) >> FRACTION_BITS, share]", "", "result",
    ),
    "hidden layers that may be negative": (
        "reference", "-most - 1 if layer == last else 0", "-most - 1", "", "result",
    ),
    "sums moved as far as the first layer's": (
        "reference", "moved = (sums << 1 >> shift)", "moved = (sums << 1 >> shifts[0])", "",
        "result",
    ),
    "weights by input": (
        "reference", "values @ weights[layer].T", "values @ weights[layer]", "", "result",
    ),
    "banks not folded": (
        "addresses", 'if spec.bank_map == "fold" and bits:', "if False:", "lock", "",
    ),
}  # fmt: skip
RTL = {
    "corners of one entry read it twice": (
        "address_rtl", "same = [slot == slots[before] for before in range(corner)]",
        "same = [Const(0) for before in range(corner)]", "", "",
    ),
    "far corners where near ones are": (
        "address_rtl", "second.eq(first + Mux(moves, step, 0))", "second.eq(first)", "", "result",
    ),
    "entry past the end not moved back": (
        "address_rtl", "Mux(whole >= level.limit, whole - level.limit, whole)", "whole", "",
        "result",
    ),
    "flat grids read above": (
        "address_rtl", "flat = level.flat if axis == AXES - 1 else Const(0)", "flat = Const(0)", "",
        "counter reads",
    ),
    "carry between halves lost": (
        "address_rtl", "(low + (high << half) + (1 << below - 1))",
        "((low | (high << half)) + (1 << below - 1))", "", "",
    ),
    "parities of near vertices alone": (
        "address_rtl", "odd = [parity ^ high for", "odd = [parity for", "parity", "",
    ),
    "last turn forgotten": (
        "level_rtl", "queue.free.eq(~busy | last)", "queue.free.eq(1)", "", "",
    ),
    "sum kept from the query before": (
        "level_rtl", "total.eq(Mux(first, 0, kept) + turn)", "total.eq(kept + turn)", "", "result",
    ),
    "a full queue that takes no lookup as one leaves": (
        "level_rtl", "self.room.eq((level != self._depth) | self.free)",
        "self.room.eq(level != self._depth)", "", "",
    ),
    "an empty queue that is gone through": (
        "level_rtl", "self.serve.eq((level != 0) | self.push)", "self.serve.eq(level != 0)", "",
        "",
    ),
    "corners of the bank that is read now": (
        "level_rtl", '_late(m, f"bank_of_{corner}", now.banks[corner], spec.sram_cycles)',
        '_late(m, f"bank_of_{corner}", now.banks[corner], spec.sram_cycles - 1)', "", "result",
    ),
    "a place of one axis for the next": (
        "level_rtl", "((1, places[1]), (2, held_z))", "((1, places[2]), (2, held_z))", "", "result",
    ),
    "a query that enters where one comes round": (
        "mlp_rtl", "self.vector.ready.eq(self.has_place & ~again)",
        "self.vector.ready.eq(self.has_place)", "", "",
    ),
    "layers with the weights of the first": (
        "mlp_rtl", "array.of.eq(Mux(again, of + 1, 0))", "array.of.eq(Mux(again, of, 0))", "", "",
    ),
    "shift of the layer before": (
        "mlp_rtl", "array.shift.eq(self.shifts.word_select(number, SHIFT_BITS))",
        "array.shift.eq(self.shifts.word_select(0, SHIFT_BITS))", "layered", "result",
    ),
    "results beyond their places": (
        "mlp_rtl", "self.has_place.eq(inside != depth)", "self.has_place.eq(1)", "layered", "",
    ),
    "half added after the move": (
        "mlp_rtl", "((doubled >> self.shift) + 1) >> 1", "(doubled >> self.shift) >> 1", "",
        "result",
    ),
    "level of a query in parallel": (
        "rtl", "self.levels = [_choice(which, [i >> n for n in splits])",
        "self.levels = [_choice(which, [i for n in splits])", "", "",
    ),
    "groups never short": (
        "rtl", "slot >= i if i else 1", "1", "", "",
    ),
    "positions of a group exchanged": (
        "rtl", "Mux(slot == i, self.x.p, held)", "Mux(slot != i, self.x.p, held)", "", "result",
    ),
    "rows of the level before": (
        "rtl", "row + 1 == Array(row_counts)[level]", "row + 1 == row_counts[0]", "", "",
    ),
    "waiting for positions taken for work": (
        "rtl", "with m.Elif(~in_flight & ~self.takes):", "with m.Elif(0):", "", "counter",
    ),
}  # fmt: skip
BUGS = {**TIMING, **VALUES, **RTL}
QUICK = ("turns of all corners added", "features rounded down", "last turn forgotten")


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_these_cases_find_nothing_in_the_engine_as_it_is(name: str) -> None:
    rows = check(ENGINE, MOST, SEED, SPECS[name], "amaranth")
    assert [] == [row.case for row in rows if not row.ok]


@pytest.mark.parametrize(
    "bug", [pytest.param(b, marks=[] if b in QUICK else [pytest.mark.slow]) for b in BUGS]
)
def test_seeded_bug_is_caught(bug: str) -> None:
    module, old, new, spec, symptom = BUGS[bug]
    path = f"archsim.engines.ngpc.{module}"
    engine = engine_with("ngpc", "NeuralFieldsProcessor", path, old, new)
    assert is_caught(engine, SPECS[spec], MOST, SEED, symptom)
