"""Made-up studies and results of the real types: consistent in themselves, of no real design."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from archsim.report.pareto import Objective
from archsim.report.study import Constraint, Study
from archsim.result import Metrics, OpRow, ResourceRow, Result, Span

AXES = (
    "engines.mxu.rows", "engines.mxu.cols", "memories.buffer.capacity_bytes",
    "memories.dram.channels",
)  # fmt: skip
WORKLOADS = {"resnet50": 1.0, "bert_base": 1.0}
PARTS = ("mxu.pe", "mxu.edge", "mxu.control", "vpu.lanes", "vpu.control", "buffer")


def points() -> list[tuple[int, int, int, int]]:
    side, capacity, channels = (
        (8, 16, 32, 64, 128),
        (1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22),
        (2, 4),
    )
    return [
        (r, c, b, d)
        for r, c, b, d in itertools.product(side, side, capacity, channels)
        if 0.25 <= r / c <= 4
    ]


def point_row(values: tuple[int, int, int, int], workload: str) -> dict[str, object]:
    rows, cols, capacity, channels = values
    macs = {"resnet50": 4_089_184_256, "bert_base": 11_174_215_680}[workload]
    traffic = {"resnet50": 38e6, "bert_base": 96e6}[workload] * (1 + 2e6 / capacity)
    edge = 1 + 0.004 * (rows + cols) + 0.3 * (rows > cols)
    compute_us = macs / (rows * cols) / 640 * edge
    dma_us = traffic / (channels * 6.4e3)
    time_us = max(compute_us, dma_us) + 0.15 * min(compute_us, dma_us)
    energy = {
        "mxu.pe": macs * 0.9, "mxu.edge": macs * 1.4 / min(rows, cols), "mxu.idle": time_us * rows * cols * 9.0,
        "vpu.lanes": 3e7, "buffer": macs * 3.1 / min(rows, cols) * (capacity / 1e6) ** 0.35,
        "dram": traffic * 8 * 15.0,
    }  # fmt: skip
    area = {
        "mxu.pe": rows * cols * 640.0, "mxu.edge": (rows + cols) * 900.0, "mxu.control": 8_000.0,
        "vpu.lanes": 61_000.0, "vpu.control": 4_000.0, "buffer": capacity * 2.4 + 30_000,
    }  # fmt: skip
    energy_pj, area_mm2 = sum(energy.values()), sum(area.values()) / 1e6
    row: dict[str, object] = {
        "design": "-".join(map(str, values)),
        **dict(zip(AXES, values, strict=True)),
    }
    row |= {
        "workload": workload, "status": "ok", "reason": "", "cycles": int(time_us * 640),
        "time_us": time_us, "energy_pj": energy_pj, "area_mm2": area_mm2,
        "power_mw": energy_pj / time_us * 1e-3, "macs": macs,
        "utilisation": macs / (rows * cols * 640 * time_us), "dram_bytes": int(traffic),
        "tied_percent": 96.5 if workload == "resnet50" else 91.0, "fidelity": "analytic",
    }  # fmt: skip
    row |= {f"energy.{part}_pj": value for part, value in energy.items()}
    row |= {f"area.{part}_um2": value for part, value in area.items()}
    return row


def table(every: list[tuple[int, int, int, int]] | None = None) -> pd.DataFrame:
    rows = []
    for values in points() if every is None else every:
        for workload in WORKLOADS:
            row = point_row(values, workload)
            if values[0] == 128 and values[2] <= 1 << 19:
                reason = f"op 'conv1': a tile of {values[0]}x{values[1]}x64 needs 786,432 bytes of buffer, and there are {values[2]:,}; raise memories.buffer.capacity_bytes or the share"
                row = {k: row[k] for k in ("design", *AXES)} | {
                    "workload": workload,
                    "status": "infeasible",
                    "reason": reason,
                }
            elif values == (64, 32, 1 << 20, 2) and workload == "bert_base":
                row = {k: row[k] for k in ("design", *AXES)} | {
                    "workload": workload,
                    "status": "failed",
                    "reason": "ZeroDivisionError: integer division by zero",
                }
            rows.append(row)
    return pd.DataFrame(rows)


def study(frame: pd.DataFrame | None = None, **changes: object) -> Study:
    base_row = (32, 32, 1 << 21, 4)
    fields: dict[str, object] = {
        "name": "edge-inference",
        "question": "Which array and buffer should an edge accelerator have for a CNN and a transformer?",
        "objectives": (Objective("time_us"), Objective("energy_pj"), Objective("area_mm2")),
        "axes": AXES,
        "weights": WORKLOADS,
        "table": table() if frame is None else frame,
        "base": {"extends": "tpu_like"},
        "baseline": pd.DataFrame([point_row(base_row, w) for w in WORKLOADS]),
        "baseline_name": "tpu_like",
        "constraints": (Constraint("area_mm2", high=12.0),),
        "provenance": {
            "archsim": "0.1.0", "command": "archsim sweep run sweeps/edge.yaml", "seed": 1,
            "sampling": "grid", "sweep_digest": "8f1c0d4b9a7e2233",
            "technology": {"logic": "FreePDK45 synthesis, fitted", "sram": "table, CACTI"},
        },
    }  # fmt: skip
    return Study(**{**fields, **changes})  # type: ignore[arg-type]


def large_study(points: int, seed: int = 3) -> Study:
    """A study of one workload whose values are random: for sizes, not for sense."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "engines.mxu.rows": rng.integers(8, 256, points),
            "engines.mxu.cols": rng.integers(8, 256, points),
            "memories.buffer.capacity_bytes": np.arange(points) * 64 + 4096,
            "memories.dram.channels": rng.integers(1, 9, points),
        }
    )
    log = rng.normal(size=(points, 3))
    frame = frame.assign(
        design=[f"d{i}" for i in range(points)], workload="resnet50", status="ok", reason="", time_us=1e4 * np.exp(log[:, 0] - 0.5 * log[:, 1]),
        energy_pj=1e10 * np.exp(log[:, 1]), area_mm2=5 * np.exp(0.5 * log[:, 2] - 0.6 * log[:, 0]),
        macs=4_089_184_256, dram_bytes=40_000_000, utilisation=0.5, tied_percent=90.0,
        cycles=10**7, fidelity="analytic",
    )  # fmt: skip
    frame["power_mw"] = frame["energy_pj"] / frame["time_us"] * 1e-3
    frame["energy.mxu_pj"], frame["area.mxu_um2"] = frame["energy_pj"], frame["area_mm2"] * 1e6
    return study(frame, weights={"resnet50": 1.0}, baseline=None, constraints=())


def result(fidelity: str = "event", workload: str = "resnet50", ops: int = 12) -> Result:
    """A result of ``ops`` convolutions and one pool, whose rows, totals and spans agree."""
    rng = np.random.default_rng(len(workload))
    clock_ps, rows, spans, now = 1562, [], [], 0
    dram, dma = 25.6e9, {"busy": 0}
    for i in range(ops + 1):
        vector = i == ops
        macs = 0 if vector else int(rng.integers(20, 220)) * 10**6
        read, write = (int(x) for x in rng.integers(100_000, 5_000_000, 2))
        busy = macs // 1024 + 1 if not vector else 25_000
        split = {
            "busy": busy,
            "fill": 9_000 + i,
            "drain": 4_000,
            "stall.a": int(rng.integers(0, 4_000)),
        }
        occupied = sum(split.values()) * clock_ps
        load = max(0, int((read + write) / dram * 1e12) - occupied)
        wait = {"load": load + 60_000, "store": 0, "input": 2_000 if vector else 0}
        end = now + occupied + sum(wait.values())
        bound = "dram" if load else "compute"
        engine = "vpu" if vector else "mxu"
        rows.append(
            OpRow(
                f"layer{i}.conv" if not vector else "avgpool", "vector" if vector else "conv", engine, 1, now, end,
                end - now, occupied, split, wait, macs, 12, read, write, read * 9, write * 2,
                {engine: macs * 1.1 + 1e6, "buffer": macs * 0.2 + 1e5, "dram": (read + write) * 120.0}, bound,
                "8 slices" if vector else "m64 n64 k576 mnk +b", "exact" if not vector else "expected",
            )
        )  # fmt: skip
        spans.append(Span(engine, rows[-1].name, now + sum(wait.values()), end))
        transfer = int((read + write) / dram * 1e12)
        spans.append(Span("dma", rows[-1].name, now, min(now + transfer, end)))
        dma["busy"] += min(transfer, end - now)
        now = end
    resources = []
    for name in ("mxu", "vpu"):
        mine = [r for r in rows if r.engine == name]
        cycles = {
            k: sum(r.split_cycles[k] for r in mine) * clock_ps
            for k in ("busy", "fill", "drain", "stall.a")
        }
        stall = {k: v for k, v in cycles.items() if k != "busy"}
        stall |= {k: sum(r.wait_ps[k] for r in mine) for k in ("load", "store", "input")}
        idle = now - cycles["busy"] - sum(stall.values())
        moved = sum(r.buffer_read_bytes for r in mine)
        resources.append(ResourceRow(name, "engine", now, cycles["busy"], stall, idle, moved))
    moved = sum(r.dram_read_bytes + r.dram_write_bytes for r in rows)
    resources.append(
        ResourceRow("dma", "dma", now, dma["busy"], {"buffer": 0}, now - dma["busy"], moved)
    )
    resources.append(ResourceRow("dram", "dram", now, dma["busy"], {}, now - dma["busy"], moved))
    energy = {
        "mxu.pe": 4.5e9,
        "mxu.idle": 2e8,
        "vpu.lanes": 3e7,
        "buffer": 9e8,
        "dram": 8.0 * moved * 15,
    }
    area = {
        "mxu.pe": 655_360.0,
        "mxu.edge": 57_600.0,
        "mxu.control": 8_000.0,
        "vpu.lanes": 61_000.0,
        "buffer": 5e6,
    }
    macs, time_us = sum(r.macs for r in rows), now / 1e6
    metrics = Metrics(
        -(-now // clock_ps), time_us, sum(energy.values()), sum(area.values()) / 1e6,
        sum(energy.values()) / time_us * 1e-3, macs, macs / (time_us * 1e-6 * 655.36e9), moved, 96.5,
        fidelity,  # type: ignore[arg-type]
    )  # fmt: skip
    return Result(
        metrics, tuple(rows), tuple(resources), energy, area,
        {"macs_per_s": 655.36e9, "dram_bytes_per_s": dram},
        (
            "mxu: output-stationary; each fold's fill and drain overlap the next fold's compute",
            "DRAM: page cost is a closed form per transfer; refresh is not modelled",
        ),
        {
            "archsim": "0.1.0", "design": "tpu_like", "trace": workload, "design_digest": "ab12cd34ef567890",
            "technology": {"logic": "FreePDK45, synthesis of the generated RTL", "dram": "DDR4 datasheet"},
        },
        {}, tuple(spans) if fidelity == "event" else (),
    )  # fmt: skip
