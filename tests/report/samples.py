"""Made-up studies and results of the real types: consistent in themselves, of no real design."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from archsim.report.pareto import Objective
from archsim.report.study import Constraint, Study
from archsim.result import Fidelity, Metrics, OpRow, ResourceRow, Result, Span

AXES = (
    "engines.mxu.rows",
    "engines.mxu.cols",
    "memories.buffer.capacity_bytes",
    "memories.dram.channels",
)
WORKLOADS = {"resnet50": 1.0, "bert_base": 1.0}
MACS = {"resnet50": 4_089_184_256, "bert_base": 11_174_215_680}
TRAFFIC_BYTES = {"resnet50": 38e6, "bert_base": 96e6}
CLOCK_MHZ, CLOCK_PS = 640, 1562
DRAM_BYTES_PER_S = 25.6e9
PEAK_MACS_PER_S = 1024 * CLOCK_MHZ * 1e6

Point = tuple[int, int, int, int]

# ---------------------------------------------------------------------------------------- studies


def points() -> list[Point]:
    side = (8, 16, 32, 64, 128)
    capacity = (1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22)
    every = itertools.product(side, side, capacity, (2, 4))
    return [(r, c, b, d) for r, c, b, d in every if 0.25 <= r / c <= 4]


def key(point: Point) -> dict[str, Any]:
    return {"design": "-".join(map(str, point)), **dict(zip(AXES, point, strict=True))}


def ok_row(point: Point, workload: str) -> dict[str, Any]:
    """A row in which larger arrays are faster and larger, and larger buffers save traffic."""
    rows, cols, capacity, channels = point
    macs = MACS[workload]
    traffic = TRAFFIC_BYTES[workload] * (1 + 2e6 / capacity)
    overhead = 1 + 0.004 * (rows + cols) + 0.3 * (rows > cols)
    compute_us, dma_us = macs / (rows * cols) / CLOCK_MHZ * overhead, traffic / (channels * 6.4e3)
    time_us = max(compute_us, dma_us) + 0.15 * min(compute_us, dma_us)
    energy = {
        "mxu.pe": macs * 0.9,
        "mxu.edge": macs * 1.4 / min(rows, cols),
        "mxu.idle": time_us * rows * cols * 9.0,
        "vpu.lanes": 3e7,
        "buffer": macs * 3.1 / min(rows, cols) * (capacity / 1e6) ** 0.35,
        "dram": traffic * 8 * 15.0,
    }
    area = {
        "mxu.pe": rows * cols * 640.0,
        "mxu.edge": (rows + cols) * 900.0,
        "mxu.control": 8_000.0,
        "vpu.lanes": 61_000.0,
        "vpu.control": 4_000.0,
        "buffer": capacity * 2.4 + 30_000,
    }
    energy_pj = sum(energy.values())
    return {
        **key(point),
        "workload": workload,
        "status": "ok",
        "reason": "",
        "fidelity": "analytic",
        "cycles": int(time_us * CLOCK_MHZ),
        "time_us": time_us,
        "energy_pj": energy_pj,
        "area_mm2": sum(area.values()) / 1e6,
        "power_mw": energy_pj / time_us * 1e-3,
        "macs": macs,
        "utilisation": macs / (rows * cols * CLOCK_MHZ * time_us),
        "dram_bytes": int(traffic),
        "tied_percent": 96.5 if workload == "resnet50" else 91.0,
        **{f"energy.{part}_pj": value for part, value in energy.items()},
        **{f"area.{part}_um2": value for part, value in area.items()},
    }


def row(point: Point, workload: str) -> dict[str, Any]:
    rows, cols, capacity, _ = point
    if rows == 128 and capacity <= 1 << 19:
        reason = (
            f"op 'conv1': a tile of {rows}x{cols}x64 needs 786,432 bytes of buffer, and there are "
            f"{capacity:,}; raise memories.buffer.capacity_bytes"
        )
        return {**key(point), "workload": workload, "status": "infeasible", "reason": reason}
    if point == (64, 32, 1 << 20, 2) and workload == "bert_base":
        reason = "ZeroDivisionError: integer division by zero"
        return {**key(point), "workload": workload, "status": "failed", "reason": reason}
    return ok_row(point, workload)


def table(every: list[Point] | None = None) -> pd.DataFrame:
    every = points() if every is None else every
    return pd.DataFrame([row(point, workload) for point in every for workload in WORKLOADS])


def study(frame: pd.DataFrame | None = None, **changes: Any) -> Study:
    baseline = pd.DataFrame([ok_row((32, 32, 1 << 21, 4), workload) for workload in WORKLOADS])
    fields: dict[str, Any] = {
        "name": "edge-inference",
        "question": "Which array and buffer should an edge accelerator have?",
        "objectives": (Objective("time_us"), Objective("energy_pj"), Objective("area_mm2")),
        "axes": AXES,
        "weights": WORKLOADS,
        "table": table() if frame is None else frame,
        "base": {"extends": "tpu_like"},
        "baseline": baseline,
        "baseline_name": "tpu_like",
        "models": {workload: workload for workload in WORKLOADS},
        "constraints": (Constraint("area_mm2", high=12.0),),
        "provenance": {
            "archsim": "0.1.0",
            "command": "archsim sweep run sweep.yaml",
            "sampling": {"kind": "grid"},
            "digest": {"axes": "8f1c0d4b9a7e2233"},
        },
    }
    return Study(**{**fields, **changes})


def large_study(size: int, seed: int = 3) -> Study:
    """A study of one workload whose values are random: for sizes, not for sense."""
    rng = np.random.default_rng(seed)
    log = rng.normal(size=(size, 3))
    time_us = 1e4 * np.exp(log[:, 0] - 0.5 * log[:, 1])
    energy_pj = 1e10 * np.exp(log[:, 1])
    area_mm2 = 5 * np.exp(0.5 * log[:, 2] - 0.6 * log[:, 0])
    columns: dict[str, Any] = {
        "design": [f"d{i}" for i in range(size)],
        AXES[0]: rng.integers(8, 256, size),
        AXES[1]: rng.integers(8, 256, size),
        AXES[2]: np.arange(size) * 64 + 4096,
        AXES[3]: rng.integers(1, 9, size),
        "workload": "resnet50",
        "status": "ok",
        "reason": "",
        "fidelity": "analytic",
        "cycles": 10**7,
        "time_us": time_us,
        "energy_pj": energy_pj,
        "area_mm2": area_mm2,
        "power_mw": energy_pj / time_us * 1e-3,
        "macs": MACS["resnet50"],
        "utilisation": 0.5,
        "dram_bytes": 40_000_000,
        "tied_percent": 90.0,
        "energy.mxu_pj": energy_pj,
        "area.mxu_um2": area_mm2 * 1e6,
    }
    frame = pd.DataFrame(columns)
    return study(frame, weights={"resnet50": 1.0}, baseline=None, constraints=())


# ---------------------------------------------------------------------------------------- results


def result(fidelity: Fidelity = "event", workload: str = "resnet50", ops: int = 12) -> Result:
    """A result of some convolutions and a pool, one after another, whose tables agree."""
    rng = np.random.default_rng(len(workload))
    rows: list[OpRow] = []
    for number in range(ops):
        rows.append(conv(f"layer{number}.conv", rows[-1].end_ps if rows else 0, rng))
    rows.append(pool("avgpool", rows[-1].end_ps, rng))
    total_ps = rows[-1].end_ps
    energy_pj: Counter[str] = Counter()
    for each in rows:
        energy_pj.update(each.energy_pj)
    energy_pj["mxu.idle"] = total_ps * 1e-2
    area_um2 = {"mxu.pe": 655_360.0, "mxu.edge": 57_600.0, "vpu.lanes": 61_000.0, "buffer": 5e6}
    macs = sum(each.macs for each in rows)
    seconds = total_ps / 1e12
    metrics = Metrics(
        cycles=-(-total_ps // CLOCK_PS),
        time_us=total_ps / 1e6,
        energy_pj=sum(energy_pj.values()),
        area_mm2=sum(area_um2.values()) / 1e6,
        power_mw=sum(energy_pj.values()) / seconds * 1e-9,
        macs=macs,
        utilisation=macs / (seconds * PEAK_MACS_PER_S),
        dram_bytes=sum(each.dram_read_bytes + each.dram_write_bytes for each in rows),
        latency_us=total_ps / 1e6,
        throughput_per_s=1 / seconds,
        energy_per_item_pj=sum(energy_pj.values()),
        tied_percent=96.5,
        fidelity=fidelity,
    )
    return Result(
        metrics,
        tuple(rows),
        tuple(resources(rows, total_ps)),
        dict(energy_pj),
        area_um2,
        {"macs_per_s": PEAK_MACS_PER_S, "dram_bytes_per_s": DRAM_BYTES_PER_S},
        (
            "mxu: output-stationary; each fold's fill and drain overlap the next fold's compute",
            "DRAM: page cost is a closed form per transfer; refresh is not modelled",
        ),
        {
            "archsim": "0.1.0",
            "design": {"name": "tpu_like"},
            "trace": workload,
            "technology": {"logic": "FreePDK45, synthesis of the generated RTL"},
        },
        spans=tuple(spans(rows)) if fidelity == "event" else (),
    )


def conv(name: str, start_ps: int, rng: np.random.Generator) -> OpRow:
    macs = int(rng.integers(20, 220)) * 10**6
    split = {"busy": macs // 1024 + 1, "fill": 9_000, "drain": 4_000}
    split["stall.a"] = int(rng.integers(0, 4_000))
    return op(name, "mxu", start_ps, split, rng, kind="conv", macs=macs)


def pool(name: str, start_ps: int, rng: np.random.Generator) -> OpRow:
    split = {"busy": 25_000, "fill": 50, "drain": 50, "stall.a": 0}
    return op(name, "vpu", start_ps, split, rng, kind="vector", macs=0)


def op(
    name: str,
    engine: str,
    start_ps: int,
    split: dict[str, int],
    rng: np.random.Generator,
    *,
    kind: str,
    macs: int,
) -> OpRow:
    read, write = (int(size) for size in rng.integers(100_000, 5_000_000, 2))
    occupied_ps = sum(split.values()) * CLOCK_PS
    exposed_ps = max(0, transfer_ps(read + write) - occupied_ps)
    wait_ps = {"load": exposed_ps + 60_000, "store": 0, "input": 2_000 if engine == "vpu" else 0}
    time_ps = occupied_ps + sum(wait_ps.values())
    part = "mxu.pe" if engine == "mxu" else "vpu.lanes"
    return OpRow(
        name=name,
        kind=kind,
        engine=engine,
        repeat=1,
        start_ps=start_ps,
        end_ps=start_ps + time_ps,
        time_ps=time_ps,
        occupied_ps=occupied_ps,
        split_cycles=split,
        wait_ps=wait_ps,
        macs=macs,
        jobs=12,
        dram_read_bytes=read,
        dram_write_bytes=write,
        buffer_read_bytes=read * 9,
        buffer_write_bytes=write * 2,
        energy_pj={part: macs * 1.1 + 1e6, "buffer": macs * 0.2, "dram": (read + write) * 120.0},
        bound="dram" if exposed_ps else "compute",
        mapping="m=64 n=64 k=576 mnk resident=b" if macs else "8 slices",
        kind_of_time="exact" if macs else "expected",
    )


def transfer_ps(size_bytes: int) -> int:
    return int(size_bytes / DRAM_BYTES_PER_S * 1e12)


def resources(rows: list[OpRow], total_ps: int) -> list[ResourceRow]:
    found = []
    for name in ("mxu", "vpu"):
        mine = [each for each in rows if each.engine == name]
        states: Counter[str] = Counter()
        for each in mine:
            states.update({state: n * CLOCK_PS for state, n in each.split_cycles.items()})
            states.update(each.wait_ps)
        busy_ps = states.pop("busy")
        idle_ps = total_ps - busy_ps - sum(states.values())
        moved = sum(each.buffer_read_bytes + each.buffer_write_bytes for each in mine)
        found.append(ResourceRow(name, "engine", total_ps, busy_ps, dict(states), idle_ps, moved))
    moved = sum(each.dram_read_bytes + each.dram_write_bytes for each in rows)
    busy_ps = sum(span.end_ps - span.start_ps for span in spans(rows) if span.resource == "dma")
    idle_ps = total_ps - busy_ps
    found.append(ResourceRow("dma", "dma", total_ps, busy_ps, {"buffer": 0}, idle_ps, moved))
    found.append(ResourceRow("dram", "dram", total_ps, busy_ps, {}, idle_ps, moved))
    return found


def spans(rows: list[OpRow]) -> list[Span]:
    found = []
    for each in rows:
        found.append(Span(each.engine, each.name, each.end_ps - each.occupied_ps, each.end_ps))
        moved_ps = transfer_ps(each.dram_read_bytes + each.dram_write_bytes)
        found.append(
            Span("dma", each.name, each.start_ps, min(each.start_ps + moved_ps, each.end_ps))
        )
    return found
