"""The contract's types hold engines unlike a systolic array; three, as thin as paper, try them.

None of them is a model of anything; each keeps the shape of one: cycles that depend on values, a
memory port, and fixed analog time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field

from archsim.engines import (
    IDEAL,
    NO_STALLS,
    Data,
    EngineSpec,
    Env,
    Ints,
    Jobs,
    MemoryEnv,
    Rate,
    SpecBatch,
    Timing,
)
from archsim.engines.offers import earliest_offer, next_ready


def check_timing(timing: Timing, jobs: Jobs) -> None:
    """Assert what holds for every engine."""
    arrays = [*timing.split.values(), *timing.beats.values(), *timing.counts.values()]
    assert all(np.shape(x) == (len(jobs),) for x in (timing.cycles, timing.occupied, *arrays))
    assert (timing.occupied >= timing.cycles + 1).all()
    assert (sum(timing.split.values()) == timing.occupied).all()
    if timing.kind != "exact":
        assert timing.lo is not None
        assert timing.hi is not None
        assert ((timing.lo <= timing.cycles) & (timing.cycles <= timing.hi)).all()


# --------------------------------------------------------- neural graphics: cycles depend on values


class GridSpec(EngineSpec):
    """One encoding level: a table in banks, eight corners a query."""

    kind: Literal["grid"] = "grid"
    banks: Annotated[int, Field(ge=1)] = 8


@dataclass(frozen=True, slots=True)
class SliceJobs(Jobs):
    """A slice of queries; ref ``corners`` [queries, 8] holds their table addresses."""

    queries: Ints


def grid_time(
    spec: GridSpec, jobs: SliceJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """A query takes as many cycles as its fullest bank has distinct addresses."""
    pace = env.get("query", IDEAL)
    assert isinstance(pace, Rate)

    def cycles(services: list[int]) -> int:
        now = 0
        for i, service in enumerate(services):
            now = max(now + 1, earliest_offer(pace, i)) + service - 1
        return now

    if data is None or jobs.refs is None:  # from no conflict to all corners in one bank
        low, high = ([cycles([c] * q) for q in jobs.queries.tolist()] for c in (1, 8))
        middle = (np.array(low) + np.array(high)) // 2
        return _grid_timing(jobs, middle, jobs.queries, "bound", np.array(low), np.array(high))
    services = [_conflicts(data[refs["corners"]], spec.banks) for refs in jobs.refs]
    probes = np.array([sum(service) for service in services])
    return _grid_timing(jobs, np.array([cycles(s) for s in services]), probes, "exact")


def _conflicts(corners: Ints, banks: int) -> list[int]:
    distinct = [np.unique(row) for row in corners]
    return [int(np.bincount(row % banks, minlength=banks).max()) for row in distinct]


def _grid_timing(
    jobs: SliceJobs, cycles: Ints, busy: Ints, kind: Any, lo: Any = None, hi: Any = None
) -> Timing:
    busy = np.minimum(busy, cycles)
    split = {"busy": busy, "fill": np.ones_like(cycles), "stall.query": cycles - busy}
    beats = {"query": jobs.queries, "result": jobs.queries}
    return Timing(cycles, cycles + 1, split, beats, {"conflicts": busy}, kind, lo, hi)


def slice_with_values() -> tuple[SliceJobs, Data]:
    rng = np.random.default_rng(0)
    data = {"hard": rng.integers(0, 512, (40, 8)), "easy": np.tile(np.arange(8), (25, 1))}
    return SliceJobs(np.array([40, 25]), refs=({"corners": "hard"}, {"corners": "easy"})), data


def test_grid_slice_is_exact_with_values_and_bounded_without() -> None:
    spec = GridSpec(banks=8)
    jobs, data = slice_with_values()
    exact, bound = grid_time(spec, jobs, data=data), grid_time(spec, jobs)
    check_timing(exact, jobs)
    check_timing(bound, jobs)
    assert ("exact", "bound") == (exact.kind, bound.kind)
    assert (bound.lo <= exact.cycles).all()
    assert (exact.cycles <= bound.hi).all()
    # eight neighbours in eight banks: a query a cycle
    assert 25 == exact.cycles[1]
    assert 25 < exact.cycles[0]


def test_grid_slice_at_a_slow_port() -> None:
    jobs, data = slice_with_values()
    timing = grid_time(GridSpec(), jobs, {"query": Rate(latency=9, p=1, q=10)}, data)
    # the 25 easy queries come ten cycles apart after nine
    assert 9 + 24 * 10 == timing.cycles[1]
    check_timing(timing, jobs)


# --------------------------------------------------------- sparse products: a memory port


class HashSpec(EngineSpec):
    """A table of slots with linear probing."""

    kind: Literal["hash"] = "hash"
    slots: Annotated[int, Field(ge=1)] = 16
    exact_limit: int = 10_000


@dataclass(frozen=True, slots=True)
class WindowJobs(Jobs):
    """A window of rows; ref ``columns`` [products] names the column that each product adds to."""

    products: Ints


def hash_time(
    spec: HashSpec, jobs: WindowJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Read each product through port ``mem``, probe, and write back each entry once."""
    memory = env.get("mem", MemoryEnv())
    assert isinstance(memory, MemoryEnv)
    if data is None or jobs.refs is None or int(jobs.products.max()) > spec.exact_limit:
        return _hash_bound(spec, jobs, memory)
    rows = [_window(spec, data[refs["columns"]].tolist(), memory) for refs in jobs.refs]
    cycles, busy, drain, probes, inserts = (np.array(column) for column in zip(*rows, strict=True))
    split = {
        "busy": busy, "fill": np.ones_like(cycles), "drain": drain,
        "stall.mem": cycles - busy - drain,
    }  # fmt: skip
    beats = {"mem_req": jobs.products + inserts, "mem_rsp": jobs.products}
    counts = {"probes": probes, "inserts": inserts}
    return Timing(cycles, cycles + 1, split, beats, counts)


def _hash_bound(spec: HashSpec, jobs: WindowJobs, memory: MemoryEnv) -> Timing:
    low = 2 * jobs.products
    high = jobs.products * (memory.latency + spec.slots + memory.q) + spec.slots
    split = {"busy": high, "fill": np.ones_like(high)}
    return Timing(high, high + 1, split, {"mem_rsp": jobs.products}, {}, "bound", low, high)


def _window(spec: HashSpec, columns: list[int], memory: MemoryEnv) -> tuple[int, ...]:
    table: list[int | None] = [None] * spec.slots
    taken: list[int] = []  # cycles in which responses were
    now = request = probes = 0
    for i, column in enumerate(columns):
        room = taken[i - memory.outstanding] if i >= memory.outstanding else 0
        request = max(request, room) + 1
        now = max(now + 1, request + memory.latency)
        taken.append(now)
        slot = column % spec.slots
        while table[slot] not in (None, column):
            slot, probes, now = (slot + 1) % spec.slots, probes + 1, now + 1
        table[slot] = column
    inserts = sum(entry is not None for entry in table)
    probes += len(columns)
    return now + inserts, probes, inserts, probes, inserts


def window(columns: list[int]) -> tuple[WindowJobs, Data]:
    jobs = WindowJobs(np.array([len(columns)]), refs=({"columns": "x"},))
    return jobs, {"x": np.array(columns)}


def test_hash_window_counts_probes_and_collisions() -> None:
    jobs, data = window([3, 19, 3, 35, 4])  # 3, 19, 35 meet in slot 3; 4 finds 19 in its slot
    timing = hash_time(HashSpec(), jobs, data=data)
    check_timing(timing, jobs)
    assert (1 + 2 + 1 + 3 + 3, 4) == (timing.counts["probes"][0], timing.counts["inserts"][0])
    assert 5 + 4 == timing.beats["mem_req"][0]


@pytest.mark.parametrize(
    ("outstanding", "last_response"),
    [
        (1, 8 * 10),  # a request, nine cycles, a response; then the next
        (4, 23),  # four from cycle 10 on, each of which lets another request go; four from 20 on
        (8, 17),  # all requests are out before the first response is in
    ],
)
def test_hash_window_waits_for_its_memory(outstanding: int, last_response: int) -> None:
    jobs, data = window(list(range(8)))
    env = {"mem": MemoryEnv(latency=9, outstanding=outstanding)}
    timing = hash_time(HashSpec(), jobs, env, data)
    check_timing(timing, jobs)
    assert last_response + 8 == timing.cycles[0]
    assert last_response - 8 == timing.split["stall.mem"][0]


def test_hash_window_beyond_the_limit_is_a_bound() -> None:
    jobs, data = window(list(range(30)))
    exact = hash_time(HashSpec(slots=64), jobs, data=data)
    bound = hash_time(HashSpec(slots=64, exact_limit=20), jobs, data=data)
    check_timing(bound, jobs)
    assert "bound" == bound.kind
    assert bound.lo[0] <= exact.cycles[0] <= bound.hi[0]


# --------------------------------------------------------- RF analog: descriptors, constant time


class AnalogSpec(EngineSpec):
    """A controller of an analog mesh: serial phase loader, settling, averaging converters."""

    kind: Literal["analog"] = "analog"
    loader_bits: int = 336
    clock_divider: int = 2
    settle_cycles: int = 26
    analog_cycles: int = 3
    averaging_log2: int = 2

    @property
    def load_cycles(self) -> int:
        return 2 + 2 * self.clock_divider * self.loader_bits + 2 + self.settle_cycles


@dataclass(frozen=True, slots=True)
class StageJobs(Jobs):
    """Stages of a tensor-train layer: P outputs of Q inputs, L x R times, after a reload or not."""

    p: Ints
    q: Ints
    vectors: Ints
    reload: np.ndarray


def stage_time(
    spec: AnalogSpec | SpecBatch, jobs: StageJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """``1 + reload (load + 1) + vectors (Q + 1 + analog + 2^A + P)``; outputs may be refused."""
    samples = 2**spec.averaging_log2
    fill = 1 + jobs.reload * (spec.load_cycles + 1)
    busy = jobs.vectors * (jobs.q + 1 + spec.analog_cycles + samples + jobs.p)
    ideal = fill + busy - 1
    out = env.get("result", IDEAL)
    assert isinstance(out, Rate)
    last = np.array([next_ready(out, cycle) for cycle in ideal.tolist()])
    beats = {"x": jobs.vectors * jobs.q, "result": jobs.vectors * jobs.p}
    split = {"busy": busy, "fill": fill, "stall.result": last - ideal}
    return Timing(last, last + 1, split, beats)


STAGES = StageJobs(
    p=np.array([4, 8]),
    q=np.array([7, 4]),
    vectors=np.array([12, 1]),
    reload=np.array([True, False]),
)


def test_analog_stages_take_their_formula() -> None:
    timing = stage_time(AnalogSpec(), STAGES)
    check_timing(timing, STAGES)
    load = 2 + 4 * 336 + 2 + 26
    assert [1 + load + 1 + 12 * 19, 1 + 20] == timing.occupied.tolist()


def test_analog_stage_waits_for_its_output() -> None:
    timing = stage_time(AnalogSpec(), STAGES, {"result": Rate(latency=5000)})
    check_timing(timing, STAGES)
    assert [5000, 5000] == timing.cycles.tolist()


def test_analog_specs_in_a_batch_pair_with_stages() -> None:
    specs = [AnalogSpec(), AnalogSpec(averaging_log2=4, loader_bits=60)]
    together = stage_time(SpecBatch(specs), STAGES)
    for i, spec in enumerate(specs):
        alone = stage_time(spec, STAGES.take(np.array([i])))
        assert alone.cycles[0] == together.cycles[i]


def test_jobs_of_unequal_columns_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^fields of jobs must have one length, not "):
        StageJobs(np.ones(2), np.ones(2), np.ones(3), np.ones(2))
