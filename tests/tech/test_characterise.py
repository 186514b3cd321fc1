"""Committed tables are what their rows say, and the whole measurement runs with a toy library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim import tech
from archsim.engines.systolic import study as systolic
from archsim.engines.systolic.spec import SystolicSpec
from archsim.hdl.synth_liberty import read_liberty
from archsim.tech.characterise import fit, main, measure, measure_energy
from archsim.tech.table import max_error_percent

HOME = Path(tech.__file__).parent
TINY = Path(__file__).parents[1] / "hdl" / "tiny.lib"
STUDY = systolic.STUDY
NODES = [name for name in tech.names() if (HOME / name / "systolic.yaml").is_file()]
MAX_AREA_ERROR_PERCENT = 15.0


def tree_of(name: str) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load((HOME / name / "systolic.yaml").read_text())
    return tree


def test_every_shipped_technology_has_the_array_measured() -> None:
    assert tuple(NODES) == tech.names()


@pytest.mark.parametrize("name", NODES)
def test_area_is_within_15_percent_on_held_out_arrays(name: str) -> None:
    tree = tree_of(name)
    kept = [row for row in tree["rows"] if not row["fitted"]]
    specs = [SystolicSpec(**row["spec"]) for row in kept]
    totals = [sum(row["area_um2"].values()) for row in kept]
    coefficients = tree["fits"]["area_um2"]["coefficients"]
    assert len(kept) >= 8
    largest_fitted = max(SystolicSpec(**r["spec"]).pes for r in tree["rows"] if r["fitted"])
    assert max(s.pes for s in specs) > largest_fitted
    assert not {str(r["spec"]) for r in kept} & {
        str(r["spec"]) for r in tree["rows"] if r["fitted"]
    }
    error = max_error_percent(coefficients, STUDY.area_terms, specs, totals)
    assert error == tree["fits"]["area_um2"]["max_error_percent"]
    assert error <= MAX_AREA_ERROR_PERCENT


@pytest.mark.parametrize("name", NODES)
def test_coefficients_follow_from_the_rows(name: str) -> None:
    tree = tree_of(name)
    again = fit(STUDY, tree["rows"], tree["energy_rows"])
    for quantity, found in again.items():
        committed = tree["fits"][quantity]
        assert found["max_error_percent"] == pytest.approx(committed["max_error_percent"], abs=0.02)
        for component, terms in found["coefficients"].items():
            assert committed["coefficients"][component] == pytest.approx(terms, rel=1e-3)


@pytest.mark.parametrize("name", NODES)
def test_rows_are_those_that_the_study_asks_for(name: str) -> None:
    tree = tree_of(name)
    for fitted, specs, powered in (
        (True, STUDY.fitted, STUDY.powered),
        (False, STUDY.held_out, STUDY.powered_held_out),
    ):
        rows = [SystolicSpec(**r["spec"]) for r in tree["rows"] if r["fitted"] is fitted]
        assert rows == list(specs)
        simulated = [
            SystolicSpec(**r["spec"]) for r in tree["energy_rows"] if r["fitted"] is fitted
        ]
        assert list(dict.fromkeys(simulated)) == list(powered)


@pytest.mark.parametrize("name", NODES)
def test_table_says_how_it_was_made(name: str) -> None:
    made = tree_of(name)["made"]
    assert made["yosys"].startswith("Yosys 0.")
    assert made["licence"] == tech.load(name).facts.licence
    assert "no wire load" in made["method"]
    assert "clock tree is not in it" in made["energy"]
    assert "normal" in made["energy"]


# ------------------------------------------------------------------------- with a toy library


@pytest.fixture(scope="module")
def small() -> SystolicSpec:
    return SystolicSpec(rows=2, cols=2, a_bits=2, b_bits=2, acc_bits=6)


@pytest.mark.slow
def test_parts_sum_to_the_array(small: SystolicSpec) -> None:
    row = measure(STUDY, small, read_liberty(TINY), fitted=True)
    assert set(row["area_um2"]) == {"pe", "result_port", "control", "edges"}
    assert all(um2 > 0 for um2 in row["area_um2"].values())
    assert set(row["delay_ps"]) == {"pe", "control"}


@pytest.mark.slow
def test_netlist_runs_jobs_and_work_costs_energy(small: SystolicSpec) -> None:
    rows = list(measure_energy(STUDY, small, read_liberty(TINY), fitted=True))
    assert [r["counts"]["mac"] > 0 for r in rows] == [True] * len(rows)
    accumulate = next(r for r in rows if r["counts"]["c_beat"])
    assert accumulate["dynamic_pj"]["port"] > 0
    most = max(rows, key=lambda r: float(r["counts"]["mac"]))
    assert most["dynamic_pj"]["pe"] == max(r["dynamic_pj"]["pe"] for r in rows)


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
