"""Charts that engines bring: drawn of a simulated design that has such an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archsim.engines import discover
from archsim.errors import InputError
from archsim.metric import Panel, Series
from archsim.report import palette
from archsim.report.charts import Figure, escape
from archsim.result import Result

COLOURS = (
    palette.BLUE, palette.ORANGE, palette.GREEN, palette.PURPLE, palette.SKY, palette.VERMILLION,
)  # fmt: skip
HEIGHT_PX = 300


@dataclass(frozen=True, slots=True)
class Drawn:
    """A panel with what it shows of one result."""

    panel: Panel
    series: Sequence[Series]


def panels_of(result: Result) -> list[Drawn]:
    """Return the panels of the engines of a result's design that have something to show.

    Raises
    ------
    InputError
        If a series cannot be drawn: x and y of different lengths, or a y that is not finite.
    """
    found = []
    for kind in dict.fromkeys(result.engines.values()):
        names = [name for name, other in result.engines.items() if other == kind]
        for panel in discover()[kind].panels:
            series = panel.draw(result, names)
            for one in series:
                _check(f"panel {panel.title!r} of engine {kind!r}", one)
            if series:
                found.append(Drawn(panel, series))
    return found


def _check(where: str, series: Series) -> None:
    if len(series.x) != len(series.y):
        raise InputError(
            f"{where}: {series.name}", "x and y must have one length",
            (len(series.x), len(series.y)),
        )  # fmt: skip
    if not np.isfinite(np.array(series.y, np.float64)).all():
        raise InputError(f"{where}: {series.name}", "y must be finite", series.y)


def figures(workloads: Sequence[Sequence[Drawn]]) -> dict[str, Figure]:
    """Return the panels of each workload by the id of their place on the page."""
    return {
        f"engine-{number}-{at}": figure(drawn)
        for number, every in enumerate(workloads)
        for at, drawn in enumerate(every)
    }


def figure(drawn: Drawn) -> Figure:
    """Return a panel as plotly draws it."""
    panel, text = drawn.panel, any(isinstance(x, str) for s in drawn.series for x in s.x)
    data = []
    for number, series in enumerate(drawn.series):
        colour = COLOURS[number % len(COLOURS)]
        line = {"type": "bar", "marker": {"color": colour}}
        if panel.kind == "lines":
            line = {"type": "scatter", "mode": "lines+markers", "line": {"color": colour}}
        data.append(
            {
                **line,
                "name": escape(series.name),
                "x": [escape(x) if isinstance(x, str) else x for x in series.x],
                "y": list(series.y),
                "showlegend": len(drawn.series) > 1,
            }
        )
    layout: Figure = {
        "height": HEIGHT_PX,
        "barmode": "group",
        "xaxis": {
            "title": {"text": escape(panel.x_title)}, "automargin": True,
            **({"type": "category"} if text else {}),
        },
        "yaxis": {"title": {"text": escape(panel.y_title)}, "rangemode": "tozero"},
    }  # fmt: skip
    names = ", ".join(series.name for series in drawn.series)
    return {"data": data, "layout": layout, "alt": f"{panel.title}: {names}. {panel.meaning}"}
