"""The block in a design: bytes, fidelities, metrics and panels, and what is refused."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from archsim.design import load_design
from archsim.engines.piuma.panels import BINS, MOST_POINTS, PANELS
from archsim.engines.piuma.timing import MOST
from archsim.errors import ArchsimError, InfeasibleError, InputError
from archsim.frontends.products import multiplied
from archsim.result import Fidelity, Result
from archsim.simulate import simulate
from archsim.sparse import generate
from tests.sparse.matrices import KNOWN, product

NAME = "graph500_8"


def run(name: str = NAME, fidelity: Fidelity = "analytic", **fields: Any) -> Result:
    trace = multiplied(name, "a known matrix", KNOWN[name].make()).build()
    own = {f"engines.block.{key}": value for key, value in fields.items()}
    return simulate(load_design("piuma_like", own), trace, fidelity)


def test_bytes_are_those_of_streams_and_results() -> None:
    known, result = KNOWN[NAME], run(grain_bytes=8)
    row = result.per_op[0]
    a, pointers = known.entries * 3 * 8, known.entries * 2 * 16
    assert row.dram_read_bytes == a + pointers + known.products * 16
    assert row.dram_write_bytes == known.results * 16 + known.n * 8
    once = known.entries + product(NAME).used_b_entries + known.results
    assert row.counts["least_bytes"] == once * 16
    assert row.macs == known.products
    assert result.metrics.tied_percent == 0
    assert row.kind_of_time == "expected"
    cut = run(spad_bytes=1 << 14).per_op[0]  # long rows in ranges of columns
    assert cut.counts["least_bytes"] == row.counts["least_bytes"]
    assert cut.dram_read_bytes > row.dram_read_bytes
    assert run(grain_bytes=64).per_op[0].dram_read_bytes > row.dram_read_bytes


def test_books_close_in_both_fidelities() -> None:
    plain, event = run(), run(fidelity="event")
    assert plain.metrics.cycles <= event.metrics.cycles <= 1.02 * plain.metrics.cycles
    for result in (plain, event):
        for row in result.per_resource:
            assert row.busy_ps + sum(row.stall_ps.values()) + row.idle_ps == row.total_ps
        assert sum(result.energy_pj.values()) == pytest.approx(result.metrics.energy_pj)
    block = next(row for row in event.per_resource if row.name == "block")
    assert block.stall_ps["contention"] > 0


def test_a_narrow_buffer_is_waited_for_in_both_fidelities() -> None:
    trace = multiplied(NAME, "a known matrix", KNOWN[NAME].make()).build()
    narrow = {"memories.buffer.banks": 1, "memories.buffer.bank_width_bytes": 1}
    plain, event = (
        simulate(load_design("piuma_like", narrow), trace, f) for f in ("analytic", "event")
    )
    assert plain.per_op[0].split_cycles["stall.read"] > 0
    assert plain.metrics.cycles <= event.metrics.cycles
    assert plain.metrics.cycles > 1.1 * run().metrics.cycles


def test_dram_counts_where_it_binds() -> None:
    def us(gb_per_s: float, **fields: Any) -> float:
        trace = multiplied(NAME, "a known matrix", KNOWN[NAME].make()).build()
        own = {f"engines.block.{key}": value for key, value in fields.items()}
        own["memories.dram.channel_gb_per_s"] = gb_per_s
        return simulate(load_design("piuma_like", own), trace).metrics.time_us

    assert us(8) / us(16) < 1.15  # threads bind: it helps little
    assert us(0.05) / us(0.1) > 1.9
    assert us(8, mtcs=16) < us(8) / 1.9  # what threads share is less


def test_metrics_and_panels_say_what_was_counted() -> None:
    result = run(fidelity="event")
    extra, row = result.metrics.extra, result.per_op[0]
    assert extra["piuma_probes_per_product"] == row.counts["probes"] / row.counts["products"]
    assert 1 <= extra["piuma_imbalance"] == pytest.approx(row.figures["imbalance"])
    moved = row.dram_read_bytes + row.dram_write_bytes
    assert extra["piuma_bytes_over_least"] == moved / row.counts["least_bytes"] > 1
    work, windows, by_window, ratios, share, over_time = (
        panel.draw(result, ["block"]) for panel in PANELS
    )
    assert {series.name for series in work} == {
        "make",
        "product",
        "probe",
        "insert",
        "token",
        "dma",
    }
    assert sum(sum(series.y) for series in windows) == row.jobs
    assert [series.y[0] for series in ratios] == [
        extra["piuma_probes_per_product"], extra["piuma_bytes_over_least"],
    ]  # fmt: skip
    assert [series.name for series in share] == ["threads", "scratchpad"]
    block, threads, scratchpad, dram = over_time
    mean = sum(block.y) / len(block.y)
    assert 0.8 < mean <= 1
    assert 0 < sum(dram.y) < sum(block.y)
    assert max(block.y + dram.y) <= 1 + 1e-9
    for line, figure in ((threads, "thread_occupancy"), (scratchpad, "scratchpad_utilisation")):
        assert sum(line.y) / sum(block.y) == pytest.approx(row.figures[figure], rel=0.02)
    assert by_window[0].x == tuple(range(row.jobs))
    assert min(by_window[0].y) >= 1
    bins = [
        sum(low < y <= high for y in by_window[0].y)
        for low, high in pairwise((0.0, *MOST, float("inf")))
    ]
    assert bins == [row.counts[name] for name in BINS]
    for panel in (PANELS[2], PANELS[-1]):
        assert panel.draw(run(), ["block"]) == []


def test_a_line_has_a_point_for_some_of_very_many_windows() -> None:
    result = run("graph500_10", "event", spad_bytes=1 << 15)
    (line,) = PANELS[2].draw(result, ["block"])
    windows = result.per_op[0].jobs
    assert windows > MOST_POINTS >= len(line.y) > MOST_POINTS // 2
    each = -(-windows // MOST_POINTS)
    assert line.x == tuple(range(0, windows, each))


def test_operations_are_refused_of_large_products() -> None:
    with pytest.raises(InfeasibleError) as refused:
        run("graph500_10", detail="operation")
    assert str(refused.value) == (
        "op 'product': simulating operation by operation needs 800,412 products, and there are "
        "100,000; set detail: token"
    )


def test_threads_whose_lines_do_not_fit_are_refused() -> None:
    with pytest.raises(InfeasibleError) as refused:
        run("graph500_8", mtcs=64, threads=64)
    assert str(refused.value) == (
        "op 'product': a line of either operand for each of 4,096 threads needs 524,288 bytes of "
        "buffer, and there are 98,304; raise memories.buffer.capacity_bytes or take fewer threads"
    )


def test_long_rows_in_short_windows_are_refused() -> None:
    a = generate.rmat(12, 1 << 18)
    trace = multiplied("graph", "R-MAT", a).build()
    with pytest.raises(InfeasibleError, match=r"^op 'product': walking long rows in ranges of co"):
        simulate(load_design("piuma_like", {"engines.block.spad_bytes": 4096}), trace)


def test_other_products_are_refused() -> None:
    trace = multiplied("dense", "made up", generate.uniform(8, 8, 20), columns=4).build()
    with pytest.raises(ArchsimError) as refused:
        simulate(load_design("piuma_like"), trace)
    assert "block: multiplies two sparse matrices, and has no spmm" in str(refused.value)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("threads", 0, "engines.block.threads: input should be greater than or equal to 1, not 0"),
        ("grain_bytes", 16, "engines.block.grain_bytes: input should be 8, 32 or 64, not 16"),
        ("algorithm", "smash", "'smash_v1', 'smash_v2' or 'smash_v3', not 'smash'"),
    ],
)
def test_specs_are_checked(field: str, value: Any, text: str) -> None:
    with pytest.raises(InputError) as refused:
        load_design("piuma_like", {f"engines.block.{field}": value})
    assert text in str(refused.value)
