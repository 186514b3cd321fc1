"""What the block computes: entries of C, window by window, whoever adds them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data
from archsim.engines.piuma.jobs import PiumaJobs
from archsim.engines.piuma.spec import PiumaSpec
from archsim.sparse.hashing import first_alike


def reference(spec: PiumaSpec, jobs: PiumaJobs, data: Data) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``row``, ``col`` and ``value`` of each window's entries of C, by row and column.

    An entry whose products cancel stays, as in every product of patterns. Sums are in the order of
    one thread; integers, and floats that stand for them, do not depend on it. Without values,
    entries are ones.
    """
    assert jobs.refs is not None
    found: list[Mapping[str, NDArray[Any]]] = []
    for number, refs in enumerate(jobs.refs):
        a_ptr, a_col, b_ptr, b_col = (
            data[f"{refs[x]}.{part}"] for x in "ab" for part in ("indptr", "indices")
        )
        first, last = int(jobs.first[number]), int(jobs.last[number])
        left, right = int(jobs.left[number]), int(jobs.right[number])
        begin, end = int(a_ptr[first]), int(a_ptr[last])
        k = a_col[begin:end]
        lengths = b_ptr[k + 1] - b_ptr[k]
        ends = np.cumsum(lengths)
        entry = np.repeat(b_ptr[k] - (ends - lengths), lengths) + np.arange(lengths.sum())
        nonzero = np.repeat(np.arange(end - begin), lengths)
        col = b_col[entry]
        inside = (col >= left) & (col < right)
        entry, nonzero, col = entry[inside], nonzero[inside], (col[inside] - left).astype(np.int32)
        row = np.repeat(np.arange(first, last), np.diff(a_ptr[first : last + 1]))[nonzero]
        of_row = np.bincount(row - first, minlength=last - first)
        same = first_alike(col, of_row, right - left)
        values = _values(data, refs["a"], begin + nonzero) * _values(data, refs["b"], entry)
        sums = np.zeros(len(col), values.dtype)
        np.add.at(sums, same, values)
        new = np.flatnonzero(same == np.arange(len(same)))
        order = new[np.lexsort((col[new], row[new]))]
        found.append({"row": row[order], "col": col[order] + left, "value": sums[order]})
    return found


def _values(data: Data, ref: str, entries: NDArray[np.int64]) -> NDArray[Any]:
    name = f"{ref}.values"
    return data[name][entries] if name in data else np.ones(len(entries), np.int64)
