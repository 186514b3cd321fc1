"""Engines of other packages, for as long as a test runs."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from archsim.engines import Engine, discover, metrics


@dataclass(frozen=True)
class Point:
    value: str
    engine: Engine

    def load(self) -> Engine:
        return self.engine


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Install an engine as a package's entry point would."""
    real = importlib.metadata.entry_points

    def installed(engine: Engine) -> None:
        def entry_points(*, group: str) -> Any:
            return (
                [Point("grid:ENGINE", engine)] if group == "archsim.engines" else real(group=group)
            )

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
        discover.cache_clear()
        metrics.cache_clear()

    yield installed
    monkeypatch.undo()
    discover.cache_clear()
    metrics.cache_clear()
