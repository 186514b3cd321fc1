"""Cycles of windows: bounds that no order of the PEs' tasks escapes.

A window is tasks for PEs that take one after another: rows to merge, pairs to compare. Work is
spread over all PEs as evenly as tasks allow. So a window takes at least its work divided by the
PEs, and at least its longest chain of tasks; and list scheduling in any order takes at most the sum
of the two (Graham). ``cycles`` is the lower bound, ``lo``; ``hi`` the upper. No cycle is added for
filling a PE. The count ``even_cycles`` is what evenly divided work would take: cycles beyond it are
imbalance.

Entries pass between buffer and PEs as many a cycle as there are PEs, or as the buffer gives.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archsim.engines import IDEAL, NO_STALLS, Data, Env, Ints, Port, Rate, SpecBatch, Timing
from archsim.engines.offers import check_ports
from archsim.engines.spgemm_dataflow.spec import DataflowJobs, SpgemmDataflowSpec
from archsim.trace import INDEX_BITS

Spec = SpgemmDataflowSpec | SpecBatch
PORTS = ("a", "b", "results")  # entries of A, of what is multiplied or merged, of what comes out
COUNTS = (
    "products", "compared", "merged", "results", "a_bytes", "b_bytes", "partial_bytes", "c_bytes",
)  # fmt: skip


def ports(spec: SpgemmDataflowSpec) -> Mapping[str, Port]:
    """Return the streams of entries: an index and a value a PE and cycle, either way."""
    bits = INDEX_BITS + spec.value_bits
    return {
        "a": Port("in", spec.pes, bits, shares=False), "b": Port("in", spec.pes, bits),
        "results": Port("out", spec.pes, bits),
    }  # fmt: skip


def time(spec: Spec, jobs: DataflowJobs, env: Env = NO_STALLS, data: Data | None = None) -> Timing:
    check_ports(env, PORTS)
    pes = np.asarray(spec.pes)
    width = np.where(jobs.merging, np.asarray(spec.merge_pes), pes)
    even = -(-jobs.steps // width)
    busy = np.maximum(np.maximum(even, jobs.chain), 1)
    moved = zip(PORTS, (jobs.scalars, jobs.taken, jobs.given), strict=True)
    beats = {name: np.asarray(-(-entries // pes)) for name, entries in moved}
    cycles, split = busy, {"busy": busy}
    for name, count in beats.items():
        waits = np.maximum(_paced(env.get(name, IDEAL), count) - cycles, 0)
        cycles, split[f"stall.{name}"] = cycles + waits, waits
    split["drain"] = np.ones_like(cycles)
    counts = {name: getattr(jobs, name) for name in COUNTS} | {"even_cycles": even}
    most = np.maximum(even + jobs.reach, busy) + (cycles - busy)
    return Timing(cycles, cycles + 1, split, beats, counts, "bound", cycles, most)


def _paced(port: object, beats: Ints) -> Ints:
    """Return the cycles that a port needs for its beats; stalls by the cycle come on top."""
    if isinstance(port, Rate):
        return np.where(beats > 0, port.latency - (-beats * port.q // port.p), 0)
    return beats + sum(getattr(port, "bits", ()))


def actions(spec: Spec, jobs: DataflowJobs, timing: Timing) -> Mapping[str, Ints]:
    """Return what costs energy: multiplications, steps of merging or comparing, clocked PEs."""
    return {
        "multiply": jobs.products,
        "step": jobs.compared + jobs.merged,
        "pe_cycle": timing.occupied * np.asarray(spec.pes),
    }
