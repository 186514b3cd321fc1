"""Cycles of the block: a window at a time, closed form from what its tokens take.

A window takes, one after another::

    making it   bound_instructions a nonzero of A on all threads, then one addition a row, serially
    hashing     its threads' work, up to the one that has most: a barrier ends it
    writing     smash_v1, smash_v2: threads scan the table and store (and sort) entries
                smash_v3: the table is cleared; what of the window before is not stored yet

A thread issues an instruction every ``instruction_cycles``, or after all threads of its core have
had their turn if that is later. So a thread is bound by latency and a core by its issue; banks are
held by atomics. Hashing takes as long as the worst of the three; or what operations took, where
they were simulated (`archsim.engines.piuma.operations`). DRAM is the system's.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from archsim.engines import IDEAL, NO_STALLS, Data, Env, Floats, Ints, Rate, SpecBatch, Timing
from archsim.engines.offers import check_ports
from archsim.engines.piuma.jobs import PiumaJobs
from archsim.engines.piuma.spec import ENTRY_BYTES, WORD_BYTES, PiumaSpec

Spec = PiumaSpec | SpecBatch
PORTS = ("read", "write")
A_WORDS, POINTERS, ENTRY_WORDS = 3, 2, 2  # read of a nonzero of A, of B's row; of an entry
SERIAL_INSTRUCTIONS = 4  # of a row when windows are made: load, add, compare, store
MOST = (1.1, 1.5, 2.0, 4.0, 8.0)  # of a window's imbalance, by which windows are counted


def making_cycles(spec: Spec, jobs: PiumaJobs) -> Ints:
    """Return the cycles in which a window is made."""
    each = np.where(spec.stcs, spec.alu_cycles, spec.instruction_cycles)
    serial = jobs.rows * SERIAL_INSTRUCTIONS * each
    return np.asarray(even_cycles(spec, jobs.nonzeros * spec.bound_instructions) + serial)


def hashing_cycles(spec: Spec, jobs: PiumaJobs) -> Ints:
    """Return the cycles of hashing, by the thread, the core or the banks that take longest."""
    atomics = jobs.products + jobs.probes + jobs.tokens
    banks = -(-atomics * spec.atomic_busy_cycles // spec.spad_banks)
    latency = jobs.thread_instructions * np.asarray(spec.instruction_cycles)
    counted = np.maximum(np.maximum(latency, jobs.core_instructions), banks)
    return np.where(jobs.operated > 0, jobs.operated, counted)


def writing_cycles(spec: Spec, jobs: PiumaJobs) -> Ints:
    """Return the cycles of writing a window back, as far as nothing else goes on."""
    scan = jobs.inserts * (spec.emit_instructions + np.where(spec.sorts, spec.sort_instructions, 0))
    by_threads = even_cycles(spec, np.asarray(spec.slots) * spec.scan_instructions + scan)
    each = np.where(spec.stcs, spec.alu_cycles, spec.instruction_cycles)
    clear = -(-np.asarray(spec.slots) * ENTRY_BYTES // (spec.spad_banks * WORD_BYTES))
    return np.where(
        spec.scans, by_threads, np.where(spec.drains, clear + spec.dma_instructions * each, 0)
    )


def draining_cycles(spec: Spec, jobs: PiumaJobs) -> Ints:
    """Return the cycles that DMA stores the entries of the window before, beside hashing."""
    moved = spec.dma_cycles + -(-jobs.drained * ENTRY_BYTES // spec.dma_bytes)
    by_dma = np.asarray(spec.drains) & (np.asarray(spec.dense) == "spad")
    return np.where(by_dma & (jobs.drained > 0), moved, 0)


def even_cycles(spec: Spec, instructions: Ints) -> Ints:
    """Return the cycles of work that is spread evenly over all threads."""
    latency = -(-instructions // spec.all_threads) * np.asarray(spec.instruction_cycles)
    return np.asarray(np.maximum(latency, -(-instructions // spec.mtcs)))


def barrier_cycles(spec: Spec) -> Ints:
    """Return the cycles of a barrier of all threads."""
    doublings = np.ceil(np.log2(np.asarray(spec.all_threads))).astype(np.int64)
    return np.where(np.asarray(spec.eviction) == "window", spec.barrier_cycles + 2 * doublings, 0)


def time(spec: Spec, jobs: PiumaJobs, env: Env = NO_STALLS, data: Data | None = None) -> Timing:
    """Return each window's cycles; least if threads shared its work evenly, most if one did all."""
    making, hashing = making_cycles(spec, jobs), hashing_cycles(spec, jobs)
    writing, barrier = writing_cycles(spec, jobs), barrier_cycles(spec)
    late = np.maximum(draining_cycles(spec, jobs) - hashing, 0)
    beats = {
        "read": A_WORDS * jobs.nonzeros + 2 * (POINTERS * jobs.nonzeros + jobs.walked),
        "write": ENTRY_WORDS * jobs.inserts + jobs.rows,
    }
    even = np.minimum(even_cycles(spec, jobs.instructions), hashing)
    inside = making + barrier + hashing + writing + late
    waits = _waits(env, beats, inside)
    cycles = inside + waits["stall.read"] + waits["stall.write"]
    alone = jobs.instructions * np.asarray(spec.instruction_cycles)
    return Timing(
        cycles=cycles,
        occupied=cycles + 1,
        split={
            "busy": even, "fill": making + barrier + 1, "drain": writing + late,
            "stall.threads": hashing - even, **waits,
        },
        beats=beats,
        counts=counts(spec, jobs),
        kind="expected",
        lo=cycles - (hashing - even),
        hi=cycles + np.maximum(alone - hashing, 0),
    )  # fmt: skip


def _waits(env: Env, beats: Mapping[str, Ints], inside: Ints) -> dict[str, Ints]:
    """Return how much longer paced ports take than all else, charged to the slowest."""
    check_ports(env, PORTS)
    over = []
    for port in PORTS:
        pace = env.get(port, IDEAL)
        if not isinstance(pace, Rate):
            raise TypeError(f"port {port!r} of a model has a pace, not {pace!r}")
        last = pace.latency + -(-np.maximum(beats[port] - 1, 0) * pace.q // pace.p)
        over.append(np.maximum(last - inside, 0))
    read, write = over
    return {
        "stall.read": np.where(write >= read, 0, read),
        "stall.write": np.where(write >= read, write, 0),
    }


def counts(spec: Spec, jobs: PiumaJobs) -> dict[str, Ints]:
    """Return what a window counts: events of the hash table, instructions by what they are for."""
    scans, drains, sorts = (np.asarray(x) for x in (spec.scans, spec.drains, spec.sorts))
    tokens = np.where(np.asarray(spec.grain) == "static", 0, jobs.tokens)
    scanned = np.where(scans, spec.slots, 0)
    per_entry = np.where(
        scans | (np.asarray(spec.eviction) == "rolling"), spec.emit_instructions, 0
    )
    work = {
        "make": jobs.nonzeros * spec.bound_instructions + jobs.rows * SERIAL_INSTRUCTIONS,
        "product": jobs.products * spec.product_instructions,
        "probe": jobs.probes * spec.probe_instructions,
        "insert": jobs.inserts * spec.entry_instructions,
        "token": tokens * spec.token_instructions,
        "scan": scanned * spec.scan_instructions,
        "emit": jobs.inserts * per_entry,
        "sort": np.where(sorts, jobs.inserts * spec.sort_instructions, 0),
        "dma": np.where(drains, spec.dma_instructions, 0),
    }
    imbalance = imbalance_of(spec, jobs)
    edges = (0.0, *MOST, np.inf)
    found = {
        "products": jobs.products, "probes": jobs.probes, "inserts": jobs.inserts,
        "hits": jobs.products - jobs.inserts, "collisions": jobs.probes - jobs.products,
        "rows": jobs.rows, "tokens": tokens, "slots_scanned": scanned,
        "slots_cleared": np.where(drains, spec.slots, scanned), "least_bytes": jobs.least_bytes,
        **{f"instructions.{name}": amount for name, amount in work.items()},
        **{
            f"windows.{low:g}": ((imbalance > low) & (imbalance <= high)).astype(np.int64)
            for low, high in pairwise(edges)
        },
    }  # fmt: skip
    return {name: np.broadcast_to(amount, len(jobs)) for name, amount in found.items()}


def imbalance_of(spec: Spec, jobs: PiumaJobs) -> Floats:
    """Return the work of the thread that has most, over the mean: 1 where all have the same."""
    mean = np.maximum(jobs.instructions, 1) / spec.all_threads
    return np.maximum(jobs.thread_instructions / mean, 1.0)


def actions(spec: Spec, jobs: PiumaJobs, timing: Timing) -> Mapping[str, Ints]:
    issued = sum(x for name, x in timing.counts.items() if name.startswith("instructions."))
    words = timing.counts["slots_scanned"] + timing.counts["slots_cleared"] + 2 * jobs.inserts
    return {
        "instruction": np.asarray(issued), "atomic": jobs.products + jobs.probes + jobs.tokens,
        "scratchpad_word": words, "clock": timing.occupied,
    }  # fmt: skip


def figures(spec: PiumaSpec, jobs: PiumaJobs) -> Mapping[str, Floats]:
    """Return what tables show of a window: how even its work is, and what the cores are doing."""
    timing = time(spec, jobs)
    did = actions(spec, jobs, timing)
    banks = did["atomic"] * spec.atomic_busy_cycles + did["scratchpad_word"]
    held = did["instruction"] * spec.instruction_cycles / spec.all_threads
    return {
        "imbalance": imbalance_of(spec, jobs),
        "instructions_per_cycle": did["instruction"] / timing.occupied,
        "thread_occupancy": np.minimum(held / timing.occupied, 1.0),
        "scratchpad_utilisation": banks / (timing.occupied * spec.spad_banks),
    }
