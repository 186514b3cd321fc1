"""What the block takes, and how a product becomes its windows."""

from __future__ import annotations

from typing import Literal

import numpy as np

from archsim.engines import Ints, Reason, Windows
from archsim.engines.piuma.jobs import PiumaJobs, jobs_of
from archsim.engines.piuma.spec import ENTRY_BYTES, OPERATIONS, WORD_BYTES, PiumaSpec
from archsim.engines.piuma.timing import A_WORDS
from archsim.errors import InfeasibleError
from archsim.sparse.hashing import Probed, count_probes
from archsim.sparse.product import SparseProduct
from archsim.trace import Op

MAX_WALKED = 1 << 31  # entries of B: some minutes
LINE_BYTES = 64  # that a thread has on its way from DRAM, at most, of either operand


def accepts(spec: PiumaSpec, op: Op) -> Literal[True] | Reason:
    if op.kind != "spgemm":
        return Reason(f"multiplies two sparse matrices, and has no {op.kind}")
    return True


def windows(spec: PiumaSpec, op: Op, product: SparseProduct, room_bytes: int) -> Windows:
    """Return the windows of a product and the bytes of each.

    Raises
    ------
    InfeasibleError
        If operations are asked for of a product that is too large for them, long rows are cut into
        so many ranges, each of which walks all of them, that nobody would wait for it, or the lines
        that all threads have on their way do not fit.
    """
    lines_bytes = 2 * LINE_BYTES * spec.all_threads
    if lines_bytes > room_bytes:
        raise InfeasibleError(
            f"a line of either operand for each of {spec.all_threads:,} threads",
            demand=lines_bytes, bound=room_bytes, unit="bytes of buffer",
            levers=("raise memories.buffer.capacity_bytes", "take fewer threads"),
        )  # fmt: skip
    if spec.detail == "operation" and product.products > OPERATIONS:
        raise InfeasibleError(
            "simulating operation by operation", demand=product.products, bound=OPERATIONS,
            unit="products", levers=("set detail: token",),
        )  # fmt: skip
    _check_walk(spec, product)
    found = count_probes(product, spec.rule)
    cut = found.windows
    nothing = np.zeros(len(cut), np.int64)
    stored = found.by_window(found.inserts) * ENTRY_BYTES + (cut.last - cut.first) * WORD_BYTES
    return Windows(
        phase=nothing, first=cut.first, stop=cut.last, left=cut.left, right=cut.right,
        load_bytes=(np.diff(found.start) * A_WORDS * WORD_BYTES, b_bytes(spec, product, found)),
        partial_bytes=nothing, store_bytes=stored, final=nothing == 0,
        room_bytes=lines_bytes,
    )  # fmt: skip


def _check_walk(spec: PiumaSpec, product: SparseProduct) -> None:
    ranges = np.maximum(-(-product.row_products // spec.rule.cap), 1)
    walked = int((product.row_products * ranges).sum())
    if walked > MAX_WALKED:
        raise InfeasibleError(
            f"walking long rows in ranges of columns, {spec.rule.cap:,} products a window,",
            demand=walked, bound=MAX_WALKED, unit="entries of B",
            levers=("raise spad_bytes", "raise fill"),
        )  # fmt: skip


def lower(spec: PiumaSpec, op: Op, cut: Windows, product: SparseProduct) -> PiumaJobs:
    """Return the job of each window."""
    return jobs_of(spec, product)


def b_bytes(spec: PiumaSpec, product: SparseProduct, found: Probed) -> Ints:
    """Return what each window reads of B: a pair of pointers twice, and a row, for every nonzero.

    Rows of B are met at random, so each of their two arrays, columns and values, is rounded to the
    grain where it begins and where it ends. Nothing is read once for two nonzeros.
    """
    a, b = product.a, product.b
    assert b is not None

    def rounded(first: Ints, last: Ints) -> Ints:
        spans = -(-last * WORD_BYTES // spec.grain_bytes) - first * WORD_BYTES // spec.grain_bytes
        return np.asarray(np.where(last > first, spans * spec.grain_bytes, 0))

    k = a.indices[found.nonzero].astype(np.int64)
    rows = rounded(b.indptr[k], b.indptr[k + 1])
    return found.by_window(2 * rounded(k, k + 2) + 2 * rows)
