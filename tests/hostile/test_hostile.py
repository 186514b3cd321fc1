"""Nothing that comes in makes archsim fail in a way of its own: a message, and an exit status."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from archsim.cli import app
from archsim.errors import ArchsimError
from archsim.trace_io import read_operands
from tests.docs.pages import matches
from tests.hostile import designs, kernels, matrices, models, options, sweeps, tables, traces
from tests.hostile.case import Case

CASES = [
    *designs.CASES, *options.CASES, *tables.CASES, *models.CASES, *traces.CASES, *sweeps.CASES,
    *matrices.CASES, *kernels.CASES,
]  # fmt: skip
REFUSALS = Path(__file__).with_name("refusals.yaml")
MAX_SECONDS = 20.0  # on a busy machine
MAX_GROWTH_KB = 512 << 10


def run(case: Case, folder: Path) -> tuple[int, str]:
    """Return the exit status and what stands on standard error, in the folder's own words."""
    case.lay(folder)
    if case.command[0] == "operands":
        try:
            read_operands(Path(case.command[1]))
        except ArchsimError as fault:
            return fault.exit_code, f"error: {fault}\n"
        return 0, ""
    result: Result = CliRunner().invoke(app, list(case.command))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stderr.replace(str(folder), "FOLDER")


def refusals() -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(REFUSALS.read_text("utf-8"))
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_is_refused(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    exit_code, said = run(case, tmp_path)
    assert time.process_time() - start < MAX_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH_KB
    assert matches(refusals()[case.name].splitlines(), said.splitlines()), said
    assert exit_code == case.exit_code
    assert "Traceback" not in said


def test_every_refusal_is_of_a_case() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 100
    assert list(refusals()) == names
