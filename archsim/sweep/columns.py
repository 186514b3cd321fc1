"""The columns of a sweep's table: what of a `Result` is kept, and under which names."""

from __future__ import annotations

import dataclasses
from functools import cache

from archsim.engines import discover
from archsim.result import Metrics, Result

Cell = int | float | str
OK, INFEASIBLE, FAILED = "ok", "infeasible", "failed"  # how a point ended
KEY = ("design", "workload", "fidelity", "version")
ENERGY, AREA = ("energy.", "_pj"), ("area.", "_um2")


COMMON = tuple(f.name for f in dataclasses.fields(Metrics) if f.name != "fidelity")


@cache
def metric_names() -> tuple[str, ...]:
    """Return the metrics that a sweep can optimise: the common ones and those engines declare."""
    declared = [name for engine in discover().values() for name in engine.metrics]
    return tuple(dict.fromkeys([*COMMON, *declared]))


def is_breakdown(name: str) -> bool:
    """Return whether a column is a component's energy or area."""
    return any(name.startswith(head) and name.endswith(tail) for head, tail in (ENERGY, AREA))


def is_metric(name: str) -> bool:
    """Return whether a table can have such a column of numbers; breakdowns depend on the design."""
    return name in metric_names() or is_breakdown(name)


def columns_of(result: Result) -> dict[str, Cell]:
    """Return metrics, then energy and area by component."""
    row: dict[str, Cell] = dataclasses.asdict(result.metrics)
    del row["fidelity"]  # part of the key
    row.update({f"{ENERGY[0]}{part}{ENERGY[1]}": pj for part, pj in result.energy_pj.items()})
    row.update({f"{AREA[0]}{part}{AREA[1]}": um2 for part, um2 in result.area_um2.items()})
    return row
