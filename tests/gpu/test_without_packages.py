"""archsim without torch, Triton and NVML: kernels are listed, and the extra is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
sys.modules.update(dict.fromkeys(["torch", "triton", "pynvml"]))  # as if they were not installed
import importlib, pkgutil
import archsim.gpu, archsim.measured
theirs = ("archsim.gpu.source.", "archsim.gpu.tensors", "archsim.gpu.worker")
for module in pkgutil.walk_packages(archsim.gpu.__path__, "archsim.gpu."):
    if not module.name.startswith(theirs):
        importlib.import_module(module.name)
from typer.testing import CliRunner
from archsim.cli import app

assert "gemm_fp16" in CliRunner().invoke(app, ["gpu", "list"]).stdout
for asked in (["run", "gemm_fp16"], ["run", "gemm_fp16", "--interpret"],
              ["compile", "gemm_fp16", "--target", "sm_90"]):
    result = CliRunner().invoke(app, ["gpu", *asked])
    assert result.exit_code == 2, (asked, result.output)
    print(result.stderr, end="")
"""


def test_only_kernels_need_their_packages(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    message = "error: torch is not installed; run: pip install 'archsim[gpu]'\n"
    assert run.stdout == message * 3
