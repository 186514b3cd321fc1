"""Run by ZigZag's Python, for ``zigzag.py``: products in as JSON, ZigZag's answers out.

Each item is a product with the folder-independent parts of ZigZag's input. Without ``ordering``
ZigZag searches with its default engine (LOMA, loop limit 6, uneven, latency); with one it evaluates
that temporal mapping only.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from zigzag.api import get_hardware_performance_zigzag
from zigzag.cost_model.cost_model import CostModelEvaluation

evaluations = 0
evaluate = CostModelEvaluation.run


def counted(self: Any) -> None:
    global evaluations  # noqa: PLW0603
    evaluations += 1
    evaluate(self)


def run(item: dict[str, Any], accelerator: str) -> dict[str, float]:
    layer = {
        "id": 0, "name": item["name"], "operator_type": "Gemm",
        "equation": "O[b][k]+=W[k][c]*I[b][c]", "loop_dims": ["B", "K", "C"],
        "loop_sizes": [item["m"], item["n"], item["k"]],
        "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8},
        "operand_source": {"W": 0, "I": 0},
    }  # fmt: skip
    mapping = {"name": "default", **item["mapping"]}
    Path("mapping.yaml").write_text(yaml.safe_dump([mapping], sort_keys=False))
    before, start = evaluations, time.process_time()
    energy, latency, _ = get_hardware_performance_zigzag(
        [layer], accelerator, "mapping.yaml", dump_folder="out", loma_show_progress_bar=False
    )
    cpu_s = time.process_time() - start
    count = evaluations - before
    return {"latency": latency, "energy": energy, "evaluations": count, "cpu_s": cpu_s}


def main() -> None:
    asked = json.load(sys.stdin)
    CostModelEvaluation.run = counted
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("accelerator.yaml").write_text(yaml.safe_dump(asked["accelerator"], sort_keys=False))
        with contextlib.redirect_stdout(sys.stderr):
            answers = [run(item, "accelerator.yaml") for item in asked["items"]]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
