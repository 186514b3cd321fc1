"""What a frame's metrics, panels and pictures say."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest

from archsim.engines.ngpc import psnr
from archsim.engines.ngpc.quality import PSNR, known, pictures, shipped
from archsim.engines.ngpc.views import CAUSES, PANELS, Frame, frames_of, spent_ps
from archsim.graphics.apps import APPS
from archsim.graphics.encoding import Encoding
from archsim.graphics.field import Field
from archsim.metric import Picture, Series
from archsim.plan import Memo
from archsim.report.panels import figure, panels_of, png
from archsim.result import Result
from archsim.simulate import simulate
from archsim.trace import Trace
from tests.engines.ngpc.frames import design, frame

MEMO = Memo()
NAMES = ["ngpc"]


@pytest.fixture(scope="module")
def nerf() -> Trace:
    return replace(frame("nerf"), source="nerf@scene=objects,res=test")


def run(trace: Trace, **fields: object) -> Result:
    return simulate(design(**fields), trace, memo=MEMO)


def test_metrics_say_what_the_frame_took(nerf: Trace) -> None:
    result = run(nerf)
    extra, us = result.metrics.extra, result.metrics.time_us
    assert extra["ngpc_frame_ms"] == pytest.approx(us / 1000)
    assert extra["ngpc_frames_per_s"] == pytest.approx(1e6 / us)
    gpu_us = nerf.ops[0].attrs["gpu_us"]
    assert isinstance(gpu_us, float)
    assert extra["ngpc_speed_up"] == pytest.approx(gpu_us / us)


@pytest.mark.parametrize("app", APPS)
def test_time_is_spent_on_something(app: str) -> None:
    (row,) = run(frame(app)).per_op
    spent = spent_ps(row)
    assert set(spent) == set(CAUSES)
    assert sum(spent.values()) == pytest.approx(row.time_ps)


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("groups", [1, 2])
def test_frames_of_other_sizes_are_what_is_simulated(app: str, groups: int) -> None:
    fields = {"batch_queries": 1 << 16, "ray_groups": groups}
    first = run(frame(app), nfps=8, **fields)
    ((made, nfps, pixels),) = frames_of(first, NAMES).values()
    assert (nfps, pixels) == (8, 1_000_000)
    for n, factor in ((8, 1), (32, 1), (8, 3)):
        found = run(frame(app, pixels=factor * 1_000_000), nfps=n, **fields)
        told = made.times(factor).ms(n)
        assert told == pytest.approx(found.metrics.time_us / 1000, rel=0.1)


def test_what_takes_longest_is_named() -> None:
    made = Frame(processor_ms=64.0, gpu_ms=2.0, dram_ms=1.0, hidden=True, inside="encoding")
    assert [made.limit(n) for n in (8, 64)] == ["encoding", "the GPU's other kernels"]
    assert made.ms(64) == 2.0
    assert replace(made, hidden=False).ms(64) == 3.0
    assert replace(made, dram_ms=9.0).limit(64) == "DRAM"


def test_panels_are_drawn(nerf: Trace) -> None:
    result = run(nerf, tables="cut", table_log2=12)
    drawn = panels_of(result)
    assert [d.panel for d in drawn] == list(PANELS)
    shares = [s.y[0] for s in drawn[1].series if isinstance(s, Series)]
    assert sum(shares) == pytest.approx(100)
    first = drawn[1].series[0]
    assert isinstance(first, Series)
    assert first.x == ("nerf: held up by the GPU's other kernels",)
    times = [s.y for s in drawn[3].series if isinstance(s, Series)]
    assert all(list(y) == sorted(y, reverse=True) for y in times)
    shown = figure(drawn[0])
    assert [trace["type"] for trace in shown["data"]] == ["image", "image"]
    assert shown["alt"].startswith("The picture: the scene, tables of 2^12")


def test_a_picture_is_the_same_as_a_file() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    content = base64.b64decode(png(pixels).removeprefix("data:image/png;base64,"))
    assert (np.round(matplotlib.image.imread(io.BytesIO(content)) * 255) == pixels).all()


# ---------------------------------------------------------------------------------- quality


def test_quality_is_that_of_the_engines_tables(nerf: Trace) -> None:
    for size in (8, 10, 12):
        for bits in (8, 16):
            fields = {"tables": "cut", "table_log2": size, "feature_bits": bits, "banks": 8}
            entries = replace(APPS["nerf"].encoding("hash"), log2_table=size).entries
            wanted = known()["nerf", "objects", entries, False, bits].psnr_db
            assert run(nerf, **fields).metrics.extra[PSNR] == wanted
    small, large = (
        run(nerf, tables="cut", table_log2=size).metrics.extra[PSNR] for size in (8, 12)
    )
    assert large > small + 3


def test_nothing_is_said_of_other_tables(nerf: Trace) -> None:
    assert PSNR not in run(nerf, tables="cut", table_log2=9).metrics.extra
    assert PSNR not in run(nerf, tables="cut", table_log2=12, bank_map="parity").metrics.extra
    field = Field.of(nerf.ops[0])
    grid = replace(Encoding.parse(field.encoding), coarsest=8).text
    other = replace(nerf.ops[0], attrs=replace(field, encoding=grid).attrs())
    assert PSNR not in run(replace(nerf, ops=(other,)), table_log2=12).metrics.extra
    assert pictures("nerf", "room", 1) == []


def test_pictures_are_those_that_were_judged() -> None:
    for row in shipped():
        if row.bits != min(psnr.BITS):
            continue
        scene, field = pictures(row.app, row.scene, row.entries)
        assert isinstance(field, Picture)
        error = np.mean((scene.pixels.astype(float) - field.pixels) ** 2) / 255**2
        assert -10 * np.log10(error) == pytest.approx(row.psnr_db, abs=0.2)


@pytest.mark.slow
def test_a_row_is_measured_again() -> None:
    grid = replace(APPS["gia"].encoding("hash"), log2_table=psnr.SIZES[0])
    rows, _ = psnr.measured("gia", grid)
    for row in rows:
        kept = known()[row.app, row.scene, row.entries, row.parity, row.bits]
        assert row.psnr_db == pytest.approx(kept.psnr_db, abs=0.3)
