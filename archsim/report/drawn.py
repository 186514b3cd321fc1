"""What the report's script draws: the points of the front figure, and the other figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archsim.report import charts, palette
from archsim.report.breakdown import OTHER, components
from archsim.report.content import Report, Scale, bar_designs, first_view
from archsim.report.normalised import normalised
from archsim.report.normalised_chart import normalised_chart
from archsim.report.pareto import COMPONENT_AREA, COMPONENT_ENERGY
from archsim.report.quantities import Quantity, applies, quantity, setting
from archsim.report.roofline import roofline
from archsim.report.sensitivity import Axis
from archsim.report.study import Row, Study, drawn_rows
from archsim.report.yaml_text import NAME, design_name, inserted, pieces

DIGITS = 6  # significant digits of what is drawn
EFFECT_AXES = 6  # columns of the small multiples: the axes that matter most


def script_data(
    report: Report, shown: Sequence[Scale], rows: NDArray[np.intp], numbers: Mapping[int, int]
) -> dict[str, Any]:
    """Return what the script needs to draw the front and to show any point of it.

    Parameters
    ----------
    rows
        Of the designs that are drawn.
    numbers
        Places on the front by row.
    """
    study, decision = report.study, report.decision
    designs = decision.designs.iloc[rows]
    records = [decision.row(int(row)) for row in rows]
    baseline = decision.baseline
    axes, codes = [], []
    for path, short in study.axis_names.items():
        values, level_of = _levels(designs[path])
        axes.append(
            {
                "name": short,
                "texts": [setting(path, v) if applies(v) else "" for v in values],
                "yaml": [
                    inserted(path, study.value(path, v)) if applies(v) else "" for v in values
                ],
            }
        )
        codes.append(level_of)
    templates, template_of = _templates(study, records)
    groups, group_of = _groups(study, records)
    return {
        "metrics": [
            {
                "name": s.name,
                "title": s.quantity.title,
                "symbol": s.unit.symbol,
                "size": s.unit.size,
                "goal": s.goal,
                "log": s.log,
            }
            for s in shown
        ],
        "view": [s.name for s in first_view(shown, study, decision)],
        "axes": axes,
        "points": {
            "values": {s.name: _drawn(designs[s.name]) for s in shown},
            "axes": codes,
            "front": [int(f) for f in designs["front"]],
            "numbers": [numbers.get(int(row), 0) for row in rows],
            "names": [design_name(study, row) for row in records],
            "templates": template_of,
            "groups": group_of,
        },
        "groups": groups,
        "templates": templates,
        "nameToken": NAME,
        "knee": int(np.flatnonzero(np.asarray(rows) == decision.knee)[0]),
        "baseline": baseline
        and {
            "name": study.baseline_name,
            "values": {s.name: float(baseline[s.name]) for s in shown},
        },
        "against": _against(report, shown),
        "references": [
            {
                "name": r.name,
                "label": f"{r.name} ({r.process})" if r.process else r.name,
                "kind": r.kind,
                "source": r.source,
                "values": {s.name: r.metrics[s.name] for s in shown if s.name in r.metrics},
            }
            for r in report.references
        ],
        "colours": dict(palette.FRONT_FIGURE),
    }


def _drawn(values: pd.Series) -> list[float]:
    return [float(f"{v:.{DIGITS}g}") for v in values.to_numpy(np.float64)]


def _levels(values: pd.Series) -> tuple[list[Any], list[int]]:
    """Return the distinct values of an axis and each row's among them; lists may be values."""
    found: dict[str, int] = {}
    distinct: list[Any] = []
    codes = []
    for value in values:
        key = repr(value) if applies(value) else ""
        if key not in found:
            found[key] = len(distinct)
            distinct.append(value)
        codes.append(found[key])
    return distinct, codes


def _groups(study: Study, records: Sequence[Row]) -> tuple[list[dict[str, str]], list[int]]:
    """Return the groups as figures show them, in order of their names, and which each row is of."""
    if not study.groups:
        return [], []
    of = [study.group(row) for row in records]
    styles = palette.of_groups(sorted(set(of)))
    shown = [
        {"name": " ".join(group), "colour": colour, "symbol": palette.MARKERS[shape][0]}
        for group, (colour, shape) in styles.items()
    ]
    place = {group: number for number, group in enumerate(styles)}
    return shown, [place[group] for group in of]


def _templates(study: Study, records: Sequence[Row]) -> tuple[list[list[str | int]], list[int]]:
    """Return the distinct shapes of the designs' YAML, and which each row has."""
    shapes: dict[tuple[bool, ...], int] = {}
    templates: list[list[str | int]] = []
    places = []
    for row in records:
        shape = tuple(applies(row[path]) for path in study.axes)
        if shape not in shapes:
            shapes[shape] = len(templates)
            templates.append(list(pieces(study, row)))
        places.append(shapes[shape])
    return templates, places


def _against(report: Report, shown: Sequence[Scale]) -> dict[str, Any] | None:
    if report.against is None:
        return None
    other, decision = report.against.study, report.against.decision
    metrics = [s.name for s in shown if s.name in decision.designs.columns]
    rows = drawn_rows(decision.designs, metrics, [decision.knee])
    return {
        "name": report.against.comparison.there,
        "values": {m: _drawn(decision.designs[m].iloc[rows]) for m in metrics},
        "labels": [other.label(decision.row(int(row))) for row in rows],
    }


def figures(report: Report, axes: Sequence[Axis]) -> dict[str, charts.Figure]:
    """Return the other interactive figures by the id of their place on the page.

    Parameters
    ----------
    axes
        Of the sweep, those that matter most first.
    """
    study, decision = report.study, report.decision
    names, rows = bar_designs(study, decision)
    areas = components(rows, COMPONENT_AREA).index
    energies = components(rows, COMPONENT_ENERGY).index
    colours = {**palette.of_components(areas, energies), OTHER: palette.GREY}
    found = {}
    for name, prefix, parts in (
        ("area", COMPONENT_AREA, areas),
        ("energy", COMPONENT_ENERGY, energies),
    ):
        if len(parts):
            found[f"{name}-breakdown"] = charts.breakdown(names, rows, prefix, colours)
    for number, detail in enumerate(report.details.values()):
        if (under := roofline(detail.shown)) is not None:
            found[f"roofline-{number}"] = charts.roofline(under)
    goals = {o.metric: o.goal for o in study.objectives}
    titles = [Quantity(m, quantity(m).title, goal) for m, goal in goals.items()]
    if (view := normalised(study, decision, report.references)) is not None:
        found["normalised"] = normalised_chart(study, decision, view)
    if axes:
        most = axes[:EFFECT_AXES]
        found["marginals"] = charts.marginals(decision.designs, most, titles, decision.knee)
    return found


def script_json(value: Any) -> str:
    """Return JSON that may stand in a script element: no text in it can end the element."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
