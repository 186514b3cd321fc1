"""Packed matrices come back, in the forms that GPUs read."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.sparse.packed import (
    pack_tiles,
    pack_two_of_four,
    prune_two_of_four,
    unpack_tiles,
    unpack_two_of_four,
)


def test_the_two_largest_of_four_stay() -> None:
    got = prune_two_of_four(np.array([[1.0, -3, 2, 0, 5, 5, 5, 5, -1, 7], [0] * 10]))
    assert got.tolist() == [[0, -3, 2, 0, 5, 5, 0, 0, -1, 7], [0] * 10]
    nan = prune_two_of_four(np.array([[1.0, np.nan, -np.inf, 3.0]]))
    np.testing.assert_array_equal(nan, [[0, np.nan, -np.inf, 0]])


def test_every_pattern_of_four_comes_back() -> None:
    kept = [set(pair) for pair in combinations(range(4), 2)] + [{0}, {1}, {2}, {3}, set()]
    groups = np.array([[i + 1 if i in pattern else 0 for i in range(4)] for pattern in kept])
    rows = [np.concatenate(four) for four in product(groups, repeat=2)]
    matrix = np.array([np.concatenate([row, row[::1]]) for row in rows], np.float16)
    values, places = pack_two_of_four(matrix)
    assert values.shape == (len(matrix), 8)
    assert places.shape == (len(matrix), 1)
    np.testing.assert_array_equal(unpack_two_of_four(values, places), matrix)
    fields = places[..., None] >> 2 * np.arange(8) & 3
    assert (fields[..., ::2] < fields[..., 1::2]).all(), "places rise, as ordered metadata must"


def test_places_are_those_that_torch_hands_to_tensor_cores() -> None:
    """In words of rows r and r + 8: 16 columns of the first in the low half."""
    import torch
    from torch.sparse import _semi_structured_conversions as conversions

    rng = np.random.default_rng(0)
    matrix = prune_two_of_four(rng.standard_normal((32, 64)).astype(np.float16))
    values, places = pack_two_of_four(matrix)
    kept, meta = conversions.sparse_semi_structured_from_dense_cutlass(torch.from_numpy(matrix))
    np.testing.assert_array_equal(kept.numpy(), values)
    words = meta.numpy().view(np.uint16).ravel().view(np.uint32)
    for step, (group, lane) in product(range(2), product(range(8), range(2))):
        field = places[:, 2 * step + lane].astype(np.uint32)
        for half in range(2):  # rows 0-15 in the words of lanes 0 and 1, 16-31 in those of 2 and 3
            row = 16 * half + group
            word = words[step * 32 + 4 * group + 2 * half + lane]
            assert word == field[row] | field[row + 8] << 16


def test_what_is_not_two_of_four_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^more than two of four numbers are not zero$"):
        pack_two_of_four(np.ones((1, 16)))
    with pytest.raises(ValueError, match=r"^rows of 2:4 have a multiple of 16 numbers, not 8$"):
        pack_two_of_four(np.zeros((1, 8)))


@settings(max_examples=20)
@given(st.data())
def test_tiles_come_back(data: Any) -> None:
    m, k = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 150))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    dense = rng.random((m, k)) < data.draw(st.sampled_from([0, 0.1, 0.7, 1]))
    matrix = np.where(dense, rng.integers(1, 1 << 16, (m, k)), 0).astype(np.uint16)
    packed = pack_tiles(matrix)
    np.testing.assert_array_equal(unpack_tiles(packed, (m, k)), matrix)
    lengths = np.diff(packed.offsets)
    assert len(lengths) == -(-m // 128) * -(-k // 64)
    assert not (lengths % 4).any()
    assert len(packed.words) == packed.offsets[-1] <= np.count_nonzero(matrix) + 3 * len(lengths)


def test_columns_are_swizzled_by_row() -> None:
    matrix = np.zeros((130, 70), np.uint16)
    for row, column in ((0, 5), (1, 5), (7, 63), (9, 8), (129, 66)):
        matrix[row, column] = 1 + row
    packed = pack_tiles(matrix)
    places = {int(w & 0xFFFF) - 1: int(w >> 16) for w in packed.words if w & 0xFFFF}
    assert places == {0: 5, 1: 64 + 13, 7: 7 * 64 + 7, 9: 9 * 64, 129: 64 + 10}
    assert packed.offsets.tolist() == [0, 4, 4, 4, 8]


def test_words_fall_on_different_banks_as_far_as_they_can() -> None:
    """Of a full tile, every 32 consecutive words fall on all banks."""
    words = pack_tiles(np.ones((128, 64), np.uint16)).words
    banks = ((words >> 16) // 2 % 32).reshape(-1, 32)
    assert (np.sort(banks, axis=1) == np.arange(32)).all()


def test_eight_rows_that_are_read_together_lie_on_different_banks() -> None:
    """Of each row of eight, the same four words of two numbers."""
    for word in range(0, 32, 4):
        matrix = np.zeros((8, 64), np.uint16)
        matrix[:, 2 * word : 2 * word + 8 : 2] = 1
        banks = (pack_tiles(matrix).words >> 16) // 2 % 32
        assert sorted(banks) == list(range(32))
