"""Operands of a job of a lockstep array as the beats of its ports, and result beats as a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints, Port
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.slices import (
    TRANSPOSED,
    command,
    k_slices,
    matrices,
    padded,
    partial_sums,
    result_matrix,
)


def ports(spec: BitsliceSpec) -> Mapping[str, Port]:
    """Return the streams. Lanes beyond an edge carry zeros.

    A beat of ``a`` and ``b`` is ``group`` k-slices, side by side. Of a port of L lanes a slice,
    element i of slice s is in lane ``s L + i``; L is ``cols`` on the port of the encoded operand
    and ``rows`` on the other. Beats of ``c`` and ``result`` are rows of C, or columns of C where
    ``b`` is encoded. Folds run along the encoded operand's lanes last.
    """
    slices = {spec.encoded: spec.cols, "b" if spec.encoded == "a" else "a": spec.rows}
    return {
        "a": Port("in", slices["a"] * spec.group, spec.a_bits),
        "b": Port("in", slices["b"] * spec.group, spec.b_bits),
        "c": Port("in", spec.rows, spec.acc_bits, shares=False),
        "result": Port("out", spec.rows, spec.acc_bits),
    }


def pack(spec: BitsliceSpec, jobs: GemmJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    found = matrices(jobs, row, data)
    if spec.encoded == "b":
        found = {TRANSPOSED[port]: matrix.T for port, matrix in found.items()}
    a, b = found["a"], found["b"]
    whole = -(-len(b) // spec.group) * spec.group
    slices = k_slices(spec.cols, spec.rows, padded(a, len(a), whole), padded(b, whole, b.shape[1]))
    beats = {
        "a": slices["a"].reshape(-1, spec.group * spec.cols),
        "b": slices["b"].reshape(-1, spec.group * spec.rows),
        "c": partial_sums(found, spec.rows, spec.cols),
    }
    if spec.encoded == "b":
        beats = {TRANSPOSED[port]: x for port, x in beats.items()}
    return {"cmd": command(jobs, row), **beats}


def unpack(
    spec: BitsliceSpec, jobs: GemmJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats on port ``result``."""
    m, n = int(jobs.m[row]), int(jobs.n[row])
    if spec.encoded == "b":
        return {"result": result_matrix(beats["result"], n, m, spec.cols).T}
    return {"result": result_matrix(beats["result"], m, n, spec.cols)}
