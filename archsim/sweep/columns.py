"""The columns of a sweep's table: what of a `Result` is kept, and under which names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from archsim.engines import metrics
from archsim.metric import COMMON
from archsim.result import Result

Cell = int | float | str
OK, INFEASIBLE, FAILED = "ok", "infeasible", "failed"  # how a point ended
KEY = ("design", "workload", "fidelity", "version")
ENERGY, AREA = ("energy.", "_pj"), ("area.", "_um2")


@cache
def metric_names() -> tuple[str, ...]:
    """Return the metrics that every sweep can optimise: the common ones and all declared ones."""
    return (*COMMON, *metrics())


def products(own: Mapping[str, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
    """Return the metrics that are products of powers of others, a sweep's own last."""
    declared = {name: m.powers for name, m in metrics().items() if m.powers is not None}
    return {**declared, **own}


def is_breakdown(name: str) -> bool:
    """Return whether a column is a component's energy or area."""
    return any(name.startswith(head) and name.endswith(tail) for head, tail in (ENERGY, AREA))


def columns_of(result: Result) -> dict[str, Cell]:
    """Return metrics, then energy and area by component."""
    row: dict[str, Cell] = result.metrics.to_dict()
    del row["fidelity"]  # part of the key
    row.update({f"{ENERGY[0]}{part}{ENERGY[1]}": pj for part, pj in result.energy_pj.items()})
    row.update({f"{AREA[0]}{part}{AREA[1]}": um2 for part, um2 in result.area_um2.items()})
    return row
