"""The metrics of a result beyond the common ones: products, packages' own, engines' own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from archsim.engines import discover, metrics
from archsim.errors import InputError
from archsim.metric import Metric, finite, product
from archsim.plan import Unit
from archsim.result import Result
from archsim.trace import Trace


def scored(result: Result, units: Sequence[Unit], trace: Trace) -> Result:
    """Return a result with ``metrics.extra``: every metric that applies to its design.

    Raises
    ------
    InputError
        If a metric is not a finite number, or `Engine.quality` says one that is not declared.
    """
    owners = {m.name: engine.kind for engine in discover().values() for m in engine.metrics}
    qualities = _qualities(units, trace, owners)
    extra: dict[str, float] = {}
    for name, metric in metrics().items():
        kind = owners.get(name)
        names = [u.name for u in units if kind in (None, u.engine.kind)]
        value = _value(metric, result, names, qualities, extra) if names else None
        if value is not None:
            extra[name] = finite(f"metric {name!r}", value)
    return replace(result, metrics=replace(result.metrics, extra=extra))


def _value(
    metric: Metric,
    result: Result,
    names: Sequence[str],
    qualities: Mapping[str, float],
    extra: Mapping[str, float],
) -> float | None:
    """Return a metric's value; None where the engines of its kind say none."""
    if metric.powers is not None:
        return float(product(metric.powers, {**result.metrics.to_dict(), **extra}))
    if metric.value is not None:
        return metric.value(result, names)
    return qualities.get(metric.name)


def _qualities(
    units: Sequence[Unit], trace: Trace, owners: Mapping[str, str]
) -> Mapping[str, float]:
    """Return the mean of what the engines of a kind say of each quality."""
    said: dict[str, list[float]] = {}
    for unit in units:
        if unit.engine.quality is None:
            continue
        for name, value in unit.engine.quality(unit.spec, trace).items():
            if owners.get(name) != unit.engine.kind:
                raise InputError(
                    f"engine {unit.engine.kind!r}", "quality must be of metrics it declares", name
                )
            said.setdefault(name, []).append(finite(f"quality {name!r} of {unit.name!r}", value))
    return {name: fmean(values) for name, values in said.items()}
