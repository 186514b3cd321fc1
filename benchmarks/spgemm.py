"""SMASH on `piuma_like`: a product of 5.9 million by either fidelity, memory of one of 10^8.

`analytic` counts windows, tokens and slots that are looked at, and simulates; `event` is what it
takes beside, for each token. Memory is the peak of a process that does nothing else.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from functools import partial

from calibrate import HANDOVERS, Figure, least_s, python_loop, show, simpy_handovers

from archsim.design import load_design
from archsim.engines.piuma.spec import ALGORITHMS
from archsim.frontends.products import multiplied
from archsim.plan import Memo
from archsim.result import Result
from archsim.simulate import simulate
from archsim.sparse import generate
from archsim.trace import Trace

MILD = (0.48, 0.11, 0.11)
MOST_P, MOST_H, MOST_GB = 40.0, 4.0, 2.0
MEMORY = "--memory"


def squared(scale: int, odds: tuple[float, float, float]) -> Trace:
    a = generate.rmat(scale, 16 << scale, odds)
    return multiplied("graph", "R-MAT", a).build()


def analytic(algorithm: str, trace: Trace) -> Result:
    """Return a result for which nothing was counted before."""
    return simulate(load_design("piuma_like", {"engines.block.algorithm": algorithm}), trace)


def peak_gb() -> tuple[int, float]:
    """Return the products of a large square, and the peak memory of simulating it, in a process."""
    command = [sys.executable, __file__, MEMORY]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(said[0]), float(said[1])


def main() -> None:
    trace = squared(14, MILD)
    works = [partial(analytic, algorithm, trace) for algorithm in ALGORITHMS]
    loop_s, *taken = least_s(python_loop, *works, runs=3)
    figures = [
        Figure(
            f"analytic: {algorithm}, 5.9 million products", s / loop_s, "P", f"<= {MOST_P:g}",
            s <= MOST_P * loop_s,
        )
        for algorithm, s in zip(ALGORITHMS, taken, strict=True)
    ]  # fmt: skip
    for algorithm in ALGORITHMS[1:]:
        design = load_design("piuma_like", {"engines.block.algorithm": algorithm})
        memo = Memo()
        tokens = simulate(design, trace, memo=memo).per_op[0].counts["tokens"]
        handover_s, plain_s, event_s = least_s(
            simpy_handovers,
            partial(simulate, design, trace, memo=memo),
            partial(simulate, design, trace, "event", memo=memo),
            runs=3,
        )
        ratio = (event_s - plain_s) / tokens / (handover_s / HANDOVERS)
        figures.append(
            Figure(
                f"event: {algorithm}, a token", ratio, "H", f"<= {MOST_H:g}", ratio <= MOST_H,
                f"{tokens:,} tokens",
            )
        )  # fmt: skip
    products, gb = peak_gb()
    figures.append(
        Figure("analytic: peak memory", gb, "GB", f"<= {MOST_GB:g}", gb <= MOST_GB,
               f"{products:,} products")
    )  # fmt: skip
    show(figures)


if __name__ == "__main__":
    if MEMORY in sys.argv:
        large = analytic("smash_v3", squared(15, generate.GRAPH500))
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(large.metrics.macs, peak_kib * 1024 / 1e9)
    else:
        main()
