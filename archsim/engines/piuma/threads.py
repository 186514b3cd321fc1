"""Who does what: rows dealt out by number, or tokens taken by whoever has the least behind him."""

from __future__ import annotations

from heapq import heapreplace
from itertools import pairwise

import numpy as np

from archsim.engines import Ints


def by_number(loads: Ints, number: Ints, window: Ints, windows: int, threads: int) -> Ints:
    """Return each thread's load in each window, thread ``number % threads`` taking a token.

    Returns
    -------
    [windows, threads]
    """
    place = window * threads + number % threads
    found = np.bincount(place, loads, windows * threads)
    return found.astype(np.int64).reshape(windows, threads)


def least_loaded(loads: Ints, starts: Ints, threads: int, *, barriers: bool = True) -> Ints:
    """Return each thread's load in each window, tokens going to the one that has done the least.

    So they go when threads take them from a counter, each as soon as it is free: the least loaded
    is the first to be. Of equals it is the one with the lowest number.

    Parameters
    ----------
    loads
        Of each token, in order.
    starts
        First token of each window, and the end: [windows + 1].
    barriers
        Whether all threads begin a window together. Without, loads are since the beginning.

    Returns
    -------
    [windows, threads]
    """
    windows = len(starts) - 1
    found = np.zeros((windows, threads), np.int64)
    tokens = (loads * threads).tolist()  # a load and its thread in one integer
    heap = list(range(threads))
    for window, (first, last) in enumerate(pairwise(starts.tolist())):
        if barriers:
            heap = list(range(threads))
        for token in range(first, last):
            heapreplace(heap, heap[0] + tokens[token])
        done = np.array(heap, np.int64)
        found[window, done % threads] = done // threads
    return found


def of_cores(loads: Ints, cores: int) -> Ints:
    """Return the most instructions of any core in each window: [windows].

    Thread t is on core ``t % cores``.
    """
    windows, threads = loads.shape
    by_core = loads.reshape(windows, threads // cores, cores).sum(axis=1)
    return np.asarray(by_core.max(axis=1))
