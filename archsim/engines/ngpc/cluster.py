"""Cycles of a batch on all processors, in closed form; and in `event`, processor by processor.

Blocks of queries go to processors in turn, so the first of them has most. With what a query takes
in a long row (`steady`)::

    compute   = fill + ceil(queries of the busiest * cycles a query)
    occupied  = max(compute, kernels on the batch before) + kernels on this one, if nothing hides
                them, + 1

Bytes of queries and answers are the system's: DMA moves those of other batches meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import numpy as np

from archsim.engines import IDEAL, NO_STALLS, Data, Env, Ints, Port, Rate, SpecBatch, Timing
from archsim.engines.ngpc.batches import BLOCK_QUERIES, BatchJobs
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.engines.offers import check_ports

Spec = NgpcSpec | SpecBatch
Process = Generator[Any, Any, None]
RECORD_WORDS, ANSWER_WORDS = 7, 2  # of 32 bits, of the largest record and answer
WORD_BYTES = 4
QUERY, ANSWER = "query", "answer"
WORST_TURNS = 8  # cycles of a query whose corners all meet in one bank


def lanes(spec: NgpcSpec) -> dict[str, Port]:
    """Return what goes between the buffer and all processors: a record and an answer each."""
    words = {QUERY: RECORD_WORDS * spec.nfps, ANSWER: ANSWER_WORDS * spec.nfps}
    return {
        QUERY: Port("in", words[QUERY], 8 * WORD_BYTES, signed=False),
        ANSWER: Port("out", words[ANSWER], 8 * WORD_BYTES, signed=False),
    }


def busiest(queries: Any, nfps: Any) -> Ints:
    """Return the queries of the processor that gets most: the first, blocks going round."""
    blocks = -(-np.asarray(queries) // BLOCK_QUERIES)
    last = queries - (blocks - 1) * BLOCK_QUERIES  # of the last block, which may be short
    alone = (blocks - 1) % nfps == 0  # it is the first processor's
    rounds = -(-blocks // nfps)
    return np.asarray(np.where(alone, (rounds - 1) * BLOCK_QUERIES + last, rounds * BLOCK_QUERIES))


def row_cycles(jobs: BatchJobs, queries: Ints) -> Ints:
    """Return what so many queries take in a row, once the first is through."""
    return np.asarray(-(-queries * jobs.cycles // jobs.sampled))


def time(spec: Spec, jobs: BatchJobs, env: Env = NO_STALLS, data: Data | None = None) -> Timing:
    """Return each batch's cycles, by what a sample of the frame's queries took."""
    most = busiest(jobs.queries, np.asarray(spec.nfps))
    row = row_cycles(jobs, most)
    beats = {
        QUERY: -(-most * jobs.in_bytes // (RECORD_WORDS * WORD_BYTES)),
        ANSWER: -(-most * jobs.out_bytes // (ANSWER_WORDS * WORD_BYTES)),
    }
    compute = jobs.fill + row
    paced = compute + _waits(env, beats, compute)
    cycles = np.maximum(paced, jobs.beside) + jobs.after
    each = jobs.cycles / jobs.sampled
    shares = {x: np.floor(row * getattr(jobs, x) / each).astype(np.int64) for x in WAITS}
    least = jobs.fill + np.floor(most * jobs.once).astype(np.int64)
    worst = jobs.fill + np.ceil(most * (WORST_TURNS + each)).astype(np.int64)
    return Timing(
        cycles=cycles,
        occupied=cycles + 1,
        split={
            "busy": row - sum(shares.values()), "fill": jobs.fill + 1,
            **{f"stall.{name}": share for name, share in shares.items()},
            "stall.buffer": paced - compute, "stall.gpu": cycles - paced,
        },
        beats=beats,
        counts=_counts(spec, jobs),
        kind="expected",
        lo=np.maximum(np.minimum(least, paced), jobs.beside) + jobs.after,
        hi=np.maximum(np.maximum(worst, paced), jobs.beside) + jobs.after,
    )  # fmt: skip


WAITS = ("bank", "fifo", "mlp")


def _waits(env: Env, beats: Mapping[str, Ints], inside: Ints) -> Ints:
    """Return how much longer paced ports take than all else."""
    check_ports(env, (QUERY, ANSWER))
    late = np.zeros_like(inside)
    for port, amount in beats.items():
        pace = env.get(port, IDEAL)
        if not isinstance(pace, Rate):
            raise TypeError(f"port {port!r} of a model has a pace, not {pace!r}")
        last = pace.latency + -(-np.maximum(amount - 1, 0) * pace.q // pace.p)
        late = np.maximum(late, last - inside)
    return late


def _counts(spec: Spec, jobs: BatchJobs) -> dict[str, Ints]:
    reads, conflicts = (
        np.round(jobs.queries * each).astype(np.int64) for each in (jobs.lookups, jobs.conflicts)
    )
    return {
        "queries": jobs.queries, "reads": reads, "conflicts": conflicts,
        "marched": jobs.marched, "gpu_ps": jobs.gpu_ps, "pixels": jobs.pixels,
        "gpu_rest_cycles": jobs.beside + jobs.after,
    }  # fmt: skip


def figures(spec: Spec, jobs: BatchJobs) -> dict[str, Any]:
    """Return what tables show of a batch: what a query takes on one processor, and its grid."""
    return {
        "cycles_per_query": jobs.cycles / jobs.sampled,
        "table_entries": jobs.entries,
        **{f"{name}_cycles": np.asarray(getattr(jobs, name)) for name in ("once", *WAITS)},
    }


def actions(spec: Spec, jobs: BatchJobs, timing: Timing) -> dict[str, Ints]:
    """Return what a batch does, by the names of `terms.actions`; waiting processors tick, too."""
    return {
        "encode": jobs.queries * jobs.levels,
        "lookup": timing.counts["reads"],
        "layer": jobs.queries * (jobs.layers - 1),
        "query": jobs.queries,
        "control_cycle": timing.occupied * np.asarray(spec.nfps),
    }


# ------------------------------------------------------------------------------------- event


def process(sim: Any, spec: NgpcSpec, jobs: BatchJobs, ports: Mapping[str, Any]) -> Process:
    """Run batches: blocks are dealt out, and processors and GPU end each in its own time."""
    clock, end = ports["clock"], ports["planned"]
    edge = clock.next_edge(sim.now)

    def until(cycle: int) -> Process:
        yield sim.timeout(max(clock.edge_ps(cycle) - sim.now, 0))

    for row in range(len(jobs)):
        one = jobs.take(np.array([row]))
        shares = dealt(int(one.queries[0]), spec.nfps)
        cycles = (one.fill + row_cycles(one, np.array(shares))).tolist()
        beside, after = int(one.beside[0]), int(one.after[0])
        both = [sim.process(until(edge + each)) for each in (*cycles, beside)]
        yield sim.all_of(both)
        edge = clock.next_edge(sim.now) + after + 1
        yield from until(edge)
    yield from until(end)  # what a slow buffer adds


def dealt(queries: int, nfps: int) -> list[int]:
    """Deal a batch out block by block, and return the queries of each processor that gets some."""
    first = np.arange(0, queries, BLOCK_QUERIES)
    blocks = np.minimum(queries - first, BLOCK_QUERIES)
    shares = np.bincount(np.arange(len(first)) % nfps, blocks).astype(int)
    return [int(share) for share in shares]
