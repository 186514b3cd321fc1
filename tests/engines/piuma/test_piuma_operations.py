"""Operations one by one: C is scipy's, and one thread looks at the slots that were counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from archsim.engines.piuma.jobs import jobs_of
from archsim.engines.piuma.operations import Operated, operate
from archsim.engines.piuma.reference import reference
from archsim.engines.piuma.spec import ALGORITHMS, OPERATIONS, Algorithm, PiumaSpec
from archsim.engines.piuma.timing import hashing_cycles, time
from archsim.sparse import Csr
from archsim.sparse.hashing import count_probes
from archsim.sparse.product import SparseProduct
from tests.engines.piuma.test_piuma_timing import event_cycles
from tests.engines.test_contract_types import check_timing
from tests.sparse.matrices import KNOWN, product, squared

THREADS = ((1, 1), (4, 1), (4, 16))  # cores, threads of each
TINY = [name for name, known in KNOWN.items() if known.products <= 2_500]
SMALL = [name for name, known in KNOWN.items() if 2_500 < known.products <= 20_000]
MIDDLE = [name for name, known in KNOWN.items() if 20_000 < known.products <= 100_000]
LARGE = [name for name, known in KNOWN.items() if known.products > 20_000]


def with_values(a: Csr, seed: int = 1) -> Csr:
    """Return the matrix with small integers for values, whose sums are exact in any order.

    They are positive: scipy leaves out sums that cancel, and a product of patterns does not.
    """
    values = np.random.default_rng(seed).integers(1, 10, a.entries)
    return Csr(a.shape, a.indptr, a.indices, values)


def run(spec: PiumaSpec, found: SparseProduct) -> Operated:
    return operate(spec, found, count_probes(found, spec.rule))


def check(expected: Csr, row: Any, col: Any, value: Any) -> None:
    assert expected.values is not None
    assert np.array_equal(row, expected.rows)
    assert np.array_equal(col, expected.indices)
    assert np.array_equal(value, expected.values)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "name", [*TINY, *(pytest.param(name, marks=pytest.mark.slow) for name in SMALL)]
)
def test_c_is_scipys_whatever_the_threads(name: str, algorithm: Algorithm) -> None:
    a = with_values(KNOWN[name].make())
    product_of_a, expected = squared(a), Csr.of(a.scipy() @ a.scipy())
    for cores, threads in THREADS:
        spec = PiumaSpec(algorithm=algorithm, mtcs=cores, threads=threads, spad_bytes=1 << 16)
        found = run(spec, product_of_a)
        check(expected, found.row, found.col, found.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", MIDDLE)
def test_c_of_middling_products_is_scipys_by_64_threads(name: str) -> None:
    a = with_values(KNOWN[name].make())
    found = run(PiumaSpec(spad_bytes=1 << 18), squared(a))
    check(Csr.of(a.scipy() @ a.scipy()), found.row, found.col, found.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_c_of_large_products_is_scipys(name: str) -> None:
    """Windows, ranges of columns and hashing keys as they are; sums whoever makes them."""
    known = KNOWN[name]
    a = with_values(known.make())
    found = squared(a)
    expected = Csr.of(a.scipy() @ a.scipy())
    tables: tuple[Algorithm, ...] = ("smash_v3", "smash_v1")  # of two sizes: other windows
    for algorithm in tables if found.products < 10**7 else tables[:1]:
        jobs = jobs_of(PiumaSpec(algorithm=algorithm), found)
        assert (jobs.products.sum(), jobs.inserts.sum()) == (known.products, known.results)
        parts = reference(PiumaSpec(algorithm=algorithm), jobs, found.arrays)
        row, col, value = (np.concatenate([p[x] for p in parts]) for x in ("row", "col", "value"))
        # all is in order but the ranges of columns of rows that were cut
        order = np.argsort(row * found.n + col, kind="stable")
        check(expected, row[order], col[order], value[order])


@pytest.mark.parametrize("name", TINY)
def test_reference_and_operations_agree(name: str) -> None:
    a = with_values(KNOWN[name].make(), seed=2)
    found = squared(a)
    spec = PiumaSpec(spad_bytes=1 << 14)  # windows of 85 products: rows are cut into ranges
    done = run(spec, found)
    parts = reference(spec, jobs_of(spec, found), found.arrays)
    row, col, value = (np.concatenate([p[x] for p in parts]) for x in ("row", "col", "value"))
    order = np.lexsort((col, row))
    assert np.array_equal(row[order], done.row)
    assert np.array_equal(col[order], done.col)
    assert np.array_equal(value[order], done.value)


def test_what_cancels_stays() -> None:
    a = Csr.of(sparse.csr_array(np.array([[1, 1], [1, -1]])))
    found = SparseProduct(a, a, 2)
    done = run(PiumaSpec(), found)
    assert done.value.tolist() == [2, 0, 0, 2]
    parts = reference(PiumaSpec(), jobs_of(PiumaSpec(), found), found.arrays)
    assert parts[0]["value"].tolist() == [2, 0, 0, 2]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("fill", [0.25, 1.0])
def test_one_thread_looks_at_the_slots_that_were_counted(algorithm: Algorithm, fill: float) -> None:
    spec = PiumaSpec(algorithm=algorithm, mtcs=1, threads=1, spad_bytes=1 << 14, fill=fill)
    found = product("les_miserables")
    counted, done = count_probes(found, spec.rule), run(spec, found)
    assert (done.probes == counted.by_window(counted.probes)).all()
    assert (done.longest == counted.longest).all()
    assert done.conflicts.sum() == done.spins.sum() == 0
    jobs = jobs_of(spec, found)
    last = 0 if spec.grain == "static" else spec.token_instructions  # finds that there are none
    assert (done.instructions == jobs.instructions + last).all()


def test_threads_meet_in_the_table() -> None:
    one, many = (
        run(PiumaSpec(threads=t, mtcs=c, spad_bytes=1 << 16), product("les_miserables"))
        for c, t in ((1, 1), (4, 16))
    )
    assert many.conflicts.sum() > 0 == one.conflicts.sum()
    assert many.spins.sum() > 0 == one.spins.sum()
    assert abs(many.probes.sum() / one.probes.sum() - 1) < 0.02
    pace = one.cycles.sum() / one.instructions.sum()
    assert 10 < pace < 20  # of one thread: by the latencies, not by the budget
    assert many.cycles.sum() < one.cycles.sum() / 4
    slow = run(PiumaSpec(dram_cycles=300, mtcs=1, threads=1), product("karate"))
    fast = run(PiumaSpec(dram_cycles=60, mtcs=1, threads=1), product("karate"))
    assert slow.cycles.sum() > 1.5 * fast.cycles.sum()
    coarse = run(PiumaSpec(grain_bytes=64, mtcs=1, threads=1), product("karate"))
    fine = run(PiumaSpec(grain_bytes=8, mtcs=1, threads=1), product("karate"))
    assert coarse.cycles.sum() < fine.cycles.sum()


def test_jobs_take_what_operations_did() -> None:
    spec = PiumaSpec(detail="operation", spad_bytes=1 << 16)
    found = product("karate")
    assert found.products <= OPERATIONS
    jobs, done = jobs_of(spec, found), run(spec, found)
    assert (jobs.operated == done.cycles).all()
    assert (jobs.probes == done.probes).all()
    timing = time(spec, jobs)
    check_timing(timing, jobs)
    assert (timing.split["busy"] + timing.split["stall.threads"] == done.cycles).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", TINY)
def test_tokens_stand_for_operations(name: str, algorithm: Algorithm) -> None:
    """At the pace of one thread; 64 crowd their cores and the table, which tokens do not see."""
    found = product(name)
    spec = PiumaSpec(algorithm=algorithm, mtcs=1, threads=1, spad_bytes=1 << 17)
    alone = run(spec, found)
    pace = round(alone.cycles.sum() / alone.instructions.sum())
    for threads, least, most in ((1, 0.96, 1.05), (4, 0.96, 1.06), (16, 1.0, 1.3)):
        block = PiumaSpec(
            algorithm=algorithm, threads=threads, spad_bytes=1 << 17, instruction_cycles=pace
        )
        tokens = hashing_cycles(block, jobs_of(block, found)).sum()
        assert least <= run(block, found).cycles.sum() / tokens <= most


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 60)),
    density=st.floats(0.01, 0.5),
    fields=st.fixed_dictionaries(
        {
            "algorithm": st.sampled_from(ALGORITHMS),
            "token": st.sampled_from(["static", "row", "nonzero"]),
            "hash": st.sampled_from(["high", "low", "multiplicative"]),
            "eviction": st.sampled_from(["window", "rolling"]),
            "dense": st.sampled_from(["spad", "dram"]),
            "mtcs": st.integers(1, 4),
            "threads": st.integers(1, 5),
            "fill": st.sampled_from([0.02, 0.3, 1.0]),
        }
    ),
)
@settings(max_examples=40, deadline=None)
def test_any_product_on_any_block(
    seed: int, shape: tuple[int, int, int], density: float, fields: dict[str, Any]
) -> None:
    """Rows without nonzeros, cut rows, tables that fill up: C is right and times hold together."""
    rng = np.random.default_rng(seed)
    m, k, n = shape
    a, b = (
        with_values(Csr.of(sparse.csr_array(rng.random(x) < density)), seed % 7)
        for x in ((m, k), (k, n))
    )
    found, spec = SparseProduct(a, b, n), PiumaSpec(spad_bytes=4096, **fields)
    done, jobs = run(spec, found), jobs_of(spec, found)
    check(Csr.of(a.scipy() @ b.scipy()), done.row, done.col, done.value)
    parts = reference(spec, jobs, found.arrays)
    assert sum(int(part["value"].sum()) for part in parts) == done.value.sum()
    timing = time(spec, jobs)
    check_timing(timing, jobs)
    assert event_cycles(spec, jobs) >= timing.occupied.sum()
