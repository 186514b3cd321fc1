from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from archsim.design import load_design
from archsim.errors import InputError
from archsim.report.perfetto import perfetto
from archsim.report.source import Written, report, study_of
from archsim.report.study import decide
from archsim.report.yaml_text import design_yaml
from archsim.simulate import simulate
from archsim.sweep import SweepFolder, run_sweep
from archsim.sweep.plan import load_trace

SWEEP = """
name: small
question: How many rows?
design: tpu_like
workloads:
  - {model: layers.csv, name: layers}
  - {model: more.csv, name: "more/layers", weight: 2}
axes:
  engines.mxu.rows: [4, 8, 16]
  memories.buffer.capacity_bytes: [4096, 65536]
  engines.mxu.clock_mhz:
    values: [auto, 50, {mhz: 2000, assumed: a faster node}]
    when: {path: engines.mxu.rows, equals: 8}
objectives: {time_us: min, area_mm2: min}
constraints: {area_mm2: {max: 100}}
baseline: tpu_like
beside:
  - {design: cube_like, name: cube}
  - a100
"""
LAYERS = "name,M,N,K\nfirst,64,48,100\nsecond,64,10,48\n"
MORE = "name,M,N,K\nonly,40,40,40\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sweep")
    for name, text in (("small.yaml", SWEEP), ("layers.csv", LAYERS), ("more.csv", MORE)):
        (home / name).write_text(text, "utf-8")
    run_sweep(home / "small.yaml", home / "out", 1)
    return home / "out"


@pytest.fixture(scope="module")
def written(folder: Path) -> Written:
    return report(folder)


def test_report_and_all_that_it_links_to_is_written(folder: Path, written: Written) -> None:
    assert written.page == folder / "report.html"
    names = {path.relative_to(folder).as_posix() for path in written.files}
    assert names >= {
        "results.csv", "chosen.yaml", "timeline.layers.json", "timeline.more_layers.json",
        "figures/pareto.pdf", "figures/roofline-2.svg",
    }  # fmt: skip
    page = written.page.read_text("utf-8")
    for path in written.files:
        assert path.stat().st_size > 100
    for name in ("results.csv", "timeline.more_layers.json"):
        assert f'href="{name}"' in page
    assert "</span> " + str(folder.parent / "layers.csv") in page


def test_chosen_design_runs_as_it_is_and_gives_the_table_s_figures(
    folder: Path, written: Written
) -> None:
    chosen = written.report.decision.chosen
    design = load_design(str(folder / "chosen.yaml"))
    assert design.digest() == chosen["design"]
    time_us = 0.0
    for workload in SweepFolder(folder).plan.workloads:
        trace = load_trace(workload.model)
        time_us += workload.weight * simulate(design, trace).metrics.time_us
    assert time_us == pytest.approx(chosen["time_us"])


def test_study_is_the_sweep(folder: Path) -> None:
    study = study_of(SweepFolder(folder))
    assert study.weights == {"layers": 1.0, "more/layers": 2.0}
    assert study.axes == (
        "engines.mxu.rows",
        "memories.buffer.capacity_bytes",
        "engines.mxu.clock_mhz",
    )
    assert len(study.table) == 20  # the baseline is not one of the designs swept
    assert study.baseline is not None
    assert len(study.baseline) == 2
    assert study.baseline_name == "tpu_like"
    assert [str(c) for c in study.constraints] == ["area at most 100 mm²"]
    assert study.unfinished == 0
    assert study.provenance["sampling"] == {"kind": "grid"}


def test_designs_beside_the_points_come_with_what_they_assume(folder: Path) -> None:
    study = study_of(SweepFolder(folder))
    cube, gpu = study.beside
    assert (cube.name, cube.process, cube.energy_bound) == ("cube", "freepdk45", False)
    assert (gpu.name, gpu.process, gpu.energy_bound) == ("a100", "N7", True)
    assert gpu.source.startswith("A100 SXM 80 GB: 108 SMs")
    assert any("energy is an upper bound" in line for line in gpu.notes)
    assert gpu.reference(study).metrics["area_mm2"] == 826


def test_what_stands_beside_is_in_the_report(folder: Path, written: Written) -> None:
    assert [r.name for r in written.report.references] == ["cube", "a100"]
    assert (folder / "figures" / "normalised.svg").is_file()


def test_every_design_of_the_table_is_yaml_that_runs_as_it(folder: Path, tmp_path: Path) -> None:
    study = study_of(SweepFolder(folder))
    decision = decide(study)
    file = tmp_path / "design.yaml"
    for number in range(len(decision.designs)):
        row = decision.row(number)
        file.write_text(design_yaml(study, row), "utf-8")
        design = load_design(str(file))
        assert (design.digest(), design.name) == (row["design"], f"small-{row['design'][:8]}")
    assert len(decision.designs) == 5
    (infeasible,) = decision.left_out  # nothing fits 4 KiB
    assert (infeasible.points, infeasible.common) == (5, {"capacity": "4 KiB"})


def test_details_are_of_both_fidelities_and_analytic_is_a_lower_bound(written: Written) -> None:
    assert set(written.report.details) == {"layers", "more/layers"}
    for detail in written.report.details.values():
        assert detail.event is not None
        assert detail.event.metrics.fidelity == "event"
        assert detail.analytic.metrics.time_us <= detail.event.metrics.time_us


def test_timeline_is_of_the_event_run(folder: Path, written: Written) -> None:
    event = written.report.details["layers"].event
    assert event is not None
    assert json.loads((folder / "timeline.layers.json").read_text()) == perfetto(event)


def test_csv_has_every_point(folder: Path) -> None:
    csv = pd.read_csv(folder / "results.csv")
    assert len(csv) == 20
    assert {"design", "workload", "status", "time_us", "engines.mxu.rows"} <= set(csv.columns)


def test_report_elsewhere_leaves_the_sweep_alone(folder: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    output = tmp_path / "new" / "place"
    elsewhere = report(folder, output=output, against=folder, timelines=False)
    assert not list(output.glob("timeline*"))
    assert elsewhere.page == tmp_path / "new" / "place" / "report.html"
    assert elsewhere.report.against is not None
    assert sorted(path.name for path in folder.iterdir()) == before


def test_model_below_the_working_directory_is_named_from_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    models = study_of(SweepFolder(folder)).models
    assert models == {"layers": "layers.csv", "more/layers": "more.csv"}


def test_folder_without_a_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a folder that `archsim sweep run` wrote"):
        report(tmp_path)


GROUPED = """
name: grouped
design: tpu_like
workloads: [layers.csv]
axes:
  engines.mxu:
    named:
      wide <b>: {kind: systolic, rows: 4, cols: 8}
      tall: {kind: systolic, rows: 8, cols: 4, dataflow: ws}
      square: {kind: systolic, rows: 8, cols: 8}
groups: [engines.mxu.dataflow, memories.buffer.capacity_bytes]
objectives: {time_us: min, area_mm2: min}
"""


def test_named_parts_and_groups_reach_the_report(tmp_path: Path) -> None:
    for name, text in (("grouped.yaml", GROUPED), ("layers.csv", LAYERS)):
        (tmp_path / name).write_text(text, "utf-8")
    run_sweep(tmp_path / "grouped.yaml", tmp_path / "out", 1)
    said = report(tmp_path / "out", timelines=False).report
    study, decision = said.study, said.decision
    rows = [decision.row(i) for i in range(len(decision.designs))]
    assert {row["engines.mxu"] for row in rows} == {"wide <b>", "tall", "square"}
    assert {row["engines.mxu"]: study.group(row) for row in rows} == {
        "wide <b>": ("os", "2 MiB"), "tall": ("ws", "2 MiB"), "square": ("os", "2 MiB"),
    }  # fmt: skip
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert '<td class="n">wide &lt;b&gt;</td>' in page
    assert "Ringed: no other design" in page
    found = re.search(r'"groups":(\[\{.*?\}\])', page)
    assert found
    groups = json.loads(found[1])
    assert [group["name"] for group in groups] == ["os 2 MiB", "ws 2 MiB"]
    assert len({group["colour"] for group in groups}) == 2
    assert {group["symbol"] for group in groups} == {"circle"}
    assert "os 2 MiB" in (tmp_path / "out" / "figures" / "pareto.svg").read_text("utf-8")
    assert '"chosen #' in page and " os 2 MiB" in page.partition('"chosen #')[2][:12]
    for row in rows:  # what is shown by a name is a design that runs
        (tmp_path / "design.yaml").write_text(design_yaml(study, row), "utf-8")
        assert load_design(str(tmp_path / "design.yaml")).digest() == row["design"]
