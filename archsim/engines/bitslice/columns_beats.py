"""Operands of a job as the beats of an array of columns, and result beats as a matrix.

The engine has one order: that of an encoded operand A. With B encoded it multiplies the transposed
matrices, and its operand ports change places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints, Port
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.slices import (
    TRANSPOSED,
    command,
    k_slices,
    matrices,
    partial_sums,
    result_matrix,
)


def ports(spec: BitsliceSpec) -> Mapping[str, Port]:
    """Return the streams. Lanes beyond an edge carry zeros.

    With A encoded, beat i of a fold is ``lanes`` k-slices: on ``a`` the fold's ``cols`` rows of A
    at the first k, then at the next one; on ``b`` its ``rows`` columns of B, likewise. Beats of
    ``c`` and ``result`` are the fold's rows of C, top first, ``rows`` columns wide. Folds run n
    inner.

    With B encoded the same of the transposed product: ``b`` carries ``cols`` columns of B, ``a``
    ``rows`` rows of A, ``c`` and ``result`` columns of C; folds run m inner.
    """
    encoded = Port("in", spec.cols * spec.lanes, spec.encoded_bits)
    other = Port("in", spec.rows * spec.lanes, spec.other_bits)
    return {
        "a": encoded if spec.encoded == "a" else other,
        "b": other if spec.encoded == "a" else encoded,
        "c": Port("in", spec.rows, spec.acc_bits, shares=False),
        "result": Port("out", spec.rows, spec.acc_bits),
    }


def encoded_operand(spec: BitsliceSpec, jobs: GemmJobs, row: int, data: Data) -> Ints:
    """Return the encoded operand of a job, a row for each column's turn: [m or n, k]."""
    if jobs.refs is None:
        raise ValueError(f"jobs name no operands: exact time needs ref {spec.encoded}")
    values = np.asarray(data[jobs.refs[row][spec.encoded]], np.int64)
    return values if spec.encoded == "a" else values.T


def pack(spec: BitsliceSpec, jobs: GemmJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    found = matrices(jobs, row, data)
    if spec.encoded == "b":
        found = {TRANSPOSED[port]: matrix.T for port, matrix in found.items()}
    slices = k_slices(spec.cols, spec.rows, found["a"], found["b"])
    beats = _merged(spec.lanes, int(jobs.k[row]), slices)
    beats["c"] = partial_sums(found, spec.rows, spec.cols)
    if spec.encoded == "b":
        beats = {TRANSPOSED[port]: x for port, x in beats.items()}
    return {"cmd": command(jobs, row), **beats}


def unpack(
    spec: BitsliceSpec, jobs: GemmJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats on port ``result``."""
    m, n = int(jobs.m[row]), int(jobs.n[row])
    if spec.encoded == "b":
        m, n = n, m
    result = result_matrix(beats["result"], m, n, spec.cols)
    return {"result": result.T if spec.encoded == "b" else result}


def _merged(lanes: int, k: int, slices: Mapping[str, Ints]) -> dict[str, Ints]:
    """Return beats of ``lanes`` slices each; a fold's last one is filled up with zeros."""
    merged = {}
    for port, beats in slices.items():
        folds, width = len(beats) // k, beats.shape[1]
        whole = np.zeros((folds, -(-k // lanes) * lanes, width), np.int64)
        whole[:, :k] = beats.reshape(folds, k, width)
        merged[port] = whole.reshape(-1, lanes * width)
    return merged
