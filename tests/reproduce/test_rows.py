"""Rows, sections and the files that hold what is published."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from rich.console import Console

from archsim.reproduce import Paper, Row, Section, discover, paper
from archsim.reproduce.page import html, verdict, write
from archsim.reproduce.published import read
from archsim.reproduce.text import deviation, reproduction, value

NEAR = Row("near", 2.0, "Table I, exact", 2.2, unit="mm")
FAR = Row("far", 2.0, "Table I, exact", 9.0, "a <cause>")
ABSENT = Row("absent", 2.0, "Table I, exact", None, "there is no such part")
ALONE = Row("alone", None, "", 3.0, "the paper has none")
PAPER = Paper("toy", "A paper", lambda: (), ("its cover",))
SECTIONS = (Section("Toys: all of them", (NEAR, FAR, ABSENT, ALONE), ("a note",)),)

FILE = """
citation: A paper
trust: {exact: "printed, exact"}
tables:
  sizes:
    place: Table I
    trust: exact
    columns: {length: mm, count: }
    rows:
      small: [1.5, 2]
      large: [20, null]
not_found: []
"""


def test_a_deviation_is_ours_over_published_in_percent() -> None:
    assert NEAR.deviation_percent == pytest.approx(10)
    assert [row.deviation_percent for row in (ABSENT, ALONE)] == [None, None]
    assert Row("of nothing", 0.0, "", 1.0).deviation_percent is None
    assert deviation(Row("", 100.0, "", 100.01)) == "0"
    assert deviation(FAR) == "+350.0 %"


def test_what_differs_or_lacks_needs_a_cause() -> None:
    assert all(row.is_explained for row in (NEAR, FAR, ABSENT, ALONE))
    assert not Row("far", 2.0, "", 9.0).is_explained
    assert not Row("absent", 2.0, "", None).is_explained
    assert not Row("alone", None, "", 3.0).is_explained


def test_a_cause_is_kept_where_it_is_needed() -> None:
    assert NEAR.because("of this") == NEAR
    assert Row("far", 2.0, "", 9.0).because("of this").cause == "of this"
    assert Row("alone", None, "", 9.0).because("of this").cause == ""


def test_numbers_are_short() -> None:
    assert [value(v) for v in (None, 3.0, 1234.0, 0.5, 2.2479)] == [
        "–",
        "3",
        "1,234",
        "0.500",
        "2.25",
    ]


def test_a_file_of_published_numbers(tmp_path: Path) -> None:
    file = tmp_path / "published.yaml"
    file.write_text(FILE)
    sizes = read(file)["sizes"]
    assert (sizes.tag, list(sizes)) == ("Table I, printed, exact", ["small", "large"])
    assert (sizes.value("small", "count"), sizes.get("large", "count")) == (2, None)
    assert sizes.units == {"length": "mm", "count": ""}
    with pytest.raises(KeyError, match="no count of large"):
        sizes.value("large", "count")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[1.5, 2]", "[1.5]", "sizes: small must have 2 values, not 1"),
        ("trust: exact\n", "trust: hearsay\n", "sizes: trust must be one of exact"),
    ],
)
def test_a_file_with_a_fault(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "published.yaml"
    file.write_text(FILE.replace(old, new))
    with pytest.raises(ValueError, match=message):
        read(file)


def test_papers_are_found_by_listing_the_folder() -> None:
    names = ("bipolar", "flash-llm", "ngpc", "rfnn", "smash", "tensor-cores", "tpe")
    assert {name: p.name for name, p in discover().items()} == {n: n for n in names}
    assert paper("tpe") is discover()["tpe"]


def test_the_page_says_all_and_escapes_it(tmp_path: Path) -> None:
    page, table = write(PAPER, SECTIONS, tmp_path / "new")
    text = page.read_text("utf-8")
    assert text == html(PAPER, SECTIONS)
    for part in ("a &lt;cause&gt;", "+350.0 %", "its cover", "a note", ">Toys<", "Table I, exact"):
        assert part in text, part
    assert "<cause>" not in text
    assert "Of 2 published numbers that archsim has an answer to, 1 are within 15 %" in verdict(
        SECTIONS
    )
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    assert [row["quantity"] for row in rows] == ["near", "far", "absent", "alone"]
    assert (rows[0]["section"], rows[2]["ours"]) == ("Toys: all of them", "")


def test_a_cause_that_goes_on_stands_once() -> None:
    rows = [Row(name, 1.0, "", 9.0, cause) for name, cause in zip("abcd", "xxyx", strict=True)]
    text = html(PAPER, (Section("", tuple(rows)),))
    causes = re.findall(r'<td class="cause">(.*?)</td>', text)
    assert causes == ["x", "as above", "y", "x"]


def test_a_mark_stands_where_the_ratio_is() -> None:
    """Right in the middle where they agree, an arrow at the edge beyond twice."""
    same = Section("", (Row("same", 2.0, "", 2.0), Row("huge", 1.0, "", 99.0, "why")))
    text = html(PAPER, (same,))
    assert '<circle cx="80.0"' in text
    assert 'd="M 152.0 2 l 6 5 l -6 5 z"' in text


def test_a_section_of_ours_alone_shows_no_empty_columns() -> None:
    alone = Section("Ours", (Row("length", None, "nowhere", 3.0, unit="mm"),), ("ours alone",))
    both = Section("Both", (Row("width", 2.0, "Table I", 2.0), alone.rows[0]))
    assert (alone.is_alone, both.is_alone) == (True, False)
    paper = Paper("p", "a paper", lambda: (alone, both))
    first, second = html(paper, (alone, both)).split("<section")[1:3]
    assert "Deviation" not in first
    assert "nowhere" not in first
    assert "Deviation" in second
    console = Console(width=100, record=True)
    with console.capture() as told:
        console.print(reproduction(paper, (alone, both)))
    head, _, rest = told.get().partition("Both")
    assert "published" not in head
    assert "published" in rest
