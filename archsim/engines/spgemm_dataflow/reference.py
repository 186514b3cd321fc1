"""Values: each window's part of C, products added up in the order in which the loops make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, Ints
from archsim.engines.spgemm_dataflow.spec import DataflowJobs, SpgemmDataflowSpec
from archsim.errors import InputError

Array = NDArray[Any]


def reference(
    spec: SpgemmDataflowSpec, jobs: DataflowJobs, data: Data
) -> list[Mapping[str, Array]]:
    """Return the entries of each window: ``row``, ``column`` and ``value``, each of one length.

    They are sorted by row and column, each place once, zeros where values cancel among them. What
    phase 0 of ``outer`` puts out are partial products, as they are made. Products of a place are
    added up one by one as their columns of A ascend, in the type of their values; where a matrix is
    a pattern, its entries are ones.

    A dense B is an array [k, n] under the ref itself.

    Raises
    ------
    InputError
        If it is not given.
    """
    if jobs.refs is None:
        raise ValueError("jobs name no operands: values need refs a and b")
    return [_window(spec, jobs, i, refs, data) for i, refs in enumerate(jobs.refs)]


def _window(
    spec: SpgemmDataflowSpec, jobs: DataflowJobs, i: int, refs: Mapping[str, str], data: Data
) -> Mapping[str, Array]:
    first, stop, left, right = (
        int(getattr(jobs, x)[i]) for x in ("first", "stop", "left", "right")
    )
    a, b = refs["a"], refs["b"]
    data = _sparse(b, data)
    indptr, k = data[f"{a}.indptr"], data[f"{a}.indices"].astype(np.int64)
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    multiplies = spec.dataflow == "outer" and not jobs.merging[i]
    of = k if multiplies else row  # what the window is a range of
    mine = np.flatnonzero((of >= first) & (of < stop))
    if multiplies:
        mine = mine[np.argsort(k[mine], kind="stable")]
    owner, column, values = _products(a, b, mine, data)
    inside = (column >= left) & (column < right)
    made = {"row": row[owner][inside], "column": column[inside], "value": values[inside]}
    return made if multiplies else _added(**made)


def _sparse(ref: str, data: Data) -> Data:
    """Return the same with a matrix by its rows, if it is a dense one."""
    if f"{ref}.indptr" in data:
        return data
    if ref not in data:
        raise InputError("engine 'spgemm_dataflow'", f"values need {ref!r}, [k, n], if it is dense")
    rows, columns = data[ref].shape
    found = {"indptr": np.arange(rows + 1) * columns, "indices": np.tile(np.arange(columns), rows)}
    found["values"] = data[ref].ravel()
    return {**data, **{f"{ref}.{part}": array for part, array in found.items()}}


def _products(a: str, b: str, mine: Ints, data: Data) -> tuple[Ints, Ints, Array]:
    """Return each product's entry of A, its column and its value, in order of A's entries."""
    begins, k = data[f"{b}.indptr"].astype(np.int64), data[f"{a}.indices"][mine]
    lengths = np.diff(begins)[k]
    owner = np.repeat(np.arange(len(mine)), lengths)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    at = begins[k][owner] + within
    return (
        mine[owner],
        data[f"{b}.indices"][at].astype(np.int64),
        _of(a, mine, data)[owner] * _of(b, at, data),
    )


def _of(ref: str, at: Ints, data: Data) -> Array:
    """Return the values of some entries; those of a pattern are ones."""
    values = data.get(f"{ref}.values")
    return np.ones(len(at), np.int64) if values is None else values[at]


def _added(row: Ints, column: Ints, value: Array) -> Mapping[str, Array]:
    """Return the sum at each place, added up in the order given."""
    order = np.lexsort((column, row))
    row, column, value = row[order], column[order], value[order]
    new = np.ones(len(row), bool)
    new[1:] = (np.diff(row) > 0) | (np.diff(column) > 0)
    sums = np.zeros(int(new.sum()), value.dtype)
    np.add.at(sums, np.cumsum(new) - 1, value)
    return {"row": row[new], "column": column[new], "value": sums}
