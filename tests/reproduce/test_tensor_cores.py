"""Rates of tensor cores: what was measured, what was fitted to it, and that predictions hold."""

from __future__ import annotations

from itertools import pairwise

import pytest

from archsim.gpu.issue import instructions
from archsim.reproduce import Row, Section, paper
from archsim.reproduce.tensor_cores import PUBLISHED, in_flight, marlin_speed_up, wgmma_tflops

MMA = [(kind, name) for kind, rows in instructions().items() for name in rows]


@pytest.fixture(scope="module")
def sections() -> dict[str, Section]:
    return {section.title: section for section in paper("tensor-cores").sections()}


@pytest.mark.parametrize(("kind", "name"), MMA)
def test_mma_rows_hold_within_5_percent(kind: str, name: str) -> None:
    published = PUBLISHED["dense" if kind == "mma" else "sparse"]
    for warps in (4, 8):
        ilp = in_flight(name, kind, warps)  # type: ignore[arg-type]
        ours = instructions()[kind][name].fma_per_cycle(warps, ilp)
        assert ours == pytest.approx(published.value(name, f"{warps} warps"), rel=0.05)


def test_wgmma_holds_within_15_percent_at_every_width() -> None:
    published = PUBLISHED["wgmma"]
    for columns in published:
        for a in ("smem", "registers"):
            ours = wgmma_tflops(int(columns), a)
            assert ours == pytest.approx(published.value(columns, a), rel=0.15), (columns, a)


def test_products_and_copies_hold_within_10_percent(sections: dict[str, Section]) -> None:
    titles = [title for title in sections if "roducts" in title or "Copies" in title]
    assert len(titles) == 3
    rows = [row for title in titles for row in sections[title].rows]
    assert len(rows) == 13
    assert [r for r in rows if abs(r.deviation_percent or 99) > 10] == []


def test_a_token_takes_what_its_weights_take_within_10_percent(
    sections: dict[str, Section],
) -> None:
    for row in sections["One token through a layer"].rows:
        assert row.ours is not None
        assert 1 <= row.ours <= 1.1


def test_int4_weights_pay_while_memory_binds() -> None:
    speed_ups = [marlin_speed_up(tokens) for tokens in (1, 16, 32, 64, 128, 256)]
    assert speed_ups[1] >= 3.5
    assert speed_ups[4] < 2
    assert all(one >= two - 0.01 for one, two in pairwise(speed_ups))


def test_every_measured_row_says_whether_it_was_fitted(sections: dict[str, Section]) -> None:
    rows = [row for s in sections.values() for row in s.rows if row.published is not None]
    ends = ("(fitted)", "(fitted together)", "(predicted)")
    assert all(row.quantity.endswith(ends) for row in rows)
    assert sum(row.quantity.endswith(ends[2]) for row in rows) > 20


@pytest.mark.parametrize("name", ["tensor-cores", "bipolar", "flash-llm"])
def test_every_row_is_explained(name: str) -> None:
    rows = [row for s in paper(name).sections() for row in s.rows]
    assert [row.quantity for row in rows if not row.is_explained] == []


def row_of(name: str, quantity: str) -> Row:
    return next(r for s in paper(name).sections() for r in s.rows if r.quantity == quantity)


@pytest.mark.parametrize(("fmt", "planes"), [("fp16", 16), ("int8", 8), ("int4", 4)])
def test_planes_of_bits_break_even_where_rates_say(fmt: str, planes: int) -> None:
    row = row_of("bipolar", f"A100 SXM 80 GB, against {fmt}")
    assert row.ours == pytest.approx(planes, rel=0.02)


def test_blackwell_has_no_use_for_planes_of_bits() -> None:
    ours = row_of("bipolar", "B200 SXM, against int8").ours
    assert ours is not None
    assert ours <= 1


def test_half_of_the_weights_have_to_be_zero_for_places_to_pay() -> None:
    assert row_of("flash-llm", "50 % zeros").ours == 1
    assert row_of("flash-llm", "80 % zeros").ours == pytest.approx(2.5, rel=0.01)
