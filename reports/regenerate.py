"""Run the quickstart sweep and write its report here anew, sharing one plotly.min.js.

Run as ``python reports/regenerate.py`` from the top folder, after ``python workloads/fetch.py cnn``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from plotly.offline import get_plotlyjs

from archsim.report.source import report
from archsim.sweep import run_sweep

HERE = Path(__file__).parent
SWEEP = HERE.parent / "sweeps" / "quickstart.yaml"
PLOTLY = HERE / "assets" / "plotly.min.js"


def main() -> None:
    """Write ``reports/quickstart`` and ``reports/assets``."""
    PLOTLY.parent.mkdir(exist_ok=True)
    PLOTLY.write_text(get_plotlyjs(), "utf-8")
    with tempfile.TemporaryDirectory() as folder:
        run_sweep(SWEEP, Path(folder))
        output = HERE / "quickstart"
        report(folder, output=output, plotly_js=f"../assets/{PLOTLY.name}", timelines=False)


if __name__ == "__main__":
    main()
