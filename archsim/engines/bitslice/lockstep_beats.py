"""Operands of a job of a lockstep array as the beats of its ports, and result beats as a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints, Port
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.slices import k_slices, padded, result_beats, result_matrix


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
    if jobs.refs is None:
        raise ValueError("jobs name no operands: beats need refs a, b (and c)")
    m, n, k = (int(x[row]) for x in (jobs.m, jobs.n, jobs.k))
    accumulate, refs = bool(jobs.accumulate[row]), jobs.refs[row]
    a, b = (np.asarray(data[refs[port]]) for port in "ab")
    c = np.asarray(data[refs["c"]]) if accumulate else np.zeros((0, n), np.int64)
    if spec.encoded == "b":  # the transposed product
        a, b = b.T, a.T
        c = c.T if accumulate else np.zeros((0, m), np.int64)
    whole = -(-k // spec.group) * spec.group
    slices = k_slices(spec.cols, spec.rows, padded(a, len(a), whole), padded(b, whole, b.shape[1]))
    encoded, other = (
        slices["a"].reshape(-1, spec.group * spec.cols),
        slices["b"].reshape(-1, spec.group * spec.rows),
    )
    return {
        "cmd": {"m": m, "n": n, "k": k, "accumulate": int(accumulate)},
        "a": encoded if spec.encoded == "a" else other,
        "b": other if spec.encoded == "a" else encoded,
        "c": result_beats(c, spec.rows, spec.cols),
    }


def unpack(
    spec: BitsliceSpec, jobs: GemmJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats on port ``result``."""
    m, n = int(jobs.m[row]), int(jobs.n[row])
    if spec.encoded == "b":
        return {"result": result_matrix(beats["result"], n, m, spec.cols).T}
    return {"result": result_matrix(beats["result"], m, n, spec.cols)}
