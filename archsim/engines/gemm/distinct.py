"""Exact models that take one job at a time, run over many jobs, equal ones once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from archsim.engines import Ints
from archsim.engines.gemm import PORTS
from archsim.engines.gemm.cycle_loop import Stalled


def run_distinct(
    columns: Sequence[Any], run: Callable[..., Stalled], ports: Mapping[str, Any], rows: Any
) -> tuple[Ints, Mapping[str, Ints]]:
    """Return cycles and stalls by port of some jobs.

    Parameters
    ----------
    columns
        Arguments of ``run`` before the ports, each a number or an array [n].
    rows
        Index of the jobs that are wanted.
    """
    table = np.stack(np.broadcast_arrays(*columns), axis=1).astype(np.int64)[rows]
    unique, where = np.unique(table, axis=0, return_inverse=True)
    runs = [run(*row, ports) for row in unique.tolist()]
    found = np.array([(r.cycles, *(r.stalls[port] for port in PORTS)) for r in runs], np.int64)
    found = found.reshape(-1, 1 + len(PORTS))[where.reshape(-1)]
    return found[:, 0], {port: found[:, i + 1] for i, port in enumerate(PORTS)}
