"""Values of a processor: cells, weights, entries and layers, by hand and beside the float ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines.ngpc import addresses, beats
from archsim.engines.ngpc.jobs import fixed, level_slots, mapped, refusal, strides
from archsim.engines.ngpc.reference import corner_weights, encoded, through_mlp
from archsim.engines.ngpc.service import corner_slots
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.graphics.encoding import Encoding, weights

from .slices import SMALL, sliced

NSDF = Encoding(growth=1.3819129)
# rounded up: at level 0 it lies on faces of cells, and float32 rounds it there
POINT = np.ceil(np.array([[0.3, 0.6, 0.9]]) * 2**24).astype(np.int64)
GOLDEN = {
    0: ([5, 9, 14], [3733, 3734, 3749, 3750, 3989, 3990, 4005, 4006]),
    4: ([17, 34, 52], [183035, 183036, 183094, 183095, 186516, 186517, 186575, 186576]),
    5: ([24, 48, 72], [422080, 422081, 453393, 453392, 272469, 272468, 308100, 308101]),
    15: ([614, 1228, 1842], [102768, 102769, 72385, 72384, 473797, 473796, 504180, 504181]),
}
BANK_MAPS = ("index", "padded", "fold", "parity")


def spec_of(bank_map: str, **fields: object) -> NgpcSpec:
    return NgpcSpec(**{**SMALL, "bank_map": bank_map, **fields})


@pytest.mark.parametrize("number", GOLDEN)
def test_golden_entries(number: int) -> None:
    cell, entries = GOLDEN[number]
    level = NSDF.table[number]
    found, place = addresses.cells(level, POINT)
    assert cell == found[0].tolist()
    corners = addresses.vertices(found, 3)
    spec = NgpcSpec(table_log2=19)
    assert entries == addresses.slots(spec, level, corners, 3)[0].tolist()
    # fixed-point places are those of tiny-cuda-nn's float32, cut to eight bits
    _, close = level.cells(np.array([[0.3, 0.6, 0.9]], np.float32))
    assert np.abs(place[0] / 256 - close[0]).max() < 1.1 / 256


@given(st.lists(st.integers(0, 255), min_size=3, max_size=3))
def test_weights_add_up_to_one(place: list[int]) -> None:
    found = corner_weights(np.array([place]))
    assert 4096 == found.sum()
    assert found.min() >= 0
    exact = weights(np.array([place], np.float32) / np.float32(256))
    assert np.abs(found / 4096 - exact).max() <= 2 / 4096


@pytest.mark.parametrize("grid", ["hash", "dense"])
@pytest.mark.parametrize("bank_map", BANK_MAPS)
def test_features_follow_the_float_encoding(bank_map: str, grid: str) -> None:
    spec = spec_of(bank_map, feature_bits=16, act_bits=16)
    coarse = {"hash": (4, 2.0), "dense": (3, 1.2)}[grid]
    encoding = mapped(spec, Encoding(grid, 4, 2, 9, *coarse))  # type: ignore[arg-type]
    assert refusal(spec, encoding, 2) is None
    _, data = sliced(spec, encoding, 40)
    found = encoded(spec, encoding, data["x"], data["table"])
    positions = (data["x"] / 2**24).astype(np.float32)
    first = 0
    for number, level in enumerate(encoding.table):
        cell, place = level.cells(positions)
        table = data["table"][first : first + level.entries]
        near = table[level.indices(addresses.vertices(cell, 3))]
        exact = (weights(place)[:, :, None] * near).sum(axis=1)
        step = 65536 * 3 / 256  # places are cut to eight bits
        assert np.abs(found[:, 2 * number : 2 * number + 2] - exact).max() < step
        first += level.entries


def test_a_linear_field_is_met_within_rounding() -> None:
    spec = spec_of("index", feature_bits=16, act_bits=16)
    level = Encoding("dense", 1, 2, coarsest=7)
    (only,) = level.table
    along = np.arange(only.resolution)
    grid = np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=-1).reshape(-1, 3)
    table = np.zeros((level.entries, 2), np.int64)
    table[only.indices(grid)] = (grid @ [100, 700, -300])[:, None]
    positions = fixed(np.random.default_rng(1).random((200, 3)) * 0.9)
    found = encoded(spec, level, positions, table)
    wanted = (only.scale * positions / 2**24 + 0.5) @ [100, 700, -300]
    assert np.abs(found - wanted[:, None]).max() < (100 + 700 + 300) / 256 + 1


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("bank_map", BANK_MAPS)
def test_what_is_stored_is_where_corners_read_it(bank_map: str, dims: int) -> None:
    for banks in (8,) if bank_map == "parity" else (1, 4, 16):
        spec = spec_of(bank_map, banks=banks)
        for encoding in (
            Encoding("hash", 2, 2, 9, 7, 2.3, dims), Encoding("dense", 2, 2, 9, 5, 1.4, dims)
        ):  # fmt: skip
            grid = mapped(spec, encoding)
            ends = np.array([[0.0] * dims, [1.0] * dims])
            positions = fixed(np.vstack([ends, np.random.default_rng(2).random((60, dims))]))
            entries = np.arange(2 * grid.entries).reshape(-1, 2)
            rows = beats.stored(spec, grid, entries).reshape(-1, spec.banks, spec.features)
            first = row = 0
            for level in grid.table:
                corners = addresses.vertices(addresses.cells(level, positions)[0], dims)
                places = addresses.slots(spec, level, corners, dims)
                assert places.max() < level_slots(spec, level, dims)
                read = rows[row + places // spec.banks, addresses.banks(spec, places)]
                wanted = entries[first + level.indices(corners[..., :dims])]
                assert (read == wanted).all()
                first += level.entries
                row += -(-level_slots(spec, level, dims) // spec.banks)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("bank_map", BANK_MAPS)
def test_corners_axis_by_axis_are_the_references(bank_map: str, dims: int) -> None:
    spec = spec_of(bank_map)
    for encoding in (
        Encoding("hash", 3, 2, 9, 7, 2.3, dims), Encoding("dense", 2, 2, 9, 5, 1.4, dims)
    ):  # fmt: skip
        for level in mapped(spec, encoding).table:
            cell, _ = addresses.cells(level, fixed(np.random.default_rng(2).random((60, dims))))
            quick = np.stack(corner_slots(spec, level, cell, dims), axis=1)
            wanted = addresses.slots(spec, level, addresses.vertices(cell, dims), dims)
            assert (quick == wanted[:, : 1 << dims]).all()


def test_padded_rows_and_planes_begin_two_and_four_banks_on() -> None:
    spec = spec_of("padded")
    for coarsest in range(2, 40):
        (level,) = Encoding("dense", 1, 2, coarsest=coarsest).table
        _, row, plane = strides(spec, level)
        assert (2, 4) == (row % 8, plane % 8)
        assert row > level.resolution  # the vertex past the end included
        assert plane >= row * (level.resolution + 1)


def test_layers_by_hand() -> None:
    spec = NgpcSpec(**{**SMALL, "mlp_width": 4, "mlp_stages": 3, "outputs": 2})
    first = np.array([[2, 1, 0, 0], [0, -3, 0, 0], [100, 0, 0, 0], [0, 0, 5, 5]])
    second = np.array([[1, 1, 1, 0], [-1, 0, -1, 0], [9, 9, 9, 9], [9, 9, 9, 9]])
    features = np.array([[10, 20]])
    # 40, -60, 1000, 0 moved by one: 20, -30, 500, 0; then no less than 0 and no more than 127
    hidden = [20, 0, 127]
    weights_of_both = np.stack([first, second])
    found = through_mlp(spec, features, weights_of_both, [1, 2])
    assert [[(sum(hidden) + 2) >> 2, (-147 + 2) >> 2]] == found.tolist()


def test_halves_are_rounded_up() -> None:
    spec = NgpcSpec(**{**SMALL, "mlp_width": 4, "mlp_stages": 3, "outputs": 4})
    weights_of_one = np.diag([1, 1, -1, -1])[None]
    found = through_mlp(spec, np.array([[2, 6, 2, 6]]), weights_of_one, [2])
    assert [[1, 2, 0, -1]] == found.tolist()


def test_ones_are_the_largest_positions() -> None:
    assert [0, 1 << 23, (1 << 24) - 1] == fixed(np.array([0.0, 0.5, 1.0])).tolist()
