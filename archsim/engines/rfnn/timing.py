"""Cycles of the RF control: a closed form, and a walk through a job where ports make it wait.

**One thing after the other.** The command is cycle 0. A beat a stage comes in, and 256 codes
a device where the command calibrates. Then, for as many vectors as the buffers hold at
once, A comes in, an element a cycle; each stage runs; two cycles on, C goes out, an element a
cycle. The next vectors follow at once; the next command a cycle after the last result.

**A stage** of P outputs, Q inputs and V vectors takes a cycle to read what it is, and for each of
its ``ceil(P / modes) ceil(Q / modes)`` tiles

- ``switch_cycles + 1`` where switches are set,
- ``devices`` for the phases to come in and ``bank_cycles + 1`` to program, where that is done,
- for each vector a cycle for each of its inputs in the tile, one to apply them, the analog time,
  ``sample_cycles 2^samples_log2``, and a cycle for each of its outputs.

One mesh that several tiles share is programmed for each of them and each time that vectors pass;
other meshes once a command, if that. Phases come in every time unless as many are kept as needed.

**Accounts.** ``busy`` is the time of vectors, from the first input to the last output; ``fill``
all that goes before: the command, beats that come in, reading, switching, programming. ``drain``
is two cycles each time and those in which results go out. A cycle in which a beat is missing or
refused is charged to that port; to ``result`` before ``c``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as columns_of
from typing import Any

import numpy as np

from archsim.engines import NO_STALLS, Data, Env, Ints, SpecBatch, Timing
from archsim.engines.offers import check_ports, is_ideal
from archsim.engines.rfnn import jobs as parts
from archsim.engines.rfnn import walk
from archsim.engines.rfnn.jobs import AFTER, BEFORE, INPUTS, OUTPUTS, RfnnJobs
from archsim.engines.rfnn.spec import TABLE_ENTRIES, RfnnSpec

PORTS = ("stage", "phase", "x", "c", "result")
TURN_CYCLES = 2  # from the last stage to the first result
Specs = RfnnSpec | SpecBatch


def time(spec: Specs, jobs: RfnnJobs, env: Env = NO_STALLS, data: Data | None = None) -> Timing:
    """Return the cycles of each job; a batch of specs pairs with the jobs row by row."""
    check_ports(env, PORTS)
    beats = beats_of(spec, jobs)
    split = {"busy": busy_cycles(spec, jobs), "drain": _drain_cycles(spec, jobs)}
    split["fill"] = 1 + _preparing_cycles(spec, jobs) + _taken(beats)
    slow = {name: port for name, port in env.items() if name != "cmd" and not is_ideal(port)}
    waits = _waits(spec, jobs, slow) if slow else dict.fromkeys(PORTS, np.zeros_like(jobs.m))
    split |= {f"stall.{name}": waits[name] for name in PORTS}
    occupied = np.asarray(sum(split.values()))
    counts = {"passes": passes(spec, jobs), "reloads": programmed(spec, jobs)}
    return Timing(occupied - 1, occupied, split, beats, counts)


def beats_of(spec: Specs, jobs: RfnnJobs) -> Mapping[str, Ints]:
    """Return the beats of jobs by port."""
    devices = np.asarray(spec.devices)
    tiles = parts.tiles(spec.modes, jobs).sum(axis=1)
    table = jobs.calibrate * devices * TABLE_ENTRIES
    results = jobs.m * jobs.n
    return {
        "stage": (jobs.stages[..., OUTPUTS] > 0).sum(axis=1),
        "phase": table + parts.fetches(spec, jobs) * tiles * devices,
        "x": jobs.m * jobs.k,
        "c": results * jobs.accumulate,
        "result": results,
    }


def passes(spec: Specs, jobs: RfnnJobs) -> Ints:
    """Return how many vectors pass through meshes, over all tiles."""
    return np.asarray(jobs.m * (parts.tiles(spec.modes, jobs) * _around(jobs)).sum(axis=1))


def programmed(spec: Specs, jobs: RfnnJobs) -> Ints:
    """Return how often meshes are programmed, over all tiles."""
    return np.asarray(parts.reloads(spec, jobs) * parts.tiles(spec.modes, jobs).sum(axis=1))


def busy_cycles(spec: Specs, jobs: RfnnJobs) -> Ints:
    """Return the cycles in which vectors are loaded, pass, are sampled and stored."""
    size = np.asarray(spec.modes).reshape(-1, 1)
    outputs, inputs = jobs.stages[..., OUTPUTS], jobs.stages[..., INPUTS]
    moved = -(-outputs // size) * inputs + -(-inputs // size) * outputs  # words, of all tiles
    words = (_around(jobs) * moved).sum(axis=1)
    waiting = 1 + jobs.analog_cycles + np.asarray(spec.sampling_cycles)
    return np.asarray(jobs.m * words + passes(spec, jobs) * waiting)


def _around(jobs: RfnnJobs) -> Ints:
    return np.asarray(jobs.stages[..., BEFORE] * jobs.stages[..., AFTER])


def _preparing_cycles(spec: Specs, jobs: RfnnJobs) -> Ints:
    """Return the cycles that read stages, set switches and program meshes."""
    stages = (jobs.stages[..., OUTPUTS] > 0).sum(axis=1)
    switching = np.asarray(spec.switched) * (np.asarray(spec.switch_cycles) + 1)
    each = stages + parts.tiles(spec.modes, jobs).sum(axis=1) * switching
    programming = programmed(spec, jobs) * (np.asarray(spec.bank_cycles) + 1)
    return np.asarray(parts.chunks(spec, jobs).count * each + programming)


def _taken(beats: Mapping[str, Ints]) -> Ints:
    return beats["stage"] + beats["phase"] + beats["x"]


def _drain_cycles(spec: Specs, jobs: RfnnJobs) -> Ints:
    return np.asarray(parts.chunks(spec, jobs).count * TURN_CYCLES + jobs.m * jobs.n)


def _waits(spec: Specs, jobs: RfnnJobs, env: Env) -> Mapping[str, Ints]:
    """Return the cycles that jobs wait for each port; equal jobs of equal specs are walked once."""
    specs: list[Any] = spec.specs() if isinstance(spec, SpecBatch) else [spec] * len(jobs)
    values: list[Any] = [getattr(jobs, f.name) for f in columns_of(jobs) if f.name != "refs"]
    rows = np.column_stack([np.asarray(value).reshape(len(jobs), -1) for value in values])
    known: dict[tuple[Any, ...], tuple[int, ...]] = {}
    found = []
    for i, (one, row) in enumerate(zip(specs, rows.tolist(), strict=True)):
        key = (one, *row)
        if key not in known:
            waits = walk.waits(one, jobs.take(np.array([i])), env)
            known[key] = tuple(waits[name] for name in PORTS)
        found.append(known[key])
    table = np.array(found, np.int64).reshape(-1, len(PORTS))
    return dict(zip(PORTS, table.T.copy(), strict=True))
