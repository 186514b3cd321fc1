"""README and docs do what they say: every code block that can run, runs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documents import LANGUAGES, Block, blocks, commands, run_commands, run_python

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "rtl", "workloads", "benchmarks", "sweeps", "reports")
DOCUMENTS = [ROOT / "README.md", *(p for f in FOLDERS for p in sorted((ROOT / f).rglob("*.md")))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_blocks_say_what_they_are(path: Path) -> None:
    for block in blocks(path.read_text("utf-8")):
        where = f"{name(path)}:{block.line}"
        assert block.language in LANGUAGES, f"{where}: language must be one of {LANGUAGES}"
        if block.language == "console":
            assert commands(block.text), f"{where}: no line begins with '$ '"
        if block.language == "yaml":
            list(yaml.safe_load_all(block.text))
        if block.language == "json":
            json.loads(block.text)


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """Return a folder that looks like a clone and keeps what documents write out of it."""
    for entry in ROOT.iterdir():
        if entry.name not in (".git", ".venv", "out"):
            (tmp_path / entry.name).symlink_to(entry)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_blocks_run(path: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": tools, "COLUMNS": "160", "NO_COLOR": "1"}
    names: dict[str, Any] = {"__name__": "document"}
    for block in blocks(path.read_text("utf-8")):
        if block.not_run:
            continue
        if block.language == "console":
            run_commands(block, workplace, environment)
        elif block.language == "python":
            run_python(block, names, str(path))


# --------------------------------------------------------------------------------------- the runner


def test_finds_blocks_and_their_marks() -> None:
    text = "a\n```console\n$ x\ny\n```\n<!-- not run: why -->\n```python\n1\n```\n```\nz\n```\n"
    assert list(blocks(text)) == [
        Block("console", "$ x\ny\n", 2), Block("python", "1\n", 7, "why"), Block("", "z\n", 10),
    ]  # fmt: skip


def test_compares_what_commands_print(tmp_path: Path) -> None:
    def run(text: str) -> None:
        run_commands(Block("console", text, 1), tmp_path, os.environ)

    run("$ echo a; echo b\na\nb\n$ printf 'c\n> d'\nc\nd\n$ true\n")
    run("$ echo one two three\none ... three\n")
    with pytest.raises(AssertionError, match="wanted:\na\ngot:\nb"):
        run("$ echo b\na\n")
    with pytest.raises(AssertionError, match=r"\$ false"):
        run("$ false\n")


def test_python_blocks_share_names() -> None:
    names: dict[str, Any] = {}
    run_python(Block("python", "x = 1\n", 1), names, "here")
    run_python(Block("python", "x += 1\n", 5), names, "here")
    assert names["x"] == 2
    with pytest.raises(NameError):
        run_python(Block("python", "y\n", 9), names, "here")
