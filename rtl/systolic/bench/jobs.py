"""Jobs for a bench, as they were written beside it: commands, beats, and what must come out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1]
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())
PORTS: dict[str, Any] = MANIFEST["streams"]
SEED = int(os.environ.get("SEED", "1"))  # of the waits


class Job:
    """A command of an engine with its operands and results."""

    def __init__(self, written: dict[str, Any]) -> None:
        self.name: str = written["name"]
        self.fields: dict[str, int] = written["command"]
        self._beats, self._results = written["beats"], written["results"]

    def __repr__(self) -> str:
        return self.name

    def command(self) -> int:
        """Return the payload of the engine's command stream."""
        payload = shift = 0
        for field in MANIFEST["command"]:
            payload |= self.fields[field["name"]] << shift
            shift += field["bits"]
        return payload

    def beats(self, port: str) -> list[int]:
        """Return the beats of an input."""
        return [int(beat, 16) for beat in self._beats[port]]

    def results(self) -> list[tuple[int, int]]:
        """Return the result beats, and masks of their lanes that mean something."""
        return [(int(beat, 16), int(mask, 16)) for beat, mask in self._results["result"]]


def jobs() -> list[Job]:
    return [Job(written) for written in json.loads((FOLDER / "jobs.json").read_text())]


def check(job: Job, got: list[tuple[int, bool]], *, marked: bool) -> None:
    """Raise AssertionError unless the beats are the job's results, the last one ``marked``."""
    wanted = job.results()
    for number, ((beat, mask), (value, last)) in enumerate(zip(wanted, got, strict=True)):
        assert value & mask == beat, (
            f"{job}: result {number} is {value & mask:#x}, not {beat:#x}; repeat with SEED={SEED}"
        )
        if marked:
            expected = number == len(wanted) - 1
            assert last == expected, f"{job}: tlast of result {number} is {last}; SEED={SEED}"
