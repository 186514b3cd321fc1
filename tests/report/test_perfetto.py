from __future__ import annotations

import dataclasses
import json
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from archsim.report.perfetto import perfetto
from archsim.result import Span
from tests.report import samples

GOLDEN = Path(__file__).parent / "golden_timeline.json"
SPANS = (
    Span("mxu", "conv1", 2_000_000, 5_500_000),
    Span("mxu.dma", "load conv1", 0, 2_000_000),
    Span("mxu.dma", "store conv1", 5_500_000, 6_000_001),
    Span("mxu", "conv2", 5_500_000, 7_000_000),
)


def test_timeline_equals_the_golden_one() -> None:
    result = dataclasses.replace(samples.result(ops=1), spans=SPANS)
    expected = json.loads(GOLDEN.read_text("utf-8"))
    assert perfetto(result) == expected


def test_one_track_a_resource_without_overlap_in_microseconds() -> None:
    result = samples.result()
    events = perfetto(result)["traceEvents"]
    slices = sorted((e for e in events if e["ph"] == "X"), key=lambda e: (e["tid"], e["ts"]))
    assert len(slices) == len(result.spans)
    for _, track in groupby(slices, key=lambda e: e["tid"]):
        for before, after in pairwise(track):
            assert before["ts"] + before["dur"] <= after["ts"] + 1e-9
    end_us = max(e["ts"] + e["dur"] for e in slices)
    assert end_us == pytest.approx(result.metrics.time_us)
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert set(names.values()) >= {"mxu", "vpu", "dma"}


def test_overlap_on_a_resource_is_refused() -> None:
    overlapping = (Span("mxu", "conv1", 0, 10), Span("mxu", "conv2", 9, 20))
    result = dataclasses.replace(samples.result(), spans=overlapping)
    with pytest.raises(ValueError, match="spans on 'mxu' must not overlap: 'conv1' ends at 10 ps"):
        perfetto(result)


def test_span_that_ends_before_it_starts_is_refused() -> None:
    result = dataclasses.replace(samples.result(), spans=(Span("mxu", "conv1", 10, 9),))
    with pytest.raises(ValueError, match="'conv1' on 'mxu' must have 0 <= start <= end"):
        perfetto(result)


def test_analytic_result_has_no_timeline() -> None:
    with pytest.raises(ValueError, match="a timeline needs spans; simulate with fidelity 'event'"):
        perfetto(samples.result("analytic"))
