"""Figures that scripts of the documentation draw."""

from __future__ import annotations

import runpy
from xml.etree import ElementTree

import pytest

from tests.docs.pages import ROOT

FIGURES = ROOT / "docs" / "figures"
SCRIPT = FIGURES / "bit_weight.py"
TEXT = "{http://www.w3.org/2000/svg}text"


@pytest.fixture(autouse=True)
def _scripts_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FIGURES)


def test_the_committed_figure_is_what_its_script_draws() -> None:
    script = runpy.run_path(str(SCRIPT))
    assert script["FILE"].read_text("utf-8") == script["svg"]()


def test_the_figure_has_the_digits_of_its_operands() -> None:
    """EN-T of 39, 48, 60, 79, highest first, and a partial product for each that is not zero."""
    image = ElementTree.parse(SCRIPT.with_name("bit-weight.svg"))
    words = [text.text or "" for text in image.iter(TEXT)]
    first = words.index("39")
    rows = " ".join(words[first : first + 20])
    assert rows == "39 0 2 2 −1 48 1 −1 0 0 60 1 0 −1 0 79 1 1 0 −1"
    assert (
        sum("B" in word and word.strip("−2") in {f"B{i}" for i in "₁₂₃₄"} for word in words) == 14
    )


@pytest.mark.parametrize("name", ["rf-mesh", "tensor-train"])
def test_figures_of_rf_networks_are_what_their_script_draws(name: str) -> None:
    drawn = runpy.run_path(str(FIGURES / "rf_networks.py"))["FIGURES"]
    file = FIGURES / f"{name}.svg"
    assert file.read_text("utf-8") == drawn[file]()


def test_the_meshes_have_their_cells_and_the_stage_its_addresses() -> None:
    """Of six modes; words of the second vector of two before, the first of two after."""
    mesh, train = (
        [text.text or "" for text in ElementTree.parse(FIGURES / name).iter(TEXT)]
        for name in ("rf-mesh.svg", "tensor-train.svg")
    )
    assert {"Clements: 15 cells, 6 deep", "Reck: 15 cells, 9 deep"} <= set(mesh)
    assert sum(word.isdigit() for word in mesh) == 30
    assert "1,024 numbers for the 200,704 of 784 → 256" in train
    boxes = ElementTree.parse(FIGURES / "tensor-train.svg").iter("{http://www.w3.org/2000/svg}rect")
    orange = [box.get("x") for box in boxes if box.get("fill") == "#e69f00"]
    assert orange == [str(30 + 36 * address) for address in (6, 8, 10, 4, 6)]


def test_the_figure_of_accuracy_is_what_its_script_draws() -> None:
    script = runpy.run_path(str(FIGURES / "rf_accuracy.py"))
    assert script["FILE"].read_text("utf-8") == script["svg"]()


def test_the_figure_of_sparse_products_is_what_its_script_draws() -> None:
    script = runpy.run_path(str(FIGURES / "sparse.py"))
    assert script["FILE"].read_text("utf-8") == script["svg"]()
    totals = [sum(script["cycles"](name).values()) for name in script["ORDER"]]
    assert totals == sorted(totals, reverse=True)
