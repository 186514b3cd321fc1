"""archsim reproduce."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Archsim

KEYS = {"quantity", "published", "tag", "ours", "deviation", "cause", "unit"}


def test_reproduce_prints_rows(archsim: Archsim, tmp_path: Path) -> None:
    outcome = archsim("reproduce", "tpe", "--json", "-o", tmp_path / "out")
    assert outcome.status == 0
    assert outcome.err == f"{tmp_path}/out/tpe.html\n{tmp_path}/out/tpe.csv\n"
    said = outcome.json
    assert set(said) == {"paper", "rows", "notes", "not_found"}
    assert said["rows"] and all(set(row) == KEYS for row in said["rows"])
    numbers = (row[key] for row in said["rows"] for key in ("published", "ours", "deviation"))
    assert all(number is None or isinstance(number, int | float) for number in numbers)
    assert "HPCA 2025" in said["paper"]


def test_reproduce_for_people(archsim: Archsim) -> None:
    outcome = archsim("reproduce", "tpe")
    assert (outcome.status, outcome.err) == (0, "")
    for part in ("Ascend: area efficiency", "Table VII, printed, exact", "What could not be found"):
        assert part in outcome.out, part


def test_reproduce_refuses_a_paper_that_it_does_not_know(archsim: Archsim) -> None:
    assert (
        archsim.refused("reproduce", "tpu")
        == "error: paper: must be one of bipolar, flash-llm, ngpc, rfnn, smash, tensor-cores, tpe, "
        "not 'tpu'\n"
    )


def test_reproduce_fails_where_it_cannot_write(archsim: Archsim, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = archsim("reproduce", "tpe", "-o", tmp_path / "file")
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err.startswith(f"error: {tmp_path}/file: cannot be written: ")
