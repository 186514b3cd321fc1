"""A reproduction as files: one HTML page that needs nothing else, and its rows as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import archsim
from archsim.report import palette
from archsim.report.html import render
from archsim.reproduce.row import EXPLAINED_ABOVE_PERCENT, Paper, Row, Section
from archsim.reproduce.text import deviation, value

MIDDLE, REACH = 80.0, 72.0  # of the small chart beside a row: where they agree, and its half width
MOST = 2.0  # the ratio at its ends


def write(paper: Paper, sections: Sequence[Section], folder: Path) -> tuple[Path, ...]:
    """Write ``NAME.html`` and ``NAME.csv`` into a folder and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    page, table = folder / f"{paper.name}.html", folder / f"{paper.name}.csv"
    page.write_text(html(paper, sections), "utf-8")
    with table.open("w", encoding="utf-8", newline="") as file:
        _write_rows(file, sections)
    return page, table


def html(paper: Paper, sections: Sequence[Section]) -> str:
    """Return the page."""
    return render(
        "reproduction.html.j2",
        name=paper.name,
        citation=paper.citation,
        verdict=verdict(sections),
        facts=_facts(sections),
        sections=[
            {"title": s.title, "short": s.title.split(":")[0], "notes": s.notes,
             "causes": any(row.cause for row in s.rows), "alone": s.is_alone,
             "rows": _table(s.rows)}
            for s in sections
        ],
        not_found=paper.not_found,
        band=[MIDDLE + sign * _offset(1 + EXPLAINED_ABOVE_PERCENT / 100) for sign in (-1, 1)],
        limit=f"{EXPLAINED_ABOVE_PERCENT:g}",
        version=archsim.__version__,
    )  # fmt: skip


def verdict(sections: Sequence[Section]) -> str:
    """Return how many rows agree, in a sentence."""
    found = [row.deviation_percent for s in sections for row in s.rows]
    both = [abs(percent) for percent in found if percent is not None]
    near = sum(percent <= EXPLAINED_ABOVE_PERCENT for percent in both)
    said = (
        f"Of {len(both)} published numbers that archsim has an answer to, {near} are within "
        f"{EXPLAINED_ABOVE_PERCENT:g} % of it."
    )
    return said if near == len(both) else f"{said} Each of the others names its cause."


def _facts(sections: Sequence[Section]) -> list[tuple[str, str]]:
    rows = [row for s in sections for row in s.rows]
    published = [row for row in rows if row.published is not None]
    without = sum(row.ours is None for row in published)
    facts = [("Rows", f"{len(rows)}"), ("Without an answer", f"{without}")]
    return facts if without else facts[:1]


def _table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as the page prints them; a cause that goes on stands once."""
    causes = ["", *(row.cause for row in rows)]
    shown = [_shown(row) for row in rows]
    for row, before in zip(shown, causes[:-1], strict=True):
        if row["cause"] and row["cause"] == before:
            row["cause"] = "as above"
    return shown


def _shown(row: Row) -> dict[str, Any]:
    """Return a row as its page prints it, with the place of its mark."""
    percent = row.deviation_percent
    ratio = None if percent is None or percent <= -100 else 1 + percent / 100
    place = None if ratio is None else MIDDLE + _offset(ratio)
    far = percent is not None and abs(percent) > EXPLAINED_ABOVE_PERCENT
    beyond = ratio is not None and not 1 / MOST <= ratio <= MOST
    tip = 6 if ratio is not None and ratio > 1 else -6
    return {
        "quantity": row.quantity, "unit": row.unit, "tag": row.tag, "cause": row.cause,
        "published": value(row.published), "ours": value(row.ours), "deviation": deviation(row),
        "place": place, "beyond": beyond,
        "arrow": f"M {place} 2 l {tip} 5 l {-tip} 5 z",
        "colour": palette.VERMILLION if far else palette.BLUE,
    }  # fmt: skip


def _offset(ratio: float) -> float:
    """Return how far from the middle a ratio stands, on a logarithmic scale."""
    at = math.log(ratio) / math.log(MOST)
    return round(REACH * min(max(at, -1.0), 1.0), 2)


def _write_rows(file: Any, sections: Sequence[Section]) -> None:
    rows = [{"section": s.title, **row.to_dict()} for s in sections for row in s.rows]
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
