"""A run as a timeline that Perfetto and chrome://tracing open: one track a resource."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any

from archsim.result import PS_PER_US, Result, Span

PROCESS = 1


def perfetto(result: Result) -> dict[str, Any]:
    """Return the run in the JSON trace event format; times are microseconds, as its viewers show.

    Tracks stand in the order of the result's resources, then of the resources that only spans name.

    Raises
    ------
    ValueError
        If the result has no spans, or two spans of one resource overlap: a resource does one thing
        at a time, so an overlap is a fault of the simulation.
    """
    if not result.spans:
        raise ValueError("a timeline needs spans; simulate with fidelity 'event'")
    spans = sorted(result.spans, key=attrgetter("resource", "start_ps", "end_ps"))
    for resource, track in groupby(spans, key=attrgetter("resource")):
        _check_track(resource, list(track))
    known = [row.name for row in result.per_resource]
    rest = sorted({span.resource for span in spans} - set(known))
    track_of = {name: number for number, name in enumerate([*known, *rest], start=1)}
    design = result.provenance.get("design", "")
    name = design.get("name", "") if isinstance(design, Mapping) else str(design)
    return {
        "displayTimeUnit": "ns",
        "otherData": {"fidelity": result.metrics.fidelity, "time_us": result.metrics.time_us},
        "traceEvents": [
            _named("process_name", 0, name or "accelerator"),
            *(_named("thread_name", number, name) for name, number in track_of.items()),
            *(_order(number) for number in track_of.values()),
            *(_complete(span, track_of[span.resource]) for span in spans),
        ],
    }


def _check_track(resource: str, track: list[Span]) -> None:
    for before, after in pairwise(track):
        if after.start_ps < before.end_ps:
            raise ValueError(
                f"spans on {resource!r} must not overlap: {before.name!r} ends at "
                f"{before.end_ps:,} ps, {after.name!r} starts at {after.start_ps:,} ps"
            )
    for span in track:
        if not 0 <= span.start_ps <= span.end_ps:
            raise ValueError(f"span {span.name!r} on {resource!r} must have 0 <= start <= end")


def _complete(span: Span, track: int) -> dict[str, Any]:
    return {
        "ph": "X", "pid": PROCESS, "tid": track, "name": span.name, "cat": span.resource,
        "ts": span.start_ps / PS_PER_US, "dur": (span.end_ps - span.start_ps) / PS_PER_US,
    }  # fmt: skip


def _named(what: str, track: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": PROCESS, "tid": track, "name": what, "args": {"name": name}}


def _order(track: int) -> dict[str, Any]:
    return {
        "ph": "M", "pid": PROCESS, "tid": track, "name": "thread_sort_index",
        "args": {"sort_index": track},
    }  # fmt: skip
