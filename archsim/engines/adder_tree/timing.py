"""Cycles and actions of the array of adder trees.

A tile of B stays, and all multipliers work on the same slice of a row of A: the schedule is that of
`archsim.engines.gemm.stationary`, not skewed. In terms of that: all multipliers take their shadow
elements over in step ``w``. A slice that is fed in step f is in the input register, and so at the
multipliers, in step ``f + 1``; its sums pass ``stages`` ranks of registers and land in the bank in
step ``f + stages + 1``. It works, in multipliers and adders of the trees, from step ``f + 1`` to
``f + stages``.

Nothing lags, so a tile may be waited for: where the rows of a chunk are fewer than the rows of the
next tile, the trees are idle for all of the difference that is longer than their pipeline.

Carry-save form changes none of it: pairs become numbers behind the output queue, in the cycle in
which they leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archsim.engines import NO_STALLS, Data, Env, GemmJobs, SpecBatch, Timing
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.engines.gemm import PORTS
from archsim.engines.gemm.stationary import StationaryFolds, stationary_times
from archsim.engines.offers import check_ports, is_ideal


def folds_of(spec: AdderTreeSpec | SpecBatch, jobs: GemmJobs) -> StationaryFolds:
    return StationaryFolds.of(
        jobs, spec.depth, spec.cols, spec.acc_rows, skewed=False, stages=spec.stages
    )


def time(
    spec: AdderTreeSpec | SpecBatch, jobs: GemmJobs, env: Env = NO_STALLS, data: Data | None = None
) -> Timing:
    """Return the exact cycles of each job; a batch of specs pairs with the jobs row by row."""
    check_ports(env, PORTS)
    ports = {name: port for name, port in env.items() if name != "cmd" and not is_ideal(port)}
    return stationary_times(folds_of(spec, jobs), jobs, ports)


def actions(spec: AdderTreeSpec | SpecBatch, jobs: GemmJobs, timing: Timing) -> Mapping[str, Any]:
    """Return how often each job does what costs energy.

    ``mac`` counts products of real elements; ``load_hop`` elements of B times the shadow registers
    that they are shifted into; ``tree_sum`` sums of real columns over a tile; ``acc_read`` and
    ``acc_write`` rows of ``cols`` sums that the bank gives and takes; ``pe_clock`` multipliers
    times occupied cycles; ``a_beat``, ``b_beat``, ``c_beat``, ``result_beat`` what passes the
    ports, edge lanes included.
    """
    folds = folds_of(spec, jobs)
    kept = jobs.m * folds.across * (folds.deep - 1)
    return {
        "mac": jobs.m * jobs.n * jobs.k,
        "load_hop": folds.chunks * jobs.n * folds.load_hops,
        "tree_sum": jobs.m * jobs.n * folds.deep,
        "acc_read": kept,
        "acc_write": kept,
        "pe_clock": spec.pes * timing.occupied,
        **{f"{port}_beat": timing.beats[port] for port in PORTS},
    }
