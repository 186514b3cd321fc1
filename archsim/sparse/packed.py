"""Dense matrices with many zeros, packed for GPUs: what stays, and where it belongs.

- **2:4**: two of every four numbers of a row stay, in order, and two bits each say which: eight
  stay in 16 bits of places, the first lowest.
- **Tiles** (load as sparse, compute as dense; the format of Flash-LLM, read in its repository): the
  matrix is cut into tiles of 128 x 64, and a word of 32 bits is a 16-bit number and, in its high
  half, its place in the tile as shared memory has it: row by row, columns swizzled by row, so that
  the words of eight rows that a tensor instruction reads together lie on different banks. Words of
  a tile are dealt out so that consecutive ones are written to different banks as far as there are
  such, and filled up with zeros to a multiple of four.
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
TILE_ROWS, TILE_COLUMNS = 128, 64
PLACES = TILE_ROWS * TILE_COLUMNS
SWIZZLED = 8  # rows, after which swizzling begins anew


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


def pack_tiles(matrix: NDArray[np.uint16]) -> Tiles:
    """Return a matrix of 16-bit patterns in tiles; patterns of zero do not stay."""
    m, k = matrix.shape
    padded = np.pad(matrix, [(0, -m % TILE_ROWS), (0, -k % TILE_COLUMNS)])
    cut = padded.reshape(-1, TILE_ROWS, padded.shape[1] // TILE_COLUMNS, TILE_COLUMNS)
    swizzled = np.zeros((cut.shape[0] * cut.shape[2], PLACES), np.uint16)
    swizzled[:, _places()] = cut.swapaxes(1, 2).reshape(-1, PLACES)
    parts = [_dealt(tile) for tile in swizzled]
    words = np.concatenate([*parts, np.zeros(0, np.uint32)]).astype(np.uint32)
    offsets = np.cumsum([0, *(len(part) for part in parts)])
    return Tiles(words, offsets.astype(np.int32))


def unpack_tiles(packed: Tiles, shape: tuple[int, int]) -> Array:
    """Return the matrix [m, k] that `pack_tiles` packed."""
    m, k = shape
    down, across = -(-m // TILE_ROWS), -(-k // TILE_COLUMNS)
    tile = np.repeat(np.arange(down * across), np.diff(packed.offsets))
    number, place = packed.words & 0xFFFF, packed.words >> 16
    cut = np.zeros((down * across, PLACES), np.uint16)
    cut[tile[number != 0], place[number != 0]] = number[number != 0]
    whole = cut[:, _places()].reshape(down, across, TILE_ROWS, TILE_COLUMNS).swapaxes(1, 2)
    return whole.reshape(down * TILE_ROWS, across * TILE_COLUMNS)[:m, :k]


def _places() -> NDArray[np.int64]:
    """Return where the numbers of a tile, row by row, lie in shared memory."""
    row, column = np.divmod(np.arange(PLACES), TILE_COLUMNS)
    found: NDArray[np.int64] = row * TILE_COLUMNS + (column ^ row % SWIZZLED << 3)
    return found


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
