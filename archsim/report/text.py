"""What a simulation and a report say in a terminal: rich renderables, which the command prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from archsim.assignment import FIRST
from archsim.operands import KNOWN
from archsim.report.inside import ENERGY, SIZE, TIME_PS, op_shares, resource_shares, why, worst_ops
from archsim.report.layout import add_column, bullets, plain_table, spaced, titled
from archsim.report.normalised import YIELDS, sentences, span_text, title_of
from archsim.report.page import flat
from archsim.report.quantities import NOTHING, QUANTITIES, number, percent, quantity, times
from archsim.report.roofline import own_ps
from archsim.result import OpRow, Result

if TYPE_CHECKING:
    from rich.console import RenderableType

    from archsim.report.against import Comparison
    from archsim.report.content import Report
    from archsim.report.normalised import Normalised

TOP_OPS = 10
STREAM = ("latency_us", "throughput_per_s", "energy_per_item_pj")
UNLISTED = ("edp",)  # it follows from two lines above it
HEADLINES = (
    "cycles", "time_us", "energy_pj", "power_mw", "area_mm2", "utilisation", "macs", "dram_bytes",
    "tied_percent",
)  # fmt: skip


def simulation(result: Result, top: int = TOP_OPS, *, explain: bool = False) -> RenderableType:
    """Return a result for people: metrics, the longest ops, resources, assumptions.

    Parameters
    ----------
    top
        Ops to list; with ``explain``, ops to explain.
    explain
        Also say what bounds each op, what each component costs, and where numbers come from.
    """
    parts: list[RenderableType] = [metrics(result), ops(result, top), resources(result)]
    if explain:
        parts += [_explained(result, top), _components(result), sources(result)]
    return Group(*(spaced(part) for part in (*parts, assumptions(result))))


def verdict(report: Report) -> RenderableType:
    """Return what a report comes to, as it stands at the head of its page."""
    from archsim.report.content import front_numbers  # noqa: PLC0415
    from archsim.report.verdict import verdict as said  # noqa: PLC0415

    study, decision = report.study, report.decision
    return Text(said(study, decision, front_numbers(study, decision)).text())


def comparison(of: Comparison) -> RenderableType:
    """Return two sweeps side by side: what changed, where most, and what only one of them has."""
    parts: list[RenderableType] = [bullets(f"{of.here} against {of.there}", of.sentences())]
    if of.moved:
        titles = [f">{quantity(metric).title}" for metric in of.moved[0].ratios]
        table = plain_table("changed most", *titles)
        for one in of.moved:
            ratios = (NOTHING if x is None else times(x) for x in one.ratios.values())
            table.add_row(Text(one.label), *ratios)
        parts.append(table)
    lists = {
        "entered the front": of.front["entered"],
        "left the front": of.front["left"],
        f"only in {of.here}": of.only_here,
        f"only in {of.there}": of.only_there,
    }
    for title, listed in lists.items():
        if listed.count:
            parts.append(bullets(_of(title, len(listed.labels), listed.count), listed.labels))
    return Group(*map(spaced, parts))


def beside(view: Normalised) -> RenderableType:
    """Return what stands beside a design: as it is made, and by area and energy in its process."""
    table = plain_table("beside", "made in", ">time", ">energy", ">area")
    for show in YIELDS:
        add_column(table, f">{show.title.lower()}")
    for one in view.moved:
        figures = one.reference.metrics
        table.add_row(
            Text(one.reference.name), title_of(one.reference.process),
            *(quantity(m).text(figures[m]) for m in ("time_us", "energy_pj", "area_mm2")),
            *map(span_text, one.spans or (None, None)),
        )  # fmt: skip
    own = " and ".join(map(number, (view.chosen.per_mm2, view.chosen.per_joule)))
    title = f"Beside {view.subject} (in {view.title}: {own})"
    return Group(titled(title, table), bullets("By area and by energy", sentences(view)))


def metrics(result: Result) -> RenderableType:
    """Return the metrics, each with its own unit."""
    table = plain_table("", ">", show_header=False)
    items = result.provenance.get("batches", 1)
    if items > 1:
        table.add_row("Items", f"{items:,}")
    for name in (*HEADLINES, *(STREAM if items > 1 else ())):
        show = quantity(name)
        value = getattr(result.metrics, name)
        text = f"{value:,}" if name == "cycles" else show.text(float(value))
        table.add_row(show.title, text)
    for name, value in result.metrics.extra.items():
        if name not in UNLISTED:
            table.add_row(quantity(name).title, quantity(name).text(value))
    return titled(f"{_name(result)}, {result.metrics.fidelity}", table)


def ops(result: Result, top: int = TOP_OPS) -> RenderableType:
    """Return the longest ops and what their time was."""
    total_ps = sum(own_ps(row) for row in result.per_op) or 1
    listed = worst_ops(result)[:top]
    table = plain_table("op", "engine", ">time")
    for title in (">share", ">busy", ">fill, drain", ">stalled", ">waiting", ">DRAM", ">energy"):
        add_column(table, title)
    add_column(table, "bound")
    for row in listed:
        name = f"{row.name} × {row.repeat}" if row.repeat > 1 else row.name
        table.add_row(
            *(Text(name), Text(row.engine), TIME_PS.text(own_ps(row))),
            percent(own_ps(row) / total_ps),
            *_time_columns(row),
            SIZE.text(row.dram_read_bytes + row.dram_write_bytes),
            ENERGY.text(sum(row.energy_pj.values())),
            Text(row.bound),
        )
    return titled(_of("Ops by time", len(listed), len(result.per_op)), table)


def _time_columns(row: OpRow) -> tuple[str, ...]:
    """Return an op's time as busy, fill and drain, stalls, waits."""
    parts = {"busy": 0.0, "overhead": 0.0, "stall": 0.0, "wait": 0.0}
    group = {"busy": "busy", "fill": "overhead", "drain": "overhead"}
    for share in op_shares(row):
        stalled = "stall" if share.state.startswith("stall.") else "wait"
        parts[group.get(share.state, stalled)] += share.share
    return tuple(percent(part) if part else NOTHING for part in parts.values())


def resources(result: Result) -> RenderableType:
    """Return each resource's time by what it was; every row adds up to the whole."""
    rows = [(row, resource_shares(row)) for row in result.per_resource]
    states = list(dict.fromkeys(share.state for _, shares in rows for share in shares))
    states.sort(key=lambda state: (state == "idle", state != "busy"))
    table = plain_table("resource", "kind", *(f">{state}" for state in states), ">moved")
    for row, shares in rows:
        at = {share.state: share.text for share in shares}
        cells = [at.get(state, NOTHING) for state in states]
        table.add_row(Text(row.name), row.kind, *cells, SIZE.text(row.size_bytes))
    return titled("Resources", table)


def assumptions(result: Result) -> RenderableType:
    """Return the conventions behind the numbers."""
    return bullets("Assumptions", result.assumptions)


def sources(result: Result) -> RenderableType:
    """Return where each number comes from: meanings of the metrics, then the provenance."""
    known = {k: v for k, v in result.provenance.items() if k != "design"}
    meanings = (f"{QUANTITIES[name].title}: {QUANTITIES[name].meaning}" for name in HEADLINES)
    table = plain_table("", "", show_header=False)
    for key, value in flat(known):
        table.add_row(Text(key), Text(value))
    meaning = bullets("What the metrics mean", meanings)
    return Group(spaced(meaning), titled("Provenance", table))


def _explained(result: Result, top: int) -> RenderableType:
    """Return what bounds each of the longest ops, with its mapping and how exact its time is."""
    listed = worst_ops(result)[:top]
    title = _of("What bounds the ops", len(listed), len(result.per_op))
    lines = (
        f"{row.name} ({_placed(row)}): {why(row)}; mapping {row.mapping}; "
        f"cycles are {row.kind_of_time}{_rests_on(row)}"
        for row in listed
    )
    return bullets(title, lines)


def _rests_on(row: OpRow) -> str:
    """Return what is known of the values that an op's time depends on, and its bounds."""
    known = f" by {KNOWN[row.values]}" if row.values else ""  # type: ignore[index]
    low, high = (row.bounds_cycles.get(name) for name in ("lo", "hi"))
    return known + (f", from {low:,} to {high:,}" if low is not None and high is not None else "")


def _placed(row: OpRow) -> str:
    """Return an op's kind and engine, with the policy's reason where it had a choice."""
    return f"{row.kind} on {row.engine}" + (f", {row.why}" if row.why not in ("", FIRST) else "")


def _components(result: Result) -> RenderableType:
    """Return energy and area by component, largest energy first."""
    table = plain_table("component", ">energy", ">share", ">area", ">share")
    energy_pj, area_um2 = result.energy_pj, result.area_um2
    names = sorted({*energy_pj, *area_um2}, key=lambda n: (-energy_pj.get(n, 0), n))
    for name in names:
        energy, area = _part(energy_pj, name, "energy_pj"), _part(area_um2, name, "area_um2")
        table.add_row(Text(name), *energy, *area)
    return titled("Where energy and area go", table)


def _part(whole: Any, name: str, unit: str) -> tuple[str, str]:
    if name not in whole:
        return NOTHING, NOTHING
    return quantity(unit).text(whole[name]), percent(whole[name] / (sum(whole.values()) or 1))


# ---------------------------------------------------------------------------------------- names


def _name(result: Result) -> str:
    """Return the question that a result answers."""
    design = result.provenance.get("design", "")
    name = design.get("name", "") if isinstance(design, dict) else design
    return f"{result.provenance.get('trace', 'trace')} on {name or 'design'}"


def _of(title: str, shown: int, every: int) -> str:
    return title if shown == every else f"{title}: {shown} of {every}"
