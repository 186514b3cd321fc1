"""How a product becomes windows, and windows jobs."""

from __future__ import annotations

from typing import Literal

import numpy as np

from archsim.engines import Ints, Reason, Windows
from archsim.engines.hash_spgemm.spec import WORD_BITS, HashSpgemmSpec, WindowJobs
from archsim.errors import InfeasibleError
from archsim.sparse.hashing import count_probes
from archsim.sparse.product import SparseProduct
from archsim.trace import Op

WORD_BYTES = WORD_BITS // 8


def accepts(spec: HashSpgemmSpec, op: Op) -> Literal[True] | Reason:
    """Return whether the engine takes an op: sparse products whose columns fit a tag."""
    if op.kind != "spgemm":
        return Reason(f"multiplies two sparse matrices, and has no {op.kind}")
    columns = op.int_attr("n")
    if columns > 1 << spec.col_bits:
        return Reason(
            f"col_bits={spec.col_bits} tell {1 << spec.col_bits:,} columns apart, not {columns:,}"
        )
    return True


def windows(spec: HashSpgemmSpec, op: Op, product: SparseProduct, room_bytes: int) -> Windows:
    """Return the windows of a product, and what each moves between DRAM and buffer.

    A window's rows and nonzeros of A are loaded before it, with the words of rows behind it that
    may be read ahead; its entries of C are stored after it. B is loaded once, before the first, if
    it fits beside two windows' A and C; otherwise each window loads the rows of B that its nonzeros
    meet.

    Raises
    ------
    InfeasibleError
        If two windows do not fit, the one at work and the one that is loaded.
    """
    jobs = window_jobs(spec, product)
    ahead = np.minimum(jobs.rest, spec.queue)
    a_bytes = (jobs.last - jobs.first + ahead + jobs.entries) * WORD_BYTES
    c_bytes = (jobs.results + 1) * WORD_BYTES
    assert product.b is not None
    own = 2 * int((a_bytes + c_bytes).max(initial=0))
    whole = (product.k + product.b.entries) * WORD_BYTES
    if own + whole <= room_bytes:
        b_bytes = np.where(np.arange(len(jobs)) == 0, whole, 0)
        need = own + whole
    else:
        b_bytes = _met_bytes(jobs, product)
        need = 2 * int((a_bytes + b_bytes + c_bytes).max(initial=0))
    if need > room_bytes:
        raise InfeasibleError(
            "a pair of windows of a sparse product", demand=need, bound=room_bytes,
            unit="bytes of buffer",
            levers=("raise memories.buffer.capacity_bytes", "take fewer slots, or more a product"),
        )  # fmt: skip
    nothing = np.zeros(len(jobs), np.int64)
    return Windows(
        phase=nothing, first=jobs.first, stop=jobs.last, left=jobs.left, right=jobs.right,
        load_bytes=(a_bytes, b_bytes), partial_bytes=nothing, store_bytes=c_bytes,
        final=nothing == 0, room_bytes=need,
    )  # fmt: skip


def lower(spec: HashSpgemmSpec, op: Op, cut: Windows, product: SparseProduct) -> WindowJobs:
    """Return the job of each window."""
    return window_jobs(spec, product)


def window_jobs(spec: HashSpgemmSpec, product: SparseProduct) -> WindowJobs:
    """Return the windows of C = A B, as `archsim.sparse.hashing` cuts them."""
    key = ("hash_spgemm", spec.rule, spec.exact_limit)
    return product.once(key, lambda: _window_jobs(spec, product))


def _window_jobs(spec: HashSpgemmSpec, product: SparseProduct) -> WindowJobs:
    probed = count_probes(product, spec.rule)
    cut = probed.windows
    return WindowJobs(
        first=cut.first, last=cut.last, left=cut.left, right=cut.right,
        rest=product.m - cut.last, entries=np.diff(probed.start),
        walked=probed.by_window(probed.walked), products=probed.by_window(probed.products),
        results=probed.by_window(probed.inserts), probes=probed.by_window(probed.probes),
        exact=np.full(len(cut), product.products <= spec.exact_limit),
        refs=({"a": "a", "b": "b"},) * len(cut),
    )  # fmt: skip


def _met_bytes(jobs: WindowJobs, product: SparseProduct) -> Ints:
    """Return the bytes of the rows of B that each window meets, each once."""
    a, b = product.a, product.b
    assert b is not None
    window = np.repeat(np.arange(len(jobs)), jobs.entries)
    start = np.cumsum(jobs.entries) - jobs.entries
    entry = np.arange(len(window)) + (a.indptr[jobs.first] - start)[window]
    met = np.unique(window * product.k + a.indices[entry])
    words = 1 + b.row_lengths[met % product.k]
    return np.bincount(met // product.k, words, len(jobs)).astype(np.int64) * WORD_BYTES
