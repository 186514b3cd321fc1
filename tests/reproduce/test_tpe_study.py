"""The synthesis study: conventions, data, what drives PEs, and what its data must show."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.errors import InputError
from archsim.formats.digits import nonzero_digits
from archsim.hdl.synth_recipes import SEARCHED
from archsim.reproduce import tpe_study as study
from archsim.reproduce.tpe_study import composed, data, drive, efficiency, operands
from archsim.reproduce.tpe_study.arrays import arrays
from archsim.reproduce.tpe_study.conventions import best, chosen, fastest, smallest_at
from archsim.reproduce.tpe_study.elements import DESCRIPTIONS, elements
from archsim.reproduce.tpe_study.run import Run

LIBRARIES = pytest.mark.parametrize("library", study.LIBRARIES)

# ------------------------------------------------------------------------------------- conventions


def run(design: str, area_um2: float, delay_ps: float) -> Run:
    parts = {"logic": 0.75 * area_um2, "registers": 0.25 * area_um2}
    return Run(design, "", 32, "r", None, parts, delay_ps, "", {"network": 1.0}, 0.0)


MAC = [run("mac", 100, 1000), run("mac", 140, 800), run("mac", 250, 700)]
OPT1 = [run("opt1", 110, 600), run("opt1", 150, 500)]


def test_the_rules_pick_runs() -> None:
    assert best(MAC) is MAC[0]
    assert fastest(MAC) is MAC[2]
    assert smallest_at(MAC, 1250) is MAC[1]
    assert smallest_at(MAC, 1251) is MAC[2]
    assert smallest_at(MAC, 1500) is None


def test_the_first_convention_runs_designs_at_multiples_of_a_clock() -> None:
    found = chosen({"mac": MAC, "opt1": OPT1, "opt4c": OPT1}, "a", lambda design: design)
    assert found["mac"] == (MAC[0], 1000.0, True)
    assert found["opt1"] == (OPT1[0], 1500.0, True)
    assert found["opt4c"] == (OPT1[1], 2000.0, False)  # 2500 MHz are out of reach


def test_the_clock_is_that_of_the_slowest_baseline() -> None:
    slower = [run("cube/mac", 100, 2000)]
    found = chosen(
        {"systolic/mac": MAC, "cube/mac": slower}, "a", lambda design: design.split("/")[1]
    )
    assert {clock for _, clock, _ in found.values()} == {500.0}


def test_the_second_convention_runs_each_at_its_best() -> None:
    found = chosen({"mac": MAC, "opt1": OPT1}, "b", lambda design: design)
    assert found["opt1"] == (OPT1[0], 1e6 / 600, True)


# --------------------------------------------------------------------------------------- operands


def test_operands_are_int8_of_a_network_and_normal() -> None:
    for name, each in operands.stimuli().items():
        assert each.a.shape == each.b.shape == (64, 2, 128)
        assert np.abs(each.a).max() <= 128
        assert name in operands.DESCRIPTIONS
    network, normal = operands.stimuli().values()
    assert network.a.min() == 0  # after a ReLU
    assert normal.a.std() == pytest.approx(operands.SIGMA, rel=0.02)
    assert nonzero_digits(normal.a, 8, "en_t").mean() == pytest.approx(2.235, rel=0.01)


def test_quantisation_is_by_the_largest_magnitude() -> None:
    values = np.array([-2.0, 0.0, 0.5, 1.0])
    assert operands.quantised(values).tolist() == [-127, 0, 32, 64]


def few(seed: int) -> drive.Operands:
    rng = np.random.default_rng(seed)
    a, b = (np.clip(np.round(rng.normal(0, 40, (1, 2, 32))), -128, 127) for _ in range(2))
    a[0, 0, :8] = 0  # groups of zeros
    return drive.Operands(a.astype(np.int64), b.astype(np.int64))


ELEMENTS = {e.label: e for e in elements() if e.acc_bits == 32 and "inferred" not in e.variant}


QUICK = ("opt1 32 bits", "opt2 mbe 32 bits", "opt3 en_t 32 bits", "opt4c en_t 32 bits")


@pytest.mark.parametrize(
    "label",
    [pytest.param(label, marks=() if label in QUICK else pytest.mark.slow) for label in ELEMENTS],
)
def test_pes_add_up_what_drives_them(label: str) -> None:
    """In Amaranth's simulator, between registers as in the study."""
    from amaranth.hdl import Value
    from amaranth.sim import Simulator

    from archsim.hdl.part_top import PartTop

    element = ELEMENTS[label]
    driven = element.drive(few(1))
    top = PartTop(element.build())
    ports = {
        "__".join(map(str, path)): Value.cast(value)
        for path, _, value in top.signature.flatten(top)
    }
    due = {cycle: total for cycle, _, total in driven.results}
    assert len(due) == len(driven.results)

    async def bench(ctx: Any) -> None:
        for cycle in range(max(due) + 1):
            for name, values in driven.ports.items():
                word = int(values[min(cycle, len(values) - 1), 0])
                ctx.set(ports[name], word)
            if cycle in due:
                found = ctx.get(ports[driven.output])
                half = (1 << driven.bits) - 1
                total = (found & half) + (found >> driven.bits) if driven.pair else found
                assert (total - due[cycle]) % (1 << driven.bits) == 0, (cycle, total)
            await ctx.tick()

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_cycles_are_those_of_digits() -> None:
    each = few(2)
    digits = nonzero_digits(each.a, 8, "en_t").sum()
    cycles = {name: e.drive(each) for name, e in ELEMENTS.items()}
    assert cycles["opt1 32 bits"].busy.sum() == cycles["opt2 mbe 32 bits"].busy.sum() == each.a.size
    for label, lanes in (("opt3 en_t", 1), ("opt4c en_t", 1), ("opt4e en_t", 4)):
        found = cycles[f"{label} 32 bits"]
        assert found.least_cycles == digits / lanes
        assert found.busy.sum() > found.least_cycles  # groups of zeros, lanes that wait
    assert cycles["opt3 en_t 32 bits"].busy.sum() == cycles["opt4c en_t 32 bits"].busy.sum()
    terms = nonzero_digits(each.a, 8, "naf") * nonzero_digits(each.b, 8, "naf")
    assert cycles["laconic naf 32 bits"].least_cycles == terms.sum() / 16
    assert cycles["bitlet twos_complement 32 bits"].least_cycles == (
        nonzero_digits(each.a, 8, "twos_complement").sum() / 8
    )


# ------------------------------------------------------------------------------------------- data


def rows(library: str, acc_bits: int = 32) -> dict[str, list[dict[str, Any]]]:
    """Return the runs of the file as it stands, by design: the tests' own reading of it."""
    text = data.path(library, "pes").read_text("utf-8")
    found: dict[str, list[dict[str, Any]]] = {}
    for line in map(json.loads, text.splitlines()):
        if "run" in line and line["run"]["acc_bits"] == acc_bits:
            found.setdefault(line["run"]["design"], []).append(line["run"])
    return found


def least_delay(runs: list[dict[str, Any]]) -> float:
    return float(min(row["delay_ps"] for row in runs))


def least_product(runs: list[dict[str, Any]]) -> float:
    """Return the smallest area x delay."""
    return float(min(sum(row["parts_um2"].values()) * row["delay_ps"] for row in runs))


@LIBRARIES
def test_data_say_where_they_are_from(library: str) -> None:
    made = study.provenance(library)
    assert made["licence"] in {"Apache-2.0", "BSD-3-Clause"}
    assert made["yosys"].startswith("Yosys 0.")
    assert made["recipes"] == [recipe.label for recipe in SEARCHED]
    assert set(made["operands"]) == {"network", "normal"}


@LIBRARIES
def test_data_have_every_pe_in_every_structure(library: str) -> None:
    lines = data.lines(data.path(library, "pes"))
    labels = [line["element"] for line in lines if "element" in line]
    assert sorted(labels) == sorted(element.label for element in elements())
    assert set(DESCRIPTIONS) == set(rows(library))
    for line in lines:
        if "run" in line:
            run = Run.of_row(line["run"])
            assert run.to_row() == line["run"]
            assert set(run.parts_um2) == {"logic", "registers"}
            assert min(run.parts_um2.values()) > 0
            assert (run.acc_bits == 32) == (set(run.energy_pj) == {"network", "normal"})


@pytest.mark.slow
def test_data_are_of_the_rtl_as_it_is() -> None:
    """Else: python -m archsim.reproduce.tpe_study --again DESIGN ... measures it anew."""
    rtl = {e.label: e.fingerprint() for e in elements() if e.acc_bits == 32}
    for library in study.LIBRARIES:
        for line in data.lines(data.path(library, "pes")):
            if line.get("element") in rtl:
                assert line["verilog"] == rtl[line["element"]], (library, line["element"])


@LIBRARIES
def test_no_run_is_beaten_in_area_and_delay(library: str) -> None:
    by_variant: dict[str, list[tuple[float, float]]] = {}
    for bits in (20, 24, 28, 32):
        for design, runs in rows(library, bits).items():
            for row in runs:
                key = f"{design} {row['variant']} {bits}"
                by_variant.setdefault(key, []).append(
                    (sum(row["parts_um2"].values()), row["delay_ps"])
                )
    for front in by_variant.values():
        for (area, delay), (larger, shorter) in pairwise(sorted(front)):
            assert area < larger
            assert shorter < delay


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl"
    file.write_text('{"made": {}}\n{"run": {"des')
    assert data.lines(file) == [{"made": {}}]


# ---------------------------------------------------------------------------------------- promises


@LIBRARIES
def test_paths_get_shorter_from_mac_to_opt4c(library: str) -> None:
    runs = rows(library)
    delays = [least_delay(runs[design]) for design in ("opt4c", "opt4e", "opt1", "mac")]
    assert delays == sorted(delays)
    assert len(set(delays)) == 4


@LIBRARIES
def test_a_pe_without_carries_has_a_path_1_6_times_shorter(library: str) -> None:
    runs = rows(library)
    ratio = least_delay(runs["mac"]) / least_delay(runs["opt1"])
    assert ratio >= 1.6
    assert study.path_ratio(library) == ratio


@LIBRARIES
def test_wide_sums_cost_carries_and_not_carry_save_sums(library: str) -> None:
    wide, narrow = rows(library, 32), rows(library, 20)
    opt1 = least_delay(wide["opt1"]) / least_delay(narrow["opt1"])
    assert opt1 <= 1.12
    assert study.growth(library, "opt1") == opt1
    mac = least_delay(wide["mac"]) / least_delay(narrow["mac"])
    assert mac > opt1
    assert study.growth(library, "mac") == mac


@LIBRARIES
@pytest.mark.parametrize("design", ["opt1", "opt2"])
def test_carry_save_pes_do_more_an_area_at_their_best_clocks(library: str, design: str) -> None:
    runs = rows(library)
    gain = least_product(runs["mac"]) / least_product(runs[design])
    assert gain > 1
    found = study.gains(library, "b")[design].area_efficiency
    assert found == pytest.approx(gain)


@LIBRARIES
@pytest.mark.parametrize("stimulus", ["network", "normal"])
def test_opt4e_is_ahead_of_our_laconic(library: str, stimulus: str) -> None:
    """At the peak, which favours Laconic: its lanes wait for each other more than OPT4E's."""
    results = {r.design: r for r in study.results(library, "b", stimulus)}
    opt4e, laconic = results["opt4e"], results["laconic"]
    assert opt4e.tops_per_mm2 > laconic.tops_per_mm2
    assert opt4e.tops_per_w > laconic.tops_per_w
    waits = [r.macs_per_cycle_alone / r.macs_per_cycle for r in (opt4e, laconic)]
    assert waits[0] > waits[1]


@LIBRARIES
def test_promises_are_judged_by_the_data(library: str) -> None:
    """Of a MAC, only what its width adds to its path falls short: prefix adders hide it."""
    for promise in study.promises(library):
        grows = promise.name.startswith("mac's shortest path")
        wanted = float(promise.found) >= 1.18 if grows else True
        assert promise.holds is wanted, promise


# ----------------------------------------------------------------------------------------- results


@LIBRARIES
def test_results_are_of_one_run(library: str) -> None:
    for convention in study.CONVENTIONS:
        for result in study.results(library, convention):
            assert result.tops == pytest.approx(
                result.tops_per_mm2 * result.area_um2 * 1e-6, rel=1e-9
            )
            assert result.power_mw == pytest.approx(
                result.pj_per_mac * result.macs_per_cycle * result.clock_mhz * 1e-3
            )
            runs = study.runs_of(library, result.design)
            assert (result.area_um2, result.delay_ps) in {(r.area_um2, r.delay_ps) for r in runs}
            if result.met:
                assert result.delay_ps * result.clock_mhz <= 1e6 * (1 + 1e-9)


@LIBRARIES
def test_slower_clocks_need_less_area(library: str) -> None:
    f_mhz = study.frequency_rule_mhz(library)
    found = study.ladder(library, "opt1", [f_mhz * x for x in (0.5, 1.0, 1.5, 9.0)])
    assert found[-1] is None
    areas = [run.area_um2 for run in found if run]
    assert areas == sorted(areas)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("gf180", "a"), "library: must be one of freepdk45, asap7, not 'gf180'"),
        (("asap7", "c"), "convention: must be one of a, b, not 'c'"),
        (("asap7", "a", "zeros"), "stimulus: must be one of network, normal, not 'zeros'"),
    ],
)
def test_unknown_names_are_refused(arguments: tuple[str, ...], text: str) -> None:
    with pytest.raises(InputError) as refused:
        study.results(*arguments)
    assert str(refused.value) == text


def test_small_arrays_are_of_every_engine_and_pe() -> None:
    found = {array.design: array.spec for array in arrays()}
    assert len(found) == 14
    for design, spec in found.items():
        assert design == f"{spec.kind}/{spec.pe}"


MEASURED = [library for library in study.LIBRARIES if data.path(library, "arrays").exists()]


@pytest.mark.parametrize("library", MEASURED)
def test_small_arrays_stand_under_both_conventions(library: str) -> None:
    for convention in study.CONVENTIONS:
        found = {r.design: r for r in study.results(library, convention, level="arrays")}
        assert {design.split("/")[0] for design in found} >= {"systolic", "cube", "adder_tree"}
        gains = study.gains(library, convention, level="arrays")
        assert gains["cube/opt1"].over == "cube/mac"
        for name, gain in gains.items():
            area = found[name].tops_per_mm2 / found[gain.over].tops_per_mm2
            assert gain.area_efficiency == area
        for result in found.values():
            assert set(result.breakdown_um2) == {"pe", "edges and control"}
    f_mhz = study.frequency_rule_mhz(library, "arrays")
    assert found["systolic/mac"].clock_mhz >= f_mhz
    assert "complete engines" in study.provenance(library, "arrays")["method"]


def test_composed_parts_are_near_a_flat_array() -> None:
    (check,) = (x["check"] for x in data.lines(data.path("freepdk45", "flat")) if "check" in x)
    assert check["design"] == "systolic/mac 8 x 8"
    area, delay = (check["composed"][x] / check["flat"][x] for x in ("area_um2", "delay_ps"))
    assert area == pytest.approx(1, abs=0.05)
    assert delay == pytest.approx(1, abs=0.15)


def test_what_is_not_measured_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(data, "path", lambda node, part: tmp_path / "nothing.jsonl")
    with pytest.raises(InputError) as refused:
        efficiency._lines.__wrapped__("asap7", "arrays")  # past the cache
    assert str(refused.value) == (
        "arrays in asap7: must have been measured; "
        "python -m archsim.reproduce.tpe_study --part arrays --tech asap7"
    )


@LIBRARIES
def test_arrays_are_composed_where_there_are_tables(library: str) -> None:
    lacks = composed.missing(library)
    assert "systolic/mac" not in lacks
    for design in sorted(set(composed.FIELDS) - set(lacks)):
        array = composed.composed(library, design)
        assert 0 < array.logic_um2 <= sum(array.components_um2.values())
        assert array.tops_per_w == 2 / array.pj_per_mac
    for design, gain in composed.gains(library).items():
        assert design not in lacks
        ours, over = (composed.composed(library, name) for name in (design, gain.over))
        clock = ours.clock_mhz / over.clock_mhz
        macs = ours.macs_per_cycle / over.macs_per_cycle
        area = ours.logic_um2 / over.logic_um2
        assert gain.area_efficiency == pytest.approx(clock * macs / area)
    for promise in study.array_promises(library):
        design = promise.name.split()[3]
        assert promise.holds is (composed.gains(library)[design].area_efficiency > 1)
