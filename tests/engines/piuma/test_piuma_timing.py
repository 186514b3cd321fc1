"""Times of windows: the contract, what the budget says, trends, and `event` beside `analytic`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import simpy

from archsim.design import Clock
from archsim.engines import Rate, SpecBatch, Stalls, discover
from archsim.engines.piuma.jobs import PiumaJobs, jobs_of
from archsim.engines.piuma.lowering import b_bytes
from archsim.engines.piuma.process import process
from archsim.engines.piuma.spec import ALGORITHMS, PiumaSpec
from archsim.engines.piuma.timing import actions, figures, time
from archsim.sparse.hashing import count_probes
from archsim.tech import load
from tests.engines.test_contract_types import check_timing
from tests.sparse.matrices import KNOWN, product

QUICK = ("graph500_8", "graph500_10", "mild_10")
SKEWED = ("lookalike", "graph500_12", "mild_12", "barabasi_albert", "powerlaw_cluster")
VARIANTS: tuple[dict[str, Any], ...] = (
    *({"algorithm": algorithm} for algorithm in ALGORITHMS),
    {"eviction": "rolling"},
    {"algorithm": "smash_v1", "eviction": "rolling", "token": "row"},
    {"dense": "dram", "hash": "multiplicative", "token": "row", "stcs": 0},
    {"mtcs": 3, "threads": 5, "spad_bytes": 1 << 16, "fill": 0.5},
)


def cycles(spec: PiumaSpec, name: str) -> int:
    return int(time(spec, jobs_of(spec, product(name))).occupied.sum())


def event_cycles(spec: PiumaSpec, jobs: PiumaJobs, mhz: float = 1000) -> int:
    sim, clock = simpy.Environment(), Clock.of_mhz(mhz)
    planned = int(time(spec, jobs).occupied.sum())
    sim.process(process(sim, spec, jobs, {"clock": clock, "planned": planned}))
    sim.run()
    edge = clock.next_edge(sim.now)
    assert clock.edge_ps(edge) == sim.now
    return edge


@pytest.mark.parametrize("fields", VARIANTS, ids=str)
def test_timing_keeps_the_contract(fields: dict[str, Any]) -> None:
    spec = PiumaSpec(**fields)
    jobs = jobs_of(spec, product("graph500_8"))
    timing = time(spec, jobs)
    check_timing(timing, jobs)
    p = KNOWN["graph500_8"].products
    counts = {name: int(total.sum()) for name, total in timing.counts.items()}
    assert counts["products"] == p
    assert counts["inserts"] == KNOWN["graph500_8"].results
    assert counts["hits"] == p - counts["inserts"]
    assert counts["collisions"] == counts["probes"] - p >= 0
    assert sum(counts[f"windows.{x:g}"] for x in (0, 1.1, 1.5, 2, 4, 8)) == len(jobs)
    assert counts["slots_scanned"] == (len(jobs) * spec.slots if spec.scans else 0)
    for name, amounts in figures(spec, jobs).items():
        assert amounts.shape == (len(jobs),), name
    occupancy = figures(spec, jobs)["thread_occupancy"]
    assert ((0 < occupancy) & (occupancy <= 1)).all()


def test_many_specs_at_once_are_one_after_another() -> None:
    specs = [PiumaSpec(**fields) for fields in VARIANTS]
    jobs = [jobs_of(spec, product("karate")) for spec in specs]
    assert all(len(x) == len(jobs[0]) for x in jobs[:-1])
    tech = load("asap7")
    engine = discover()["piuma"]
    batch = SpecBatch(specs)
    areas = engine.area_um2(batch, tech)
    for i, (spec, own) in enumerate(zip(specs, jobs, strict=True)):
        alone = time(spec, own)
        together = time(SpecBatch([spec] * len(own)), own)
        assert (alone.occupied == together.occupied).all()
        for part, um2 in engine.area_um2(spec, tech).items():
            assert np.broadcast_to(areas[part], len(specs))[i] == pytest.approx(um2)
    prices = engine.energy_pj(specs[0], tech)
    timing = time(specs[0], jobs[0])
    assert set(actions(specs[0], jobs[0], timing)) <= set(prices)


def test_a_slow_port_is_waited_for() -> None:
    spec = PiumaSpec()
    jobs = jobs_of(spec, product("karate"))
    slow = time(spec, jobs, {"read": Rate(p=1, q=1000), "write": Rate(latency=5)})
    check_timing(slow, jobs)
    assert slow.cycles[0] == 1000 * (slow.beats["read"][0] - 1)
    assert slow.split["stall.read"][0] > 0 == slow.split["stall.write"][0]
    with pytest.raises(TypeError, match="port 'read' of a model has a pace"):
        time(spec, jobs, {"read": Stalls((True,))})
    with pytest.raises(ValueError, match="env names port 'mem'; the engine has read, write"):
        time(spec, jobs, {"mem": Rate()})


# ---------------------------------------------------------------------------------------- budget


def test_the_budget_is_as_it_was_fitted() -> None:
    """Whoever changes a number here fits the model again, and says so."""
    spec = PiumaSpec()
    budget = {
        "instruction_cycles": 28, "product": 20, "probe": 5, "insert": 4, "dense": 10, "scan": 16,
        "emit": 6, "sort": 135, "token": 8, "dma": 30, "bound": 6,
    }  # fmt: skip
    for name, value in budget.items():
        field = name if name.endswith("_cycles") else f"{name}_instructions"
        assert getattr(spec, field) == value, name
    assert spec.fill == 0.25


@pytest.mark.slow
def test_ratios_where_it_was_fitted() -> None:
    """They say that the model is what was fitted, and nothing about a machine."""
    v1, v2, v3 = (cycles(PiumaSpec(algorithm=x), "lookalike") for x in ALGORITHMS)
    assert 1.8 < v1 / v2 < 3.0
    assert 3.0 < v2 / v3 < 5.0
    assert 7.0 < v1 / v3 < 11.0


# ---------------------------------------------------------------------------------------- trends


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SKEWED)]
)
def test_each_variant_is_faster_on_skewed_matrices(name: str) -> None:
    v1, v2, v3 = (cycles(PiumaSpec(algorithm=x), name) for x in ALGORITHMS)
    assert v1 > v2 > v3


def test_the_first_step_is_balance_and_order_the_second_is_writing_back() -> None:
    specs = [PiumaSpec(algorithm=x) for x in ALGORITHMS]
    splits = []
    for spec in specs:
        timing = time(spec, jobs_of(spec, product("mild_10")))
        splits.append({part: int(x.sum()) for part, x in timing.split.items()})
    waits, drains = ([x[part] for x in splits] for part in ("stall.threads", "drain"))
    assert waits[0] > 1.5 * waits[1] > 10 * waits[2]
    assert drains[0] > 2 * drains[1] > 10 * drains[2]
    # a variant that has v2's tokens and v1's writing back, and one with v3's tokens in v2
    balanced = cycles(PiumaSpec(algorithm="smash_v1", token="row", hash="low"), "mild_10")
    assert cycles(specs[1], "mild_10") < balanced < cycles(specs[0], "mild_10")
    finer = cycles(PiumaSpec(algorithm="smash_v2", token="nonzero"), "mild_10")
    assert cycles(specs[2], "mild_10") < finer < cycles(specs[1], "mild_10")


def test_cores_do_more_at_a_time_from_variant_to_variant() -> None:
    def mean(spec: PiumaSpec, figure: str) -> float:
        jobs = jobs_of(spec, product("mild_10"))
        weight = time(spec, jobs).occupied
        return float((figures(spec, jobs)[figure] * weight).sum() / weight.sum())

    v1, v2, v3 = (mean(PiumaSpec(algorithm=x), "scratchpad_utilisation") for x in ALGORITHMS)
    assert v1 < v2 < v3
    first, last = (
        mean(PiumaSpec(algorithm=x), "instructions_per_cycle") for x in ("smash_v1", "smash_v3")
    )
    assert first < last


def test_threads_hide_latency() -> None:
    many, one = (cycles(PiumaSpec(threads=x), "graph500_10") for x in (16, 1))
    assert 8 < one / many < 16.5
    # beyond the pace of an instruction a core issues all the time, and threads wait for each other
    crowd = cycles(PiumaSpec(threads=56), "graph500_10")
    assert many / crowd < 28 / 16 + 0.1


def test_banks_hold_up_if_atomics_hold_them_long() -> None:
    slow = PiumaSpec(spad_banks=1, atomic_busy_cycles=64)
    jobs = jobs_of(slow, product("mild_10"))
    atomics = jobs.products + jobs.probes + jobs.tokens
    assert (time(slow, jobs).occupied > 64 * atomics).all()
    assert cycles(slow, "mild_10") > 2 * cycles(PiumaSpec(), "mild_10")


def test_rolling_eviction_has_no_scan_and_no_barrier() -> None:
    window, rolling = (
        PiumaSpec(algorithm="smash_v2", token="nonzero", eviction=x) for x in ("window", "rolling")
    )
    timing = time(rolling, jobs_of(rolling, product("mild_10")))
    assert timing.split["drain"].sum() == 0
    assert timing.counts["slots_scanned"].sum() == 0
    assert timing.occupied.sum() < cycles(window, "mild_10")


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("case300", 2, 4), ("minnesota", 2, 4), ("poisson_7", 2, 3), ("poisson_27", 1, 1.55)],
)
def test_small_grains_save_bytes_where_rows_are_short(name: str, low: float, high: float) -> None:
    found = product(name)
    small, large = (
        int(b_bytes(spec, found, count_probes(found, spec.rule)).sum())
        for spec in (PiumaSpec(grain_bytes=8), PiumaSpec(grain_bytes=64))
    )
    assert low <= large / small <= high


# ---------------------------------------------------------------------------------------- event


@pytest.mark.parametrize("fields", VARIANTS, ids=str)
@pytest.mark.parametrize("name", ["graph500_8", "case57"])
def test_event_is_analytic_and_what_contention_adds(fields: dict[str, Any], name: str) -> None:
    spec = PiumaSpec(**fields)
    jobs = jobs_of(spec, product(name))
    planned = int(time(spec, jobs).occupied.sum())
    found = event_cycles(spec, jobs)
    assert planned <= found <= 1.05 * planned
    if spec.grain == "static" or spec.eviction == "rolling":  # nobody asks for a token
        assert found == planned


def test_event_at_a_clock_whose_edges_are_no_picoseconds() -> None:
    spec = PiumaSpec(algorithm="smash_v1")
    jobs = jobs_of(spec, product("karate"))
    assert event_cycles(spec, jobs, mhz=1300) == time(spec, jobs).occupied.sum()


def test_event_has_threads_wait_for_the_counter_of_tokens() -> None:
    """Tokens that take next to nothing are handed out one by one: the counter is one word."""
    spec = PiumaSpec(
        instruction_cycles=1, product_instructions=1, probe_instructions=1, dense_instructions=0,
        token_instructions=0, atomic_busy_cycles=10, spad_banks=256,
    )  # fmt: skip
    jobs = jobs_of(spec, product("minnesota"))
    waiting = event_cycles(spec, jobs) - time(spec, jobs).occupied.sum()
    tokens = int(jobs.tokens.sum())
    assert 10 * tokens - jobs.thread_instructions.sum() * 16 < waiting < 10 * tokens
