"""About what windows take, where they are not run cycle by cycle: an estimate between two bounds.

**Products.** The longest of what must pass the port (every word read, at its pace, and no more in
flight than there is room for), the lanes (a word, or the token's own cycle) and the banks. A bank
is kept busy as by lanes that choose at random: of B banks, L lanes find ``B (1 - (1 - 1/B)^L)``.
Where tokens of a row go to one lane, as many walk as the nonzeros that wait make rows. To that
comes the way of the first product through four reads.

**Write-back** is a closed form but for refused writes, of which the port's pace is taken.

**Bounds.** No run is shorter than its words at the port's pace, or its operations over the fewest
of lanes and banks. None is longer than everything one after another, each read with its latency
and each product looking at every entry of its window.

Probes are those of one thread: lanes differ from it where entries race for a slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import IDEAL, Env, Ints, MemoryEnv, PortEnv, Rate, SpecBatch, Stalls, Timing
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec, WindowJobs

READS = 4  # one after another until the first entry of B is there: row, nonzero, bounds, entry
OWN_CYCLES = 3  # of a read: into the port's register, out of it, and out of its queue
PIPELINE_CYCLES = 6  # of a product from its word to what is known of it
Spec = HashSpgemmSpec | SpecBatch


@dataclass(frozen=True, slots=True)
class Pace:
    """What an environment lets pass: cycles a word at least, and before the first.

    Parameters
    ----------
    held_cycles
        That stalls may hold the port up, in all.
    """

    cycles: float
    latency: int
    held_cycles: int

    @classmethod
    def of(cls, *ports: PortEnv) -> Pace:
        rates = [port for port in ports if isinstance(port, Rate | MemoryEnv)]
        stalls = [len(port.bits) for port in ports if isinstance(port, Stalls)]
        return cls(
            max((rate.q / rate.p for rate in rates), default=1.0),
            sum(rate.latency for rate in rates),
            sum(stalls),
        )


def bounds(spec: Spec, jobs: WindowJobs, env: Env) -> Timing:
    """Return an estimate of each window, with the least and the most that it can take."""
    memory = env.get("mem", MemoryEnv())
    assert isinstance(memory, MemoryEnv)
    asking, answering = (env.get(f"mem_{side}", IDEAL) for side in ("req", "rsp"))
    read, write = Pace.of(memory, asking, answering), Pace.of(asking)
    rows = jobs.last - jobs.first
    reads = rows + 2 * jobs.entries + jobs.walked
    asked = reads + np.minimum(jobs.rest, spec.queue)
    operations, _ = operations_of(spec, jobs)

    way = READS * (read.latency + OWN_CYCLES) + PIPELINE_CYCLES
    there_and_back = read.latency + OWN_CYCLES
    waiting = 1 + np.asarray(spec.queue) * rows / np.maximum(jobs.entries, 1)  # rows at a lane
    by_nonzero = np.asarray(spec.token) == "nonzero"
    walking = np.where(by_nonzero, spec.lanes, np.minimum(waiting, spec.lanes))
    words = np.maximum.reduce(
        [
            asked * np.maximum(read.cycles, there_and_back / (memory.outstanding + 1)),
            jobs.walked * there_and_back / (walking * spec.queue),
            jobs.entries * there_and_back / np.asarray(spec.queue),
        ]
    )
    lanes = (jobs.walked + jobs.entries) / walking
    served = spec.banks * (1 - (1 - 1 / np.asarray(spec.banks)) ** spec.lanes)
    table = operations / np.minimum(served, spec.lanes)
    products = np.maximum(words, np.maximum(lanes, table)) + way

    steps, writes = write_back_steps(spec, jobs), jobs.results + 1
    wrote = np.maximum(steps, writes * write.cycles)
    least = np.ceil(
        np.maximum(reads * read.cycles, jobs.products / np.minimum(spec.lanes, spec.banks))
    )
    lo = (least + np.maximum(steps, np.floor(writes * write.cycles))).astype(np.int64)
    serial = (
        asked * (read.latency + read.cycles + 2 * OWN_CYCLES)
        + jobs.products * PIPELINE_CYCLES * (jobs.results + 2)
        + steps + writes * write.cycles + way + read.latency + write.latency
        + 2 * (read.held_cycles + write.held_cycles)
    )  # fmt: skip
    hi = np.ceil(serial).astype(np.int64) + 2 * OWN_CYCLES
    cycles = np.clip(np.rint(products + wrote).astype(np.int64), lo, hi)
    return _timing(spec, jobs, cycles, np.rint(table).astype(np.int64), asked, lo, hi)


def operations_of(spec: Spec, jobs: WindowJobs) -> tuple[Ints, Ints]:
    """Return about how many operations banks do, and how many of them only add.

    Entries are taken to lie anywhere in their lines.
    """
    line = np.asarray(spec.comparators)
    adds = np.where(np.asarray(spec.atomics) == "cas_add", jobs.products // line, 0)
    return jobs.products + (jobs.probes - jobs.products) // line + adds, adds


def write_back_steps(spec: Spec, jobs: WindowJobs) -> Ints:
    """Return the cycles of write-back at a port that refuses nothing, the count's two with them."""
    dense = jobs.results + spec.banks + 1
    scan = np.asarray(spec.slots) + 1
    return np.asarray(np.where(np.asarray(spec.write_back) == "dense", dense, scan) + 2)


def _timing(
    spec: Spec, jobs: WindowJobs, cycles: Ints, table: Ints, reads: Ints, lo: Ints, hi: Ints
) -> Timing:
    drain = np.minimum(write_back_steps(spec, jobs), cycles)
    busy = np.minimum(table, cycles - drain)
    writes, (operations, adds) = jobs.results + 1, operations_of(spec, jobs)
    scanned = np.where(np.asarray(spec.write_back) == "dense", jobs.results, spec.slots)
    return Timing(
        cycles=cycles,
        occupied=cycles + 1,
        split={
            "busy": busy, "fill": np.ones_like(cycles), "drain": drain,
            "stall.mem": cycles - drain - busy,
        },
        beats={"mem_req": reads + writes, "mem_rsp": reads, "mem_write": writes},
        counts={
            "products": jobs.products, "operations": operations, "adds": adds,
            "probes": jobs.probes, "inserts": jobs.results,
            "hits": jobs.products - jobs.results, "collisions": jobs.probes - jobs.products,
            "slots_scanned": scanned,
        },
        kind="bound",
        lo=lo,
        hi=hi,
    )  # fmt: skip


def neurasim_cycles(collisions: Any, comparators: int) -> Any:
    """Return what NeuraSim's hash unit takes for a request that collides so often.

    Read in its source, ``neuramem.cpp`` and ``hashpad.cpp``. It is the number of operations that a
    bank does for a product under ``cas_add``: comparisons and one addition, so many at a time.
    """
    return 1 + (np.asarray(collisions) + 1) // comparators
