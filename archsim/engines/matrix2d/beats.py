"""Operands of a job as the beats of its ports, and result beats as a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints, Port
from archsim.engines.gemm.slices import (
    command,
    k_slices,
    matrices,
    padded,
    partial_sums,
    result_matrix,
)
from archsim.engines.matrix2d.spec import Matrix2dSpec

WINDOW_BITS = 3  # of an element of A: what one of its radix-4 digits is made from


def ports(spec: Matrix2dSpec) -> Mapping[str, Port]:
    """Return the streams. Lanes beyond an edge carry zeros.

    Beat f k + i of ``a`` and ``b`` is k-slice i of fold f: column i of the fold's rows of A, row i
    of its columns of B. Beats of ``c`` and ``result`` are the fold's rows of C, top first. Folds
    run n inner.

    With ``pe: opt2`` a beat is four k-slices, side by side: element i of slice s in lane
    ``s rows + i``, or ``s cols + i`` of ``b``. A fold's beats come once a digit of A, the highest
    first. Of A they hold no elements but the three bits that make that digit: bits ``2 d - 1`` to
    ``2 d + 1`` for digit d, lowest first, with a zero below bit 0 and the sign above the last. So
    ``a`` takes 1.5 times the bits that bytes of A have, and ``b`` four times those of B: a pass
    for each digit.
    """
    a_bits = WINDOW_BITS if spec.pe == "opt2" else spec.a_bits
    return {
        "a": Port("in", spec.rows * spec.slices, a_bits, signed=spec.pe != "opt2"),
        "b": Port("in", spec.cols * spec.slices, spec.b_bits),
        "c": Port("in", spec.cols, spec.acc_bits, shares=False),
        "result": Port("out", spec.cols, spec.acc_bits),
    }


def pack(spec: Matrix2dSpec, jobs: GemmJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port.

    Raises
    ------
    ValueError
        If jobs name no operands, or k is longer than sums hold.
    """
    found = matrices(jobs, row, data)
    return {
        "cmd": command(jobs, row),
        **_operands(spec, found["a"], found["b"]),
        "c": partial_sums(found, spec.cols, spec.rows),
    }


def _operands(spec: Matrix2dSpec, a: Ints, b: Ints) -> dict[str, Ints]:
    """Return the beats of ``a`` [m, k] and ``b`` [k, n]: of each fold, pass after pass."""
    if spec.pe != "opt2":
        return k_slices(spec.rows, spec.cols, a, b)
    (m, k), n = a.shape, b.shape[1]
    if k > spec.longest_k:
        raise ValueError(f"k must be at most {spec.longest_k} for sums to hold it, not {k}")
    steps = -(-k // spec.slices)
    a, b = padded(a, m, steps * spec.slices), padded(b, steps * spec.slices, n)
    passes = [
        k_slices(spec.rows, spec.cols, window, b)
        for window in reversed([2 * a >> 2 * d & 7 for d in range(spec.passes)])
    ]

    def joined(port: str, lanes: int) -> Ints:
        by_pass = [beats[port].reshape(-1, steps, spec.slices * lanes) for beats in passes]
        return np.stack(by_pass, axis=1).reshape(-1, spec.slices * lanes)

    return {"a": joined("a", spec.rows), "b": joined("b", spec.cols)}


def unpack(
    spec: Matrix2dSpec, jobs: GemmJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats on port ``result``."""
    m, n = int(jobs.m[row]), int(jobs.n[row])
    return {"result": result_matrix(beats["result"], m, n, spec.rows)}
