"""Operands of a job as the beats of its ports, and result beats as a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints, Port
from archsim.engines.gemm.slices import (
    TRANSPOSED,
    command,
    k_slices,
    matrices,
    partial_sums,
    result_matrix,
    rows_and_tiles,
)
from archsim.engines.systolic.spec import SystolicSpec


def ports(spec: SystolicSpec) -> Mapping[str, Port]:
    """Return the streams. Lanes beyond an edge carry zeros.

    os: beat f k + i of ``a`` and ``b`` is k-slice i of fold f: column i of the fold's rows of A,
    row i of its columns of B. Beats of ``c`` and ``result`` are the fold's rows of C, top first.
    Folds run n inner.

    ws: folds run over chunks of ``acc_rows`` rows of C, then n, then k innermost. Beats of ``a``
    are the rows of the fold's part of A, top first; those of ``b`` the rows of its tile of B,
    *bottom* first, the one that moves down furthest; a ragged tile has fewer. Beats of ``c`` and
    ``result`` are, for each chunk and columns of n, the chunk's rows of C.

    is: the same of the transposed product. Beats of ``b`` are columns of B (``rows`` lanes of k),
    those of ``a`` columns of A (``cols`` lanes of m), last one of a tile first, those of ``c`` and
    ``result`` columns of C (``cols`` lanes of m); chunks run along n.

    Lanes are two's complement, or bit patterns: of bf16 on ``a`` and ``b``, of fp32 on the others.
    """
    signed = spec.numbers == "int"
    a_lanes, b_lanes = spec.rows, spec.cols
    if spec.dataflow == "is":
        a_lanes, b_lanes = b_lanes, a_lanes
    return {
        "a": Port("in", a_lanes, spec.a_bits, signed),
        "b": Port("in", b_lanes, spec.b_bits, signed),
        "c": Port("in", spec.cols, spec.acc_bits, signed, shares=False),
        "result": Port("out", spec.cols, spec.acc_bits, signed),
    }


def pack(spec: SystolicSpec, jobs: GemmJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    operands = matrices(jobs, row, data)
    if spec.dataflow == "is":
        operands = {TRANSPOSED[port]: x.T for port, x in operands.items()}
    if spec.dataflow == "os":
        beats = k_slices(spec.rows, spec.cols, operands["a"], operands["b"])
    else:
        beats = rows_and_tiles(spec.rows, spec.cols, spec.acc_rows, operands["a"], operands["b"])
    beats["c"] = partial_sums(operands, spec.cols, _together(spec))
    if spec.dataflow == "is":
        beats = {TRANSPOSED[port]: x for port, x in beats.items()}
    return {"cmd": command(jobs, row), **beats}


def unpack(
    spec: SystolicSpec, jobs: GemmJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats on port ``result``."""
    m, n = int(jobs.m[row]), int(jobs.n[row])
    if spec.dataflow == "is":
        m, n = n, m
    result = result_matrix(beats["result"], m, n, _together(spec))
    return {"result": result.T if spec.dataflow == "is" else result}


def _together(spec: SystolicSpec) -> int:
    """Return how many rows of C are finished together."""
    return spec.rows if spec.dataflow == "os" else spec.acc_rows
