"""Cycles and actions of the systolic array, by dataflow.

`output_stationary` derives those of os, `stationary` those of ws. An input-stationary array is the
weight-stationary one at work on the transposed product, ``C^T = B^T A^T``, with the operand ports
exchanged; so are its times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from archsim.engines import NO_STALLS, Data, Env, GemmJobs, Ints, SpecBatch, Timing
from archsim.engines.gemm import PORTS
from archsim.engines.offers import check_ports, is_ideal
from archsim.engines.systolic import output_stationary, stationary
from archsim.engines.systolic.spec import Dataflow, SystolicSpec

TRANSPOSED: Mapping[str, str] = {"a": "b", "b": "a"}  # others keep their names
DATAFLOWS: tuple[Dataflow, ...] = ("os", "ws", "is")


def time(
    spec: SystolicSpec | SpecBatch, jobs: GemmJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the exact cycles of each job; a batch of specs pairs with the jobs row by row."""
    check_ports(env, PORTS)
    ports = {name: port for name, port in env.items() if name != "cmd" and not is_ideal(port)}
    parts = [
        (rows, _time(dataflow, part, some, ports))
        for dataflow, rows, part, some in _by_dataflow(spec, jobs)
    ]
    if len(parts) == 1:
        return parts[0][1]

    def joined(values: list[Any]) -> Any:
        if isinstance(values[0], Mapping):
            return {name: joined([v[name] for v in values]) for name in values[0]}
        return _joined([rows for rows, _ in parts], values, len(jobs))

    fields = ("cycles", "occupied", "split", "beats")
    return Timing(*(joined([getattr(timing, name) for _, timing in parts]) for name in fields))


def _time(dataflow: str, spec: Any, jobs: GemmJobs, ports: Env) -> Timing:
    if dataflow == "os":
        return output_stationary.time(spec, jobs, ports)
    if dataflow == "ws":
        return stationary.time(spec, jobs, ports)
    turned = stationary.time(spec, transposed(jobs), _renamed(ports))
    split = _renamed(turned.split, "stall.")
    return replace(turned, split=split, beats=_renamed(turned.beats))


def transposed(jobs: GemmJobs) -> GemmJobs:
    """Return the jobs ``C^T = B^T A^T``."""
    return GemmJobs(jobs.n, jobs.m, jobs.k, jobs.accumulate)


def _renamed(by_port: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a table by port of the transposed product as one of the product."""
    names = {prefix + one: prefix + other for one, other in TRANSPOSED.items()}
    return {names.get(name, name): value for name, value in by_port.items()}


def _by_dataflow(
    spec: SystolicSpec | SpecBatch, jobs: GemmJobs
) -> list[tuple[str, Any, Any, GemmJobs]]:
    """Return by dataflow the jobs of it: their rows, specs and themselves."""
    if not isinstance(spec, SpecBatch):
        return [(spec.dataflow, slice(None), spec, jobs)]
    parts: list[tuple[str, Any, Any, GemmJobs]] = []
    for dataflow in DATAFLOWS:
        rows = np.flatnonzero(spec.dataflow == dataflow)
        if len(rows) == len(jobs):
            return [(dataflow, slice(None), spec, jobs)]
        if len(rows):
            parts.append((dataflow, rows, spec.take(rows), jobs.take(rows)))
    return parts


def _joined(rows: list[Ints], values: list[Ints], count: int) -> Ints:
    whole = np.empty(count, np.int64)
    for some, value in zip(rows, values, strict=True):
        whole[some] = value
    return whole


def actions(spec: SystolicSpec | SpecBatch, jobs: GemmJobs, timing: Timing) -> Mapping[str, Any]:
    """Return how often each job does what costs energy.

    In every dataflow ``mac`` counts products of real elements; ``pe_clock`` PEs times occupied
    cycles; ``a_beat``, ``b_beat``, ``c_beat``, ``result_beat`` what passes the ports, edge lanes
    included.

    os: ``a_hop`` and ``b_hop`` count real operands times the PEs that they pass, idle PEs beyond an
    edge included.

    ws and is: ``stream_hop`` counts real elements of the streamed operand (A in ws, B in is) times
    the PEs that they pass; ``load_hop`` real elements of the stationary one times the shadow
    registers that they are shifted into; ``sum_hop`` partial sums of real rows and columns times
    the PEs that they pass, all rows of them; ``acc_read`` and ``acc_write`` rows of ``cols`` sums
    that the accumulator bank gives and takes.

    A batch of several dataflows has the actions of all, zero where a row has none of it.
    """
    parts = [
        (rows, _actions(dataflow, part, some))
        for dataflow, rows, part, some in _by_dataflow(spec, jobs)
    ]
    if len(parts) == 1:
        own = parts[0][1]
    else:
        names = dict.fromkeys(name for _, part in parts for name in part)
        own = {name: np.zeros(len(jobs), np.int64) for name in names}
        for rows, part in parts:
            for name, values in part.items():
                own[name][rows] = values
    return {
        "mac": jobs.m * jobs.n * jobs.k,
        **own,
        "pe_clock": spec.rows * spec.cols * timing.occupied,
        **{f"{port}_beat": timing.beats[port] for port in PORTS},
    }


def _actions(dataflow: str, spec: Any, jobs: GemmJobs) -> Mapping[str, Any]:
    if dataflow == "os":
        return output_stationary.actions(spec, jobs)
    return stationary.actions(spec, jobs if dataflow == "ws" else transposed(jobs))
