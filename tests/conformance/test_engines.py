"""Every engine with RTL, on random cases: values, cycles, counters, beats and protocol."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest

from archsim.engines import NoRtl, Rtl, discover
from archsim.errors import InputError
from archsim.verify import Row, check

WITH_RTL = sorted(kind for kind, engine in discover().items() if isinstance(engine.rtl, Rtl))


def _seed() -> int:
    """Return ``ARCHSIM_SEED``, or a number that changes with each commit."""
    if given := os.environ.get("ARCHSIM_SEED"):
        return int(given)
    here = Path(__file__).parent
    git = subprocess.run(
        ["git", "rev-parse", "--short=7", "HEAD"], cwd=here, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return int(git.stdout, 16) if git.returncode == 0 else 0


def _report(rows: list[Row]) -> str:
    return "\n".join(
        "\n  ".join([row.case, *row.disagreements, f"again: {row.command}"])
        for row in rows
        if not row.ok
    )


@pytest.mark.parametrize("kind", WITH_RTL)
def test_component_in_amaranths_simulator(kind: str) -> None:
    rows = check(discover()[kind], 21, _seed(), simulator="amaranth")
    assert "" == _report(rows)


def test_an_engine_without_rtl_is_refused() -> None:
    model = dataclasses.replace(discover()["vector"], rtl=NoRtl("it is a model"))
    with pytest.raises(InputError, match=r"^rtl check: vector has no RTL to check: it is a model$"):
        check(model, 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", WITH_RTL)
def test_two_hundred_cases_of_the_verilog(kind: str) -> None:
    rows = check(discover()[kind], 200, _seed() + 1)
    assert 200 == len(rows)
    assert "" == _report(rows)
