"""Dense matrices with many zeros, packed for GPUs: what stays, and where it belongs.

- **2:4**: two of every four numbers of a row stay, in order, and two bits each say which: eight
  stay in 16 bits of places, the first lowest.
- **Tiles** (load as sparse, compute as dense; Flash-LLM): the matrix is cut into tiles, and a word
  of 32 bits is a 16-bit number and, in its high half, its place in the tile, row by row. Words of a
  tile are dealt out so that consecutive ones fall on different banks of shared memory as far as
  there are such, and filled up with zeros to a multiple of four words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Words = NDArray[np.uint32]

GROUP, KEPT = 4, 2
FIELD = 16  # numbers of a row whose places are in one field of 16 bits
BANKS, BANK_NUMBERS = 32, 2  # of shared memory, and 16-bit numbers in a bank's word
WORDS_TOGETHER = 4  # are loaded at a time


def prune_two_of_four(matrix: Any) -> Array:
    """Return a matrix [m, k] with the two smallest of every four set to zero; of equals the last.

    NaN counts as larger than any number. The end of a row may have fewer than four.
    """
    whole = np.asarray(matrix)
    cut = _groups(whole)
    size = np.where(np.isnan(cut), np.inf, np.abs(cut)) if cut.dtype.kind == "f" else np.abs(cut)
    rank = np.argsort(np.argsort(-size, axis=-1, kind="stable"), axis=-1, kind="stable")
    kept = np.where(rank < KEPT, cut, cut.dtype.type(0))
    return kept.reshape(len(whole), -1)[:, : whole.shape[1]]


def pack_two_of_four(matrix: Any) -> tuple[Array, NDArray[np.uint16]]:
    """Return what stays [m, k / 2] and its places [m, k / 16]; k is a multiple of 16.

    Raises
    ------
    ValueError
        If more than two of some four are not zero.
    """
    whole = np.asarray(matrix)
    if whole.shape[1] % FIELD:
        raise ValueError(f"rows of 2:4 have a multiple of {FIELD} numbers, not {whole.shape[1]}")
    cut = _groups(whole)
    if (np.count_nonzero(cut, axis=-1) > KEPT).any():
        raise ValueError("more than two of four numbers are not zero")
    # those that are not zero first, in order; zeros fill up, and all is put in order again
    first = np.argsort(cut == 0, axis=-1, kind="stable")[..., :KEPT]
    place = np.sort(first, axis=-1)
    values = np.take_along_axis(cut, place, axis=-1).reshape(len(whole), -1)
    bits = place.reshape(len(whole), -1, FIELD // KEPT).astype(np.uint32)
    fields = (bits << 2 * np.arange(FIELD // KEPT, dtype=np.uint32)).sum(axis=-1)
    return values, fields.astype(np.uint16)


def unpack_two_of_four(values: Array, places: NDArray[np.uint16]) -> Array:
    """Return the matrix [m, k] that `pack_two_of_four` packed."""
    m, kept = values.shape
    shifts = 2 * np.arange(FIELD // KEPT)
    place = (places[..., None].astype(np.int64) >> shifts & 3).reshape(m, kept)
    found = np.zeros((m, kept * GROUP // KEPT), values.dtype)
    columns = np.arange(kept) // KEPT * GROUP + place
    np.put_along_axis(found, columns, values, axis=1)
    return found


def _groups(matrix: Array) -> Array:
    """Return [m, groups, 4], with zeros at the end of a row."""
    short = -matrix.shape[1] % GROUP
    return np.pad(matrix, [(0, 0), (0, short)]).reshape(len(matrix), -1, GROUP)


@dataclass(frozen=True, slots=True)
class Tiles:
    """A matrix of 16-bit numbers in tiles.

    Parameters
    ----------
    words
        Of all tiles, one tile after another, along rows of tiles.
    offsets
        Where each tile begins, and where the last ends: [tiles + 1].
    """

    words: Words
    offsets: NDArray[np.int32]


def pack_tiles(matrix: NDArray[np.uint16], rows: int, columns: int) -> Tiles:
    """Return a matrix of 16-bit patterns in tiles of that many rows and columns; 0 does not stay.

    Raises
    ------
    ValueError
        If a place in a tile does not fit 16 bits.
    """
    if rows * columns > 1 << 16:
        raise ValueError(f"a tile has at most {1 << 16} places, not {rows} x {columns}")
    m, k = matrix.shape
    padded = np.pad(matrix, [(0, -m % rows), (0, -k % columns)])
    down, across = padded.shape[0] // rows, padded.shape[1] // columns
    cut = padded.reshape(down, rows, across, columns).swapaxes(1, 2).reshape(down * across, -1)
    parts = [_dealt(tile) for tile in cut]
    lengths = [len(part) for part in parts]
    words = np.concatenate([*parts, np.zeros(0, np.uint32)]).astype(np.uint32)
    return Tiles(words, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


def unpack_tiles(packed: Tiles, shape: tuple[int, int], rows: int, columns: int) -> Array:
    """Return the matrix [m, k] that `pack_tiles` packed."""
    m, k = shape
    down, across = -(-m // rows), -(-k // columns)
    tile = np.repeat(np.arange(down * across), np.diff(packed.offsets))
    cut = np.zeros((down * across, rows * columns), np.uint16)
    real = packed.words & 0xFFFF != 0
    place = packed.words >> 16
    cut[tile[real], place[real]] = packed.words[real] & 0xFFFF
    whole = cut.reshape(down, across, rows, columns).swapaxes(1, 2)
    return whole.reshape(down * rows, across * columns)[:m, :k]


def _dealt(tile: NDArray[np.uint16]) -> Words:
    """Return the words of a tile, dealt out over banks: the first of each, then the second."""
    place = np.flatnonzero(tile).astype(np.uint32)
    bank = place // BANK_NUMBERS % BANKS
    by_bank = np.argsort(bank, kind="stable")
    count = np.bincount(bank, minlength=BANKS)
    turn = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    order = by_bank[np.lexsort((bank[by_bank], turn))]
    words = tile[place[order]].astype(np.uint32) | place[order] << np.uint32(16)
    return np.pad(words, (0, -len(words) % WORDS_TOGETHER))
