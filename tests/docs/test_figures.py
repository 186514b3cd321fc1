"""Figures that scripts of the documentation draw."""

from __future__ import annotations

import runpy
from xml.etree import ElementTree

from tests.docs.pages import ROOT

SCRIPT = ROOT / "docs" / "figures" / "bit_weight.py"


def test_the_committed_figure_is_what_its_script_draws() -> None:
    script = runpy.run_path(str(SCRIPT))
    assert script["FILE"].read_text("utf-8") == script["svg"]()


def test_the_figure_has_the_digits_of_its_operands() -> None:
    """EN-T of 39, 48, 60, 79, highest first, and a partial product for each that is not zero."""
    image = ElementTree.parse(SCRIPT.with_name("bit-weight.svg"))
    words = [text.text or "" for text in image.iter("{http://www.w3.org/2000/svg}text")]
    first = words.index("39")
    rows = " ".join(words[first : first + 20])
    assert rows == "39 0 2 2 −1 48 1 −1 0 0 60 1 0 −1 0 79 1 1 0 −1"
    assert (
        sum("B" in word and word.strip("−2") in {f"B{i}" for i in "₁₂₃₄"} for word in words) == 14
    )
