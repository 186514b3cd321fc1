"""archsim simulate, sweep and report from the command line."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from archsim.design import shipped
from tests.cli.conftest import Archsim

SWEEP = """\
name: small
question: How large an array?
design: tpu_like
workloads: [shapes.csv]
axes: {engines.mxu.rows: [8, 16], engines.mxu.cols: [8, 16]}
objectives: {time_us: min, area_mm2: min}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "shapes.csv"
    path.write_text("name,M,N,K\nfc1,64,300,200\nfc2,64,100,300\n")
    return path


# ---------------------------------------------------------------------------------------- simulate


def test_json_has_the_promised_parts(archsim: Archsim, model: Path) -> None:
    result = archsim("simulate", "tpu_like", model, "--json").json
    assert list(result["metrics"]) == [
        "cycles", "time_us", "energy_pj", "area_mm2", "power_mw", "macs", "utilisation",
        "dram_bytes", "latency_us", "throughput_per_s", "energy_per_item_pj", "tied_percent",
        "fidelity", "edp",
    ]  # fmt: skip
    assert result["metrics"]["macs"] == 64 * 300 * 200 + 64 * 100 * 300
    assert [row["name"] for row in result["per_op"]] == ["fc1", "fc2"]
    assert {row["name"] for row in result["per_resource"]} >= {"mxu", "dram"}
    assert result["assumptions"]
    assert result["provenance"]["archsim"]


def test_text_shows_metrics_ops_and_assumptions(archsim: Archsim, model: Path) -> None:
    plain = archsim("simulate", "tpu_like", model).out
    assert plain.startswith("shapes on tpu_like, analytic\n")
    assert not re.search(r"[ \t]\n", plain)
    for heading in ("Cycles", "Ops by time", "Resources", "Assumptions"):
        assert f"\n{heading}" in plain
    explained = archsim("simulate", "tpu_like", model, "--explain").out
    for heading in ("What bounds the ops", "Where energy and area go", "Provenance"):
        assert f"\n{heading}" in explained
        assert heading not in plain


@pytest.mark.parametrize(
    ("dtype", "settings"),
    [
        ("int4", {"a_bits": 4, "b_bits": 4}),
        ("int8", {}),
        ("int16", {"a_bits": 16, "b_bits": 16}),
        ("bf16", {"numbers": "bf16"}),
    ],
)
def test_a_float_model_takes_the_numbers_of_the_array(
    archsim: Archsim, model: Path, dtype: str, settings: dict[str, object]
) -> None:
    changes = [a for k, v in settings.items() for a in ("--set", f"engines.mxu.{k}={v}")]
    result = archsim("simulate", "tpu_like", model, *changes, "--json").json
    (note,) = result["provenance"]["trace_notes"]
    assert note.startswith(f"float weights and activations become {dtype}")


def test_another_design_stands_beside_by_area_and_energy(archsim: Archsim, model: str) -> None:
    command = ("simulate", "tpu_like", model, "--beside", "a100", "--beside", "cube_like")
    a100, cube = archsim(*command, "--json").json["beside"]
    assert (a100["name"], a100["process"], a100["energy_is_bound"]) == ("a100", "N7", True)
    assert a100["metrics"]["area_mm2"] == 826
    low, high = a100["runs_per_s_mm2"]["ratio"]
    assert low < high
    for yielded in ("runs_per_s_mm2", "runs_per_joule"):
        assert cube[yielded]["moved"] == [cube[yielded]["made"]] * 2
    plain = archsim(*command).out
    assert "Beside tpu_like (in FreePDK45 (predictive 45 nm): " in plain
    assert "- Moved from TSMC N7 to FreePDK45 (predictive 45 nm), a100 (modelled) does " in plain
    assert "- In FreePDK45 (predictive 45 nm), cube_like (modelled) does " in plain


def test_what_stands_beside_must_be_a_design(archsim: Archsim, model: str) -> None:
    done = archsim("simulate", "tpu_like", model, "--beside", "a101")
    assert done.status == 2
    assert "design: must be a YAML file or one of " in done.err


def test_a_format_that_the_array_lacks_is_refused(archsim: Archsim, model: Path) -> None:
    settings = ["--set", "engines.mxu.numbers=bf16"]
    done = archsim("simulate", "tpu_like", f"{model}@dtype=int8", *settings)
    assert done.status == 1
    assert "fc1 (gemm): mxu: computes on bf16, not int8" in done.err


def test_set_changes_the_design(archsim: Archsim, model: Path) -> None:
    def cycles(*settings: str) -> int:
        metrics = archsim("simulate", "tpu_like", model, "--json", *settings).json["metrics"]
        return int(metrics["cycles"])

    small = ("--set", "engines.mxu.rows=4", "--set", "engines.mxu.cols=4")
    assert cycles(*small) > cycles()


def test_output_folder_has_tables_and_with_event_a_timeline(
    archsim: Archsim, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    event = ("simulate", "tpu_like", model, "--fidelity", "event", "--json")
    printed = archsim(*event, "-o", folder).json
    assert json.loads((folder / "result.json").read_text()) == printed
    with (folder / "per_op.csv").open() as table:
        assert [row["name"] for row in csv.DictReader(table)] == ["fc1", "fc2"]
    assert (folder / "per_resource.csv").is_file()
    assert json.loads((folder / "timeline.json").read_text())["traceEvents"]

    archsim("simulate", "tpu_like", model, "-o", tmp_path / "analytic")
    assert not (tmp_path / "analytic" / "timeline.json").exists()


def test_a_recorded_mapping_gives_the_same_result(
    archsim: Archsim, model: Path, tmp_path: Path
) -> None:
    found = archsim("simulate", "tpu_like", model, "--json").json
    file = tmp_path / "mappings.json"
    file.write_text(json.dumps(found["mappings"]))
    given = archsim("simulate", "tpu_like", model, "--mapping", file, "--json").json
    assert given["metrics"] == found["metrics"]

    by_hand = {"fc1": {"m": 32, "n": 32, "k": 50, "order": "nmk", "resident": "a"}}
    file.write_text(json.dumps(by_hand))
    worse = archsim("simulate", "tpu_like", model, "--mapping", file, "--json").json
    assert {**by_hand["fc1"], "groups": 1} == worse["mappings"]["fc1"]
    assert worse["metrics"]["cycles"] >= found["metrics"]["cycles"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- fc1\n", "{file}: must map op names to mappings, not ['fc1']"),
        ("fc1: 3\n", "{file}:1: fc1: must have fields m, n, k or slices, not 3"),
        ("fc1: {m: 8, n: 8}\n", "{file}:1: fc1.k: is required and missing"),
        (
            "fc1:\n  m: 8\n  n: 8\n  k: 0\n",
            "{file}:4: fc1.k: input should be greater than 0, not 0",
        ),
        (
            "fc1: {m: 8, n: 8, k: 8, resident: d}\n",
            "{file}:1: fc1.resident: must be one of '', 'a', 'b', 'c', 'ab', 'ac', 'bc', 'abc'",
        ),
        ("fc9: {m: 8, n: 8, k: 8}\n", "mapping: must name ops of trace 'shapes', not 'fc9'"),
    ],
)
def test_refuses_faulty_mappings(
    text: str, message: str, archsim: Archsim, model: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(text)
    said = archsim.refused("simulate", "tpu_like", model, "--mapping", file)
    assert said == f"error: {message.format(file=file)}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("tpu_lik", "resnet50"),
            f"design: must be a YAML file or one of {', '.join(shipped())} (did you mean ",
        ),
        (("tpu_like", "none.onnx"), "none.onnx"),
        (("tpu_like", "resnet50", "--fidelity", "exact"), "fidelity: must be one of analytic, "),
        (("tpu_like", "resnet50", "--objective", "area"), "--objective: must be one of time, "),
        (("tpu_like", "resnet50", "--set", "engines.mxu.rows=-1"), "engines.mxu.rows"),
        (("tpu_like", "resnet50@seq=3"), "resnet50: options: must be of "),
    ],
)  # fmt: skip
def test_refuses_with_one_message(
    arguments: tuple[str, ...], message: str, archsim: Archsim
) -> None:
    said = archsim.refused("simulate", *arguments)
    assert said.startswith("error: ")
    assert message in said


def test_an_infeasible_question_exits_1(archsim: Archsim, model: Path) -> None:
    outcome = archsim("simulate", "tpu_like", model, "--set", "engines.mxu.clock_mhz=90000")
    assert (outcome.status, outcome.out) == (1, "")
    assert re.match(r"error: engines\.mxu needs 90,000(\.0)? MHz, and there are ", outcome.err)


# ---------------------------------------------------------------------------------------- sweep


@pytest.fixture
def sweep(tmp_path: Path, model: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SWEEP)
    return path


def test_a_sweep_runs_resumes_and_ends_in_a_report(
    archsim: Archsim, sweep: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    first = archsim("sweep", "run", sweep, "-j", "1", "-o", folder)
    assert (first.status, first.out) == (0, f"{folder}: 4 points: 4 ok\n"), first.err
    assert "small" in first.err, "progress goes to stderr"

    again = archsim("sweep", "run", sweep, "-j", "1", "-o", folder, "--json").json
    assert (again["points"], again["resumed"], again["statuses"]) == (4, 4, {"ok": 4})

    status = archsim("sweep", "status", folder, "--json").json
    assert (status["done"], status["left"], status["running"]) == (4, 0, False)
    text = archsim("sweep", "status", folder).out
    assert text.startswith("small: How large an array?\n4 of 4 points done (4 ok), not running\n")

    report = archsim("report", folder)
    assert report.status == 0, report.err
    assert report.out.splitlines()[-1] == str(folder / "report.html")
    assert (folder / "report.html").stat().st_size > 10_000
    files = archsim("report", folder, "--json").json
    assert files["page"] == str(folder / "report.html")
    assert all(Path(file).is_file() for file in files["files"])

    refused = archsim("report", folder, "--records", folder / "nowhere")
    assert refused.status == 2
    assert "nowhere: must be a folder of records" in refused.err


def test_a_subset_is_so_many_designs(archsim: Archsim, sweep: Path, tmp_path: Path) -> None:
    command = ("sweep", "run", sweep, "-j", "1", "-o", tmp_path / "out", "--subset", "2", "--json")
    assert archsim(*command).json["points"] == 2


@pytest.mark.parametrize("command", ["status", "report"])
def test_refuses_folders_without_a_sweep(command: str, archsim: Archsim, tmp_path: Path) -> None:
    path = ("sweep", "status") if command == "status" else ("report",)
    assert archsim.refused(*path, tmp_path).startswith(f"error: {tmp_path}")


def test_refuses_a_faulty_sweep_with_its_line(archsim: Archsim, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(SWEEP.replace("workloads", "workload"))
    said = archsim.refused("sweep", "run", path)
    assert f"{path}:4: workload: is not a known key" in said
