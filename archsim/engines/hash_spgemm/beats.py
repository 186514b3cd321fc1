"""A window as words of memory, and what is written there as entries of C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, Ints, MemoryPort, Port, Runs
from archsim.engines.hash_spgemm.spec import (
    ADDRESS_BITS,
    WORD_BITS,
    HashSpgemmSpec,
    WindowJobs,
)
from archsim.engines.hash_spgemm.window import Window, row_words, window

HALF = 32  # where the second half of a word begins


def ports(spec: HashSpgemmSpec) -> Mapping[str, MemoryPort]:
    """Return the streams.

    Words of 64 bits, of which the lower half comes first. From `rows_at` on memory holds a word a
    row, from the window's first to the last of A: its nonzeros, and its products; `rows` says how
    many. From `a_at` on a word a nonzero of A, row by row: column and value. From `bounds_at` on a
    word a row of B: where it begins, counted from B's first entry, and its entries. From `b_at` on
    a word an entry of B: column and value. The window takes columns of C from `left` on, `width` of
    them; `span_log2` is the logarithm of that, rounded up.

    To `c_at` the engine writes how many entries of C there are, and how many rows the window took:
    as many as have no more than `slots / slots_per_product` products together, and at least one.
    The next window begins with the row behind these. A row of more products is alone; if there are
    more columns than that, too, it has to be cut into windows by columns, each no wider than the
    table. Behind that word come the entries, in any order: row and column as a tag, and value. The
    column, from `left` on, is the tag's lowest bits, as many as `col_bits` says; the row counts
    from the window's first.
    """
    return {"mem": MemoryPort(ADDRESS_BITS, WORD_BITS)}


def lanes(spec: HashSpgemmSpec) -> Mapping[str, Port]:
    """Return the port's streams as the buffer sees them: words read and words written."""
    return {
        "mem_rsp": Port("in", 1, WORD_BITS),
        "mem_write": Port("out", 1, WORD_BITS),
    }


def pack(spec: HashSpgemmSpec, jobs: WindowJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the words of memory [words]."""
    w = window(spec, jobs, row, data)
    counts, products = row_words(jobs, row, data)
    parts = {
        "rows": counts | products << HALF,
        "a": _entries(w.a_col, w.a_val),
        "bounds": w.b_ptr[:-1] | np.diff(w.b_ptr) << HALF,
        "b": _entries(w.b_col, w.b_val),
        "c": np.zeros(int(jobs.results[row]) + 1, np.int64),
    }
    starts = np.cumsum([0, *(len(part) for part in parts.values())]).tolist()
    return {
        "cmd": {
            "rows": len(counts),
            **{f"{name}_at": at for name, at in zip(parts, starts, strict=False)},
            **_columns(w),
        },
        "mem": np.concatenate(list(parts.values())),
    }


def _columns(w: Window) -> Mapping[str, int]:
    return {"left": w.left, "width": w.width, "span_log2": (w.span - 1).bit_length()}


def _entries(column: Ints, value: Ints) -> Ints:
    return np.asarray(column | value << HALF)


def writes(
    spec: HashSpgemmSpec, packed: Mapping[str, Any], results: Mapping[str, NDArray[Any]]
) -> Runs:
    """Return the word with the counts, and the entries of C behind it, in any order."""
    row, column, value = results["c"].T
    counts = results["entries"] | results["rows"] << HALF
    c_at = packed["cmd"]["c_at"]
    words = row << spec.col_bits | column | value << HALF
    return [(c_at, counts.tolist()), (c_at + 1, words.tolist())]


def unpack(
    spec: HashSpgemmSpec, jobs: WindowJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return what `reference` does, of the writes [writes, 2]: entries, then how many, of how many.

    Entries come in the order of slots or of arrival, and the next after them has to sort them.
    """
    words = beats["mem"][:, 1]
    entries, count = words[:-1], words[-1:]
    order = beats["mem"][:-1, 0].argsort(kind="stable")
    tag = entries[order] & (1 << HALF) - 1
    c = np.stack([tag >> spec.col_bits, tag & (1 << spec.col_bits) - 1, entries[order] >> HALF], 1)
    c = c[np.lexsort((c[:, 1], c[:, 0]))]
    wanted = int(jobs.results[row])
    padded = np.full((wanted, 3), -1, np.int64)  # a run that lost entries is compared all the same
    padded[: len(c)] = c[:wanted]
    return {"c": padded, "entries": count & (1 << HALF) - 1, "rows": count >> HALF}
