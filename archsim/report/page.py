"""The report's page as plain values: what the template prints and what its script draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.report import inside, panels
from archsim.report.against import Comparison
from archsim.report.beside import Reference
from archsim.report.content import Detail, Report, Scale, front_numbers, scales
from archsim.report.drawn import figures, script_data
from archsim.report.normalised import (
    YIELDS,
    Normalised,
    normalised,
    sentences,
    span_text,
    times_text,
    title_of,
)
from archsim.report.quantities import (
    NOTHING,
    Quantity,
    number,
    percent,
    quantity,
    ratio,
    setting,
    times,
)
from archsim.report.sensitivity import Axis, axes_of, main_effects, steps_from
from archsim.report.study import Decision, Row, Study, drawn_rows
from archsim.report.verdict import verdict
from archsim.report.yaml_text import design_name, design_yaml

FRONT_ROWS = 200  # of the table of the front
FACTORS = ("area", "energy", "delay")  # of a process
SAME = 5e-3  # values closer than this to the base are called the same


def context(report: Report) -> dict[str, Any]:
    """Return what the template needs; texts are plain, the template escapes them."""
    study, decision, chosen = report.study, report.decision, report.decision.chosen
    shown = scales(study, decision, report.references)
    goals = {o.metric for o in study.objectives}
    objectives = [s for s in shown if s.name in goals]
    rows = drawn_rows(decision.designs, study.metrics, [decision.knee])
    numbers = front_numbers(study, decision)
    axes = _by_effect(study, decision)
    drawn = {name: panels.panels_of(d.shown) for name, d in report.details.items()}
    drawings = figures(report, axes) | panels.figures([*drawn.values()])
    view = normalised(study, decision, report.references)
    explained = dict.fromkeys([*study.metrics, "tied_percent"])
    return {
        "study": study,
        "decision": decision,
        "verdict": verdict(study, decision, numbers),
        "facts": list(_facts(study, decision)),
        "settings": study.settings(chosen),
        "compare": compare(shown, decision.baseline, chosen),
        "baseline_name": study.baseline_name if decision.baseline is not None else "",
        "yaml": design_yaml(study, chosen),
        "run_model": next(iter(study.models.values()), "MODEL"),
        "yaml_file": f"{design_name(study, chosen)}.yaml",
        "setting_names": list(study.axis_names.values()),
        "front": _front_table(study, decision, objectives, numbers, rows),
        "front_total": len(numbers),
        "drawn": len(rows),
        "objectives": objectives,
        "scales": shown,
        "effects": _effects(study, decision, axes),
        "steps": list(_steps(study, decision, axes)),
        "workloads": {
            name: {**inside.view(d.analytic, d.event), "panels": [x.panel for x in drawn[name]]}
            for name, d in report.details.items()
        },
        "assumptions": _assumptions(report.details),
        "provenance": flat({**study.provenance, **_runs(report.details)}),
        "references": [_reference(r, shown) for r in report.references],
        "normalised": None if view is None else _normalised(view),
        "links": report.links,
        "against": None if report.against is None else _against(report.against.comparison),
        "glossary": [q for q in (_explained(study, m) for m in explained) if q.meaning],
        "figure_alts": {name: figure["alt"] for name, figure in drawings.items()},
        "figures": drawings,
        "data": script_data(report, shown, rows, numbers),
    }


def compare(shown: Sequence[Scale], baseline: Row | None, row: Row) -> list[dict[str, str]]:
    """Return a line a metric: baseline, design, ratio and which is better."""
    lines = []
    for scale in shown:
        value = float(row[scale.name])
        base = None if baseline is None else float(baseline[scale.name])
        lines.append(
            {
                "metric": scale.name,
                "title": scale.quantity.title,
                "unit": scale.unit.symbol,
                "baseline": scale.text(baseline),
                "value": scale.text(row),
                "ratio": NOTHING if base is None else ratio(value, base),
                "word": "" if base is None else _word(scale.goal, value, base),
            }
        )
    return lines


def _word(goal: str, value: float, base: float) -> str:
    if abs(value - base) <= SAME * abs(base):
        return "same"
    return "better" if (value < base) == (goal == "min") else "worse"


def _facts(study: Study, decision: Decision) -> Iterator[tuple[str, str]]:
    within = " within the constraints" if study.constraints else ""
    answered, tried = len(decision.designs), decision.points
    yield "Designs", f"{answered:,} of {tried:,} answer every workload{within}"
    workloads = [n if w == 1 else f"{w:g} × {n}" for n, w in study.weights.items()]
    yield "Workloads", ", ".join(workloads)
    goals = [f"{quantity(o.metric).phrase} ({o.goal})" for o in study.objectives]
    yield "Objectives", ", ".join(goals)
    if study.constraints:
        yield "Constraints", "; ".join(map(str, study.constraints))
    if "fidelity" in study.table.columns:
        yield "Fidelity", ", ".join(sorted(set(study.table["fidelity"].dropna())))
    if study.unfinished:
        yield "Unfinished", f"{study.unfinished:,} points of the sweep are not in this report"
    tied = decision.chosen["tied_percent"]
    yield "Tied to RTL", f"{tied:.1f} % of the chosen design’s engine time"


def _front_table(
    study: Study,
    decision: Decision,
    objectives: Sequence[Scale],
    numbers: Mapping[int, int],
    rows: NDArray[Any],
) -> list[dict[str, Any]]:
    """Return the front's first designs, and the knee wherever it stands."""
    point = {int(row): at for at, row in enumerate(rows)}
    baseline = decision.baseline
    table = []
    for row, place in numbers.items():
        if place > FRONT_ROWS and row != decision.knee:
            continue
        design = decision.row(row)
        table.append(
            {
                "number": place,
                "point": point[row],
                "knee": row == decision.knee,
                "baseline": baseline is not None and design["design"] == baseline["design"],
                "settings": [setting(path, design[path]) for path in study.axes],
                "figures": [
                    (s.text(design), baseline and ratio(design[s.name], baseline[s.name]))
                    for s in objectives
                ],
            }
        )
    return table


def _effects(study: Study, decision: Decision, axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Return what each axis explains alone."""
    shares = main_effects(decision.designs, axes, [o.metric for o in study.objectives])
    return [
        {
            "path": ", ".join(axis.paths),
            "axis": axis.name,
            "count": axis.count,
            "shares": [(float(share), percent(float(share))) for share in row],
        }
        for axis, row in zip(axes, shares, strict=True)
    ]


def _by_effect(study: Study, decision: Decision) -> list[Axis]:
    """Return the axes, those that matter most to any objective first."""
    axes = axes_of(study, decision.designs)
    shares = main_effects(decision.designs, axes, [o.metric for o in study.objectives])
    return [axes[row] for row in np.argsort(-shares.max(axis=1, initial=0.0), kind="stable")]


def _steps(study: Study, decision: Decision, axes: Sequence[Axis]) -> Iterator[dict[str, Any]]:
    goals = {o.metric: o.goal for o in study.objectives}
    for step in steps_from(decision.designs, axes, list(goals), decision.knee):
        cells = [
            (ratio(step.ratios[metric], 1.0), _word(goal, step.ratios[metric], 1.0))
            if metric in step.ratios
            else (NOTHING, "")
            for metric, goal in goals.items()
        ]
        yield {
            "axis": step.axis.name,
            "from": step.axis.texts[decision.knee],
            "to": step.axis.texts[step.row],
            "front": bool(decision.row(step.row)["front"]),
            "ratios": cells,
        }


def _explained(study: Study, metric: str) -> Quantity:
    """Return a metric with its meaning; of one that the sweep made, what it is a product of."""
    show = quantity(metric)
    if show.meaning or metric not in study.products:
        return show
    factors = (f"{m}^{power:g}" if power != 1 else m for m, power in study.products[metric].items())
    return replace(show, meaning=f"{' × '.join(factors)}.")


def _assumptions(details: Mapping[str, Detail]) -> list[str]:
    lines = [line for detail in details.values() for line in detail.shown.assumptions]
    return list(dict.fromkeys(lines))


def _runs(details: Mapping[str, Detail]) -> dict[str, Any]:
    """Return what the detailed runs add to the sweep's provenance: what they share, once."""
    runs = {f"run of {n}": dict(d.shown.provenance) for n, d in details.items()}
    every = list(runs.values())
    shared = {k: v for k, v in (every or [{}])[0].items() if all(r.get(k) == v for r in every)}
    shared.pop("design", None)  # it stands at the top, as YAML
    own = {n: {k: v for k, v in r.items() if k not in shared} for n, r in runs.items()}
    for run in own.values():
        run.pop("design", None)
    return {**shared, **own}


def _against(comparison: Comparison) -> dict[str, Any]:
    """Return the lines of two sweeps side by side, as text."""
    lines = []
    for change in comparison.changes:
        spread = (change.median, change.least, change.most)
        lines.append(
            {
                "title": quantity(change.metric).title,
                "counts": [f"{n:,}" for n in (change.better, change.worse, change.same)],
                "ratios": [NOTHING if value is None else times(value) for value in spread],
            }
        )
    goals = {change.metric: change.goal for change in comparison.changes}
    moved = [
        (
            one.label,
            [
                (NOTHING, "") if value is None else (times(value), _word(goals[m], value, 1.0))
                for m, value in one.ratios.items()
            ],
        )
        for one in comparison.moved
    ]
    here, there = comparison.here, comparison.there
    lists = {
        "On the front here, not there": comparison.front["entered"],
        "On the front there, not here": comparison.front["left"],
        f"Only in {here}": comparison.only_here,
        f"Only in {there}": comparison.only_there,
        f"With an answer in {here} only": comparison.gained,
        f"With an answer in {there} only": comparison.lost,
    }
    titles = [quantity(m).title for m in (comparison.moved[0].ratios if moved else ())]
    return {
        "here": here,
        "there": there,
        "lead": comparison.in_common() + comparison.of_fronts(),
        "lines": lines,
        "moved": moved,
        "moved_titles": titles,
        "lists": {title: listed for title, listed in lists.items() if listed.count},
    }


def flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as (dotted key, text)."""
    rows: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{key}", "; ".join(map(str, value)) or NOTHING))
        else:
            rows.append((f"{prefix}{key}", str(value) if value not in (None, "") else NOTHING))
    return rows


def _reference(reference: Reference, shown: Sequence[Scale]) -> dict[str, Any]:
    metrics = reference.metrics
    return {
        "name": reference.name,
        "kind": reference.kind,
        "process": title_of(reference.process),
        "source": reference.source,
        "notes": reference.notes,
        "missing": reference.missing,
        "figures": [
            s.quantity.text(metrics[s.name]) if s.name in metrics else NOTHING for s in shown
        ],
    }


def _normalised(view: Normalised) -> dict[str, Any]:
    """Return the normalised view as text: a line a reference, and the factors that it rests on."""
    lines = []
    for one in view.moved:
        ratios, words = one.over(view.chosen), one.words(view.chosen)
        lines.append(
            {
                "name": one.reference.name,
                "kind": one.reference.kind,
                "process": title_of(one.reference.process),
                "made": [number(one.made.per_mm2), number(one.made.per_joule)],
                "moved": [
                    (span_text(span), times_text(ratio), word)
                    for span, ratio, word in zip(
                        one.spans or (), ratios or (), words or (), strict=True
                    )
                ],
            }
        )
    chosen = [number(view.chosen.per_mm2), number(view.chosen.per_joule)]
    return {
        "title": view.title,
        "titles": [show.title for show in YIELDS],
        "meanings": YIELDS,
        "chosen": chosen,
        "lines": lines,
        "sentences": list(sentences(view)),
        "processes": [
            {
                "title": p.title,
                "factors": [(span_text(getattr(p, part)), p.sources[part]) for part in FACTORS],
            }
            for p in view.involved
        ],
    }
