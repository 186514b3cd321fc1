"""Yields by area and by energy: moved between processes as spans, judged, drawn, and in words."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.report.beside import MEASURED, MODELLED, Beside, Reference
from archsim.report.normalised import (
    BOUNDED,
    LESS,
    MORE,
    OPEN,
    Normalised,
    Yield,
    judged,
    moved_to,
    normalised,
    sentences,
    span_text,
    times_text,
    yields,
)
from archsim.report.normalised_chart import normalised_chart
from archsim.report.study import Study, decide, row_of
from archsim.tech.process import Move, Span, processes
from tests.report import samples

HOSTILE = "<img src=x>&'\""
FIGURES = {"time_us": 2e5, "energy_pj": 5e12, "area_mm2": 800.0}  # 5 runs a second, 0.2 a joule


def reference(process: str = "4N", **changes: Any) -> Reference:
    fields = {"name": "chip", "kind": MODELLED, "metrics": FIGURES, "process": process}
    return Reference(**(fields | changes))


def view(*references: Reference, study: Study | None = None) -> Normalised:
    study = study or samples.study()
    found = normalised(study, decide(study), references)
    assert found is not None
    return found


def test_a_yield_is_runs_by_area_and_by_energy() -> None:
    one = Yield.of(FIGURES)
    assert one is not None
    assert (one.per_mm2, one.per_joule) == pytest.approx((5 / 800, 0.2))


def test_a_stream_counts_its_items() -> None:
    row = FIGURES | {"throughput_per_s": 80.0, "energy_per_item_pj": 1e12}
    one = Yield.of(row)
    assert one is not None
    assert (one.per_mm2, one.per_joule) == pytest.approx((0.1, 1.0))


@pytest.mark.parametrize("lacking", FIGURES)
@pytest.mark.parametrize("value", [None, 0.0, math.nan, math.inf, -1.0])
def test_without_a_figure_there_is_no_yield(lacking: str, value: float | None) -> None:
    assert Yield.of(FIGURES | {lacking: value}) is None
    assert Yield.of({name: v for name, v in FIGURES.items() if name != lacking}) is None
    assert moved_to("asap7", reference(metrics=FIGURES | {lacking: value})) is None


def test_a_table_has_the_yields_of_its_rows() -> None:
    designs = decide(samples.study()).designs
    every = yields(designs)
    for row in (0, len(designs) - 1):
        one = Yield.of(row_of(designs, row))
        assert one is not None
        assert (one.per_mm2, one.per_joule) == pytest.approx(tuple(every[:, row]))


def test_within_a_process_a_reference_stays_where_it_is() -> None:
    one = moved_to("my own", reference("my own"))
    assert one is not None
    assert one.spans == (Span(5 / 800, 5 / 800), Span(0.2, 0.2))


@given(st.sampled_from(sorted(processes())), st.sampled_from(sorted(processes())))
def test_a_move_multiplies_by_factors_and_leaves_time_open_down_to_no_change(
    source: str, target: str
) -> None:
    one, move = moved_to(target, reference(source)), Move.between(source, target)
    assert one is not None
    assert move is not None
    assert one.per_mm2 is not None
    assert one.per_joule is not None
    slow, fast = max(move.delay.high, 1), min(move.delay.low, 1)
    assert one.per_mm2.low == pytest.approx(5 / 800 / (move.area.high * slow))
    assert one.per_mm2.high == pytest.approx(5 / 800 / (move.area.low * fast))
    assert one.per_joule.low == pytest.approx(0.2 / move.energy.high)
    assert one.per_joule.high == pytest.approx(0.2 / move.energy.low)


@pytest.mark.parametrize("process", ["", "my own"])
def test_a_process_that_nobody_knows_is_not_moved_from(process: str) -> None:
    one = moved_to("asap7", reference(process))
    assert one is not None
    assert one.spans is None
    assert one.over(Yield(1, 1)) is None
    assert one.words(Yield(1, 1)) is None
    (said,) = sentences(view(reference(process)))
    assert said == (
        "chip (modelled) cannot be compared by area or energy: no factors are known between its "
        "process and FreePDK45 (predictive 45 nm)."
    )


@pytest.mark.parametrize(
    ("ratio", "word", "bounded"),
    [
        (Span(1.1, 2), MORE, MORE),
        (Span(0.5, 0.9), LESS, BOUNDED),
        (Span(0.5, 1.5), OPEN, OPEN),
        (Span(1, 1), OPEN, OPEN),
    ],
)
def test_only_a_whole_span_on_one_side_decides(ratio: Span, word: str, bounded: str) -> None:
    assert judged(ratio) == word
    assert judged(ratio, at_least=True) == bounded


def test_spans_and_ratios_as_text() -> None:
    assert span_text(None) == "–"
    assert span_text(Span(0.123456, 7)) == "0.123 to 7.00"
    assert span_text(Span(2, 2)) == "2.00"
    assert times_text(Span(1 / 8765, 1.5)) == "1/8,765× to 1.50×"
    assert times_text(Span(0.01, 0.5)) == "1/100× to 1/2.00×"
    assert times_text(Span(0.1, 0.5)) == "0.10× to 0.50×"
    assert times_text(Span(3, 3)) == "3.00×"


# ---------------------------------------------------------------------------------------- studies


def test_the_view_is_of_the_chosen_designs_process() -> None:
    found = view(reference())
    assert (found.process, found.title) == ("freepdk45", "FreePDK45 (predictive 45 nm)")
    assert [p.name for p in found.involved] == ["freepdk45", "4N"]
    assert view(reference("freepdk45")).involved == []
    study = samples.study(base={"node": "asap7"})
    assert view(reference(), study=study).process == "asap7"


def test_designs_of_another_process_are_not_in_the_view() -> None:
    table = samples.table()
    table["node"] = ["asap7" if i % 4 < 2 else "freepdk45" for i in range(len(table))]
    study = samples.study(table, axes=(*samples.AXES, "node"))
    decision = decide(study)
    found = view(reference(), study=study)
    assert found.process == decision.chosen["node"]
    assert set(decision.designs["node"].iloc[found.rows]) == {found.process}
    assert 0 < len(found.rows) < len(decision.designs)


def test_without_references_or_their_figures_there_is_no_view() -> None:
    study = samples.study()
    assert normalised(study, decide(study), []) is None
    assert normalised(study, decide(study), [reference(metrics={"time_us": 1.0})]) is None


def test_sentences_say_what_is_compared_and_who_does_more() -> None:
    found = view(reference(), reference("freepdk45", name="twin"))
    chosen = found.chosen
    assert (chosen.per_mm2, chosen.per_joule) == pytest.approx((9.5155, 15.8707), rel=1e-4)
    moved, twin = sentences(found)
    assert moved == (
        "Moved from TSMC 4N to FreePDK45 (predictive 45 nm), chip (modelled) does 1/1,078,677× to "
        "1/24,996× the chosen design’s runs a second on a mm²: less; and 1/4,184× to 1/555× its "
        "runs on a joule: less."
    )
    assert twin == (
        "In FreePDK45 (predictive 45 nm), twin (modelled) does 1/1,522× the chosen design’s runs a "
        "second on a mm²: less; and 1/79.4× its runs on a joule: less."
    )


def test_a_bound_on_energy_is_said() -> None:
    (said,) = sentences(view(reference(energy_bound=True)))
    assert said.endswith("and at least 1/4,184× to 1/555× its runs on a joule: " + BOUNDED + ".")


def test_no_ratio_stands_alone_across_processes() -> None:
    for process in sorted({*processes()} - {"freepdk45"}):
        one = view(reference(process)).moved[0]
        assert one.spans is not None
        assert all(span.low < span.high for span in one.spans)


# ---------------------------------------------------------------------------------------- figures


def test_the_chart_has_a_box_and_an_open_mark_or_a_full_one() -> None:
    study = samples.study()
    references = [
        reference(), reference(name="run", kind=MEASURED), reference("freepdk45", name="home"),
        reference("", name="lost"),
    ]  # fmt: skip
    chart = normalised_chart(study, decide(study), view(*references))
    by_name = {trace["name"]: trace for trace in chart["data"] if "name" in trace}
    box = by_name["chip, modelled, moved to freepdk45"]
    assert box["fill"] == "toself"
    assert box["line"]["dash"] == "solid"
    assert by_name["run, measured, moved to freepdk45"]["line"]["dash"] == "dash"
    made = by_name["chip, modelled, as made (4N)"]
    assert made["marker"]["symbol"] == "star-open"
    measured = by_name["run, measured, as made (4N)"]["marker"]
    assert measured["symbol"] == "hexagram-open"
    assert by_name["home, modelled"]["marker"]["symbol"] == "star"
    assert "lost, modelled, moved to freepdk45" not in by_name
    for axis, name in (("xaxis", "x"), ("yaxis", "y")):
        low, high = (10**end for end in chart["layout"][axis]["range"])
        values = [value for trace in chart["data"] for value in trace[name]]
        assert low < min(values)
        assert max(values) < high


def test_the_chart_escapes_names() -> None:
    study = samples.study(baseline_name=HOSTILE)
    chart = normalised_chart(study, decide(study), view(reference(name=HOSTILE), study=study))
    assert "<img" not in str(chart["data"])


# ---------------------------------------------------------------------------------------- beside


def beside(frame: pd.DataFrame) -> Reference:
    return Beside("chip", frame, "a chip", "4N").reference(samples.study())


def test_a_design_beside_is_summed_as_the_designs_are() -> None:
    rows = pd.DataFrame([samples.ok_row((32, 32, 1 << 21, 4), w) for w in samples.WORKLOADS])
    found = beside(rows)
    baseline = decide(samples.study()).baseline
    assert baseline is not None
    assert found.metrics["time_us"] == baseline["time_us"]
    assert found.metrics["area_mm2"] == baseline["area_mm2"]
    assert (found.kind, found.process, found.missing) == (MODELLED, "4N", "")


def test_a_design_beside_that_lacks_an_answer_says_why() -> None:
    rows = pd.DataFrame([samples.ok_row((32, 32, 1 << 21, 4), w) for w in samples.WORKLOADS])
    assert beside(rows.iloc[:1]).missing == "not run yet on bert_base"
    failed = rows.assign(status=["ok", "failed"], reason=["", "no engine " * 99])
    found = beside(failed)
    assert found.metrics == {}
    assert found.missing.startswith("bert_base: no engine no engine")
    assert len(found.missing) <= 240
