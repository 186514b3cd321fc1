"""Answers that cost nothing, and designs that misbehave; workers import this module."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from archsim.design import Design
from archsim.errors import InfeasibleError, InputError
from archsim.mapper import Objective
from archsim.result import Fidelity
from archsim.sweep import worker
from archsim.trace import Trace

# columns of the array that make trouble
RAISES, INFEASIBLE, REFUSED, KILLS, HANGS, FREEZES, DEVOURS = 3, 5, 6, 7, 9, 10, 11

QUESTION = """\
name: tiny
question: How many PEs?
design: tpu_like
workloads:
  - tiny.csv
axes:
  engines.mxu.rows: [2, 4, 8]
  engines.mxu.cols: [2, 4, 8]
objectives: {time_us: min, area_mm2: min}
"""


def write_question(folder: Path, text: str = QUESTION) -> Path:
    """Write a sweep and its model into a folder; return the sweep's path."""
    (folder / "tiny.csv").write_text("name,M,N,K\na,8,16,32\nb,4,4,4\n")
    path = folder / "question.yaml"
    path.write_text(text)
    return path


def answer(
    design: Design, trace: Trace, fidelity: str, objective: str
) -> Mapping[str, float | int | str]:
    """Answer with figures that depend on everything asked, and on nothing else."""
    mxu: Any = design.engines["mxu"]
    macs, pes = trace.macs(), mxu.rows * mxu.cols
    cycles = -(-macs // pes) + mxu.rows + mxu.cols
    energy = {"mxu": macs * 0.3, "buffer": design.memories.buffer.capacity_bytes / 7}
    return {
        "cycles": cycles,
        "time_us": cycles / 700,
        "energy_pj": sum(energy.values()),
        "area_mm2": pes / 1000,
        "power_mw": sum(energy.values()) / cycles * 0.7,
        "macs": macs,
        "utilisation": macs / (pes * cycles),
        "dram_bytes": macs // 2,
        "latency_us": cycles / 700,
        "throughput_per_s": 700e6 / cycles,
        "energy_per_item_pj": sum(energy.values()),
        "tied_percent": 100.0,
        "energy.mxu_pj": energy["mxu"],
        "energy.buffer_pj": energy["buffer"],
        "area.mxu_um2": pes * 1000.0,
    }


def touchy(
    design: Design, trace: Trace, fidelity: str, objective: str
) -> Mapping[str, float | int | str]:
    """Answer, unless the array's columns make trouble."""
    mxu: Any = design.engines["mxu"]
    if mxu.cols == RAISES:
        raise ZeroDivisionError("columns of zero")
    if mxu.cols == INFEASIBLE:
        raise InfeasibleError("tile", demand=20, bound=10, unit="bytes")
    if mxu.cols == REFUSED:
        raise InputError("op 'a'", "must have an engine")
    if mxu.cols == KILLS:
        os.kill(os.getpid(), signal.SIGKILL)
    while mxu.cols == HANGS:
        time.sleep(0.01)
    if mxu.cols == FREEZES:  # where no handler of Python's runs, as in a library that hangs
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(1000)
    if mxu.cols == DEVOURS:
        np.ones(1 << 40)
    return answer(design, trace, fidelity, objective)


def slow(
    design: Design, trace: Trace, fidelity: str, objective: str
) -> Mapping[str, float | int | str]:
    """Answer after some time."""
    time.sleep(0.01)
    return answer(design, trace, fidelity, objective)


def thread_pool(workers: int) -> ThreadPoolExecutor:
    """Return a pool inside this process: quick to start, and as forgetful as new processes."""
    worker._journal.cache_clear()
    worker._trace.cache_clear()
    return ThreadPoolExecutor(workers)


def weighed(
    design: Design, trace: Trace, fidelity: Fidelity, objective: Objective
) -> Mapping[str, float | int | str]:
    """Answer as sweeps do, with the most memory that the worker has held so far."""
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**worker.simulated(design, trace, fidelity, objective), "worker_mib": peak_kib / 1024}
