from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from archsim.report.beside import Reference
from archsim.report.content import Detail, Report
from archsim.report.figures import save
from archsim.report.study import decide
from tests.report import samples

STUDY = samples.study(baseline_name="_base $x$")
FIGURES = {"time_us": 2e4, "area_mm2": 26.0, "energy_pj": 3e10}
GPU = Reference("A100 $", "GPU", FIGURES, "datasheet", process="N7")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    details = {"resnet50": Detail(samples.result())}
    report = Report(STUDY, decide(STUDY), details, references=[GPU])
    written = save(report, tmp_path_factory.mktemp("figures"))
    return {path.name: path for path in written}


def test_each_figure_is_there_as_pdf_and_svg(files: dict[str, Path]) -> None:
    stems = ("pareto", "normalised", "breakdown", "roofline-1")
    assert set(files) == {f"{stem}.{kind}" for stem in stems for kind in ("pdf", "svg")}


def test_pdf_is_a_page_with_fonts(files: dict[str, Path]) -> None:
    for name, path in files.items():
        if name.endswith("pdf"):
            content = path.read_bytes()
            assert content.startswith(b"%PDF-")
            assert b"/Font" in content
            assert len(content) > 8_000


def test_svg_keeps_its_text(files: dict[str, Path]) -> None:
    def words(name: str) -> str:
        return " ".join(ElementTree.parse(files[name]).getroot().itertext())

    assert "Area (mm²)" in words("pareto.svg")
    assert "base $x$" in words("pareto.svg")
    assert "A100 $" in words("pareto.svg")
    assert "A100 $, GPU, moved to freepdk45" in words("normalised.svg")
    assert "Runs a second and mm²" in words("normalised.svg")
    assert "mxu.pe" in words("breakdown.svg")
    assert "Work rate (GMAC/s)" in words("roofline-1.svg")


def test_same_report_makes_the_same_files(files: dict[str, Path], tmp_path: Path) -> None:
    for path in save(Report(STUDY, decide(STUDY), references=[GPU]), tmp_path):
        assert path.read_bytes() == files[path.name].read_bytes()
