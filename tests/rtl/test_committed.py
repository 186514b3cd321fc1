"""The committed Verilog is what archsim builds today, and its figures are those in the README."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from archsim.hdl.synth import synthesise

RTL = Path(__file__).parents[2] / "rtl"


def _regenerate() -> Any:
    spec = importlib.util.spec_from_file_location("regenerate", RTL / "regenerate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


regenerate = _regenerate()
FOLDERS = regenerate.engines()
OWN = {"design.yaml", "synthesis.json"}  # not built
IGNORED = {"build", "__pycache__"}  # what running the bench leaves


def files(folder: Path) -> dict[str, bytes]:
    paths = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return {
        name: path.read_bytes()
        for name, path in paths.items()
        if name not in OWN and not IGNORED & set(Path(name).parts)
    }


def ids(folder: Path) -> str:
    return folder.name


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_building_it_again_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    regenerate.write(folder, tmp_path)
    committed, built = files(folder), files(tmp_path)
    assert committed.keys() == built.keys()
    different = [name for name in built if built[name] != committed[name]]
    assert different == [], "run `make rtl`"


@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
def test_the_bench_passes(folder: Path) -> None:
    command = [sys.executable, "-B", "bench/run.py", "--simulator", "archsim"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readme_has_the_measured_figures() -> None:
    measured: dict[str, Any] = {}
    for folder in FOLDERS:
        measured |= json.loads((folder / "synthesis.json").read_text())
    readme = (RTL / "README.md").read_text()
    assert regenerate.with_table(readme, measured) == readme
    assert all(f"[{folder.name}]({folder.name}/README.md)" in readme for folder in FOLDERS)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=ids)
@pytest.mark.parametrize("target", ["generic", "ecp5"])
def test_synthesis_gives_the_recorded_figures(folder: Path, target: str) -> None:
    """Without place and route, which takes minutes; `make rtl` does it all."""
    manifest = json.loads((folder / "manifest.json").read_text())
    recorded = json.loads((folder / "synthesis.json").read_text())
    bench = next(iter(manifest["benches"].values()))  # of the engine alone
    text = "\n".join((folder / name).read_text() for name in bench["sources"])
    figures = regenerate.figures(synthesise(text, bench["module"], target))
    for name in ("cells", "gate_equivalents", "levels"):
        assert figures.get(name) == recorded[bench["module"]][target].get(name)
