"""Side by side with SCALE-Sim 3.0.0, run in full: its default configuration, traces on.

The layers are products of ResNet-50; the array is 32 x 32, output stationary, with as much buffer
on both sides. SCALE-Sim lives in an environment of its own, since it does not start on current
NumPy and pandas::

    python -m venv scalesim-venv
    scalesim-venv/bin/pip install "scalesim==3.0.0" "numpy==1.26.4" "pandas<2.3"
    python benchmarks/scalesim.py --scalesim scalesim-venv/bin/python
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from calibrate import Figure, least_s, show

from archsim.compare.scalesim import cycles
from archsim.compare.shapes import Shape
from archsim.design import load_design
from archsim.frontends import load
from archsim.plan import Memo
from archsim.simulate import simulate

LEAST_RATIO = 1000
LAYERS = {  # products (M, N, K) of ResNet-50, one from each of its stages
    "layer2.0.conv3": (784, 512, 128),
    "layer3.0.conv3": (196, 1024, 256),
    "layer4.1.conv1": (49, 512, 2048),
    "fc": (1, 1000, 2048),
}
SIDE, SRAM_KB = 32, 64  # of each of three buffers
CONFIG = f"""[general]
run_name = run
[architecture_presets]
ArrayHeight: {SIDE}
ArrayWidth: {SIDE}
IfmapSramSzkB: {SRAM_KB}
FilterSramSzkB: {SRAM_KB}
OfmapSramSzkB: {SRAM_KB}
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 10
Dataflow: os
MemoryBanks: 1
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 100
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 100
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport: false
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def run_scalesim(python: str, folder: Path) -> float:
    """Return the CPU seconds of SCALE-Sim on the layers, having checked that it ran them."""
    (folder / "scale.cfg").write_text(CONFIG)
    (folder / "layout.csv").write_text("Layer name,\n")
    rows = [f"{name},{m},{n},{k}," for name, (m, n, k) in LAYERS.items()]
    (folder / "topology.csv").write_text("\n".join(["Layer,M,N,K,", *rows]) + "\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [
        python, "-m", "scalesim.scale", "-c", "scale.cfg", "-t", "topology.csv",
        "-l", "layout.csv", "-p", "out", "-i", "gemm",
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"SCALE-Sim failed: {ran.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "out" / "run" / "COMPUTE_REPORT.csv").open() as report:
        reported = [int(float(row[" Total Cycles"])) for row in csv.DictReader(report)]
    shapes = [Shape(name, m, n, k) for name, (m, n, k) in LAYERS.items()]
    if reported != [cycles(shape, SIDE, SIDE, "os") for shape in shapes]:
        raise SystemExit(f"SCALE-Sim did not run the layers that were meant: {reported}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_archsim(folder: Path) -> tuple[float, float]:
    """Return the CPU seconds of both fidelities on the layers, mapping search included."""
    table = folder / "layers.csv"
    rows = [f"{name},{m},{n},{k}" for name, (m, n, k) in LAYERS.items()]
    table.write_text("\n".join(["name,M,N,K", *rows]) + "\n")
    design = load_design(
        "tpu_like",
        {
            "engines.mxu.rows": SIDE, "engines.mxu.cols": SIDE,
            "memories.buffer.capacity_bytes": 3 * SRAM_KB << 10, "memories.buffer.tile_share": 1.0,
        },
    )  # fmt: skip
    trace = load(str(table))
    analytic_s, event_s = least_s(
        lambda: simulate(design, trace, memo=Memo()),
        lambda: simulate(design, trace, "event", memo=Memo()),
        runs=10,
    )
    return analytic_s, event_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scalesim", help="a Python that has SCALE-Sim 3.0.0")
    python = parser.parse_known_args()[0].scalesim
    if python is None or not Path(python).exists():
        raise SystemExit(
            "SCALE-Sim was not run: --scalesim must be a Python that has it, not "
            f"{python!r}; {Path(sys.argv[0]).name} says how to make one"
        )
    with tempfile.TemporaryDirectory() as name:
        peer_s = run_scalesim(str(Path(python).absolute()), Path(name))
        analytic_s, event_s = run_archsim(Path(name))
    took = f"{len(LAYERS)} layers: SCALE-Sim {peer_s:.1f} CPU-s, archsim"
    show(
        [
            Figure(
                "SCALE-Sim 3.0.0 in full over analytic", peer_s / analytic_s, "times the CPU time",
                f">= {LEAST_RATIO:,}", peer_s >= LEAST_RATIO * analytic_s,
                f"{took} {1e3 * analytic_s:.1f} ms with mapping search",
            ),
            Figure(
                "SCALE-Sim 3.0.0 in full over event", peer_s / event_s, "times the CPU time",
                note=f"{took} {1e3 * event_s:.1f} ms with mapping search",
            ),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
