"""Charts that engines bring: drawn of a simulated design that has such an engine."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.engines import discover
from archsim.errors import InputError
from archsim.metric import Panel, Picture, Series
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
    series: Sequence[Series] | Sequence[Picture]


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
                if isinstance(one, Series):
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
    panel, lines = drawn.panel, [s for s in drawn.series if isinstance(s, Series)]
    if panel.kind == "pictures":
        return _pictures(panel, [p for p in drawn.series if isinstance(p, Picture)])
    text = any(isinstance(x, str) for s in lines for x in s.x)
    data = []
    for number, series in enumerate(lines):
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
                "showlegend": len(lines) > 1,
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
    return {"data": data, "layout": layout, "alt": _alt(panel, [series.name for series in lines])}


def _alt(panel: Panel, names: Sequence[str]) -> str:
    return f"{panel.title}: {', '.join(names)}. {panel.meaning}"


def _pictures(panel: Panel, pictures: Sequence[Picture]) -> Figure:
    """Return pictures side by side, each under its name."""
    data: list[Figure] = []
    layout: Figure = {"height": HEIGHT_PX, "annotations": [], "margin": {"t": 40, "b": 10}}
    each = 1 / max(len(pictures), 1)
    for number, picture in enumerate(pictures):
        axis = str(number + 1) if number else ""
        data.append({"type": "image", "source": png(picture.pixels), "hoverinfo": "skip",
                     "xaxis": f"x{axis}", "yaxis": f"y{axis}"})  # fmt: skip
        left = number * each
        layout[f"xaxis{axis}"] = {
            "domain": [left, left + 0.96 * each], "visible": False, "anchor": f"y{axis}",
        }  # fmt: skip
        layout[f"yaxis{axis}"] = {
            "autorange": "reversed", "scaleanchor": f"x{axis}", "constrain": "domain",
            "visible": False, "anchor": f"x{axis}",
        }  # fmt: skip
        layout["annotations"].append(
            {"text": escape(picture.name), "showarrow": False, "x": 0.5, "y": 1,
             "xref": f"x{axis} domain", "yref": f"y{axis} domain", "yanchor": "bottom"}
        )  # fmt: skip
    return {"data": data, "layout": layout, "alt": _alt(panel, [p.name for p in pictures])}


def png(pixels: NDArray[np.uint8]) -> str:
    """Return pixels [height, width, 3] as a PNG in a data URI."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0)))  # each behind its filter, none
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            chunk(b"IEND", b""),
        )
    )
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
