"""Frames on `ngpc_64`: a batch of 65,536 queries as one exact recurrence, and a whole frame.

A batch is what is found once for processors of a kind: turns of the banks, and when each query goes
in and comes out. A frame is composed of it, whatever the number of processors.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from calibrate import Figure, least_s, python_loop, show

from archsim.design import load_design
from archsim.engines import op_kinds
from archsim.engines.ngpc import timing
from archsim.engines.ngpc.jobs import NgpcJobs, encodings, fixed
from archsim.engines.ngpc.spec import MOST_LAYERS, NgpcSpec
from archsim.frontends import load
from archsim.graphics.apps import APPS
from archsim.plan import Memo
from archsim.result import Result
from archsim.simulate import simulate
from archsim.trace import Trace

QUERIES = 65_536
MOST_BATCH_P, MOST_FRAME_P = 20.0, 1.0
SCENES = {"nsdf": "8k", "gia": "8k"}
MODES = ("single", "layered")


def batch(spec: NgpcSpec, app: str, trace: Trace) -> int:
    """Return the cycles of all sampled queries of a trace on one processor."""
    made = APPS[app]
    grid = made.encoding("hash")
    x = fixed(trace.values["samples"][:, : made.dims])
    layers = len(made.layers(grid.outputs))
    one = np.ones(1, np.int64)
    jobs = NgpcJobs(
        one * len(x), encodings(grid), one * layers, np.zeros((1, MOST_LAYERS), np.int64),
        one < 0, refs=({"x": "x"},),
    )  # fmt: skip
    return int(timing.time(spec, jobs, data={"x": x}).cycles[0])


def frames(trace: Trace, mode: str) -> Iterator[Result]:
    """Yield a frame on one processor, two, and so on; what queries take is found before."""
    memo = Memo()
    for nfps in (1, *range(1, 100)):
        fields = {"engines.ngpc.mlp_mode": mode, "engines.ngpc.nfps": nfps}
        yield simulate(load_design("ngpc_64", fields), trace, memo=memo)


def main() -> None:
    figures = []
    for app, size in SCENES.items():
        trace = load(app, op_kinds(), res=size, samples=QUERIES)
        for mode in MODES:
            spec = NgpcSpec(table_log2=20, bank_map="padded", mlp_mode=mode)
            loop_s, taken = least_s(python_loop, partial(batch, spec, app, trace), runs=3)
            count = len(trace.values["samples"])
            figures.append(
                Figure(f"batch: {app}, {mode}", taken / loop_s, "P", f"<= {MOST_BATCH_P:g}",
                       taken <= MOST_BATCH_P * loop_s, f"{count:,} queries, exactly")
            )  # fmt: skip
            made = frames(trace, mode)
            next(made)
            loop_s, taken = least_s(python_loop, partial(next, made), runs=5)
            figures.append(
                Figure(f"frame: {app} at {size.upper()}, {mode}, analytic", taken / loop_s, "P",
                       f"<= {MOST_FRAME_P:g}", taken <= MOST_FRAME_P * loop_s,
                       "another number of processors each time")
            )  # fmt: skip
    show(figures)


if __name__ == "__main__":
    main()
