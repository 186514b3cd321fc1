"""How many turns the banks take for each query and level: what decides a slice's time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints
from archsim.engines.ngpc import addresses
from archsim.engines.ngpc.jobs import Positions, mapped, parallel, strides
from archsim.engines.ngpc.spec import AXES, NgpcSpec
from archsim.graphics.encoding import PRIMES, Encoding, Level

BLOCK = 1 << 13  # queries at a time: their arrays stay in a cache
Slots = NDArray[Any]  # 32 bits: hashes wrap there


@dataclass(frozen=True, slots=True)
class Service:
    """What the engines do for a slice, by groups of queries in parallel.

    Parameters
    ----------
    group
        Queries of a group.
    turns
        Cycles in which an engine's banks are read for a group [groups, engines]; one where there is
        no query or no level. Of engines without a level one stands for all.
    reads
        Entries that are read: of corners that meet in an entry, one reads it.
    """

    group: int
    turns: Ints
    reads: int


def service(spec: NgpcSpec, encoding: Encoding, positions: Positions) -> Service:
    """Return the service of a slice of queries, from where their corners lie."""
    group = parallel(spec, encoding)
    table = mapped(spec, encoding).table
    queries = len(positions)
    groups = -(-queries // group)
    used = len(table) * group
    turns = np.ones((groups * group, len(table)), np.int64)
    reads = 0
    for first in range(0, queries, BLOCK):
        some = positions[first : first + BLOCK]
        for number, level in enumerate(table):
            corners = corner_slots(spec, level, addresses.cells(level, some)[0], encoding.dims)
            turns[first : first + len(some), number], distinct = lookups(spec, corners)
            reads += distinct
    by_group = turns.reshape(groups, used)
    if used < spec.engines:
        by_group = np.concatenate([by_group, np.ones((groups, 1), np.int64)], axis=1)
    return Service(group, by_group, reads)


def corner_slots(spec: NgpcSpec, level: Level, cells: Ints, dims: int) -> list[Slots]:
    """Return where the entries of each of 2^dims corners lie: `addresses.slots`, axis by axis."""
    terms = [_terms(spec, level, cells[:, axis], axis) for axis in range(dims)]
    by_parity = spec.bank_map == "parity"
    found = []
    for corner in range(1 << dims):
        parts = [term[corner >> axis & 1] for axis, term in enumerate(terms)]
        if level.hashed:
            at: Slots = reduce(np.bitwise_xor, parts) & np.uint32(level.entries - 1)
        else:
            at = reduce(np.add, parts)
            if not by_parity and spec.bank_map != "padded":
                at = np.where(at >= level.entries, at - np.uint32(level.entries), at)
        if by_parity:
            odd = [(cells[:, axis] + (corner >> axis) & 1) << axis for axis in range(dims)]
            kept = at >> dims << dims if level.hashed else at << AXES
            at = kept | reduce(np.bitwise_or, odd).astype(np.uint32)
        found.append(at)
    return found


def _terms(spec: NgpcSpec, level: Level, cell: Ints, axis: int) -> tuple[Slots, Slots]:
    """Return what the near and the far vertex along an axis add to an entry's number."""
    near = cell.astype(np.uint32)
    if level.hashed:
        first = near * np.uint32(PRIMES[axis])
        return first, first + np.uint32(PRIMES[axis])
    step = np.uint32(strides(spec, level)[axis])
    if spec.bank_map == "parity":
        return (near >> 1) * step, (near + 1 >> 1) * step
    first = near * step
    return first, first + step


def lookups(spec: NgpcSpec, places: list[Slots]) -> tuple[Ints, int]:
    """Return how many turns corners at these places take [n], and how many places are read.

    A corner that another one shares its place with is read by the first of them; one that leads
    takes its turn behind those that lead in its bank.
    """
    banks = [addresses.banks(spec, place) for place in places]
    turns = np.ones(len(places[0]), np.uint8)
    leads: list[NDArray[np.bool_]] = []
    reads = 0
    for corner, (place, bank) in enumerate(zip(places, banks, strict=True)):
        alone = np.ones(len(place), bool)
        turn = np.ones(len(place), np.uint8)
        for before in range(corner):
            alone &= place != places[before]
            turn += leads[before] & (bank == banks[before])
        leads.append(alone)
        turns = np.maximum(turns, turn * alone)
        reads += int(np.count_nonzero(alone))
    return turns.astype(np.int64), reads
