"""Operands of a job as the beats of its ports, and result beats as a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints, Port
from archsim.engines.cube.spec import CubeSpec
from archsim.engines.gemm.slices import (
    command,
    k_slices,
    matrices,
    padded,
    partial_sums,
    result_matrix,
)


def ports(spec: CubeSpec) -> Mapping[str, Port]:
    """Return the streams. Lanes beyond an edge, and beyond k, carry zeros.

    A beat of ``a`` and ``b`` is ``depth`` slices of k, side by side: element i of slice d in lane
    ``d rows + i``, or ``d cols + i`` of ``b``; slices are columns of the fold's rows of A, rows of
    its columns of B. Beats of ``c`` and ``result`` are the fold's rows of C, top first. Folds run n
    inner.
    """
    return {
        "a": Port("in", spec.rows * spec.depth, spec.a_bits),
        "b": Port("in", spec.cols * spec.depth, spec.b_bits),
        "c": Port("in", spec.cols, spec.acc_bits, shares=False),
        "result": Port("out", spec.cols, spec.acc_bits),
    }


def pack(spec: CubeSpec, jobs: GemmJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    found = matrices(jobs, row, data)
    a, b = found["a"], found["b"]
    whole = -(-len(b) // spec.depth) * spec.depth
    slices = k_slices(spec.rows, spec.cols, padded(a, len(a), whole), padded(b, whole, b.shape[1]))
    return {
        "cmd": command(jobs, row),
        "a": slices["a"].reshape(-1, spec.depth * spec.rows),
        "b": slices["b"].reshape(-1, spec.depth * spec.cols),
        "c": partial_sums(found, spec.cols, spec.rows),
    }


def unpack(
    spec: CubeSpec, jobs: GemmJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats on port ``result``."""
    m, n = int(jobs.m[row]), int(jobs.n[row])
    return {"result": result_matrix(beats["result"], m, n, spec.rows)}
