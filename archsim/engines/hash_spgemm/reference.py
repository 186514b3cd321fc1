"""Values of the engine: entries of C, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data
from archsim.engines.hash_spgemm.spec import VALUE_BITS, HashSpgemmSpec, WindowJobs
from archsim.engines.hash_spgemm.window import window


def reference(
    spec: HashSpgemmSpec, jobs: WindowJobs, data: Data
) -> list[Mapping[str, NDArray[Any]]]:
    """Return ``c`` [entries, 3] of every job: row, column and value, in order of rows and columns.

    With it come how many ``entries`` they are, and how many ``rows`` the window took.
    Rows and columns count from the window's first. Values wrap; an entry whose products cancel
    stays, as in every product of patterns.
    """
    found: list[Mapping[str, NDArray[Any]]] = []
    unused = np.int64(64 - VALUE_BITS)
    for number in range(len(jobs)):
        w = window(spec, jobs, number, data)
        source, column, entry = w.products()
        place = w.a_row[source] * w.width + column
        places, which = np.unique(place, return_inverse=True)
        values = np.zeros(len(places), np.int64)
        np.add.at(values, which, w.a_val[source] * w.b_val[entry])
        c = np.stack([places // w.width, places % w.width, values << unused >> unused], axis=1)
        rows = jobs.last[number] - jobs.first[number]
        found.append({"c": c, "entries": np.array([len(c)]), "rows": np.array([rows])})
    return found
