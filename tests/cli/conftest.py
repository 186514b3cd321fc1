"""A runner of the command line, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from archsim.cli import app


@dataclass
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Archsim:
    def __call__(self, *arguments: object) -> Outcome:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def refused(self, *arguments: object) -> str:
        """Run, expect a refusal (status 2, nothing on stdout) and return its message."""
        outcome = self(*arguments)
        assert (outcome.status, outcome.out) == (2, ""), outcome
        return outcome.err


@pytest.fixture
def archsim() -> Archsim:
    return Archsim()
