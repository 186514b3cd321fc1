"""Peak memory of a process that sweeps: small and large arrays, small and large layers.

Each case is a process of its own, which evaluates designs as a worker of `archsim sweep run` does.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from itertools import product
from pathlib import Path

from calibrate import Figure, show

MOST_MB = 300
SIDES = (8, 32, 128, 512)
MODELS = ("mobilenet_v2", "resnet50@batch=1", "resnet50@batch=64", "gpt2_prefill@batch=16")
BUFFERS = (1, 4, 16)  # times as much as the array needs
CHANNELS = (1, 4, 16)


def sweep(model: str, side: int) -> float:
    """Evaluate the designs of a case, and return this process's peak memory in MB."""
    from archsim.design import load_design  # noqa: PLC0415
    from archsim.frontends import load  # noqa: PLC0415
    from archsim.sweep.worker import simulated  # noqa: PLC0415

    trace = load(model)
    least = max(1 << 18, 128 * side * side)
    for size, channels in product(BUFFERS, CHANNELS):
        design = load_design(
            "tpu_like",
            {
                "engines.mxu.rows": side, "engines.mxu.cols": side, "engines.vpu.lanes": side,
                "memories.buffer.capacity_bytes": size * least, "memories.buffer.banks": 2 * side,
                "memories.dram.channels": channels,
            },
        )  # fmt: skip
        simulated(design, trace, "analytic", "time")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs=2, metavar=("MODEL", "SIDE"), help="one case, here")
    case = parser.parse_known_args()[0].case
    if case is not None:
        print(sweep(case[0], int(case[1])))
        return
    figures = []
    for model, side in product(MODELS, SIDES):
        command = [sys.executable, str(Path(__file__)), "--case", model, str(side)]
        out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        peak_mb = float(out)
        name = f"worker: {model}, {side} x {side} array, peak"
        figures.append(Figure(name, peak_mb, "MB", f"< {MOST_MB}", peak_mb < MOST_MB))
    show(figures)


if __name__ == "__main__":
    main()
