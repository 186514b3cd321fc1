"""Operands of a job as the beats of its ports, and result beats as a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints, Port
from archsim.engines.systolic.spec import SystolicSpec


def ports(spec: SystolicSpec) -> Mapping[str, Port]:
    """Return the streams.

    Beat f k + i of ``a`` and ``b`` is k-slice i of fold f: column i of the fold's rows of A, row i
    of its columns of B. Beats of ``c`` and ``result`` are the fold's rows of C, top first. Folds
    run n inner. Lanes beyond an edge carry zeros.

    Lanes are two's complement, or bit patterns: of bf16 on ``a`` and ``b``, of fp32 on the others.
    """
    signed = spec.numbers == "int"
    return {
        "a": Port("in", spec.rows, spec.a_bits, signed),
        "b": Port("in", spec.cols, spec.b_bits, signed),
        "c": Port("in", spec.cols, spec.acc_bits, signed, shares=False),
        "result": Port("out", spec.cols, spec.acc_bits, signed),
    }


def pack(spec: SystolicSpec, jobs: GemmJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    m, n, k = (int(x[row]) for x in (jobs.m, jobs.n, jobs.k))
    accumulate = bool(jobs.accumulate[row])
    refs = _refs(jobs, row)
    a = _padded(data[refs["a"]], -(-m // spec.rows) * spec.rows, k)
    b = _padded(data[refs["b"]], k, -(-n // spec.cols) * spec.cols)
    folds_m, folds_n = len(a) // spec.rows, b.shape[1] // spec.cols
    a_slices = a.reshape(folds_m, 1, spec.rows, k).transpose(0, 1, 3, 2)
    b_slices = b.reshape(1, k, folds_n, spec.cols).transpose(0, 2, 1, 3)
    shape = (folds_m, folds_n, k)
    beats = {
        "cmd": {"m": m, "n": n, "k": k, "accumulate": int(accumulate)},
        "a": np.broadcast_to(a_slices, (*shape, spec.rows)).reshape(-1, spec.rows),
        "b": np.broadcast_to(b_slices, (*shape, spec.cols)).reshape(-1, spec.cols),
        "c": np.zeros((0, spec.cols), np.int64),
    }
    if accumulate:
        c = _padded(data[refs["c"]], m, folds_n * spec.cols)
        rows, columns = _result_order(spec, m, n)
        beats["c"] = c.reshape(m, folds_n, spec.cols)[rows, columns]
    return beats


def unpack(
    spec: SystolicSpec, jobs: GemmJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats [m folds_n, cols] on port ``result``."""
    m, n = int(jobs.m[row]), int(jobs.n[row])
    rows, columns = _result_order(spec, m, n)
    c = np.empty((m, -(-n // spec.cols), spec.cols), np.int64)
    c[rows, columns] = beats["result"]
    return {"result": c.reshape(m, -1)[:, :n]}


def _refs(jobs: GemmJobs, row: int) -> Mapping[str, str]:
    if jobs.refs is None:
        raise ValueError("jobs name no operands: beats need refs a, b (and c)")
    return jobs.refs[row]


def _padded(matrix: NDArray[Any], rows: int, columns: int) -> Ints:
    """Return the matrix with zeros up to a size."""
    padded = np.zeros((rows, columns), np.int64)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded


def _result_order(spec: SystolicSpec, m: int, n: int) -> tuple[Ints, Ints]:
    """Return the row of C and the tile column of each result beat."""
    row, column = np.divmod(np.arange(m * -(-n // spec.cols)), -(-n // spec.cols))
    order = np.lexsort((row, column, row // spec.rows))
    return row[order], column[order]
