"""Cycles of kernels: a launch, then the slowest of what works at the same time, then what empties.

A slice has its share of its kernel, by results; the first one has the launch before it. What passes
DRAM once is the design's to move, beside kernels; what is fetched again from it is in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import IDEAL, NO_STALLS, Data, Env, Floats, Ints, Port, Rate, SpecBatch, Timing
from archsim.engines.gpu import products
from archsim.engines.gpu.jobs import KERNEL, GpuJobs
from archsim.engines.gpu.numbers import Spec
from archsim.engines.gpu.spec import GpuSpec
from archsim.engines.offers import check_ports

PORTS = ("read", "write")
SPECIAL_LANES = 16  # of an SM: exponentials, roots, reciprocals a cycle; from memory
ATOMIC_LANES = 32  # of an SM's shared memory: additions a cycle
LEVELS = ("busy", "stall.power", "stall.tiles", "stall.issue", "stall.smem", "stall.l2",
          "stall.memory", "stall.lanes", "fill")  # fmt: skip


def ports(spec: GpuSpec) -> Mapping[str, Port]:
    """Return the streams between L2 and SMs: what all of them together take in a cycle."""
    width = spec.l2_bytes_per_cycle
    return {
        "read": Port("in", width, 8, signed=False, shares=False),
        "write": Port("out", width, 8, signed=False, shares=False),
    }


@dataclass(frozen=True, slots=True)
class Kernels:
    """What whole kernels take; arrays of shape [n].

    Parameters
    ----------
    levels
        Cycles up to and with each of `LEVELS`: [len(LEVELS), n].
    read_bytes, write_bytes
        Through L2.
    fetched_bytes
        From memory, beyond what passes it once.
    """

    levels: Floats
    read_bytes: Floats
    write_bytes: Floats
    fetched_bytes: Floats


def kernels(spec: Spec, jobs: GpuJobs) -> Kernels:
    """Return what each job's whole kernel takes: alike ones are looked at once."""
    columns = np.stack([getattr(jobs, name) for name in KERNEL])
    if isinstance(spec, SpecBatch):
        numbers = {spec_: i for i, spec_ in enumerate(dict.fromkeys(spec.specs()))}
        columns = np.vstack([columns, [numbers[x] for x in spec.specs()]])
    _, first, back = np.unique(columns, axis=1, return_index=True, return_inverse=True)
    one = _kernels(spec.take(first) if isinstance(spec, SpecBatch) else spec, jobs.take(first))
    back = back.reshape(-1)
    return Kernels(
        one.levels[:, back], one.read_bytes[back], one.write_bytes[back], one.fetched_bytes[back]
    )


def _kernels(spec: Spec, jobs: GpuJobs) -> Kernels:
    sms = np.asarray(spec.sms, float)
    per_cycle = np.asarray(spec.memory_gb_per_s) * 1e3 / np.asarray(spec.mhz)
    product = products.bounds(spec, jobs)
    dense = jobs.m > 0

    def of(name: str, other: Any = 0.0) -> Any:
        return np.where(dense, getattr(product, name), other)

    lanes = jobs.lane_ops / np.asarray(spec.lanes) / sms
    special = jobs.special_ops / SPECIAL_LANES / sms
    moved = of("moved_bytes", jobs.read_bytes + jobs.write_bytes + jobs.gathered_bytes)
    kept = np.minimum(np.asarray(spec.l2_bytes) / 2 / np.maximum(jobs.gathered_of_bytes, 1), 1.0)
    fetched = of("fetched_bytes", jobs.gathered_bytes * (1 - kept))
    latency = np.asarray(spec.memory_latency_ns) * np.asarray(spec.mhz) * 1e-3
    fill = latency + np.asarray(spec.l2_latency_cycles, float)
    fused = jobs.fused_macs / np.maximum(np.asarray(spec.fma_fp16), 1) / sms
    busy = of("peak", np.maximum(lanes, fused))
    steps = [
        busy, of("sustained", fused / np.asarray(spec.tensor_share)), of("tiles"), of("issue"),
        of("smem", jobs.atomics / ATOMIC_LANES / sms),
        of("l2", moved / np.asarray(spec.l2_bytes_per_cycle)),
        of("memory", fetched / per_cycle), np.maximum(of("lanes") + lanes * dense, special),
    ]  # fmt: skip
    levels = np.maximum.accumulate([*steps, np.zeros_like(busy)], axis=0)
    levels[-1] += fill
    written = np.minimum(jobs.write_bytes, moved)
    return Kernels(levels, moved - written, written.astype(float), fetched)


def time(spec: Spec, jobs: GpuJobs, env: Env = NO_STALLS, data: Data | None = None) -> Timing:
    """Return the cycles of slices: their share of the kernel, rounded up to a cycle."""
    check_ports(env, PORTS)
    whole = kernels(spec, jobs)
    share = jobs.results / jobs.all_results
    until = np.ceil(whole.levels * share).astype(np.int64)
    split = dict(zip(LEVELS, np.diff(until, axis=0, prepend=0), strict=True))
    launch = launch_cycles(spec, jobs)
    width = np.asarray(spec.l2_bytes_per_cycle)
    moved = {"read": whole.read_bytes, "write": whole.write_bytes}
    beats = {n: np.ceil(x * share / width).astype(np.int64) for n, x in moved.items()}
    cycles = np.maximum(until[-1], 1)
    for name in PORTS:
        waits = np.maximum(_paced(env.get(name, IDEAL), beats[name]) - cycles, 0)
        split["stall.l2"], cycles = split["stall.l2"] + waits, cycles + waits
    cycles = cycles + launch
    split["fill"] = cycles + 1 - sum(split[name] for name in LEVELS[:-1])
    counts = {
        "launches": jobs.first.astype(np.int64),
        "fetched_again_bytes": np.ceil(whole.fetched_bytes * share).astype(np.int64),
    }
    return Timing(cycles, cycles + 1, split, beats, counts, "expected", cycles, cycles)


def launch_cycles(spec: Spec, jobs: GpuJobs) -> Ints:
    """Return the cycles before a kernel's first slice."""
    cycles = np.ceil(np.asarray(spec.launch_ns) * np.asarray(spec.mhz) * 1e-3)
    return np.where(jobs.first, cycles, 0).astype(np.int64)


def _paced(port: object, beats: Ints) -> Ints:
    """Return the cycles that a port needs for its beats, where the design's buffer is slower."""
    if isinstance(port, Rate):
        return np.where(beats > 0, port.latency - (-beats * port.q // port.p), 0)
    raise TypeError(f"a port of a model has a pace, not {port!r}")


def actions(spec: Spec, jobs: GpuJobs, timing: Timing) -> Mapping[str, Ints]:
    """Return cycles in which kernels run, at the power limit, and those before they do."""
    launch = launch_cycles(spec, jobs)
    return {"kernel_cycle": timing.occupied - launch, "launch_cycle": launch}
