"""Write the reports of this folder anew, sharing one plotly.min.js.

Run as ``python reports/regenerate.py [NAME ...]`` from the top folder, after
``python workloads/fetch.py cnn``; all of them unless some are named.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from plotly.offline import get_plotlyjs

from archsim.report.source import report
from archsim.reproduce import discover
from archsim.reproduce.page import write
from archsim.sweep import run_sweep

HERE = Path(__file__).parent
SWEEPS = HERE.parent / "sweeps"
PLOTLY = HERE / "assets" / "plotly.min.js"


def swept(name: str) -> None:
    """Run a sweep and write its report."""
    PLOTLY.parent.mkdir(exist_ok=True)
    PLOTLY.write_text(get_plotlyjs(), "utf-8")
    with tempfile.TemporaryDirectory() as folder:
        run_sweep(SWEEPS / f"{name}.yaml", Path(folder))
        report(folder, output=HERE / name, plotly_js=f"../assets/{PLOTLY.name}", timelines=False)


def reproduced() -> None:
    """Write each paper's numbers beside ours."""
    for paper in discover().values():
        write(paper, paper.sections(), HERE / "reproduce")


REPORTS: dict[str, Callable[[], None]] = {
    "quickstart": partial(swept, "quickstart"),
    "tpe": partial(swept, "tpe"),
    "spgemm": partial(swept, "spgemm"),
    "rfnn": partial(swept, "rfnn"),
    "ngpc": partial(swept, "ngpc"),
    "reproduce": reproduced,
}


def main(names: list[str]) -> None:
    """Write the named reports, or all."""
    for name in names or REPORTS:
        REPORTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
