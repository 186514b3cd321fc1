"""``rtl build`` of an engine with streams of its own: sound, lint-clean, with a bench."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from archsim.design import design_from
from archsim.engines import discover
from archsim.hdl.build import Built, build
from archsim.hdl.synth import check_rtl
from archsim.verify import verilator

SMALL: dict[str, Any] = {
    "kind": "ngpc", "clock_mhz": 500, "engines": 2, "parallel": 2, "table_log2": 6, "features": 1,
    "feature_bits": 8, "banks": 4, "mlp_width": 4, "mlp_layers": 2, "mlp_stages": 3, "act_bits": 8,
    "outputs": 2, "fifo_depth": 2,
}  # fmt: skip


def built(folder: Path, **more: Any) -> Built:
    return build(
        design_from({"name": "small", "engines": {"it": SMALL | more}}), discover(), folder
    )


@pytest.mark.parametrize(
    "more",
    [
        {"fifo_depth": 0, "bank_map": "fold", "sram_cycles": 3},
        {"bank_map": "parity", "banks": 8, "features": 2, "act_bits": 16, "parallel": 1},
        {"mlp_mode": "layered", "banks": 1, "bank_map": "padded", "feature_bits": 16},
    ],
)
def test_the_verilog_is_sound_and_lint_clean(more: dict[str, Any], tmp_path: Path) -> None:
    made = built(tmp_path, **more)
    text = (made.folder / "small_it.v").read_text()
    check_rtl(text, "small_it")
    assert verilator.lint(text, "small_it") == ""


@pytest.mark.slow
def test_its_bench_passes_and_catches_a_wrong_result(tmp_path: Path) -> None:
    made = built(tmp_path)
    readme = (tmp_path / "README.md").read_text()
    assert "| `x` | in | 3 unsigned lanes of 24 bits, lane 0 lowest |" in readme
    assert {"level", "table", "weight", "x", "result"} == set(made.manifest["streams"])
    done = _bench(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = json.loads((tmp_path / "jobs.json").read_text())
    first = jobs[0]["results"]["result"][0]
    first[0] = f"{int(first[0], 16) ^ 1:x}"
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    failed = _bench(tmp_path)
    assert failed.returncode == 1
    assert "repeat with SEED=1" in failed.stdout + failed.stderr


def _bench(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "bench/run.py", "--simulator", "archsim"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
