"""The report's interactive figures, as the plain values that plotly.js draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archsim.report import palette
from archsim.report.breakdown import components
from archsim.report.pareto import COMPONENT_ENERGY
from archsim.report.quantities import (
    AREA_UM2,
    ENERGY_PJ,
    Quantity,
    applies,
    number,
    percent,
)
from archsim.report.roofline import Roofline, Spot
from archsim.report.sensitivity import Axis, levels

Figure = dict[str, Any]
BYTES_PER_GB = 1e9
MARKER_PX, MARKER_SHARE_PX = 7, 30  # an op's marker: at no time, and more at all the time
NOTE_SHARE = 0.25  # of a figure's width, that a note takes


def escape(text: object) -> str:
    """Return text as plotly shows it literally: it reads a few HTML tags in labels."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def log_ticks(span: float) -> dict[str, str | int]:
    """Return plotly's ticks of a log axis of a span: its own choice, 1 2 5, or decades."""
    decades = float(np.log10(span))
    return {} if decades < 0.8 else {"dtick": "D2" if decades < 3.2 else 1}


# ---------------------------------------------------------------------------------------- breakdown


def breakdown(
    names: Sequence[str], rows: Sequence[Mapping[str, Any]], prefix: str, colours: Mapping[str, str]
) -> Figure:
    """Return stacked bars, one a design; ``names`` label them from the top."""
    frame = components(rows, prefix)
    title, units = ("Energy", ENERGY_PJ) if prefix == COMPONENT_ENERGY else ("Area", AREA_UM2)
    total = frame.sum()
    unit = Quantity("", title, units=units).unit_for(total)
    data = []
    for part, values in zip(frame.index, frame.to_numpy(float), strict=True):
        hover = [
            f"{escape(part)}: {unit.text(value)} ({percent(value / whole)})"
            for value, whole in zip(values, total, strict=True)
        ]
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": escape(part),
                "y": [escape(name) for name in names],
                "x": [float(value) / unit.size for value in values],
                "marker": {"color": colours[str(part)], "line": {"color": "#fff", "width": 0.8}},
                "hovertext": hover,
                "hoverinfo": "text",
            }
        )
    axis = {"type": "category", "autorange": "reversed", "dtick": 1, "automargin": True}
    layout = {
        "barmode": "stack",
        "bargap": 0.28,
        "height": 132 + 27 * len(names),
        "xaxis": {"title": {"text": f"{title} ({unit.symbol})"}, "rangemode": "tozero"},
        "yaxis": {**axis, "showline": False, "showgrid": False, "ticks": ""},
        "legend": {"traceorder": "normal"},
    }
    alt = f"{title} by component of {len(names)} designs; the table of the front has the totals."
    return {"data": data, "layout": layout, "alt": alt}


# ---------------------------------------------------------------------------------------- roofline


def roofline(under: Roofline) -> Figure:
    """Return the roofline with every op that has MACs; a marker's area is its share of the time."""
    unit, (x, y) = under.unit, under.roof
    bounds = dict.fromkeys([*palette.BOUND, *(spot.row.bound for spot in under.spots)])
    roof = {
        **{"type": "scatter", "mode": "lines", "name": "roof", "x": x, "y": y},
        **{"hoverinfo": "skip", "showlegend": False},
        "line": {"color": palette.INK, "width": 1.5},
    }
    bandwidth = f"{number(under.bandwidth / BYTES_PER_GB)} GB/s"
    work = {
        "type": "log",
        "title": {"text": "Work per DRAM traffic (MAC/byte)"},
        "range": [float(np.log10(x[0])), float(np.log10(x[-1]))],
        **log_ticks(x[-1] / x[0]),
    }
    rate = {
        "type": "log",
        "title": {"text": f"Work rate ({unit.symbol})"},
        **log_ticks(y[-1] / y[0]),
    }
    layout = {
        "height": 430,
        "hovermode": "closest",
        "xaxis": work,
        "yaxis": rate,
        "annotations": [
            _note(x[-1], y[-1], f"peak {unit.text(under.peak)}", yshift=1),
            _bandwidth_note(under, f"DRAM {bandwidth}"),
        ],
    }
    alt = (
        f"Roofline of {len(under.spots)} ops under a peak of {unit.text(under.peak)} and DRAM of "
        f"{bandwidth}; the table of ops has the same figures."
    )
    spots = [_spots(under, bound) for bound in bounds]
    return {"data": [roof, *filter(None, spots)], "layout": layout, "alt": alt}


def _bandwidth_note(under: Roofline, text: str) -> Figure:
    """Return what the roof's slope says: left of it, or right of it where there is no room."""
    left, right = under.roof[0][0], under.roof[0][-1]
    middle = (under.low * under.ridge) ** 0.5
    note = _note(middle, middle * under.bandwidth / under.unit.size, text, xshift=-4)
    if np.log(middle / left) < NOTE_SHARE * np.log(right / left):
        note.update(xanchor="left", yanchor="top", xshift=6)
    return note


def _note(x: float, y: float, text: str, **shift: int) -> Figure:
    """Return a text above and left of a point of two log axes."""
    place = {"x": float(np.log10(x)), "y": float(np.log10(y))}
    return {
        **place,
        **shift,
        "xanchor": "right",
        "yanchor": "bottom",
        "text": text,
        "showarrow": False,
    }


def _spots(under: Roofline, bound: str) -> Figure | None:
    spots = [spot for spot in under.spots if spot.row.bound == bound]
    if not spots:
        return None
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"bound by {escape(bound)}",
        "x": [spot.work for spot in spots],
        "y": [spot.rate / under.unit.size for spot in spots],
        "marker": {
            "color": palette.BOUND.get(bound, palette.GREY),
            "opacity": 0.75,
            "line": {"color": "#fff", "width": 1},
            "size": [MARKER_PX + MARKER_SHARE_PX * spot.share**0.5 for spot in spots],
            "symbol": ["triangle-right" if spot.on_chip else "circle" for spot in spots],
        },
        "hoverinfo": "text",
        "hovertext": [_spot_text(under, spot) for spot in spots],
    }


def _spot_text(under: Roofline, spot: Spot) -> str:
    row = spot.row
    lines = (
        f"<b>{escape(row.name)}</b> ({escape(row.kind)} on {escape(row.engine)})",
        f"{under.unit.text(spot.rate)}, {percent(spot.rate / under.peak)} of peak",
        "all operands on chip" if spot.on_chip else f"{number(spot.work)} MAC/byte",
        f"{percent(spot.share)} of the time",
    )
    return "<br>".join(lines)


# ---------------------------------------------------------------------------------------- marginals


def marginals(
    designs: pd.DataFrame, axes: Sequence[Axis], metrics: Sequence[Quantity], chosen: int
) -> Figure:
    """Return small multiples: each metric (rows) over each axis (columns), in one scale a row.

    Per value of the axis: the best and the median design of the sweep, over the chosen design, and
    the chosen one's own place.
    """
    grid = {"rows": len(metrics), "columns": len(axes), "pattern": "coupled"}
    layout: Figure = {
        "height": 70 + 150 * len(metrics),
        "grid": {**grid, "xgap": 0.06, "ygap": 0.12},
    }
    data: list[Figure] = []
    for row, metric in enumerate(metrics):
        at = float(designs[metric.name].iloc[chosen]) or 1.0
        seen = [1.0]
        for column, axis in enumerate(axes):
            spread = _by_level(axis, designs[metric.name] / at, metric.goal)
            seen += [*spread["best"], *spread["median"]]
            place = {"xaxis": _nth("x", column), "yaxis": _nth("y", row)}
            own = _level_name(axis, chosen, levels(axis.values))
            traces = _marginal(spread, own, axis.name, legend=not data)
            data += [{**trace, **place} for trace in traces]
            layout[_nth("xaxis", column)] = {
                "type": "category",
                "categoryorder": "array",
                "categoryarray": [escape(value) for value in spread.index],
                "title": {"text": escape(axis.name)},
                "showgrid": False,
            }
        layout[_nth("yaxis", row)] = {
            "type": "log",
            "title": {"text": f"{metric.title} ×"},
            "nticks": 5,
            **log_ticks(max(seen) / max(min(seen), 1e-12)),
        }
    alt = "Best and median design of the sweep at each value of each axis, over the chosen design."
    return {"data": data, "layout": layout, "alt": alt}


def _marginal(spread: pd.DataFrame, own: str, short: str, *, legend: bool) -> Iterator[Figure]:
    """Yield the lines and the chosen design's mark of one small multiple."""
    lines = {
        "median": {"color": palette.GREY, "width": 1.5, "dash": "dot"},
        "best": {"color": palette.FRONT, "width": 2},
    }
    for name, line in lines.items():
        ratio = "%{y:.3~r}× the chosen<extra></extra>"
        yield {
            "type": "scatter",
            "mode": "lines+markers",
            "name": f"{name} design",
            "legendgroup": name,
            "showlegend": legend,
            "x": [escape(value) for value in spread.index],
            "y": spread[name].tolist(),
            "line": line,
            "marker": {"size": 5},
            "hovertemplate": f"{escape(short)} %{{x}}<br>{name}: {ratio}",
        }
    yield {
        "type": "scatter",
        "mode": "markers",
        "name": "chosen",
        "legendgroup": "chosen",
        "showlegend": legend,
        "x": [escape(own)],
        "y": [1.0],
        "marker": {"size": 9, "symbol": "diamond", "color": palette.KNEE},
        "hoverinfo": "skip",
    }


def _nth(name: str, index: int) -> str:
    """Return plotly's name of an axis: ``x``, ``x2``, ``x3``."""
    return name if index == 0 else f"{name}{index + 1}"


def _by_level(axis: Axis, ratios: pd.Series, goal: str) -> pd.DataFrame:
    """Return best and median ratio by level of an axis, in the axis's order, levels by name."""
    level = levels(axis.values)
    grouped = ratios.groupby(level)
    frame = pd.DataFrame(
        {"best": grouped.min() if goal == "min" else grouped.max(), "median": grouped.median()}
    )
    first = {code: int(np.flatnonzero(level == code)[0]) for code in frame.index}
    order = sorted(first, key=lambda code: _sort_key(axis.values.iloc[first[code]]))
    frame = frame.loc[order]
    frame.index = pd.Index([_level_name(axis, first[code], level) for code in order])
    return frame


def _level_name(axis: Axis, row: int, level: NDArray[np.intp]) -> str:
    """Return the name of a row's level: its value, or the range of its bin."""
    members = axis.values[level == level[row]]
    if members.nunique(dropna=False) > 1:
        return f"{axis.texts[members.idxmin()]}–{axis.texts[members.idxmax()]}"
    return str(axis.texts.iloc[row])


def _sort_key(value: Any) -> tuple[int, float, str]:
    if not applies(value):
        return (2, 0.0, "")
    if isinstance(value, int | float | np.number):
        return (0, float(value), "")
    return (1, 0.0, str(value))
