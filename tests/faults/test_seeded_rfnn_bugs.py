"""Bugs put into the RF control, its models and the mesh behind it: conformance must notice each."""

from __future__ import annotations

import pytest

from archsim.engines.rfnn import ENGINE
from archsim.engines.rfnn.cases import SMALL
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.verify import check

from .mutants import engine_with, is_caught

TINY = {**SMALL, "modes": 2, "circuit": "unitary", "buffer_words": 12, "settle_ps": 2_000}
SPECS = {
    "": RfnnSpec(**TINY, samples_log2=1, phase_bits=3),
    "kept": RfnnSpec(**TINY, profiles=3, phase_bits=2),
    "four": RfnnSpec(**{**TINY, "modes": 4}, switches=True, phase_bits=2),
    "slow": RfnnSpec(**{**TINY, "sample_ps": 3_000, "sclk_div": 2}, samples_log2=2, phase_bits=5),
    "three": RfnnSpec(**{**TINY, "modes": 3, "chains": 4, "result_bits": 9}, phase_bits=3),
}
SEED = 5
MOST_CASES = 28

MODEL = {
    "buffers turned in a cycle": ("timing", "TURN_CYCLES = 2", "TURN_CYCLES = 1", "cycles", ""),
    "words of tiles exchanged": (
        "timing", "-(-outputs // size) * inputs + -(-inputs // size) * outputs",
        "-(-outputs // size) * outputs + -(-inputs // size) * inputs", "cycles", "",
    ),
    "kept phases that come again": (
        "jobs", "(parts.again & ~kept)", "parts.again", "beats of phase", "kept",
    ),
    "offers counted from one": (
        "walk", "np.arange(1, run.times + 1) - 1", "np.arange(1, run.times + 1)", "cycles", "",
    ),
    "offer begun when it is wanted": (
        "walk", "first_offer(self.pace, self._beat, self._since)",
        "first_offer(self.pace, self._beat, cycle)", "", "",
    ),
    "ties of amplitudes down": (
        "reference", "(inputs + ((1 << shift) >> 1)) >> shift", "inputs >> shift", "result", "",
    ),
    "sums over tiles not cut": (
        "reference", "saturated(sums[:, outs] + average, spec.result_bits)",
        "sums[:, outs] + average", "result", "three",
    ),
    "samples all alike": (
        "twin", "(outs + dither(spec, i))", "(outs + dither(spec, 0))", "result", "slow",
    ),
    "stage words in columns": (
        "reference", "viewed.transpose(0, 2, 1, 3).reshape(-1, inputs, lanes)",
        "viewed.reshape(-1, inputs, lanes)", "result", "",
    ),
}  # fmt: skip
RTL = {
    "lowest bit sent first": (
        "phases_rtl", "bit_select(bit, 1)", "bit_select((self._bits - 1 - bit)[: len(bit)], 1)",
        "result", "",
    ),
    "chains exchanged": (
        "phases_rtl", "bank.write.eq(1 << chain)", "bank.write.eq(2 >> chain)", "result", "",
    ),
    "codes latched a device early": (
        "phases_rtl", "with m.If(device == 0):", "with m.If(device == 1):", "", "",
    ),
    "latch never high": ("phases_rtl", "self.le.eq(1)", "self.le.eq(tick == 1)", "result", ""),
    "settling cut short": (
        "phases_rtl", "tick == self._settle - 1", "tick == self._settle - 2", "cycles", "",
    ),
    "rounding carry lost": (
        "phases_rtl", "(self.phase + (1 << dropped - 1))", "(self.phase + 0)", "result", "",
    ),
    "next block as inputs have it": (
        "stages_rtl", "stores.block.eq(entry.out_block)", "stores.block.eq(entry.in_block)",
        "result", "",
    ),
    "vectors beside each other": (
        "stages_rtl", "x.eq(vector + 1)", "x.eq(vector + self.stride)", "result", "",
    ),
    "matrix of just a tile taken for two": (
        "stages_rtl", "inputs_before + spec.modes >= entry.inputs",
        "inputs_before + spec.modes > entry.inputs", "", "",
    ),
    "sampled a cycle early": (
        "stages_rtl", "with m.If(wait == self.analog_cycles):",
        "with m.If(wait + 1 >= self.analog_cycles):", "", "",
    ),
    "sample taken as it begins": (
        "stages_rtl", "self.take.eq(sample == spec.sample_cycles - 1)", "self.take.eq(sample == 0)",
        "", "slow",
    ),
    "sums not cleared": ("readout_rtl", "with m.If(self.clear):", "with m.If(0):", "result", ""),
    "first tile added to what was there": (
        "buffers_rtl", "Mux(adds, behind[lane], 0)", "behind[lane]", "result", "",
    ),
    "old amplitudes at unused ports": (
        "buffers_rtl", "with m.If(self.load & self.opens):", "with m.If(0):", "result", "three",
    ),
    "partial sums taken while results wait": (
        "rtl", "step[\"DRAIN\"] & command.accumulate & self.result.ready",
        "step[\"DRAIN\"] & command.accumulate", "", "",
    ),
    "one setting kept of several": (
        "rtl", "Mux(command.refetch, 0, sequencer.tile)", "0", "result", "kept",
    ),
    "switches not set": ("switches_rtl", "with m.If(self.set):", "with m.If(0):", "result", "four"),
    "drain charged to a stall": (
        "rtl", "& ~self.result.valid\n", "\n", "counter", "",
    ),
}  # fmt: skip


QUICK = ("words of tiles exchanged", "ties of amplitudes down", "lowest bit sent first")


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_these_cases_find_nothing_in_the_engine_as_it_is(name: str) -> None:
    rows = check(ENGINE, MOST_CASES, SEED, SPECS[name], "amaranth")
    assert [] == [row.case for row in rows if not row.ok]


@pytest.mark.parametrize(
    "bug",
    [pytest.param(b, marks=[] if b in QUICK else [pytest.mark.slow]) for b in (*MODEL, *RTL)],
)
def test_seeded_bug_is_caught(bug: str) -> None:
    module, old, new, symptom, spec = {**MODEL, **RTL}[bug]
    path = f"archsim.engines.rfnn.{module}"
    engine = engine_with("rfnn", "RfnnBench", path, old, new, rtl="twin_rtl")
    assert is_caught(engine, SPECS[spec], MOST_CASES, SEED, symptom)
