"""Windows of a sparse product as the block runs them: a job a window, in tokens that threads take.

What a token takes is counted, not guessed: its products, the slots that they look at and the
entries that they make, from the patterns (`archsim.sparse.hashing`), each times what the spec's
budget says it costs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints, Jobs
from archsim.engines.piuma.operations import operate
from archsim.engines.piuma.spec import ENTRY_BYTES, OUTSIDE_INSTRUCTIONS, PiumaSpec
from archsim.engines.piuma.threads import by_number, least_loaded, most_of_a_core
from archsim.sparse.hashing import Probed, count_probes
from archsim.sparse.product import SparseProduct, by_row


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the threads take in one window, in order.

    Parameters
    ----------
    instructions, atomics
        Of each token: [tokens].
    thread
        That does each; None where whoever is free takes the next.
    """

    instructions: Ints
    atomics: Ints
    thread: Ints | None


@dataclass(frozen=True, slots=True)
class PiumaJobs(Jobs):
    """Windows, one a job.

    Parameters
    ----------
    first, last, left, right
        See `archsim.sparse.hashing.Windows`.
    nonzeros
        Of A that the window visits.
    walked, products, inserts, probes, longest
        See `archsim.sparse.hashing.Probed`.
    tokens
        That threads take.
    instructions, thread_instructions, core_instructions
        Of hashing: in all, the most of one thread, and of one core.
    least_bytes
        The window's share of A, of the rows of B that some nonzero meets, and of C, each once.
    drained
        Entries of the window before, which DMA stores while this one is hashed.
    operated
        Cycles of hashing as simulated operation by operation; 0 where it was not.
    work
        The tokens: an object a window.
    """

    first: Ints
    last: Ints
    left: Ints
    right: Ints
    nonzeros: Ints
    walked: Ints
    products: Ints
    inserts: Ints
    probes: Ints
    longest: Ints
    tokens: Ints
    instructions: Ints
    thread_instructions: Ints
    core_instructions: Ints
    least_bytes: Ints
    drained: Ints
    operated: Ints
    work: NDArray[Any]

    @property
    def rows(self) -> Ints:
        return self.last - self.first


def jobs_of(spec: PiumaSpec, product: SparseProduct) -> PiumaJobs:
    """Return the windows of a product of two patterns."""
    found = count_probes(product, spec.rule)
    start, row, visits = _tokens(spec, found)

    def of_token(amounts: Ints) -> Ints:
        return amounts if visits is None else by_row(amounts, visits)

    instructions = of_token(_instructions(spec, found))
    if spec.grain != "static":
        instructions = instructions + spec.token_instructions
    atomics = of_token(found.products + found.probes)
    of_thread, of_core = _most(spec, instructions, start, row)
    work = np.empty(len(found.windows), object)
    for number, first, last in zip(range(len(work)), start[:-1], start[1:], strict=True):
        mine = slice(int(first), int(last))
        thread = row[mine] % spec.all_threads if spec.grain == "static" else None
        work[number] = Tokens(instructions[mine], atomics[mine], thread)
    inserts = found.by_window(found.inserts)
    nonzeros = np.diff(found.start)
    cut = found.windows
    jobs = PiumaJobs(
        first=cut.first, last=cut.last, left=cut.left, right=cut.right, nonzeros=nonzeros,
        walked=found.by_window(found.walked), products=found.by_window(found.products),
        inserts=inserts, probes=found.by_window(found.probes), longest=found.longest,
        tokens=np.diff(start), instructions=by_row(instructions, start),
        thread_instructions=of_thread, core_instructions=of_core,
        least_bytes=_least_bytes(product, nonzeros, inserts),
        drained=np.concatenate([[0], inserts[:-1]])[: len(inserts)],
        operated=np.zeros_like(inserts), work=work, refs=({"a": "a", "b": "b"},) * len(cut),
    )  # fmt: skip
    return _operated(spec, product, found, jobs) if spec.detail == "operation" else jobs


def _operated(spec: PiumaSpec, product: SparseProduct, found: Probed, jobs: PiumaJobs) -> PiumaJobs:
    """Return jobs with what operations did in place of what one thread's order says."""
    did = operate(spec, product, found)
    return replace(jobs, operated=np.maximum(did.cycles, 1), probes=did.probes, longest=did.longest)


def _instructions(spec: PiumaSpec, found: Probed) -> Ints:
    """Return the instructions of each visit of a nonzero."""
    per_entry = spec.entry_instructions
    if spec.eviction == "rolling":  # whoever completes an entry stores it
        per_entry += spec.emit_instructions
    return np.asarray(
        spec.product_instructions * found.products
        + spec.probe_instructions * found.probes
        + per_entry * found.inserts
        + OUTSIDE_INSTRUCTIONS * (found.walked - found.products)
    )


def _tokens(spec: PiumaSpec, found: Probed) -> tuple[Ints, Ints, Ints | None]:
    """Return where each window's tokens start, the row of each, and where its visits start.

    Rows are numbered from the window's first on. Visits is None where each is a token.
    """
    windows = len(found.windows)
    window = np.repeat(np.arange(windows), np.diff(found.start))
    row = found.row - found.windows.first[window]
    if spec.grain == "nonzero":
        return found.start, row, None
    new = np.ones(len(row), bool)
    new[1:] = (window[1:] != window[:-1]) | (row[1:] != row[:-1])
    first = np.flatnonzero(new)
    start = np.searchsorted(window[first], np.arange(windows + 1))
    return start, row[first], np.append(first, len(row))


def _most(spec: PiumaSpec, instructions: Ints, start: Ints, row: Ints) -> tuple[Ints, Ints]:
    """Return the most instructions of a thread, and of a core, in each window.

    Without barriers a window's are what it adds to the most that any has done up to it.
    """
    barriers, threads = spec.eviction == "window", spec.all_threads
    if spec.grain == "static":
        shares = by_number(instructions, row, start, threads, barriers=barriers)
    else:
        shares = least_loaded(instructions, start, threads, barriers=barriers)
    both = [(int(loads.max()), most_of_a_core(loads, spec.mtcs)) for loads in shares]
    of_thread, of_core = np.array(both, np.int64).reshape(-1, 2).T
    if barriers:
        return of_thread, of_core
    return np.diff(of_thread, prepend=0), np.diff(of_core, prepend=0)


def _least_bytes(product: SparseProduct, nonzeros: Ints, inserts: Ints) -> Ints:
    """Return each window's share of the bytes that any machine moves: A, what is used of B, C."""
    once = product.a.entries + product.used_b_entries
    ends = np.cumsum(nonzeros) * once // max(int(nonzeros.sum()), 1)
    return np.asarray(np.diff(ends, prepend=0) + inserts) * ENTRY_BYTES
