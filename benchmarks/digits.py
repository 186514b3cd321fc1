"""Time that depends on values: ResNet-50 with a trained network's digits, and a product's values.

ResNet-50 borrows the digits that `workloads/traces/text_detection_counts.jsonl` counts. Imports are
done, the traces and the technology are loaded. The dense array and the bit-slice array are timed in
turn, each with an empty memo, so that every layer's mapping is searched.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from calibrate import Figure, cpu_s, least_s, show

from archsim.design import load_design
from archsim.engines import GemmJobs, op_kinds
from archsim.engines.bitslice import ENGINE, BitsliceSpec
from archsim.engines.bitslice.parts import with_shares
from archsim.frontends import load
from archsim.frontends.borrowed import borrow
from archsim.plan import Memo
from archsim.simulate import simulate
from archsim.tech import load as load_tech
from archsim.trace_io import read_trace

COUNTS = Path(__file__).parents[1] / "workloads" / "traces" / "text_detection_counts.jsonl"
RATIO = 5.0
SIDE = 1024


def main() -> None:
    dense, slices = load_design("tpu_like"), load_design("opt4e_like")
    plain = load("resnet50")
    counted = borrow(plain, read_trace(COUNTS), op_kinds())
    load_tech(dense.node)
    first_s = [
        cpu_s(lambda d=design, t=trace: simulate(d, t, memo=Memo()))
        for design, trace in ((dense, plain), (slices, counted))
    ]
    dense_s, counted_s = least_s(
        lambda: simulate(dense, plain, memo=Memo()),
        lambda: simulate(slices, counted, memo=Memo()),
        runs=15,
    )
    products = sum(op.kind in ("conv", "gemm") for op in plain.ops)
    product_s = exact_s()
    show(
        [
            Figure(
                "ResNet-50 with digit counts on opt4e_like over tpu_like, memo empty",
                counted_s / dense_s, "times the CPU time", f"<= {RATIO:g}",
                counted_s <= RATIO * dense_s,
                f"{1e3 * counted_s:.0f} and {1e3 * dense_s:.0f} ms; each of {products} products has"
                " digits and a plan of its own, where equal ones share plans on tpu_like",
            ),
            Figure(
                "the same, the first in a process", first_s[1] / first_s[0],
                "times the CPU time", note="draws for each kind of chunk included",
            ),
            Figure(
                f"exact time of a {SIDE:,} x {SIDE:,} x {SIDE:,} product from values",
                SIDE * SIDE / product_s / 1e6, "million operands/s", "",
            ),
        ]
    )  # fmt: skip


def exact_s() -> float:
    """Return the CPU seconds of one product whose encoded operand is given."""
    spec = BitsliceSpec(pe="opt4e", rows=32, cols=8)
    side = np.array([SIDE])
    jobs = with_shares(GemmJobs(side, side, side, np.zeros(1, bool)), np.full(4, np.nan))
    jobs = type(jobs)(
        jobs.m, jobs.n, jobs.k, jobs.accumulate, jobs.nonzero, refs=({spec.encoded: "a"},)
    )
    values = np.rint(np.random.default_rng(0).normal(0, 25, (SIDE, SIDE))).clip(-128, 127)
    data = {"a": values.astype(np.int8)}
    (seconds,) = least_s(lambda: ENGINE.time(spec, jobs, data=data), runs=3)
    return seconds


if __name__ == "__main__":
    main()
