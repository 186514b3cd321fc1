"""How long banks of a level's table take for a query, and what that costs levels that go together.

A bank reads one entry a cycle. Corners of a cell that share an entry read it once; those whose
entries share a bank take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from archsim.errors import InputError
from archsim.graphics.encoding import Encoding, Floats, Ints, Level, corners, parity_of

BankMap = Literal["index", "fold", "parity", "padded"]
BANK_MAPS: tuple[BankMap, ...] = get_args(BankMap)
STRIDES = (1, 2, 4)  # of padded dense levels, modulo the banks


def banks_of(level: Level, vertices: Ints, indices: Ints, banks: int, bank_map: BankMap) -> Ints:
    """Return the banks of vertices and their entries: [..., dims] and [...] to [...].

    Parameters
    ----------
    bank_map
        ``index``: the low bits of the entry. ``fold``: all its bits, folded by exclusive or.
        ``parity``: the low bits of the vertex, of as many banks as a cell has corners. ``padded``:
        as ``index``, but rows and planes of dense levels are padded, to begin 2 and 4 banks
        further than those before.
    """
    if banks < 1 or banks & (banks - 1):
        raise InputError("banks", "must be a power of two", banks)
    if bank_map == "parity":
        if banks != 1 << vertices.shape[-1]:
            raise InputError("banks", f"must be {1 << vertices.shape[-1]} by parity", banks)
        return parity_of(vertices)
    if bank_map == "padded" and not level.hashed:
        return np.asarray(vertices @ np.array(STRIDES[: vertices.shape[-1]]) % banks)
    found = indices
    if bank_map == "fold" and banks > 1:
        found = np.zeros_like(indices)
        for shift in range(0, 32, banks.bit_length() - 1):
            found ^= indices >> shift
    return found & (banks - 1)


def turns(encoding: Encoding, positions: Floats, banks: int, bank_map: BankMap = "index") -> Ints:
    """Return the cycles that each level's banks take for each query: [n, levels], 1 or more.

    By parity, entries of hashed levels are those of an encoding with `Encoding.parity`.
    """
    if bank_map == "parity" and not encoding.parity and encoding.grid == "hash":
        raise InputError("encoding: parity", "must be true where banks go by parity", False)
    found = np.empty((len(positions), encoding.levels), np.int64)
    for number, level in enumerate(encoding.table):
        vertices = corners(level.cells(positions)[0])
        indices = level.indices(vertices)
        bank = banks_of(level, vertices, indices, banks, bank_map)
        found[:, number] = _most(indices, bank, banks)
    return found


def _most(indices: Ints, bank: Ints, banks: int) -> Ints:
    """Return how many distinct entries the busiest bank reads, of each row: [n]."""
    order = np.argsort(indices, axis=1, kind="stable")
    entry, held = np.take_along_axis(indices, order, 1), np.take_along_axis(bank, order, 1)
    fresh = np.ones(entry.shape, bool)
    fresh[:, 1:] = (entry[:, 1:] != entry[:, :-1]) | (held[:, 1:] != held[:, :-1])
    slot = held + banks * np.arange(len(held))[:, None]
    return np.asarray(
        np.bincount(slot[fresh], minlength=banks * len(held)).reshape(-1, banks).max(axis=1)
    )


def lock_step(service: Ints) -> float:
    """Return cycles a query where all levels begin it together: of the slowest level."""
    return float(service.max(axis=1).mean())


def queued(service: Ints, depths: Sequence[int]) -> tuple[float, ...]:
    """Return cycles a query where each level takes queries from a queue of its own.

    A query enters all queues at once, at most one a cycle, when each has room.

    Parameters
    ----------
    service
        Cycles by query and level: [n, levels].
    depths
        Queries that each queue holds, the one in work among them; a result for each depth.
    """
    if min(depths) < 1:
        raise InputError("depths", "must be 1 or more", tuple(depths))
    depth, most = np.array(depths), max(depths)
    number = np.arange(len(depth))
    starts = np.zeros((most + len(service), len(depth), service.shape[1]), np.int64)
    free, entered = np.zeros(starts.shape[1:], np.int64), np.full(len(depth), -1)
    for query, cycles in enumerate(service, most):
        entered = np.maximum(entered + 1, starts[query - depth, number].max(axis=1))
        starts[query] = np.maximum(free, entered[:, None])
        free = starts[query] + cycles
    return tuple((free.max(axis=1) / len(service)).tolist())


def kept_cells(encoding: Encoding, positions: Floats, rays: Ints) -> Floats:
    """Return how often a query lies in the same cell as the one before it on its ray: [levels].

    Positions and rays are in order of rays: those of a ray in a row.
    """
    same_ray = rays[1:] == rays[:-1]
    found = [
        (np.diff(level.cells(positions)[0], axis=0) == 0).all(axis=1)[same_ray].mean()
        for level in encoding.table
    ]
    return np.array(found, np.float32)
