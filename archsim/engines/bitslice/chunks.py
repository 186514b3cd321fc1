"""How a product's k falls into chunks, groups and banks, and what each costs a column.

Element k of a chunk is in beat ``k // lanes`` and belongs to lane ``k % lanes``; ``group`` beats
are a group of each lane, and group g lies in bank ``g % ring`` of every ring. A ring is as many
banks as the chunk has groups, rounded up to a power of two, from ``slack`` to all: so where there
are few groups, each ring has a copy, and its columns need no others. Column i begins in bank
``slack i`` and goes round its ring once a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import Ints
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.formats.digits import encode


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of k on an array of columns.

    Parameters
    ----------
    start, stop
        Its elements of k.
    beats
        Beats of either operand.
    groups
        Groups of each lane.
    ring
        Banks that a column goes round.
    """

    start: int
    stop: int
    beats: int
    groups: int
    ring: int


def chunks_of(spec: BitsliceSpec, k: int) -> Iterator[Chunk]:
    """Yield the chunks of a product with ``k`` elements."""
    for start in range(0, k, spec.depth):
        stop = min(k, start + spec.depth)
        beats = -(-(stop - start) // spec.lanes)
        groups = -(-beats // spec.group)
        wanted = 1 << (groups - 1).bit_length()
        yield Chunk(start, stop, beats, groups, min(max(wanted, spec.slack), spec.banks))


def next_columns(spec: BitsliceSpec, chunk: Chunk) -> Ints:
    """Return the column before each one in its ring, the one it must not catch up with: [cols]."""
    columns, size = np.arange(spec.cols), chunk.ring // spec.slack
    return columns // size * size + (columns + 1) % size


def bank_costs(spec: BitsliceSpec, chunk: Chunk, encoded: Any) -> tuple[Ints, Ints]:
    """Return what the banks of a chunk cost columns, in the order in which each comes by them.

    A group costs its digits that are not zero, one at least; a bank without a group costs one.

    Parameters
    ----------
    encoded
        The encoded operand [m, k]; rows are dealt to columns, tile by tile.

    Returns
    -------
    Cycles [tiles, passes, cols, lanes, ring], and digits that are not zero [tiles].
    """
    rows, (tall, _) = spec.cols, encoded.shape
    tiles = -(-tall // rows)
    taken = encoded[:, chunk.start : chunk.stop]
    whole = np.zeros((tiles * rows, chunk.groups * spec.group * spec.lanes), np.int64)
    whole[:tall, : taken.shape[1]] = taken
    nonzero = encode(whole, spec.encoded_bits, spec.encoding) != 0
    split = nonzero.reshape(tiles, rows, chunk.groups, spec.group, spec.lanes, -1)
    digits = split.sum(axis=3)  # [tiles, cols, groups, lanes, passes]
    slots = -(-chunk.groups // chunk.ring)
    costs = np.zeros((tiles, rows, slots * chunk.ring, *digits.shape[3:]), np.int64)
    costs[:, :, : chunk.groups] = np.maximum(digits, 1)
    banks = costs.reshape(tiles, rows, slots, chunk.ring, *digits.shape[3:]).sum(axis=2)
    column, step = np.arange(rows)[:, None], np.arange(chunk.ring)
    ordered = banks[:, column, (column * spec.slack + step) % chunk.ring]  # as columns go round
    found: Ints = np.maximum(ordered, 1).transpose(0, 4, 1, 3, 2)
    return found, digits.sum(axis=(1, 2, 3, 4))
