"""Hashing operation by operation: every instruction issued, every load and atomic waited for.

Threads of a core issue in the order in which they become ready, one instruction a cycle; each has
one under way. An atomic waits for its bank and takes effect there in turn, so who inserts an entry,
who meets it and who collides follows from time. This is what tokens in `timing` stand for; it finds
the sums, too, in a table as the scratchpad has it.

Of a product's instructions two load an entry of B, which waits for DRAM where a new grain begins,
and one adds to the sum; of a probe's one compares and swaps; of a token's one takes it. A new entry
of ``smash_v3`` takes a place in the dense arrays, and until that place is known another thread that
meets the entry reads its slot again and again. All others compute. DRAM has latency here, and no
end of bandwidth: the system counts that.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints
from archsim.engines.piuma.spec import OUTSIDE_INSTRUCTIONS, WORD_BYTES, PiumaSpec
from archsim.sparse.hashing import Probed, home_slots, span_of, sub_tables
from archsim.sparse.product import SparseProduct

BANK = 1 << 32  # an atomic on bank b is yielded as BANK + b, a load as minus its latency
UNKNOWN = -1  # place of an entry in the dense arrays, while it is being made


Thread = Generator[int, None, None]


@dataclass(frozen=True, slots=True)
class Operated:
    """What operations do, by window, and the entries of C in order of rows and columns.

    Parameters
    ----------
    cycles, instructions
        Of hashing: [windows].
    probes, longest, conflicts, spins
        Slots looked at, the most for one product, atomics that waited for their bank, and reads of
        entries that were not there yet: [windows].
    row, col, value
        Of C: [entries].
    """

    cycles: Ints
    instructions: Ints
    probes: Ints
    longest: Ints
    conflicts: Ints
    spins: Ints
    row: Ints
    col: Ints
    value: NDArray[Any]


def operate(spec: PiumaSpec, product: SparseProduct, found: Probed) -> Operated:
    """Run the hashing of all windows of a product; without values, entries are ones."""
    shared = _Shared(spec, product, found)
    windows = [_Window(shared, number) for number in range(len(found.windows))]
    rows = [(w.cycles, w.issued, w.probes, w.longest, w.conflicts, w.spins) for w in windows]
    cycles, issued, probes, longest, conflicts, spins = np.array(rows, np.int64).reshape(-1, 6).T
    entries = {place: value for w in windows for place, value in w.sums.items()}
    places = sorted(entries)
    row, col = np.array(places, np.int64).reshape(-1, 2).T
    value = np.array([entries[place] for place in places], shared.dtype)
    return Operated(cycles, issued, probes, longest, conflicts, spins, row, col, value)


class _Shared:
    """A product as plain lists, for all windows."""

    def __init__(self, spec: PiumaSpec, product: SparseProduct, found: Probed) -> None:
        a, b = product.a, product.b
        assert b is not None
        self.spec, self.found, self.cols = spec, found, product.n
        self.rule = spec.rule
        base, size = sub_tables(product.row_products, found.windows, self.rule)
        self.base, self.size = base, size
        self.pointers, self.columns = b.indptr.tolist(), b.indices
        self.inner = a.indices.tolist()
        ones = np.ones(1, np.int64)
        first, second = (ones if m.values is None else m.values for m in (a, b))
        self.dtype = np.result_type(first, second)
        self.a_values = np.broadcast_to(first, a.entries).tolist()
        self.b_values = np.broadcast_to(second, b.entries).tolist()
        self.per_grain = spec.grain_bytes // WORD_BYTES


class _Window:
    """One window's tokens, table and threads, run to the end."""

    def __init__(self, shared: _Shared, number: int) -> None:
        self.shared, spec, found = shared, shared.spec, shared.found
        self.left, self.right = int(found.windows.left[number]), int(found.windows.right[number])
        self.table: dict[int, tuple[int, int]] = {}  # entries of C by their slots
        self.dense: dict[int, int] = {}  # their places in the dense arrays
        self.sums: dict[tuple[int, int], Any] = {}
        self.count = self.probes = self.longest = self.conflicts = self.spins = self.issued = 0
        tokens = self._tokens(number)
        threads = spec.all_threads
        if spec.grain == "static":
            first = int(found.windows.first[number])
            own: dict[int, list[list[int]]] = {}
            for token in tokens:
                own.setdefault(int(found.row[token[0]] - first) % threads, []).append(token)
            programs = {t: self._thread(iter(mine), 0) for t, mine in own.items()}
        else:
            waiting = iter(tokens)
            some = range(min(threads, len(tokens)))
            programs = {t: self._thread(waiting, spec.token_instructions) for t in some}
        self.cycles = self._run(programs)

    def _tokens(self, number: int) -> list[list[int]]:
        """Return the visits of each token."""
        first, last = self.shared.found.start[number : number + 2].tolist()
        visits = range(first, last)
        if self.shared.spec.grain == "nonzero":
            return [[visit] for visit in visits]
        of_row: dict[int, list[int]] = {}
        for visit, row in zip(visits, self.shared.found.row[first:last].tolist(), strict=True):
            of_row.setdefault(row, []).append(visit)
        return list(of_row.values())

    # ------------------------------------------------------------------------------------ time

    def _run(self, programs: dict[int, Thread]) -> int:
        """Return the cycle in which the last thread is done."""
        spec = self.shared.spec
        threads, cores, alu = spec.all_threads, spec.mtcs, spec.alu_cycles
        atomic, busy = spec.atomic_cycles, spec.atomic_busy_cycles
        core_free, bank_free = [0] * cores, [0] * spec.spad_banks
        left = [0] * threads  # instructions that only compute, before the next operation
        heap = list(programs)  # when a thread may issue, and which, in one integer
        heapify(heap)
        end = 0
        while heap:
            now, thread = divmod(heap[0], threads)
            operation = 1 if left[thread] else next(programs[thread], 0)
            if not operation:
                end = max(end, now)
                heappop(heap)
                continue
            core = thread % cores
            issue = max(now, core_free[core])
            core_free[core] = issue + 1
            self.issued += 1
            if operation < 0:
                ready = issue - operation
            elif operation < BANK:
                left[thread] = (left[thread] or operation) - 1
                ready = issue + alu
            else:
                served = max(issue, bank_free[operation - BANK])
                self.conflicts += served > issue
                bank_free[operation - BANK] = served + busy
                ready = served + atomic
            heapreplace(heap, ready * threads + thread)
        return end

    # ------------------------------------------------------------------------------------ program

    def _thread(self, tokens: Iterator[list[int]], token_instructions: int) -> Thread:
        """Yield the operations of a thread that takes tokens until there are none."""
        while True:
            if token_instructions:
                yield BANK  # the counter is a word of the first bank
                yield from _computing(token_instructions - 1)
            token = next(tokens, None)
            if token is None:
                return
            for visit in token:
                yield from self._visit(visit)

    def _visit(self, visit: int) -> Thread:
        shared, spec = self.shared, self.shared.spec
        nonzero, row = int(shared.found.nonzero[visit]), int(shared.found.row[visit])
        k = shared.inner[nonzero]
        first, last = shared.pointers[k : k + 2]
        columns = shared.columns[first:last]
        homes = home_slots(
            columns.astype(np.int64) - self.left, shared.base[row], shared.size[row],
            span_of(self.right - self.left, shared.rule), shared.rule,
        ).tolist()  # fmt: skip
        near, far, grain = -spec.alu_cycles, -spec.dram_cycles, shared.per_grain
        factor = shared.a_values[nonzero]
        for entry, col in enumerate(columns.tolist(), first):
            load = near if entry % grain and entry > first else far
            yield load  # its column
            if not self.left <= col < self.right:
                yield from _computing(OUTSIDE_INSTRUCTIONS - 1)
                continue
            yield load  # its value
            yield from _computing(spec.product_instructions - 3)
            slot = yield from self._probe((row, col), homes[entry - first])
            place = slot
            if spec.algorithm == "smash_v3":
                while (place := self.dense[slot]) == UNKNOWN:
                    self.spins += 1
                    yield -spec.spad_cycles
            yield BANK + place % spec.spad_banks
            key = (row, col)
            self.sums[key] = self.sums.get(key, 0) + factor * shared.b_values[entry]

    def _probe(self, key: tuple[int, int], slot: int) -> Generator[int, None, int]:
        """Yield what it takes to find an entry or make it, and return its slot."""
        spec, slots, searched = self.shared.spec, self.shared.rule.slots, 1
        while True:
            yield BANK + slot % spec.spad_banks
            there = self.table.get(slot)
            if there is None:  # seen and taken at once: the swap is atomic
                self.table[slot] = key
                self.dense[slot] = UNKNOWN
            yield from _computing(spec.probe_instructions - 1)
            if there is None or there == key:
                break
            slot, searched = (slot + 1) % slots, searched + 1
        self.probes += searched
        self.longest = max(self.longest, searched)
        if there is None:
            yield from self._insert(slot)
        return slot

    def _insert(self, slot: int) -> Thread:
        """Yield what else a new entry takes."""
        spec = self.shared.spec
        if spec.algorithm != "smash_v3":
            yield from _computing(spec.insert_instructions)
            return
        yield BANK  # so many entries are there so far: a word of the first bank
        place, self.count = self.count, self.count + 1
        yield -spec.spad_cycles  # the tag, in its dense array
        yield -spec.spad_cycles  # the place, in the slot
        self.dense[slot] = place
        yield from _computing(spec.dense_instructions - 3)


def _computing(instructions: int) -> Thread:
    if instructions > 0:
        yield instructions
