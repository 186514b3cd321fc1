"""Journals lose nothing that was synced, and believe nothing that was damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.sweep.journal import Fault, Journal, line_of, read

ROWS = [{"design": f"d{i}", "value": i / 3, "text": "µm²\n"} for i in range(5)]


def written(folder: Path) -> Path:
    journal = Journal(folder)
    journal.append(ROWS[:2])
    journal.append(ROWS[2:])
    journal.close()
    (path,) = folder.iterdir()
    return path


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    written(tmp_path)
    assert list(read(tmp_path)) == ROWS


def test_a_journal_without_rows_makes_no_file(tmp_path: Path) -> None:
    Journal(tmp_path).append([])
    assert list(tmp_path.iterdir()) == []


def test_every_process_and_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    for row in ROWS:
        Journal(tmp_path).append([row])
    assert len(list(tmp_path.iterdir())) == len(ROWS)
    assert sorted(str(r) for r in read(tmp_path)) == sorted(map(str, ROWS))


@pytest.mark.parametrize("lost", [1, 2, 40])
def test_a_torn_last_line_is_dropped(tmp_path: Path, lost: int) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-lost])
    assert list(read(tmp_path)) == ROWS[:-1]


def test_a_damaged_line_is_reported_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"d1"', b'"d9"'))
    found = list(read(tmp_path))
    assert found == [ROWS[0], Fault(f"{path}:2"), *ROWS[2:]]
    assert str(found[1]) == f"{path}:2: line fails its checksum; its point counts as not run"


@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_flipped_byte_makes_a_wrong_row(tmp_path: Path, position: int, value: int) -> None:
    content = bytearray(b"".join(map(line_of, ROWS)))
    content[position % len(content)] = value
    (tmp_path / "x.jsonl").write_bytes(content)
    assert all(row in ROWS for row in read(tmp_path) if not isinstance(row, Fault))


def test_after_a_failed_write_the_journal_goes_on_in_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append(ROWS[:1])
    write = os.write

    def full_disk(file: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write(file, data[:15])  # some of it fits

    monkeypatch.setattr(os, "write", full_disk)
    with pytest.raises(OSError, match="No space left"):
        journal.append(ROWS[1:2])
    monkeypatch.undo()
    journal.append(ROWS[1:])
    journal.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert sorted(str(r) for r in read(tmp_path)) == sorted(map(str, ROWS))
