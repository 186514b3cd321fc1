"""SMASH: what is printed of it, and that nothing remembered is printed as published."""

from __future__ import annotations

import pytest

from archsim.reproduce import Row, paper
from archsim.reproduce.smash import matrices
from archsim.reproduce.smash.numbers import PUBLISHED
from archsim.reproduce.smash.runs import Runs


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return {row.quantity: row for s in paper("smash").sections() for row in s.rows}


def test_one_number_is_known() -> None:
    assert list(PUBLISHED.tables) == ["abstract"]
    assert PUBLISHED["abstract"].value("over competing approaches", "speed_up") == 9.4
    assert any("what the 9.4x is over" in line for line in PUBLISHED.not_found)


def test_matrices_are_many_and_none_is_the_one_that_was_fitted() -> None:
    assert len(matrices.SKEWED) + len(matrices.REGULAR) >= 25
    digests = {make().digest for make in matrices.SKEWED.values()}
    assert len(digests) == len(matrices.SKEWED)
    assert matrices.graph().digest not in digests


def test_speeds_go_up_from_variant_to_variant() -> None:
    first, second, both = Runs.of(matrices.SKEWED["Graph500 graph, 256 nodes"]()).speed_ups()
    assert min(first, second) > 1
    assert both == pytest.approx(first * second)


@pytest.mark.slow
def test_every_row_is_explained_and_one_is_published(rows: dict[str, Row]) -> None:
    assert [row.quantity for row in rows.values() if not row.is_explained] == []
    published = [row for row in rows.values() if row.published is not None]
    assert [row.quantity for row in published] == ["speed-up over competing approaches"]
    assert "what theirs is over is not known" in published[0].cause


@pytest.mark.slow
def test_variants_are_ordered_wherever_they_are_judged(rows: dict[str, Row]) -> None:
    judged = rows["matrices on which it is judged"].ours
    ordered = rows["of them, those with V1 slower than V2, and V2 than V3"].ours
    assert judged == ordered == len(matrices.SKEWED) + len(matrices.REGULAR) + 1


@pytest.mark.slow
def test_ways_to_share_tie_where_rows_are_many(rows: dict[str, Row]) -> None:
    def of(token: str, threads: int) -> float:
        start = f"imbalance, {token}, {threads} threads"
        return next(row.ours or 0.0 for name, row in rows.items() if name.startswith(start))

    for threads, ties in ((64, ()), (16, ("row",)), (4, ("row", "static"))):
        tied = [t for t in ("row", "static") if of(t, threads) < 1.05 * of("nonzero", threads)]
        assert tied == list(ties)


@pytest.mark.slow
def test_dram_and_threads_are_busier_from_first_to_last(rows: dict[str, Row]) -> None:
    def of(what: str) -> list[float]:
        return [rows[f"{what}, {name}"].ours or 0.0 for name in ("V1", "V2", "V3")]

    dram = of("utilisation of DRAM")
    assert dram == sorted(dram)
    for what in ("instructions a cycle", "share of threads at work"):
        assert of(what)[0] < of(what)[2], what
    balance = of("imbalance")
    assert balance == sorted(balance, reverse=True)
