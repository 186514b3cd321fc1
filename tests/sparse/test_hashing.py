"""Windows, sub-tables and probes, against a plain hash table and the counts of known matrices."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from archsim.sparse import Csr
from archsim.sparse.hashing import (
    HashRule,
    Scheme,
    Sizes,
    count_probes,
    first_alike,
    sub_tables,
    windows_of,
)
from archsim.sparse.product import SparseProduct
from tests.sparse.matrices import KNOWN, lookalike, squared


def plain(product: SparseProduct, rule: HashRule) -> tuple[list[Any], list[Any], int]:
    """Return windows, (products, inserts, probes) of each visit, and the longest search of all.

    By the words of the module: a table, one product after another.
    """
    a, b, cols = product.a, product.b, product.n
    assert b is not None

    def of(m: Csr, row: int) -> list[int]:
        return m.indices[m.indptr[row] : m.indptr[row + 1]].tolist()

    loads = [sum(len(of(b, k)) for k in of(a, row)) for row in range(product.m)]
    exact = rule.sizes == "exact"
    windows: list[tuple[list[int], int, int]] = []
    for row, load in enumerate(loads):
        if load > rule.cap:
            parts = -(-min(load, cols) // rule.cap)
            width = min(-(-cols // parts), rule.slots)
            width = width if exact or parts == 1 else 2 ** (width.bit_length() - 1)
            windows += [([row], x, min(x + width, cols)) for x in range(0, cols, width)]
        elif (
            windows
            and sum(loads[r] for r in windows[-1][0]) + load <= rule.cap
            and windows[-1][1:] == (0, cols)
            and loads[windows[-1][0][-1]] <= rule.cap
            and len(windows[-1][0]) < (rule.rows or 1 << 62)
        ):
            windows[-1][0].append(row)
        else:
            windows.append(([row], 0, cols))
    visits, longest = [], 0
    for rows, left, right in windows:
        table: dict[int, tuple[int, int]] = {}
        total = max(1, sum(loads[r] for r in rows)) if exact else rule.cap
        before = 0
        for row in rows:
            base, size = before * rule.slots // total, max(1, loads[row] * rule.slots // total)
            if loads[row] > rule.cap:
                base, size = 0, rule.slots
            size = size if exact else 2 ** (size.bit_length() - 1)
            span = right - left if exact else 2 ** (right - left - 1).bit_length()
            before += loads[row]
            for k in of(a, row):
                mine = [j for j in of(b, k) if left <= j < right]
                probes = inserts = 0
                for j in mine:
                    x = j - left
                    inside = {
                        "high": x * size // span,
                        "low": x % size,
                        "multiplicative": (x * 2654435769 % 2**32) * size // 2**32,
                    }
                    slot, search = min(base + inside[rule.scheme], rule.slots - 1), 1
                    slot = slot // rule.line * rule.line
                    while table.get(slot, (row, j)) != (row, j):
                        slot, search = (slot + 1) % rule.slots, search + 1
                    inserts += slot not in table
                    table[slot] = (row, j)
                    probes += search
                    longest = max(longest, search)
                visits.append((row, len(of(b, k)), len(mine), inserts, probes))
    return [(r[0], r[-1] + 1, x, y) for r, x, y in windows], visits, longest


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 12),
    inner=st.integers(1, 12),
    cols=st.integers(1, 40),
    density=st.floats(0.02, 0.9),
    bits=st.tuples(st.integers(0, 6), st.integers(0, 3)),
    odd=st.integers(0, 3),
    scheme=st.sampled_from(get_args(Scheme)),
    sizes=st.sampled_from(get_args(Sizes)),
    line=st.sampled_from((1, 2, 4)),
    most=st.sampled_from((1, 3, 100)),
)
@settings(max_examples=100, deadline=None)
def test_counts_are_those_of_a_plain_table(
    seed: int, rows: int, inner: int, cols: int, density: float,
    bits: tuple[int, int], odd: int, scheme: Scheme, sizes: Sizes, line: int, most: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    a = Csr.of(sparse.csr_array(rng.random((rows, inner)) < density), pattern=True)
    b = Csr.of(sparse.csr_array(rng.random((inner, cols)) < density), pattern=True)
    cap = 1 << bits[0]
    slots = cap << bits[1]
    slots = slots * line + (odd * line if sizes == "exact" else 0)
    product, rule = SparseProduct(a, b, cols), HashRule(slots, cap, scheme, sizes, line, most)
    windows, visits, longest = plain(product, rule)
    found = count_probes(product, rule)
    w = found.windows
    assert list(zip(w.first, w.last, w.left, w.right, strict=True)) == windows
    columns = (found.row, found.walked, found.products, found.inserts, found.probes)
    assert [tuple(map(int, visit)) for visit in zip(*columns, strict=True)] == visits
    assert found.longest.max(initial=0) == longest


@pytest.mark.parametrize(
    ("slots", "fill", "windows", "scanned", "high", "low"),
    [
        (262144, 0.25, 91, 23_855_104, (2.63, 246), (1.16, 167)),
        pytest.param(
            262144, 0.50, 45, 11_796_480, (10.83, 646), (1.69, 551), marks=pytest.mark.slow
        ),
        pytest.param(
            131072, 0.50, 91, 11_927_552, (10.76, 646), (1.65, 391), marks=pytest.mark.slow
        ),
        pytest.param(262144, 0.10, 228, 59_768_832, (1.19, 63), (1.03, 43), marks=pytest.mark.slow),
    ],
)
def test_counts_of_the_lookalike(
    slots: int, fill: float, windows: int, scanned: int,
    high: tuple[float, int], low: tuple[float, int],
) -> None:  # fmt: skip
    product = lookalike()
    for scheme, expected in (("high", high), ("low", low)):
        found = count_probes(product, HashRule(slots, int(slots * fill), scheme))
        assert len(found.windows) == windows
        assert len(found.windows) * slots == scanned
        assert found.products.sum() == 5_863_978
        assert found.inserts.sum() == 5_193_135
        per_product = found.probes.sum() / found.products.sum()
        assert (round(per_product, 2), found.longest.max()) == expected


def test_alike_products_by_look_up_and_by_sorting() -> None:
    rng = np.random.default_rng(3)
    of_row = rng.integers(0, 300, 40)
    col = rng.integers(0, 50, of_row.sum()).astype(np.int32)
    by_look_up = first_alike(col, of_row, 50)
    by_sorting = first_alike(col, of_row, 1 << 25)  # more columns than a look-up has
    assert (by_look_up == by_sorting).all()
    assert (by_look_up <= np.arange(len(col))).all()


def test_powers_of_two_stay_within_the_table() -> None:
    products = np.array([3, 0, 17, 60, 5, 64, 65, 1])
    rule = HashRule(256, 64, "low", "power_of_two")
    windows = windows_of(products, 1000, rule)
    base, size = sub_tables(products, windows, rule)
    assert (size & (size - 1) == 0).all()
    assert (base + size <= 256).all()
    ranges = windows.right - windows.left
    assert set(ranges[windows.first == 6].tolist()) == {256, 1000 - 3 * 256}


def test_a_row_of_few_columns_is_not_cut() -> None:
    products, rule = np.array([3, 1000, 2, 0]), HashRule(256, 64)
    for cols, cuts in ((64, 1), (65, 2), (1000, 16), (5000, 20)):  # 5,000 fill 20 tables
        windows = windows_of(products, cols, rule)
        assert [1, cuts, 1] == np.unique(windows.first, return_counts=True)[1].tolist()
        assert windows.right.max() == cols


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ((16, 17), "a window holds 1 to 16 products, not 17"),
        ((16, 0), "a window holds 1 to 16 products, not 0"),
        ((24, 8, "low", "power_of_two"), "slots and cap must be powers of two, not 24, 8"),
        ((18, 8, "low", "exact", 4), "18 slots are no whole number of lines of 4"),
    ],
)
def test_rules_that_no_table_has(rule: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        HashRule(*rule)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if known.products > 100_000 else ())
        for name, known in KNOWN.items()
        if known.products < 10**7  # the largest one's tables are counted where its C is checked
    ],
)
def test_tables_hold_known_squares(name: str) -> None:
    known, found = KNOWN[name], squared(KNOWN[name].make())
    probed = count_probes(found, HashRule(1 << 16, 1 << 14))
    assert (probed.products.sum(), probed.inserts.sum()) == (known.products, known.results)
    assert (probed.probes >= probed.products).all()
