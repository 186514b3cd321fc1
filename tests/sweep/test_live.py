"""What a terminal shows of a running sweep, and pictures in characters."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from archsim.sweep import run_sweep, status
from archsim.sweep.front import front_of
from archsim.sweep.live import View
from archsim.sweep.progress import Progress, shown
from archsim.sweep.scatter import scatter
from archsim.sweep.store import SweepFolder
from tests.sweep.fakes import QUESTION, answer, thread_pool, write_question


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def texts(lines: list[list[tuple[str, bool]]]) -> list[str]:
    return ["".join(character for character, _ in line) for line in lines]


def test_a_scatter_has_every_point_at_its_place() -> None:
    x, y, front = (
        np.array([0.0, 1.0, 2.0]),
        np.array([2.0, 0.0, 2.0]),
        np.array([True, True, False]),
    )
    lines = scatter(x, y, front, 3, 2, braille=False)
    assert texts(lines) == ["o .", " o "]
    assert [on for line in lines for _, on in line] == [True, False, False, False, True, False]
    assert texts(scatter(x, y, front, 3, 2)) == ["\u2801 \u2808", " \u2880 "]


def test_a_scatter_spreads_what_spans_much_by_its_logarithm() -> None:
    x = np.array([1.0, 10.0, 100.0])
    assert texts(scatter(x, np.ones(3), np.zeros(3, bool), 3, 1, braille=False)) == ["..."]
    nothing = np.zeros(0)
    assert texts(scatter(nothing, nothing, nothing > 0, 2, 1)) == ["  "]


def test_a_terminal_shows_rate_front_and_what_is_left(tmp_path: Path) -> None:
    run_sweep(write_question(tmp_path), tmp_path / "out", 1, evaluate=answer, pool=thread_pool)
    folder = SweepFolder(tmp_path / "out")
    now = Progress(18, {"ok": 9}, ran=9, seconds=3.0, folder=folder)
    for width in (150, 60):
        console = Console(file=Terminal(), width=width, force_terminal=True, color_system=None)
        console.print(View("tiny", console).shown(now))
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert "9 of 18 points, 3.0 points/s, 3 s left" in " ".join(text.split())
        assert f"front: {len(front_of(folder.answers()).placed)} of 9 designs" in text
        assert any("\u2801" <= character <= "\u28ff" for character in text)
        assert max(map(len, text.splitlines())) <= width


def test_the_view_follows_the_journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archsim.sweep.live.EVERY_S", 0.0)
    monkeypatch.setattr("archsim.sweep.live.SHARE", 0)
    screen = Terminal()
    with shown("tiny", screen) as show:
        run_sweep(
            write_question(tmp_path, QUESTION.replace("[2, 4, 8]\nobj", "[2, 3, 4, 8]\nobj")),
            tmp_path / "out", 1, progress=show, evaluate=answer, pool=thread_pool,
        )  # fmt: skip
    text = screen.getvalue()
    assert "0 of 12 points" in text
    last = text.rpartition("12 of 12 points")[2]
    assert f"front: {len(status(tmp_path / 'out').front)} of 12 designs" in last


def test_without_answers_there_is_only_the_bar(tmp_path: Path) -> None:
    console = Console(file=Terminal(), width=80, force_terminal=True, color_system=None)
    console.print(View("tiny", console).shown(Progress(9, {})))
    assert console.file.getvalue().split("points")[1].strip() == ""  # type: ignore[attr-defined]
