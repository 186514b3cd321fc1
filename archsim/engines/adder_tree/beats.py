"""Operands of a job as the beats of its ports, and result beats as a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints, Port
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.engines.gemm.slices import (
    command,
    matrices,
    partial_sums,
    result_matrix,
    rows_and_tiles,
)


def ports(spec: AdderTreeSpec) -> Mapping[str, Port]:
    """Return the streams. Lanes beyond an edge carry zeros.

    Folds run over chunks of ``acc_rows`` rows of C, then n, then k innermost. Beats of ``a`` are
    the rows of the fold's part of A, ``depth`` elements of k, top first; those of ``b`` the rows of
    its tile of B, *bottom* first, the one that moves down furthest; a ragged tile has fewer. Beats
    of ``c`` and ``result`` are, for each chunk and columns of n, the chunk's rows of C.
    """
    return {
        "a": Port("in", spec.depth, spec.a_bits),
        "b": Port("in", spec.cols, spec.b_bits),
        "c": Port("in", spec.cols, spec.acc_bits, shares=False),
        "result": Port("out", spec.cols, spec.acc_bits),
    }


def pack(spec: AdderTreeSpec, jobs: GemmJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    found = matrices(jobs, row, data)
    return {
        "cmd": command(jobs, row),
        **rows_and_tiles(spec.depth, spec.cols, spec.acc_rows, found["a"], found["b"]),
        "c": partial_sums(found, spec.cols, spec.acc_rows),
    }


def unpack(
    spec: AdderTreeSpec, jobs: GemmJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats on port ``result``."""
    m, n = int(jobs.m[row]), int(jobs.n[row])
    return {"result": result_matrix(beats["result"], m, n, spec.acc_rows)}
