"""The benchmarks' last figures: none missed its target, and the README prints them all."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

HOME = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def run() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_run", HOME / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_has_the_last_figures(run: ModuleType) -> None:
    last = json.loads((HOME / "last.json").read_text("utf-8"))
    readme = (HOME / "README.md").read_text("utf-8")
    assert f"{run.BEGIN}\n{run.table(last)}\n{run.END}" in readme


def test_every_script_was_run_and_no_target_missed(run: ModuleType) -> None:
    last = json.loads((HOME / "last.json").read_text("utf-8"))
    assert tuple(last["figures"]) == run.SCRIPTS
    figures = [x for script in last["figures"].values() for x in script]
    assert [x["name"] for x in figures if x["ok"] is False] == []
    assert sum(x["ok"] is True for x in figures) >= 10
    assert all((HOME / f"{script}.py").is_file() for script in run.SCRIPTS)
