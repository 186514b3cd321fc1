"""Committed tables are what their rows say, and the whole measurement runs with a toy library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim import tech
from archsim.engines.adder_tree import study as adder_tree
from archsim.engines.cube import study as cube
from archsim.engines.cube.spec import CubeSpec
from archsim.engines.matrix2d import study as matrix2d
from archsim.engines.systolic import stationary_study as stationary
from archsim.engines.systolic import study as systolic
from archsim.engines.systolic.spec import SystolicSpec
from archsim.hdl.synth_liberty import read_liberty
from archsim.tech.characterise import fit, main, measure, measure_energy, specs_of
from archsim.tech.study import Study
from archsim.tech.table import max_error_percent

HOME = Path(tech.__file__).parent
TINY = Path(__file__).parents[1] / "hdl" / "tiny.lib"
STUDY = systolic.STUDY
STUDIES = (systolic.STUDY, systolic.BF16, stationary.STUDY, stationary.BF16)
TABLES = [
    pytest.param(name, study, id=f"{name}-{study.engine}")
    for name in tech.names()
    for study in STUDIES
]
MORE = (  # of which not every node has one
    *(systolic.OPT1, stationary.OPT1, adder_tree.STUDY, adder_tree.OPT1),
    *(cube.STUDY, cube.OPT1, matrix2d.STUDY, matrix2d.OPT1, matrix2d.OPT2),
)
TABLES += [
    pytest.param(name, study, id=f"{name}-{study.engine}")
    for study in MORE
    for name in tech.names()
    if name == "freepdk45" or tech.load(name).measured(study.engine)
]
MAX_AREA_ERROR_PERCENT = 15.0
MIN_HELD_OUT = 3


def tree_of(name: str, study: Study = STUDY) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load((HOME / name / f"{study.engine}.yaml").read_text())
    return tree


@pytest.mark.parametrize(("name", "study"), TABLES)
def test_area_is_within_15_percent_on_held_out_arrays(name: str, study: Study) -> None:
    tree = tree_of(name, study)
    kept = [row for row in tree["rows"] if not row["fitted"]]
    specs = specs_of(study, kept)
    totals = [sum(row["area_um2"].values()) for row in kept]
    coefficients = tree["fits"]["area_um2"]["coefficients"]
    assert len(kept) >= MIN_HELD_OUT
    largest_fitted = max(s.pes for s in specs_of(study, [r for r in tree["rows"] if r["fitted"]]))
    assert max(s.pes for s in specs) > largest_fitted
    assert not {str(r["spec"]) for r in kept} & {
        str(r["spec"]) for r in tree["rows"] if r["fitted"]
    }
    error = max_error_percent(coefficients, study.terms.area, specs, totals)
    assert error == tree["fits"]["area_um2"]["max_error_percent"]
    assert error <= MAX_AREA_ERROR_PERCENT


@pytest.mark.parametrize(("name", "study"), TABLES)
def test_coefficients_follow_from_the_rows(name: str, study: Study) -> None:
    tree = tree_of(name, study)
    again = fit(study, tree["rows"], tree["energy_rows"])
    for quantity, found in again.items():
        committed = tree["fits"][quantity]
        assert found["max_error_percent"] == pytest.approx(committed["max_error_percent"], abs=0.02)
        for component, terms in found["coefficients"].items():
            assert committed["coefficients"][component] == pytest.approx(terms, rel=1e-3)


@pytest.mark.parametrize(("name", "study"), TABLES)
def test_rows_are_those_that_the_study_asks_for(name: str, study: Study) -> None:
    tree = tree_of(name, study)
    for fitted, specs, powered in (
        (True, study.fitted, study.powered),
        (False, study.held_out, study.powered_held_out),
    ):
        rows = [r for r in tree["rows"] if r["fitted"] is fitted]
        assert specs_of(study, rows) == list(specs)
        simulated = [r for r in tree["energy_rows"] if r["fitted"] is fitted]
        assert list(dict.fromkeys(specs_of(study, simulated))) == list(powered)


@pytest.mark.parametrize(("name", "study"), TABLES)
def test_table_says_how_it_was_made(name: str, study: Study) -> None:
    made = tree_of(name, study)["made"]
    assert made["yosys"].startswith("Yosys 0.")
    assert made["licence"] == tech.load(name).facts.licence
    assert "no wire load" in made["method"]
    assert "clock tree is not in it" in made["energy"]
    assert "normal" in made["energy"]
    assert ("memory left out" in made["energy"]) == bool(study.left_out)


# ------------------------------------------------------------------------- with a toy library


WIDTHS = {"a_bits": 2, "b_bits": 2, "acc_bits": 6}
SMALL = [
    pytest.param(systolic.STUDY, SystolicSpec(rows=2, cols=2, **WIDTHS), id="os"),
    pytest.param(
        stationary.STUDY,
        SystolicSpec(rows=2, cols=2, dataflow="ws", acc_rows=4, **WIDTHS),
        id="ws",
    ),
    pytest.param(cube.OPT1, CubeSpec(rows=2, cols=2, depth=2, pe="opt1", **WIDTHS), id="cube"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("study", "small"), SMALL)
def test_parts_sum_to_the_array(study: Study, small: Any) -> None:
    row = measure(study, small, read_liberty(TINY), fitted=True)
    assert set(row["area_um2"]) == set(study.part_components)
    assert all(um2 > 0 for um2 in row["area_um2"].values())
    assert set(row["delay_ps"]) == set(study.terms.delay)


@pytest.mark.slow
@pytest.mark.parametrize(("study", "small"), SMALL)
def test_netlist_runs_jobs_and_work_costs_energy(study: Study, small: Any) -> None:
    rows = list(measure_energy(study, small, read_liberty(TINY), fitted=True))
    assert [r["counts"]["mac"] > 0 for r in rows] == [True] * len(rows)
    accumulate = next(r for r in rows if r["counts"]["c_beat"])
    assert accumulate["dynamic_pj"]["port"] > 0
    most = max(rows, key=lambda r: float(r["counts"]["mac"]))
    assert most["dynamic_pj"]["pe"] > 0.9 * max(r["dynamic_pj"]["pe"] for r in rows)
    assert all(set(r["dynamic_pj"]) == set(study.group_actions) for r in rows)


@pytest.mark.slow
def test_a_memory_is_left_out() -> None:
    """A larger bank adds a bit of address and nothing that its rows take."""
    library, study = read_liberty(TINY), stationary.STUDY
    small, large = (
        measure(
            study,
            SystolicSpec(rows=2, cols=2, dataflow="ws", acc_rows=n, **WIDTHS),
            library,
            fitted=True,
        )
        for n in (4, 8)
    )
    assert set(small["area_um2"]) == set(study.part_components)
    assert small["area_um2"]["pe"] == large["area_um2"]["pe"]
    for quantity in ("leakage_uw", "clock_pj"):
        assert small[quantity] < large[quantity] < 1.1 * small[quantity]


def test_unknown_folder_ends_with_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--tech", "nowhere", "--liberty", str(TINY), "--licence", "none"]
    assert main(arguments) == 2
    assert (
        "error: --tech: must be a folder with tech.yaml, not 'nowhere'" in capsys.readouterr().err
    )


def test_refit_keeps_rows(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for file in ("tech.yaml", "systolic.yaml"):
        (folder / file).write_text((HOME / "freepdk45" / file).read_text())
    arguments = ["--tech", str(folder), "--liberty", str(TINY), "--licence", "none"]
    arguments += ["--keep", "rows", "energy_rows"]
    assert main(arguments) == 0
    found = yaml.safe_load((folder / "systolic.yaml").read_text())
    assert found["rows"] == tree_of("freepdk45")["rows"]
    assert found["made"]["library"] == "tiny"
