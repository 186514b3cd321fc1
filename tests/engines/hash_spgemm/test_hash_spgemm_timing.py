"""Cycles of the engine: by hand where that is possible, bounds, batches, what other rules say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archsim.engines import Env, MemoryEnv, Rate, SpecBatch
from archsim.engines.hash_spgemm.estimate import neurasim_cycles
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.engines.hash_spgemm.timing import time
from archsim.engines.hash_spgemm.windows import window_jobs
from archsim.sparse import Csr
from archsim.sparse.hashing import count_probes
from archsim.sparse.product import SparseProduct

from .products import square

IDEAL: Env = {"mem": MemoryEnv(outstanding=64)}
SLOW: Env = {"mem": MemoryEnv(latency=25, p=1, q=2, outstanding=4)}


def run(spec: HashSpgemmSpec, product: SparseProduct, env: Env = IDEAL, **changes: Any) -> Any:
    jobs = replace(window_jobs(spec, product), **changes)
    return jobs, time(spec, jobs, env, product.arrays)


def dense(rows: int, inner: int, columns: int) -> SparseProduct:
    a, b = Csr.of(np.ones((rows, inner), int)), Csr.of(np.ones((inner, columns), int))
    return SparseProduct(a, b, columns)


def test_one_product_takes_four_reads_and_two_writes() -> None:
    spec = HashSpgemmSpec(lanes=1, banks=1, slots=16)
    _, timing = run(spec, dense(1, 1, 1))
    # a read asked for in cycle t is offered in t + 1, answered in t + 2, in its queue in t + 3
    row = 1
    nonzero = row + 3  # the row is known to be in the window
    bounds = nonzero + 3
    token = bounds + 3
    entry = token + 1
    product = entry + 3
    operation = product + 1
    seen = operation + 2
    written = seen + 3  # two cycles to fill the pipeline of write-back
    count = written + 1
    assert [count + 1] == timing.cycles.tolist()
    assert [6] == timing.beats["mem_req"].tolist()  # row, nonzero, bounds, entry; two writes
    assert 1 == timing.split["busy"][0]


def test_a_word_a_cycle_is_the_limit_of_the_port() -> None:
    spec = HashSpgemmSpec(slots=1024)
    _, timing = run(spec, dense(4, 16, 8))
    products = timing.cycles[0] - timing.split["drain"][0]
    assert products < 1.12 * timing.beats["mem_rsp"][0]


def test_slow_memory_wants_more_words_ahead() -> None:
    product = square("rmat")
    env: Env = {"mem": MemoryEnv(latency=40, outstanding=64)}
    few, many = (run(HashSpgemmSpec(queue=q), product, env)[1].cycles.sum() for q in (2, 16))
    assert few > 3 * many


def test_choices_that_cost_cycles() -> None:
    product = square("rmat")
    base = {"slots": 512, "lanes": 4}

    def cycles(env: Env, **fields: Any) -> int:
        return int(run(HashSpgemmSpec(**base | fields), product, env)[1].cycles.sum())

    far: Env = {"mem": MemoryEnv(latency=40, outstanding=64)}
    assert cycles(IDEAL, write_back="scan") > cycles(IDEAL)
    assert cycles(IDEAL, lanes=1, banks=1, atomics="cas_add") > 1.3 * cycles(IDEAL, lanes=1)
    assert cycles(far, token="static") > cycles(far, token="row") > 1.1 * cycles(far)
    slow = {"lanes": 4, "banks": 1, "slots": 64, "slots_per_product": 1, "atomics": "cas_add"}
    few, some, many = (cycles(IDEAL, comparators=n, **slow) for n in (1, 2, 4))
    assert few > some > many


def test_splits_and_counts_add_up() -> None:
    for spec in (HashSpgemmSpec(slots=64), HashSpgemmSpec(slots=64, write_back="scan")):
        jobs, timing = run(spec, square("rmat"), SLOW)
        assert (sum(timing.split.values()) == timing.occupied).all()
        counts = timing.counts
        assert (counts["products"] == jobs.products).all()
        assert (counts["inserts"] == jobs.results).all()
        assert (counts["inserts"] + counts["hits"] == counts["products"]).all()
        assert (counts["products"] + counts["collisions"] == counts["probes"]).all()


@pytest.mark.parametrize("env", [IDEAL, SLOW, {"mem_req": Rate(3, 1, 3)}], ids=str)
@pytest.mark.parametrize(
    "fields",
    [
        {}, {"lanes": 1, "banks": 1}, {"token": "static"}, {"token": "row", "comparators": 4},
        {"write_back": "scan", "queue": 2},
    ],
    ids=str,
)  # fmt: skip
def test_estimates_lie_between_bounds_that_hold(fields: dict[str, Any], env: Env) -> None:
    spec = HashSpgemmSpec(**{"slots": 256, **fields})
    jobs, exact = run(spec, square("rmat"), env)
    about = time(spec, jobs, env)
    assert ("exact", "bound") == (exact.kind, about.kind)
    assert about.lo is not None and about.hi is not None
    assert ((about.lo <= about.cycles) & (about.cycles <= about.hi)).all()
    assert ((about.lo <= exact.cycles) & (exact.cycles <= about.hi)).all()
    assert about.cycles.sum() == pytest.approx(exact.cycles.sum(), rel=0.35)
    assert np.array_equal(sum(about.split.values()), about.occupied)
    for name in ("mem_req", "mem_rsp"):  # rows behind the window are read, or not
        over = about.beats[name] - exact.beats[name]
        assert ((over >= 0) & (over <= np.minimum(spec.queue, jobs.rest))).all()
    assert (about.beats["mem_write"] == exact.beats["mem_write"]).all()


def test_large_ops_are_estimated_and_small_ones_run() -> None:
    product = square("rmat")
    small = HashSpgemmSpec(slots=128, exact_limit=product.products)
    large = HashSpgemmSpec(slots=128, exact_limit=product.products - 1)
    assert ("exact", "bound") == (run(small, product)[1].kind, run(large, product)[1].kind)
    jobs, known = run(small, product)
    half = replace(jobs, exact=np.arange(len(jobs)) % 2 == 0)
    mixed = time(small, half, IDEAL, product.arrays)
    assert "bound" == mixed.kind
    assert mixed.lo is not None and mixed.hi is not None
    assert (mixed.cycles[::2] == known.cycles[::2]).all()
    assert (mixed.lo[::2] == mixed.hi[::2]).all()
    assert (mixed.lo[1::2] < mixed.hi[1::2]).all()


def test_a_batch_is_its_specs_row_by_row() -> None:
    product = square("uniform")
    specs = [
        HashSpgemmSpec(slots=64, lanes=n, write_back=w) for n, w in ((1, "scan"), (4, "dense"))
    ]
    jobs = window_jobs(specs[0], product).take(np.array([0, 0]))
    for data in (None, product.arrays):
        together = time(SpecBatch(specs), jobs, IDEAL, data)
        for i, spec in enumerate(specs):
            alone = time(spec, jobs.take(np.array([i])), IDEAL, data)
            assert alone.cycles[0] == together.cycles[i]


def test_neurasims_rule_counts_the_operations_of_compare_then_add() -> None:
    """By NeuraSim's rule a hash request takes 1 + floor((collisions + 1) / comparators) cycles."""
    spec = HashSpgemmSpec(slots=64, slots_per_product=1, atomics="cas_add", lanes=1, banks=1)
    _, timing = run(spec, square("rmat"))
    by_rule = neurasim_cycles(0, 1) * timing.counts["products"] + timing.counts["collisions"]
    operations = timing.counts["probes"] + timing.counts["products"]
    assert timing.counts["collisions"].sum() > 0
    assert np.array_equal(by_rule, operations)
    assert [1, 1, 1, 2, 2] == neurasim_cycles(np.arange(5), 4).tolist()
    # one lane begins an operation a cycle, so no window is faster than its operations
    assert (timing.split["busy"] == operations).all()


@pytest.mark.parametrize("comparators", [1, 2, 4])
def test_a_bank_does_what_neurasims_rule_says_product_by_product(comparators: int) -> None:
    """Rows of B have an entry each, which come so slowly that no product meets another."""
    rng = np.random.default_rng(2)
    columns = rng.integers(0, 60, 40)
    a, b = np.ones((1, 40), int), np.zeros((40, 60), int)
    b[np.arange(40), columns] = 1
    product = SparseProduct(Csr.of(a), Csr.of(b), 60)
    shape = {"slots": 64, "slots_per_product": 1, "hash": "low", "comparators": comparators}
    slowly: Env = {"mem_rsp": Rate(0, 1, 60)}
    for atomics in ("cas_add", "fused"):
        spec = HashSpgemmSpec(lanes=1, banks=1, atomics=atomics, **shape)
        _, timing = run(spec, product, slowly)
        collisions = count_probes(product, spec.rule).probes - 1
        by_rule = neurasim_cycles(collisions - (atomics == "fused"), comparators)
        assert collisions.max() > comparators
        assert [collisions.sum()] == timing.counts["collisions"].tolist()
        assert [by_rule.sum()] == timing.counts["operations"].tolist()


@pytest.mark.parametrize(
    ("env", "fault", "text"),
    [
        ({"mem": Rate()}, TypeError, "port 'mem' is to memory and takes a MemoryEnv"),
        ({"mem_req": MemoryEnv()}, TypeError, "port 'mem_req' is a stream"),
        ({"a": Rate()}, ValueError, "env names port 'a'; the engine has mem, mem_req, mem_rsp"),
    ],
)
def test_ports_that_are_not_there(env: Env, fault: type[Exception], text: str) -> None:
    with pytest.raises(fault, match=text):
        run(HashSpgemmSpec(), square("uniform"), env)
