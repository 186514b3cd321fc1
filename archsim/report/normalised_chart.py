"""The normalised view as a figure: designs as points, references as made and as spans."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from archsim.report import palette
from archsim.report.beside import MEASURED
from archsim.report.charts import Figure, escape, log_ticks
from archsim.report.normalised import (
    PER_JOULE,
    PER_MM2,
    YIELDS,
    Moved,
    Normalised,
    Yield,
    span_text,
    times_text,
)
from archsim.report.quantities import Quantity, Unit
from archsim.report.study import Decision, Study, drawn_rows

HEIGHT_PX = 500
SYMBOLS = {MEASURED: "hexagram-open"}  # other kinds
MODEL_SYMBOL = "star-open"


def normalised_chart(study: Study, decision: Decision, view: Normalised) -> Figure:
    """Return runs a joule over runs a second and mm²; up and right is better."""
    drawn = drawn_rows(decision.designs, study.metrics, [decision.knee])
    shown = np.isin(view.rows, drawn)
    rows, x, y = view.rows[shown], view.per_mm2[shown], view.per_joule[shown]
    front = decision.designs["front"].to_numpy(bool)[rows]
    hover = np.array([_hover(study.label(decision.row(int(row)))) for row in rows])
    data = [
        _points("other designs", x[~front], y[~front], hover[~front], palette.DOMINATED, 5, 0.5),
        _points("on the front", x[front], y[front], hover[front], palette.FRONT, 8, 1.0),
    ]
    colours = palette.of_references(one.reference.name for one in view.moved)
    for one in view.moved:
        data += _moved(view, one, colours[one.reference.name])
    if view.baseline is not None:
        data.append(_mark(study.baseline_name, view.baseline, "square", palette.BASELINE))
    data.append(_mark("knee", view.chosen, "diamond", palette.KNEE))
    layout: Figure = {
        "height": HEIGHT_PX,
        "hovermode": "closest",
        "xaxis": _axis(view, "per_mm2", PER_MM2),
        "yaxis": _axis(view, "per_joule", PER_JOULE),
    }
    alt = (
        f"{PER_JOULE.title} over {PER_MM2.title.lower()} of {len(view.rows):,} designs and of "
        f"{len(view.moved)} beside them; the table below has the figures of those."
    )
    return {"data": [trace for trace in data if trace["x"]], "layout": layout, "alt": alt}


def _axis(view: Normalised, name: Literal["per_mm2", "per_joule"], show: Quantity) -> Figure:
    """Return a log axis that has room for every point and span."""
    low, high = view.ends(name)
    return {
        "type": "log",
        "title": {"text": f"{show.title} – more is better"},
        "range": [float(np.log10(low)), float(np.log10(high))],
        **log_ticks(high / low),
    }


def _points(
    name: str, x: Any, y: Any, hover: Any, colour: str, size: int, opacity: float
) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": x.tolist(),
        "y": y.tolist(),
        "hovertext": hover.tolist(),
        "hoverinfo": "text",
        "marker": {"color": colour, "size": size, "opacity": opacity},
    }


def _mark(name: str, at: Yield, symbol: str, colour: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": escape(name),
        "x": [at.per_mm2],
        "y": [at.per_joule],
        "hovertext": [_hover(name, _text(at))],
        "hoverinfo": "text",
        "marker": {
            "color": colour, "size": 13, "symbol": symbol, "line": {"color": "#fff", "width": 1},
        },
    }  # fmt: skip


def _moved(view: Normalised, one: Moved, colour: str) -> list[Figure]:
    """Return a reference's span in the view's process, and its mark as it is made."""
    reference, made = one.reference, one.made
    name = f"{reference.name}, {reference.kind}"
    at_home = reference.process == view.process
    where = reference.process or "an unknown process"
    symbol = SYMBOLS.get(reference.kind, MODEL_SYMBOL)
    mark = _mark(name, made, symbol.removesuffix("-open") if at_home else symbol, colour)
    mark["name"] = escape(name if at_home else f"{name}, as made ({where})")
    mark["marker"] |= {"size": 13, "line": {"color": colour, "width": 1.6}}
    mark["hovertext"] = [_hover(f"{name}, as made in {where}", _text(made))]
    if at_home or one.spans is None:
        return [mark]
    across, up = one.spans
    ratios, words = one.over(view.chosen), one.words(view.chosen)
    assert ratios is not None
    assert words is not None
    lines = [
        f"{show.title}: {span_text(span)}, {times_text(ratio)} the chosen’s: {word}"
        for show, span, ratio, word in zip(YIELDS, one.spans, ratios, words, strict=True)
    ]
    dash = "dash" if reference.kind == MEASURED else "solid"
    band = {
        "type": "scatter",
        "mode": "lines",
        "name": escape(f"{name}, moved to {view.process}"),
        "x": [across.low, across.high, across.high, across.low, across.low],
        "y": [up.low, up.low, up.high, up.high, up.low],
        "fill": "toself",
        "fillcolor": palette.faded(colour),
        "line": {"color": colour, "width": 1.5, "dash": dash},
        "hoveron": "fills+points",
        "text": _hover(f"{name}, moved to {view.title}", *lines),
        "hoverinfo": "text",
    }
    middle = (across.low * across.high) ** 0.5, (up.low * up.high) ** 0.5
    path = {
        "type": "scatter",
        "mode": "lines",
        "showlegend": False,
        "hoverinfo": "skip",
        "x": [made.per_mm2, middle[0]],
        "y": [made.per_joule, middle[1]],
        "line": {"color": colour, "width": 1, "dash": "dot"},
    }
    return [band, path, mark]


def _text(at: Yield) -> str:
    values = zip(YIELDS, (at.per_mm2, at.per_joule), strict=True)
    return "<br>".join(f"{show.title}: {Unit('', 1.0).text(value)}" for show, value in values)


def _hover(title: str, *lines: str) -> str:
    """Return a hover's text; the title is a name that somebody typed."""
    return "<br>".join((f"<b>{escape(title)}</b>", *lines))
