"""NGPC: what is printed of it, by whose word, and where a frame must end."""

from __future__ import annotations

from statistics import fmean

import pytest

from archsim.engines.ngpc.views import spent_ps
from archsim.reproduce import Row, Section, paper
from archsim.reproduce.ngpc import contradiction, fitted
from archsim.reproduce.ngpc.numbers import PUBLISHED
from archsim.reproduce.ngpc.runs import LAYERED, NAMES, PROCESSORS, run

FROM_MEMORY = (12.94, 20.85, 33.73, 39.04, 58.36, 9.05, 14.22, 22.57, 9.37, 14.66, 22.97, 26.4)


@pytest.fixture(scope="module")
def sections() -> dict[str, Section]:
    return {section.title: section for section in paper("ngpc").sections()}


@pytest.fixture(scope="module")
def rows(sections: dict[str, Section]) -> dict[str, Row]:
    return {row.quantity: row for section in sections.values() for row in section.rows}


def test_every_published_number_says_who_read_it() -> None:
    trusts = {table.trust for table in PUBLISHED.tables.values()}
    assert trusts == {
        "as it is printed",
        "second-hand, from reading notes on the paper that others have published",
        "second-hand, from a forum post that sums the paper up",
    }
    printed = {value for table in PUBLISHED.tables.values() for row in table for value in
               table.rows[row]}  # fmt: skip
    assert not printed & set(FROM_MEMORY)
    assert any("from memory" in line for line in PUBLISHED.not_found)


def test_the_fitted_profile_says_that_it_is_fitted() -> None:
    section = fitted.section()
    assert "without predictive content" in section.title
    assert all("fitted" in row.quantity for row in section.rows)
    for n in PROCESSORS:
        found = fmean(fitted.speed_up(app, n) for app in NAMES)
        assert int(found) == PUBLISHED["means"].value(str(n), "speed_up")


def test_kernels_and_frames_contradict_each_other() -> None:
    section = contradiction.arithmetic()
    found = {row.quantity: row.ours for row in section.rows}
    assert found["clock at which 64x64 multipliers make so many"] == pytest.approx(103, rel=0.01)
    assert found["MACs of a processor that takes"] == pytest.approx(421, rel=0.01)
    most = found["most that a frame can gain: 9.94 / r"]
    few = found["speed-up of a frame with 8 processors, had kernels an eighth of both"]
    assert few == most == pytest.approx(35.98, abs=0.01)


@pytest.mark.slow
def test_every_row_is_explained(rows: dict[str, Row]) -> None:
    assert [row.quantity for row in rows.values() if not row.is_explained] == []


@pytest.mark.slow
def test_speed_goes_up_with_processors_and_ends_at_the_other_kernels(rows: dict[str, Row]) -> None:
    for mode in ("one array", "an array a layer"):
        for name in NAMES.values():
            speeds = [
                row.ours or 0.0
                for n in PROCESSORS
                for quantity, row in rows.items()
                if quantity.startswith(f"{name}, {n} processors, {mode}: ")
            ]
            assert len(speeds) == len(PROCESSORS)
            assert speeds == sorted(speeds)
    most = rows["most that a frame can gain, with the rest fused: 9.94 / r"].ours
    for name in NAMES.values():
        end = rows[f"{name}, 128 processors, an array a layer, small batches"].ours
        assert most is not None
        assert end is not None
        assert 0.98 * most < end <= most


@pytest.mark.slow
def test_verdicts_name_their_reason(sections: dict[str, Section]) -> None:
    verdicts = {
        row.quantity: row.cause for row in sections["Frame rates that the abstract claims"].rows
    }
    assert len(verdicts) == 8
    reached = {quantity for quantity, cause in verdicts.items() if cause.startswith("reached")}
    missed = set(verdicts) - reached
    assert {quantity.split()[0] for quantity in missed} == {"NSDF"}
    assert all("held up by" in cause for cause in verdicts.values())
    assert "it takes 53.5x" in verdicts["NSDF at 8K, 64 processors, one array"]


@pytest.mark.slow
def test_causes_say_what_the_frames_are_like() -> None:
    frames = {app: run(app, 64, **LAYERED) for app in NAMES}
    gpu_ps = {
        app: found.row.counts["gpu_ps"] / found.row.counts["queries"]
        for app, found in frames.items()
    }
    assert max(gpu_ps, key=lambda app: gpu_ps[app]) == "nerf"  # "whose queries take longest"
    assert all(33 < found.speed_up < 36 for found in frames.values())  # "all come near 36x"
    for n in PROCESSORS[:-1]:
        assert {run(app, n, **LAYERED).limit for app in ("nsdf", "nvr")} == {"bank conflicts"}
    waits = {n: _waits_for_gpu(n) for n in (8, 64)}
    assert waits[8] < 0.01
    assert waits[64] == pytest.approx(0.4, abs=0.03)


def _waits_for_gpu(nfps: int) -> float:
    row = run("nerf", nfps).row
    return spent_ps(row)["stall.gpu"] / row.time_ps
