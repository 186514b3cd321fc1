"""The study's data files: a line of JSON each for provenance, a run, and what is known of a PE."""

from __future__ import annotations

import json
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any


def path(node: str, part: str) -> Path:
    """Return the file of a node's PEs or arrays."""
    name = node if part == "pes" else f"{node}_{part}"
    return Path(__file__).with_name(f"{name}.jsonl")


def lines(file: Traversable) -> list[dict[str, Any]]:
    """Return a file's lines; one that was cut off in writing is left out."""
    found = []
    for text in file.read_text("utf-8").splitlines(keepends=True):
        if text.endswith("\n"):
            found.append(json.loads(text))
    return found
