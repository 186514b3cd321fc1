"""Figures for papers: the front, the breakdown and the roofline, as PDF and SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.report import palette
from archsim.report.beside import MEASURED, Reference
from archsim.report.breakdown import OTHER, components
from archsim.report.content import Report, Scale, bar_designs, first_view, scales
from archsim.report.normalised import PER_JOULE, PER_MM2, Normalised, normalised
from archsim.report.pareto import COMPONENT_AREA, COMPONENT_ENERGY, Floats, non_dominated
from archsim.report.quantities import AREA_UM2, ENERGY_PJ, Quantity
from archsim.report.roofline import Roofline, roofline
from archsim.report.study import Decision, Row, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_INCHES = 3.5  # a column of a two-column paper
FORMATS = ("pdf", "svg")
LEGEND_ROW_INCHES = 0.16  # of a legend below or above a figure
LEGEND_ROWS = 4  # of a legend that a breakdown has room for
LONG_SPAN = 1500.0
MARKS = {MEASURED: "P"}  # of what stands beside a sweep; other kinds are stars

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e9ed",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "archsim",  # equal figures make equal files
    "figure.constrained_layout.use": True,
}


def save(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write every figure that a report has into a folder and return the files."""
    import matplotlib as mpl  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with mpl.rc_context(STYLE):
        found = {"pareto": pareto(report), "breakdown": breakdown(report)}
        if (view := normalised(report.study, report.decision, report.references)) is not None:
            found["normalised"] = yields(report.study, report.decision, view)
        for number, detail in enumerate(report.details.values(), start=1):
            if (under := roofline(detail.shown)) is not None:
                found[f"roofline-{number}"] = roof(under)
        for name, figure in found.items():
            for kind in FORMATS:
                date = {"CreationDate": None} if kind == "pdf" else {"Date": None}
                written.append(folder / f"{name}.{kind}")
                figure.savefig(written[-1], metadata=date)
    return tuple(written)


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    """Return a figure on a canvas of its own: no window, no global state."""
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    figure = Canvas(figsize=(width, height))
    return figure, figure.subplots(1, columns)


def _literal(text: object) -> str:
    """Return text that matplotlib does not read as mathematics, nor hides for its underscore."""
    return str(text).replace("$", r"\$").lstrip("_") or "unnamed"


def _log(axes: Axes, name: Literal["x", "y"], span: float) -> None:
    """Make an axis logarithmic, with plain numbers at 1 2 5 or, over a long span, at decades."""
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415

    axes.set(**{f"{name}scale": "log"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if span < LONG_SPAN else (1.0,)))
    axis.set_major_formatter(lambda value, _: f"{value:,g}")
    axis.set_minor_formatter(NullFormatter())


def _line(
    axes: Axes, x: Floats, y: Floats, view: tuple[Scale, Scale], colour: str, name: str = ""
) -> None:
    """Draw the front of two metrics."""
    across, up = view
    line = np.flatnonzero(non_dominated(np.column_stack([x, y]), [across.goal, up.goal]))
    line = line[np.argsort(x[line], kind="stable")]
    where: Literal["post", "pre"] = "post" if across.goal == "min" else "pre"
    (drawn,) = axes.step(x[line], y[line], where=where, color=colour)
    if name:
        drawn.set_label(_literal(f"front of {name}"))


def pareto(report: Report) -> Figure:
    """Return the front of the two metrics that trade off most, and the points to compare with."""
    study, decision = report.study, report.decision
    across, up = first_view(scales(study, decision, report.references), study, decision)
    x, y = (decision.designs[s.name].to_numpy(float) / s.unit.size for s in (across, up))
    front = decision.designs["front"].to_numpy(bool)
    rows = range(len(decision.designs)) if study.groups else ()
    group_of = [study.group(decision.row(row)) for row in rows]
    figure, axes = _figure(COLUMN_INCHES, 2.6 + LEGEND_ROW_INCHES * len(set(group_of)) / 2)
    if study.groups:
        _groups(axes, group_of, front, x, y)
    else:
        axes.scatter(
            *(x[~front], y[~front]), s=4, color=palette.DOMINATED, lw=0, alpha=0.5, rasterized=True
        )
    _line(axes, x, y, (across, up), palette.FRONT)
    if report.against is not None:
        theirs = report.against.decision.designs
        x2, y2 = (theirs[s.name].to_numpy(float) / s.unit.size for s in (across, up))
        _line(axes, x2, y2, (across, up), palette.AGAINST, report.against.comparison.there)
    if not study.groups:
        axes.scatter(x[front], y[front], s=11, color=palette.FRONT, lw=0, label="front")
    view = (across, up)
    _point(axes, decision.chosen, view, "D", palette.KNEE, "knee")
    if decision.baseline is not None:
        _point(axes, decision.baseline, view, "s", palette.BASELINE, study.baseline_name)
    colours = palette.of_references(r.name for r in report.references)
    for r in report.references:
        _point(axes, r.metrics, view, MARKS.get(r.kind, "*"), colours[r.name], _called(r))
    axes.set(xlabel=across.label, ylabel=up.label)
    if across.log:
        _log(axes, "x", x.max() / x.min())
    if up.log:
        _log(axes, "y", y.max() / y.min())
    if study.groups:
        figure.legend(loc="outside lower center", ncols=2)
    else:
        axes.legend()
    return figure


def _groups(
    axes: Axes, group_of: list[tuple[str, ...]], front: NDArray[np.bool_], x: Floats, y: Floats
) -> None:
    """Draw the designs of each group in its colour and marker, those on the front ringed."""
    for group, (colour, shape) in palette.of_groups(sorted(set(group_of))).items():
        mine = np.array([other == group for other in group_of])
        style: Any = {"marker": palette.MARKERS[shape][1], "color": colour}
        axes.scatter(
            *(x[mine & ~front], y[mine & ~front]), s=9, lw=0, alpha=0.6, rasterized=True, **style
        )
        on = mine & front
        name = _literal(" ".join(group))
        axes.scatter(x[on], y[on], s=18, ec=palette.INK, lw=0.5, label=name, zorder=2, **style)


def _point(
    axes: Axes, row: Row, view: tuple[Scale, Scale], marker: str, colour: str, name: str
) -> None:
    """Draw one named point, if it has both metrics."""
    if all(s.name in row for s in view):
        x, y = (float(row[s.name]) / s.unit.size for s in view)
        axes.scatter(x, y, s=30, marker=marker, color=colour, lw=0, label=_literal(name), zorder=3)


def yields(study: Study, decision: Decision, view: Normalised) -> Figure:
    """Return runs a joule over runs a second and mm², with what stands beside as spans."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    moved = view.moved
    figure, axes = _figure(COLUMN_INCHES, 2.6 + LEGEND_ROW_INCHES * (len(moved) + 1))
    front = decision.designs["front"].to_numpy(bool)[view.rows]
    plain: Any = {"lw": 0, "rasterized": True}
    x, y = view.per_mm2, view.per_joule
    axes.scatter(x[~front], y[~front], s=4, color=palette.DOMINATED, alpha=0.5, **plain)
    axes.scatter(x[front], y[front], s=11, color=palette.FRONT, lw=0, label="front")
    colours = palette.of_references(one.reference.name for one in moved)
    for one in moved:
        colour, made = colours[one.reference.name], one.made
        mark: Any = {"marker": MARKS.get(one.reference.kind, "*"), "s": 34, "zorder": 3}
        at_home = one.reference.process == view.process
        face = colour if at_home else "none"
        axes.scatter(made.per_mm2, made.per_joule, fc=face, ec=colour, lw=0.8, **mark)
        name = _literal(_called(one.reference))
        if at_home or one.spans is None:
            axes.scatter([], [], fc=face, ec=colour, label=name, **mark)
            continue
        (a, b) = one.spans
        corner, size = (a.low, b.low), (a.high - a.low, b.high - b.low)
        where = f"{name}, moved to {_literal(view.process)}"
        axes.add_patch(
            Rectangle(
                corner, *size, fc=(colour, palette.SPAN_OPACITY), ec=colour, lw=0.8, label=where
            )
        )
    axes.scatter([], [], fc="none", ec=palette.FAINT, lw=0.8, s=34, marker="*", label="as made")
    points = [("D", palette.KNEE, "knee", view.chosen)]
    if view.baseline is not None:
        points.append(("s", palette.BASELINE, study.baseline_name, view.baseline))
    for marker, colour, name, at in points:
        axes.scatter(
            at.per_mm2, at.per_joule, s=30, marker=marker, color=colour, lw=0,
            label=_literal(name), zorder=3,
        )  # fmt: skip
    (x_low, x_high), (y_low, y_high) = view.ends("per_mm2"), view.ends("per_joule")
    _log(axes, "x", x_high / x_low)
    _log(axes, "y", y_high / y_low)
    axes.set(xlabel=PER_MM2.title, ylabel=PER_JOULE.title)
    axes.set(xlim=(x_low, x_high), ylim=(y_low, y_high))
    figure.legend(loc="outside lower center", ncols=1)
    return figure


def _called(reference: Reference) -> str:
    return f"{reference.name}, {reference.kind}"


def breakdown(report: Report) -> Figure:
    """Return area and energy by component of baseline, chosen design and some of the front."""
    names, rows = bar_designs(report.study, report.decision)
    frames = [components(rows, prefix) for prefix in (COMPONENT_AREA, COMPONENT_ENERGY)]
    colours = {**palette.of_components(*(frame.index for frame in frames)), OTHER: palette.GREY}
    across = 2 if report.study.groups else 3  # names of groups beside the bars take their room
    legend_rows = max(-(-len(frame) // across) for frame in frames)
    height = 1.0 + 0.2 * len(names) + LEGEND_ROW_INCHES * max(legend_rows - LEGEND_ROWS, 0)
    figure, axes = _figure(2 * COLUMN_INCHES, height, columns=2)
    titles = (("Area", AREA_UM2), ("Energy", ENERGY_PJ))
    for ax, frame, (title, units) in zip(axes, frames, titles, strict=True):
        unit = Quantity("", title, units=units).unit_for(frame.sum())
        left = np.zeros(len(names))
        for part, values in zip(frame.index, frame.to_numpy(float) / unit.size, strict=True):
            colour, label = colours[str(part)], _literal(part)
            ax.barh(
                range(len(names)), values, 0.72, left, color=colour, ec="w", lw=0.4, label=label
            )
            left += values
        ax.set_yticks(range(len(names)), [_literal(name) for name in names])
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        ax.set_xlabel(f"{title} ({unit.symbol})")
        if len(frame):
            ax.legend(ncols=across, loc="lower left", bbox_to_anchor=(0, 1), handlelength=1)
    return figure


def roof(under: Roofline) -> Figure:
    """Return the roofline with every op that has MACs; those without DRAM traffic at the edge."""
    figure, axes = _figure(COLUMN_INCHES, 2.6)
    axes.plot(*under.roof, color=palette.INK)
    for bound in dict.fromkeys(spot.row.bound for spot in under.spots):
        mine = [spot for spot in under.spots if spot.row.bound == bound]
        axes.scatter(
            [spot.work for spot in mine],
            [spot.rate / under.unit.size for spot in mine],
            s=[6 + 250 * spot.share for spot in mine],
            color=palette.BOUND.get(bound, palette.GREY),
            alpha=0.75,
            ec="w",
            lw=0.4,
            label=_literal(bound),
        )
    work, rates = under.roof
    _log(axes, "x", work[-1] / work[0])
    _log(axes, "y", rates[-1] / rates[0])
    axes.set(xlim=(under.low, under.high))
    axes.set(xlabel="Work per DRAM traffic (MAC/byte)", ylabel=f"Work rate ({under.unit.symbol})")
    if under.spots:
        axes.legend(title="bound by")
    return figure
