"""archsim rtl and synth from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archsim import verify
from archsim.engines import discover
from tests.cli.conftest import Archsim

SMALL = ("--set", "spec.rows=2", "--set", "spec.cols=2")
TINY = {"rows": 2, "cols": 1, "a_bits": 2, "b_bits": 2, "acc_bits": 4}
DESIGN = f"engines:\n  array: {json.dumps({'kind': 'systolic', **TINY})}\n  vpu: {{kind: vector}}\n"


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(DESIGN)
    return path


# ---------------------------------------------------------------------------------------- build


def test_build_lists_the_files_that_it_wrote(
    archsim: Archsim, design: Path, tmp_path: Path
) -> None:
    outcome = archsim("rtl", "build", design, "-o", tmp_path / "rtl", "--top", "stream")
    assert outcome.status == 0, outcome.err
    files = outcome.out.split()
    assert str(tmp_path / "rtl" / "mine_array_stream.v") in files
    assert all(Path(file).is_file() for file in files)


def test_build_prints_the_manifest_as_json(archsim: Archsim, design: Path, tmp_path: Path) -> None:
    made = archsim(
        "rtl", "build", design, "-o", tmp_path / "rtl", "--set", "engines.array.rows=3", "--json"
    ).json
    assert made["spec"]["rows"] == 3
    manifest = json.loads((tmp_path / "rtl" / "manifest.json").read_text())
    assert {k: made[k] for k in manifest} == manifest
    assert made["files"] == manifest["files"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--top", "soc"), "error: --top: must be one of engine, stream, axi, not 'soc'\n"),
        (
            ("--engine", "arry"),
            "error: --engine: must be one of array, vpu (did you mean 'array'?), not 'arry'\n",
        ),
        (
            ("--set", "engines.array.rows"),
            "error: --set: must be PATH=VALUE, not 'engines.array.rows'\n",
        ),
        (("--set", "=1"), "error: --set: must be PATH=VALUE, not '=1'\n"),
    ],
)
def test_build_refuses(
    options: tuple[str, ...], message: str, archsim: Archsim, design: Path, tmp_path: Path
) -> None:
    assert archsim.refused("rtl", "build", design, "-o", tmp_path / "rtl", *options) == message
    assert not (tmp_path / "rtl").exists()


def test_build_needs_a_folder(archsim: Archsim, design: Path) -> None:
    assert "--output" in archsim.refused("rtl", "build", design)


# ---------------------------------------------------------------------------------------- check


def test_check_agrees_and_says_so(archsim: Archsim) -> None:
    command = ("rtl", "check", "systolic", "--cases", "4", "--seed", "5", *SMALL)
    outcome = archsim(*command, "--simulator", "amaranth")
    assert outcome.status == 0
    assert outcome.out.startswith("systolic: 4 cases agree in values and cycles (1 spec, ")
    assert outcome.out.endswith(" RTL cycles, amaranth, seed 5)\n")
    rows = archsim(*command, "--simulator", "amaranth", "--json").json["rows"]
    wanted = {"case", "seed", "spec", "env", "values_equal", "model_cycles", "rtl_cycles",
              "simulator"}  # fmt: skip
    assert all(wanted <= row.keys() for row in rows)
    assert all(row["model_cycles"] == row["rtl_cycles"] for row in rows)


def test_check_runs_one_case_alone(archsim: Archsim) -> None:
    command = ("rtl", "check", "systolic", "--cases", "4", "--seed", "5", *SMALL,
               "--simulator", "amaranth", "--json")  # fmt: skip
    rows = archsim(*command).json["rows"]
    alone = archsim(*command, "--case", rows[2]["case"]).json["rows"]
    assert [row["case"] for row in alone] == [rows[2]["case"]]
    assert alone[0]["rtl_cycles"] == rows[2]["rtl_cycles"]


VERDICT = (
    "systolic: 1 of 1 cases disagree in values or cycles (1 spec, 10 RTL cycles, amaranth, seed 0)"
)


def test_check_fails_on_a_disagreement(archsim: Archsim, monkeypatch: pytest.MonkeyPatch) -> None:
    row = verify.Row(
        case="c1", seed=0, spec={}, env=[], values_equal=True, model_cycles=9, rtl_cycles=10,
        simulator="amaranth", disagreements=("job 0: cycles: RTL 10, model 9",),
        command="archsim rtl check systolic --case c1",
    )  # fmt: skip
    monkeypatch.setattr(verify, "check", lambda *args: [row])
    outcome = archsim("rtl", "check", "systolic")
    assert outcome.status == 1
    assert outcome.out.splitlines() == [
        "c1: archsim rtl check systolic --case c1",
        "  job 0: cycles: RTL 10, model 9",
        VERDICT,
    ]
    assert archsim("rtl", "check", "systolic", "--json").status == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "sistolic",
            (
                f"engine: must be one of {', '.join(sorted([*discover(), 'system']))} "
                "(did you mean 'systolic'?), not "
            ),
        ),
        ("systolic --simulator vcs", "--simulator: must be one of verilator, amaranth, not 'vcs'"),
        ("systolic --set rows=2", "--set: must be spec.FIELD=VALUE for an engine, not 'rows'"),
        ("systolic --set spec.rows=0", "--set: spec.rows: input should be greater than or equal"),
        ("systolic --set spec.rws=1", "--set: spec.rws: is not a known key; "),
        ("systolic --cases 3 --case x", "--case: must name one of the 3 cases of seed 0, not 'x'"),
    ],
)
def test_check_refuses(arguments: str, message: str, archsim: Archsim) -> None:
    assert archsim.refused("rtl", "check", *arguments.split()).startswith(f"error: {message}")


# ---------------------------------------------------------------------------------------- synth


def synth(archsim: Archsim, *arguments: object) -> Any:
    outcome = archsim("synth", *arguments, "--json")
    assert outcome.status == 0, outcome.err
    return outcome.json


def test_synth_takes_an_engine_or_a_design(archsim: Archsim, design: Path) -> None:
    settings = [text for name, value in TINY.items() for text in ("--set", f"spec.{name}={value}")]
    engine = synth(archsim, "systolic", *settings, "--target", "ecp5")
    assert engine["target"] == "ecp5"
    assert engine["cells"]["TRELLIS_FF"] > 10
    same = synth(archsim, design, "--target", "ecp5")
    assert (same["cells"], same["spec"]) == (engine["cells"], engine["spec"])
    larger = synth(archsim, design, "--target", "ecp5", "--set", "engines.array.rows=4")
    assert larger["cells"]["TRELLIS_FF"] > engine["cells"]["TRELLIS_FF"]


def test_synth_prints_figures_cells_and_notes(archsim: Archsim, design: Path) -> None:
    text = archsim("synth", design).out
    assert text.splitlines()[0].split() == ["figure", "generic"]
    assert "\ngate equivalents " in text
    assert "\n$_DFF_P_ " in text
    assert "\nnotes\n  hierarchy kept: " in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("systolic", "--target", "asic"), "target: must be one of generic, liberty, ecp5, "),
        (("systolic", "--target", "liberty"), "target liberty: a cell library goes with target "),
        (("systolic", "--pnr"), "pnr: place and route is for ecp5 and ice40, not 'generic'"),
        (("nowhere",), "design: must be a YAML file or one of "),
    ],
)
def test_synth_refuses(arguments: tuple[str, ...], message: str, archsim: Archsim) -> None:
    assert archsim.refused("synth", *arguments).startswith(f"error: {message}")


# ---------------------------------------------------------------------------------------- system


def test_build_writes_a_system(archsim: Archsim, tmp_path: Path) -> None:
    path = tmp_path / "board.yaml"
    array = {"kind": "systolic", "rows": 2, "cols": 2, "clock_mhz": 100}
    path.write_text(f"engines:\n  array: {json.dumps(array)}\n  vpu: {{kind: vector}}\n")
    options = ("--top", "axi", "--json", "--set", "memories.buffer.capacity_bytes=16384")
    made = archsim("rtl", "build", path, "-o", tmp_path / "rtl", *options).json
    assert made["module"] == "board_array_axi"
    assert list(made["benches"]) == ["test_engine", "test_axi"]
    assert made["modelled_only"]["engines.vpu"] == (
        "simulated: the system has one array, and no vector engine"
    )
    assert (tmp_path / "rtl" / "layers.json").is_file()


def test_build_refuses_a_system_that_it_cannot_make(
    archsim: Archsim, design: Path, tmp_path: Path
) -> None:
    refusal = archsim.refused("rtl", "build", design, "-o", tmp_path / "rtl", "--top", "axi")
    assert refusal.startswith(
        "error: design 'mine': must have an engine that a system can feed; array: a_bits must be 8"
    )
    assert not (tmp_path / "rtl").exists()


@pytest.mark.slow
def test_check_of_the_system_compares_with_event(archsim: Archsim) -> None:
    options = ("system", "--cases", 1, "--simulator", "amaranth")
    (row,) = archsim("rtl", "check", *options, "--json").json["rows"]
    assert row["case"] == "gemm"
    assert row["values_equal"]
    assert row["rtl_cycles"] == row["walked_cycles"]
    assert 0 <= row["rtl_cycles"] - row["event_cycles"] <= row["bound_cycles"]
    printed = archsim("rtl", "check", *options).out
    head, line, verdict = printed.splitlines()
    assert head.split() == ["case", "event", "RTL", "more", "bound", "transfers", "jobs"]
    more = row["rtl_cycles"] - row["event_cycles"]
    assert line.split()[:4] == ["gemm", str(row["event_cycles"]), str(row["rtl_cycles"]), str(more)]
    assert verdict == (
        "system: 1 case agrees in values, and with event within their bounds (amaranth, seed 0)"
    )
    assert archsim.refused("rtl", "check", "system", "--set", "spec.rows=2") == (
        "error: --set: is for the specs of engines; a system's cases have designs\n"
    )
