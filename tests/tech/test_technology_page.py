"""The page on technology has the errors that stand in the tables; run this file to renew it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from pathlib import Path

from archsim import tech
from archsim.engines import discover
from archsim.tech.table import Table

PAGE = Path(__file__).parents[2] / "docs" / "technology.md"
BEGIN, END = "<!-- errors -->\n", "<!-- end of errors -->"
QUANTITIES = {
    "area_um2": "area", "leakage_uw": "leakage", "clock_pj": "clock energy",
    "delay_ps": "delay", "energy_pj": "energy of a job",
}  # fmt: skip


def errors() -> str:
    """Return the table of held-out errors."""
    head = ["node", "table", *QUANTITIES.values(), "fitted up to", "judged up to"]
    lines = [head, ["---"] * len(head)]
    for node in tech.names():
        for name, extents in tables():
            if not tech.load(node).measured(name):
                continue
            table = tech.load(node).table(name)
            found = [f"{table.fit(quantity).max_error_percent:g}" for quantity in QUANTITIES]
            shown = [largest(table, extents, fitted=fitted) for fitted in (True, False)]
            lines.append([node, f"`{name}`", *found, *shown])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def tables() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the tables of engines that multiply matrices, and what says how large an engine is."""
    for kind in discover():
        cost = importlib.import_module(f"archsim.engines.{kind}.cost")
        if hasattr(cost, "PRICING"):
            names = dict.fromkeys(its.table for its in cost.PRICING.structures.values())
            yield from ((name, cost.PRICING.extents) for name in names)
        elif hasattr(cost, "EXTENTS"):
            yield cost.TABLE, cost.EXTENTS


def largest(table: Table, extents: tuple[str, ...], *, fitted: bool) -> str:
    rows = [row["spec"] for row in table.rows if row["fitted"] is fitted]
    sizes = [tuple(row[name] for name in extents) for row in rows]
    return " x ".join(map(str, max(sizes, key=math.prod)))


def renewed(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{errors()}{END}{rest.partition(END)[2]}"


def test_the_page_has_the_errors_of_the_tables() -> None:
    page = PAGE.read_text("utf-8")
    assert renewed(page) == page, "run python -m tests.tech.test_technology_page"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
