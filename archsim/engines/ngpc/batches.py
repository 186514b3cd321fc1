"""A frame as batches of queries, which processors take while the GPU works on the one before.

The GPU makes queries and takes answers; between the two, processors encode and multiply. A round of
its loop hands a batch over, runs its remaining kernels on the answers of the batch before, and
waits for both. Where the next queries of a ray follow from the last answers, that takes two groups
of rays in turn; with one, the two wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from archsim.engines import AssumedClock, Floats, Ints, Jobs, Reason, Windows
from archsim.engines.ngpc.jobs import refusal
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.engines.ngpc.spilled import missed_bytes
from archsim.engines.ngpc.steady import SAMPLE_PORT, Steady, grid_of, is_grid, steady
from archsim.errors import InfeasibleError, InputError
from archsim.graphics.field import KIND, NETWORKS, SAMPLES, TABLES, Field
from archsim.patterns import Known
from archsim.trace import Op

BLOCK_QUERIES = 256  # that go to one processor, blocks in turn: what kernels round batches up to
STREAMED_BLOCKS = 4  # of each processor that are on their way: two in, two out
UNMARCHED = "gia"  # the application whose queries follow from nothing but the pixel
MAX_BATCHES = 1 << 20


@dataclass(frozen=True, slots=True)
class BatchJobs(Jobs):
    """Batches of one frame, one a job.

    Parameters
    ----------
    queries
        Of the batch.
    cycles, sampled
        What so many queries of the sample took on one processor, in a row: their ratio counts.
    once, bank, fifo, mlp
        Of a query's cycles: what one without conflicts takes, and the waits beside it.
    fill
        Cycles until the first result.
    beside, after
        Cycles of the GPU's remaining kernels during the batch, and after it.
    levels, lookups, conflicts
        Of a query: levels, entries that it reads, turns that its corners wait for one another.
    layers, entries
        Matrices that a query goes through; entries of all tables.
    in_bytes, out_bytes
        Of a query's record and of its answer.
    marched
        1 where the next queries of a ray follow from its answers, else 0.
    gpu_ps, pixels
        Of the frame, on the GPU alone: in its first batch, else 0.
    """

    queries: Ints
    cycles: Ints
    sampled: Ints
    once: Floats
    bank: Floats
    fifo: Floats
    mlp: Floats
    fill: Ints
    beside: Ints
    after: Ints
    levels: Ints
    lookups: Floats
    conflicts: Floats
    layers: Ints
    entries: Ints
    in_bytes: Ints
    out_bytes: Ints
    marched: Ints
    gpu_ps: Ints
    pixels: Ints


def accepts(spec: NgpcSpec, op: Op) -> Literal[True] | Reason:
    if op.kind != KIND:
        return Reason(f"answers queries of neural fields, and has no {op.kind}")
    field = Field.of(op)
    if not is_grid(field):
        return Reason(f"encodes by grids, and has no {field.encoding.split()[0]}")
    if mhz(spec) is None:
        return Reason("its clock must be a frequency, as the GPU keeps a time of its own")
    # whether tables fit is not what it turns on: see `NgpcSpec.tables`
    roomy = spec.model_copy(update={"table_log2": 24})
    refused = refusal(roomy, grid_of(spec, field), len(field.layers))
    return True if refused is None else Reason(f"has no room for {refused}")


def mhz(spec: NgpcSpec) -> float | None:
    """Return the clock, assumed or not; None where it is left to synthesis."""
    asked = spec.clock_mhz
    if isinstance(asked, AssumedClock):
        return asked.mhz
    return None if asked == "auto" else float(asked)


def windows(spec: NgpcSpec, op: Op, known: Known, room_bytes: int) -> Windows:
    """Return the batches of a frame, with the bytes that each moves.

    Raises
    ------
    InfeasibleError
        If blocks on their way do not fit the buffer.
    InputError
        If no queries of the frame are known, or it has too many batches.
    """
    field = Field.of(op)
    if SAMPLE_PORT not in known.arrays:
        raise InputError(
            f"op {op.name!r}: samples", "must be known, as cycles follow from them", None
        )
    count = -(-field.queries // spec.batch_queries)
    if count > MAX_BATCHES:
        raise InputError(
            f"op {op.name!r}", f"must be at most {MAX_BATCHES:,} batches", count,
            fix="raise batch_queries",
        )  # fmt: skip
    record = field.in_bytes + field.out_bytes
    streamed = STREAMED_BLOCKS * BLOCK_QUERIES * record * spec.nfps // 2
    if streamed > room_bytes:
        raise InfeasibleError(
            f"blocks of queries on their way to {spec.nfps:,} processors",
            demand=streamed, bound=room_bytes, unit="bytes of buffer",
            levers=("raise memories.buffer.capacity_bytes", "take fewer processors"),
        )  # fmt: skip
    first = np.arange(count, dtype=np.int64) * spec.batch_queries
    stop = np.minimum(first + spec.batch_queries, field.queries)
    nothing, queries = np.zeros_like(first), stop - first
    loads = [nothing] * len(op.inputs)
    loads[SAMPLES] = queries * field.in_bytes
    if spec.tables == "spilled":
        loads[TABLES] = np.ceil(queries * missed_bytes(spec, field, known)).astype(np.int64)
    assert len(loads) > NETWORKS  # matrices stay
    return Windows(
        phase=nothing, first=first, stop=stop, left=nothing, right=nothing,
        load_bytes=tuple(loads), partial_bytes=nothing, store_bytes=queries * field.out_bytes,
        final=nothing == 0, room_bytes=streamed,
    )  # fmt: skip


def lower(spec: NgpcSpec, op: Op, cut: Windows, known: Known) -> BatchJobs:
    """Return the job of each batch."""
    field = Field.of(op)
    took = steady(spec, field, known)
    queries, ones = cut.stop - cut.first, np.ones(len(cut), np.int64)
    rest = _rest_cycles(spec, field, cut)
    marched = field.app != UNMARCHED
    apart = spec.ray_groups == 1 and marched
    beside = np.zeros_like(rest) if apart else np.concatenate([[0], rest[:-1]])
    after = rest if apart else np.where(cut.stop == field.queries, rest, 0)
    frame = cut.first == 0
    return BatchJobs(
        queries=queries, beside=beside, after=after,
        layers=ones * len(field.layers), entries=ones * grid_of(spec, field).entries,
        in_bytes=ones * field.in_bytes, out_bytes=ones * field.out_bytes,
        marched=ones * marched, gpu_ps=np.where(frame, round(field.gpu_us * 1e6), 0),
        pixels=np.where(frame, field.pixels, 0),
        **_of_sample(took, ones),
    )  # fmt: skip


def _of_sample(took: Steady, ones: Ints) -> dict[str, Any]:
    whole = ("cycles", "sampled", "fill", "levels")
    parts = ("once", "bank", "fifo", "mlp", "lookups", "conflicts")
    return {name: ones * getattr(took, name) for name in (*whole, *parts)}


def _rest_cycles(spec: NgpcSpec, field: Field, cut: Windows) -> Ints:
    """Return the cycles of the GPU's remaining kernels on each batch: its share of the frame's."""
    clock = mhz(spec)
    assert clock is not None
    all_cycles = field.gpu_us * field.rest_share / spec.rest_speedup * clock
    ends = np.ceil(all_cycles * (cut.stop / field.queries)).astype(np.int64)
    return np.diff(ends, prepend=0)
