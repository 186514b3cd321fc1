"""Sweeps of 10^5 points: two cores against one, and all that a sweep costs beside simulating.

Two parts, each in processes of its own:

- **Scaling.** Some thousand points, whole families of them, are simulated on one core (the run and
  its one worker pinned to it) and on two (two workers), in turn. Others may use the machine, so the
  clock on the wall says little. On one core the run takes the CPU time of both processes. On two it
  takes what its slower worker takes: CPU time, and the time in which it was blocked (on the disk,
  or because it had nothing to do), but not the time in which it could have run and somebody else
  did (``/proc/self/schedstat``); a worker that waits for a busy machine's parent is counted as
  blocked, so the figure errs on the low side. The speed-up is that of a whole sweep: start-up,
  10^5 points at these rates, and the table at the end.
- **Beside simulating.** 10^5 points whose answers cost nothing: what is left is the sweep. Times
  are CPU seconds of the run itself.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from calibrate import Figure, show

from archsim.design import Design
from archsim.sweep import load_results, run_sweep
from archsim.sweep.progress import Progress
from archsim.sweep.worker import simulated
from archsim.trace import Trace

ROUNDS = 3
SPEED_UP, MOST_MB, MOST_S = 1.8, 1000, 30
SWEEP = """\
name: scaling
design: tpu_like
workloads: [product.csv]
axes:
  engines.mxu.rows: {range: [8, 128, 8]}
  engines.mxu.cols: {range: [8, 128, 8]}
  engines.vpu.lanes: {pow2: [8, 64]}
  memories.buffer.capacity_bytes: {log: [262144, 16777216, 8]}
  memories.dram.channels: {pow2: [1, 8]}
  memories.dram.latency_ns: [40, 60, 100]
"""
PART = {"[8, 128, 8]": "[8, 128, 32]", "[40, 60, 100]": "[60]"}
PRODUCT = "name,M,N,K\nproduct,512,256,128\n"


def measured(columns: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an answer with what its worker has taken so far."""
    delay_ns = int(Path("/proc/self/schedstat").read_text("ascii").split()[1])
    return {
        **columns, "pid": os.getpid(), "cpu_s": time.process_time(), "delay_s": delay_ns / 1e9,
        "wall_s": time.monotonic(),
        "worker_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def real(design: Design, trace: Trace, fidelity: Any, objective: Any) -> Mapping[str, Any]:
    return measured(simulated(design, trace, fidelity, objective))


def free(design: Design, trace: Trace, fidelity: Any, objective: Any) -> Mapping[str, Any]:
    mxu: Any = design.engines["mxu"]
    pes = mxu.rows * mxu.cols
    return measured(
        {
            "cycles": 10**6 // pes, "time_us": 1e3 / pes, "energy_pj": 1e6 + pes,
            "area_mm2": pes / 1e3, "power_mw": 1.0, "macs": 10**6, "utilisation": 1.0,
            "dram_bytes": 10**4, "tied_percent": 100.0,
            **{f"energy.part{i}_pj": pes / (i + 1) for i in range(8)},
            **{f"area.part{i}_um2": pes / (i + 3) for i in range(8)},
        }
    )  # fmt: skip


def run(kind: str, workers: int) -> dict[str, float]:
    """Run a case in this process, and return its figures."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:workers])
    text = SWEEP
    if kind == "real":
        for old, new in PART.items():
            text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder, "sweep.yaml"), Path(folder, "out")
        path.write_text(text)
        Path(folder, "product.csv").write_text(PRODUCT)
        marks: list[float] = []

        def mark(now: Progress) -> None:
            marks.append(time.process_time())

        evaluate = {"real": real, "free": free}[kind]
        start = time.process_time()
        run_sweep(path, out, workers, progress=mark, evaluate=evaluate)
        end = time.process_time()
        table = load_results(out)
        first, last = marks[0], marks[-1]
        taken = table.groupby("pid")[["cpu_s", "delay_s", "wall_s"]].agg(np.ptp)
        resumed = time.process_time()
        run_sweep(path, out, workers, evaluate=evaluate)
        return {
            "points": len(table),
            "start_s": first - start,
            "parent_s": last - first,
            "cpu_s": float(taken["cpu_s"].sum()),
            "undisturbed_s": float((taken["wall_s"] - taken["delay_s"]).max()),
            "lost": float(taken["delay_s"].sum() / taken["wall_s"].sum()),
            "end_s": end - last,
            "resume_s": time.process_time() - resumed,
            "parent_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "worker_mb": float(table["worker_mb"].max()),
        }


def case(kind: str, workers: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--case", kind, str(workers)]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(out)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs=2, metavar=("KIND", "WORKERS"), help="one case, here")
    given = parser.parse_known_args()[0]
    if given.case is not None:
        kind, workers = given.case
        print(json.dumps(run(kind, int(workers))))
        return
    one, two = [], []
    for _ in range(ROUNDS):
        one.append(case("real", 1))
        two.append(case("real", 2))
    beside = case("free", 2)
    points = one[0]["points"]
    one_s = min(x["cpu_s"] + x["parent_s"] for x in one) / points
    two_s = min(x["undisturbed_s"] for x in two) / points
    ends_s = beside["start_s"] + beside["end_s"]
    speed_up = (ends_s + beside["points"] * one_s) / (ends_s + beside["points"] * two_s)
    cpu_ms = [1e3 * min(x["cpu_s"] for x in cases) / points for cases in (one, two)]
    lost = max(x["lost"] for x in (*one, *two))
    note = (
        f"{1 / one_s:,.0f} and {1 / two_s:,.0f} points/s, {cpu_ms[0]:.2f} and {cpu_ms[1]:.2f} "
        f"CPU-ms of workers a point, of {points:,.0f} points; up to {lost:.0%} of the workers' "
        "time went to others and is taken off"
    )
    good = speed_up >= SPEED_UP
    figures = [
        Figure("sweep of 10^5 points: two cores over one", speed_up, "times", f">= {SPEED_UP}",
               good, note),
    ]  # fmt: skip
    limits = {
        "start_s": ("start-up", "CPU-s", MOST_S),
        "end_s": ("from the last point to the table", "CPU-s", MOST_S),
        "resume_s": ("resume with nothing left to run", "CPU-s", MOST_S),
        "parent_mb": ("memory of the run itself, peak", "MB", MOST_MB),
        "worker_mb": ("memory of a worker, peak", "MB", MOST_MB),
    }
    for name, (what, unit, most) in limits.items():
        value = beside[name]
        figures.append(Figure(f"10^5 points: {what}", value, unit, f"< {most}", value < most))
    each_ms = 1e3 * (beside["cpu_s"] + beside["parent_s"]) / beside["points"]
    figures.append(Figure("a point beside simulating it", each_ms, "CPU-ms"))
    show(figures)


if __name__ == "__main__":
    main()
