"""Operands as the beats of folds that keep their sums or a tile, and the order of result beats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, GemmJobs, Ints

TRANSPOSED = {"a": "b", "b": "a", "c": "c"}  # operands of C^T = B^T A^T


def command(jobs: GemmJobs, row: int) -> dict[str, int]:
    """Return the fields of a job's command."""
    fields = {name: int(getattr(jobs, name)[row]) for name in "mnk"}
    return {**fields, "accumulate": int(jobs.accumulate[row])}


def matrices(jobs: GemmJobs, row: int, data: Data) -> dict[str, NDArray[Any]]:
    """Return a job's ``a`` [m, k] and ``b`` [k, n], and ``c`` [m, n] if it is read."""
    if jobs.refs is None:
        raise ValueError("jobs name no operands: beats need refs a, b (and c)")
    refs = jobs.refs[row]
    return {
        port: np.asarray(data[refs[port]]) for port in ("abc" if jobs.accumulate[row] else "ab")
    }


def partial_sums(found: Mapping[str, NDArray[Any]], cols: int, together: int) -> Ints:
    """Return the beats of ``c`` of a job's matrices, none if it is not read; see `result_beats`."""
    return result_beats(found.get("c", np.zeros((0, cols), np.int64)), cols, together)


def k_slices(rows: int, cols: int, a: Ints, b: Ints) -> dict[str, Ints]:
    """Return the beats of ``a`` [m, k] and ``b`` [k, n]: the k-slices of each fold, n inner."""
    (m, k), n = a.shape, b.shape[1]
    folds_m, folds_n = -(-m // rows), -(-n // cols)
    a_slices = padded(a, folds_m * rows, k).reshape(folds_m, 1, rows, k)
    b_slices = padded(b, k, folds_n * cols).reshape(1, k, folds_n, cols)
    shape = (folds_m, folds_n, k)
    return {
        "a": np.broadcast_to(a_slices.transpose(0, 1, 3, 2), (*shape, rows)).reshape(-1, rows),
        "b": np.broadcast_to(b_slices.transpose(0, 2, 1, 3), (*shape, cols)).reshape(-1, cols),
    }


def rows_and_tiles(rows: int, cols: int, bank: int, a: Ints, b: Ints) -> dict[str, Ints]:
    """Return the beats of an array in which tiles of ``b`` [k, n] stay and rows of ``a`` stream.

    For each chunk of ``bank`` rows, columns of n and tile along k: the chunk's rows of the part of
    ``a``, top first; the rows of the tile, bottom first.
    """
    (m, k), n = a.shape, b.shape[1]
    deep, across = -(-k // rows), -(-n // cols)
    a_rows = padded(a, m, deep * rows).reshape(m, deep, rows).transpose(1, 0, 2)
    chunks = np.split(a_rows, range(bank, m, bank), axis=1)
    a_beats = [np.tile(chunk.reshape(-1, rows), (across, 1)) for chunk in chunks]
    tiles = np.split(np.arange(k), range(rows, k, rows))
    order = np.concatenate([tile[::-1] for tile in tiles])
    b_rows = padded(b, k, across * cols).reshape(k, across, cols).transpose(1, 0, 2)
    b_beats = b_rows[:, order].reshape(-1, cols)
    return {"a": np.concatenate(a_beats), "b": np.tile(b_beats, (len(chunks), 1))}


def padded(matrix: NDArray[Any], rows: int, columns: int) -> Ints:
    """Return the matrix with zeros up to a size."""
    whole = np.zeros((rows, columns), np.int64)
    whole[: matrix.shape[0], : matrix.shape[1]] = matrix
    return whole


def result_beats(c: NDArray[Any], cols: int, together: int) -> Ints:
    """Return the beats [beats, cols] of a matrix [m, n] in the order of results.

    Parameters
    ----------
    together
        Rows of C that are finished together: for each such chunk, and columns of n, its rows.
    """
    m, n = c.shape
    row, column = _result_order(m, n, cols, together)
    tiles: Ints = padded(c, m, -(-n // cols) * cols).reshape(m, -(-n // cols), cols)
    return tiles[row, column]


def result_matrix(beats: Ints, m: int, n: int, together: int) -> Ints:
    """Return the matrix [m, n] of result beats; undoes `result_beats`."""
    cols = beats.shape[1]
    row, column = _result_order(m, n, cols, together)
    c = np.empty((m, -(-n // cols), cols), np.int64)
    c[row, column] = beats
    return c.reshape(m, -1)[:, :n]


def _result_order(m: int, n: int, cols: int, together: int) -> tuple[Ints, Ints]:
    """Return the row of C and the tile column of each result beat."""
    row, column = np.divmod(np.arange(m * -(-n // cols)), -(-n // cols))
    order = np.lexsort((row, column, row // together))
    return row[order], column[order]
