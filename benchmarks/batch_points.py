"""Layer points a second: ResNet-50 on a grid of designs, mappings given, by `batch.evaluate`.

A layer point is one op of the model on one design. The grid is 16 arrays x 4 buffers x 32 memories;
mappings are searched once for each array and buffer, before the clock starts.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from calibrate import Figure, least_s, python_loop, show

from archsim.batch import evaluate
from archsim.design import Design, load_design
from archsim.frontends import load
from archsim.plan import Memo
from archsim.simulate import simulate

POINTS_PER_S = 100_000
SIDES = (8, 16, 32, 64)
BUFFERS = (1 << 19, 1 << 20, 1 << 21, 1 << 22)
CHANNELS, SPEEDS, LATENCIES = (1, 2, 4, 8), (3.2, 4.8, 6.4, 8.5), (40, 80)


def design(rows: int, cols: int, buffer: int, **dram: Any) -> Design:
    tree = {
        "engines.mxu.rows": rows, "engines.mxu.cols": cols, "engines.vpu.lanes": cols,
        "memories.buffer.capacity_bytes": buffer,
    }  # fmt: skip
    return load_design("tpu_like", tree | {f"memories.dram.{k}": v for k, v in dram.items()})


def main() -> None:
    trace, memo = load("resnet50"), Memo()
    designs, mappings = [], []
    for rows, cols, buffer in product(SIDES, SIDES, BUFFERS):
        searched = simulate(design(rows, cols, buffer), trace, memo=memo).mappings
        for channels, speed, latency in product(CHANNELS, SPEEDS, LATENCIES):
            designs.append(
                design(
                    rows, cols, buffer, channels=channels, channel_gb_per_s=speed,
                    latency_ns=latency,
                )
            )  # fmt: skip
            mappings.append(dict(searched))
    p_s, batch_s = least_s(python_loop, lambda: evaluate(designs, trace, mappings), runs=5)
    points = len(designs) * len(trace.ops)
    products = sum(op.kind in ("gemm", "conv") for op in trace.ops)
    rate = points / batch_s
    show(
        [
            Figure(
                "layer points in a batch, mappings given", rate, "points/s/core",
                f">= {POINTS_PER_S:,}", rate >= POINTS_PER_S,
                f"{len(designs):,} designs x {len(trace.ops)} ops, {products} of them products",
            ),
            Figure("the same in the time of one P", points * p_s / batch_s, "points/P"),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
