"""Rows by number and tokens to the least loaded: the imbalances of a known product."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.engines import Ints
from archsim.engines.piuma.jobs import jobs_of
from archsim.engines.piuma.spec import Grain, PiumaSpec
from archsim.engines.piuma.threads import by_number, least_loaded, most_of_a_core
from archsim.sparse.hashing import HashRule, count_probes
from archsim.sparse.product import by_row
from tests.sparse.matrices import lookalike, product

THREADS = 64


def imbalance(shares: list[Ints]) -> float:
    """Return the sum of the most that a thread has over the sum of the mean."""
    loads = np.array(shares)
    return float(loads.max(axis=1).sum() / loads.mean(axis=1).sum())


@pytest.mark.parametrize(
    ("slots", "fill", "expected"),
    [
        (262144, 0.25, (4.09, 2.66, 1.05)),
        pytest.param(262144, 0.50, (3.81, 1.92, 1.02), marks=pytest.mark.slow),
        pytest.param(131072, 0.50, (4.09, 2.66, 1.05), marks=pytest.mark.slow),
        pytest.param(262144, 0.10, (5.39, 4.83, 1.12), marks=pytest.mark.slow),
    ],
)
def test_imbalances_of_the_lookalike(
    slots: int, fill: float, expected: tuple[float, float, float]
) -> None:
    found = count_probes(lookalike(), HashRule(slots, int(slots * fill)))
    windows = len(found.windows)
    window = np.repeat(np.arange(windows), np.diff(found.start))
    row = found.row - found.windows.first[window]
    static = list(by_number(found.products, row, found.start, THREADS))
    new = np.flatnonzero(np.diff(found.row, prepend=-1))
    rows = by_row(found.products, np.append(new, len(found.row)))
    starts = np.searchsorted(window[new], np.arange(windows + 1))
    by_rows = list(least_loaded(rows, starts, THREADS))
    by_nonzeros = list(least_loaded(found.products, found.start, THREADS))
    shares = (static, by_rows, by_nonzeros)
    assert [int(np.sum(share)) for share in shares] == [5_863_978] * 3
    assert tuple(round(imbalance(share), 2) for share in shares) == expected


def plainly(loads: list[int], threads: int) -> list[int]:
    done = [0] * threads
    for load in loads:
        done[done.index(min(done))] += load
    return done


def test_tokens_go_to_the_least_loaded_of_lowest_number() -> None:
    rng = np.random.default_rng(5)
    loads = rng.integers(0, 9, 60)
    starts = np.array([0, 13, 13, 60])
    parts = [loads[a:b].tolist() for a, b in ((0, 13), (13, 13), (13, 60))]
    found = [x.tolist() for x in least_loaded(loads, starts, 7)]
    assert found == [plainly(part, 7) for part in parts]
    *_, running = least_loaded(loads, starts, 7, barriers=False)
    assert running.tolist() == plainly(loads.tolist(), 7)


def test_rows_go_by_their_numbers() -> None:
    loads, number, starts = np.array([5, 6, 7, 8]), np.array([0, 1, 2, 3]), np.array([0, 3, 4])
    assert [x.tolist() for x in by_number(loads, number, starts, 2)] == [[12, 6], [0, 8]]
    *_, running = by_number(loads, number, starts, 2, barriers=False)
    assert running.tolist() == [12, 14]


def test_cores_have_every_so_manieth_thread() -> None:
    assert most_of_a_core(np.array([1, 2, 3, 4]), 2) == 6
    assert most_of_a_core(np.array([5, 0, 0, 6]), 4) == 6


@pytest.mark.parametrize(
    ("cores", "spad_mib", "rows"), [(4, 16, 100), (16, 64, 100), (16, 8, 12), (64, 64, 25)]
)
def test_sharing_ties_where_rows_are_alike_and_many(cores: int, spad_mib: int, rows: int) -> None:
    """Of a stencil all ways to share are within 5 % if windows have 100 rows a thread.

    Rows and nonzeros to whoever is free are from 12 rows a thread on. By their numbers, the same
    threads have the short rows of the grid's faces in every line of it: that takes more of them.
    """

    def shared(token: Grain) -> float:
        spec = PiumaSpec(
            algorithm="smash_v2", token=token, mtcs=cores, threads=1, spad_bytes=spad_mib << 20
        )
        jobs = jobs_of(spec, product("poisson_27"))
        assert jobs.rows.mean() >= rows * spec.all_threads
        most = jobs.thread_instructions.sum() * spec.all_threads
        return float(most / jobs.instructions.sum())

    static, by_row, by_nonzero = (shared(token) for token in ("static", "row", "nonzero"))
    assert 1 <= by_nonzero <= by_row < 1.05 * by_nonzero
    assert (static < 1.05 * by_nonzero) == (rows >= 100)


def test_whole_rows_do_not_divide_among_as_many_threads() -> None:
    """The shipped block has 64 threads, and a window about 100 rows of a stencil."""
    jobs = {
        token: jobs_of(PiumaSpec(algorithm="smash_v2", token=token), product("poisson_27"))
        for token in ("static", "row", "nonzero")
    }
    assert 64 < np.median(jobs["row"].rows) < 2 * 64
    most = {token: x.thread_instructions.sum() for token, x in jobs.items()}
    assert abs(most["static"] / most["row"] - 1) < 0.05
    assert most["row"] > 1.2 * most["nonzero"]
