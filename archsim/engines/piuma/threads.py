"""Who does what: rows dealt out by number, or tokens taken by whoever has the least behind him.

Both yield the load of each thread, [threads], window after window. Threads begin a window together
behind a barrier; without barriers loads are since the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapreplace
from itertools import pairwise

import numpy as np

from archsim.engines import Ints


def by_number(
    loads: Ints, number: Ints, starts: Ints, threads: int, *, barriers: bool = True
) -> Iterator[Ints]:
    """Yield loads where thread ``number % threads`` takes a token.

    Parameters
    ----------
    loads, number
        Of each token, in order.
    starts
        First token of each window, and the end: [windows + 1].
    """
    done = np.zeros(threads, np.int64)
    for first, last in pairwise(starts.tolist()):
        mine = np.bincount(number[first:last] % threads, loads[first:last], threads)
        done = mine.astype(np.int64) + (0 if barriers else done)
        yield done


def least_loaded(
    loads: Ints, starts: Ints, threads: int, *, barriers: bool = True
) -> Iterator[Ints]:
    """Yield loads where the thread that has done the least takes the next token.

    So tokens go when threads take them from a counter, each as soon as it is free: the least loaded
    is the first to be. Of equals it is the one with the lowest number.

    Parameters
    ----------
    loads
        Of each token, in order.
    starts
        First token of each window, and the end: [windows + 1].
    """
    heap = list(range(threads))  # a load and its thread in one integer
    for first, last in pairwise(starts.tolist()):
        if barriers:
            heap = list(range(threads))
        for load in (loads[first:last] * threads).tolist():
            heapreplace(heap, heap[0] + load)
        done = np.array(heap, np.int64)
        of_thread = np.empty(threads, np.int64)
        of_thread[done % threads] = done // threads
        yield of_thread


def most_of_a_core(loads: Ints, cores: int) -> int:
    """Return the most that a core's threads have done; thread t is on core ``t % cores``."""
    return int(loads.reshape(-1, cores).sum(axis=0).max())
