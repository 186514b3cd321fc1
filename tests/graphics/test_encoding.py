from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import InputError
from archsim.graphics.encoding import Encoding, Level, checked_positions, corners, weights

GOLDEN = Encoding(growth=1.3819129)
POINT = np.array([[0.3, 0.6, 0.9]], np.float32)
MIB = 1 << 20

VECTORS = {  # level: cell, place in it, entries of its corners
    0: ((5, 9, 14), None, (3733, 3734, 3749, 3750, 3989, 3990, 4005, 4006)),
    4: (
        (17, 34, 52), (0.705076, 0.910152, 0.115227),
        (183035, 183036, 183094, 183095, 186516, 186517, 186575, 186576),
    ),
    5: (
        (24, 48, 72), (0.390490, 0.280979, 0.171463),
        (422080, 422081, 453393, 453392, 272469, 272468, 308100, 308101),
    ),
    15: (
        (614, 1228, 1842), (0.600586, 0.701172, 0.801758),
        (102768, 102769, 72385, 72384, 473797, 473796, 504180, 504181),
    ),
}  # fmt: skip


@pytest.mark.parametrize("number", VECTORS)
def test_a_position_reads_the_entries_that_tiny_cuda_nn_reads(number: int) -> None:
    cell, place, entries = VECTORS[number]
    level = GOLDEN.table[number]
    cells, fractions = level.cells(POINT)
    assert tuple(cells[0]) == cell
    assert tuple(level.indices(corners(cells))[0]) == entries
    if place is not None:
        # as far as the last bit of the growth's logarithm goes, which libraries round differently
        bit = level.scale * number * np.log(2) * 2**-24
        assert fractions[0] == pytest.approx(place, abs=bit + 5e-7)


TABLES = {
    "nerf": (
        Encoding(growth=1.51572),
        (16, 25, 37, 56, 85, 129, 195, 295, 446, 676, 1025, 1553, 2353, 3566, 5405, 8193),
        4, 2.00, 24.9,
    ),
    "nsdf": (
        Encoding(growth=1.38191),
        (16, 23, 31, 43, 59, 81, 112, 154, 213, 295, 407, 562, 777, 1073, 1482, 2048),
        5, 2.00, 23.3,
    ),
    "nvr": (
        Encoding(growth=1.275),
        (16, 21, 27, 34, 43, 54, 69, 88, 112, 143, 182, 232, 296, 377, 481, 613),
        7, 2.00, 20.4,
    ),
    "gia": (
        Encoding(growth=1.25992, log2_table=24, dims=2),
        (16, 21, 26, 32, 41, 51, 64, 81, 102, 128, 162, 204, 256, 323, 407, 512),
        None, 1.00, 2.7,
    ),
    "dense": (
        Encoding("dense", levels=8, growth=1.405), (16, 23, 32, 45, 63, 88, 124, 173),
        None, 19.75, 31.1,
    ),
    "dense in the plane": (
        Encoding("dense", levels=8, growth=1.405, dims=2), (16, 23, 32, 45, 63, 88, 124, 173),
        None, 0.11, 0.23,
    ),
    "low resolution": (
        Encoding("tiled", levels=2, features=8, coarsest=128, growth=1.0), (128, 128),
        None, 32, 64,
    ),
    "low resolution in the plane": (
        Encoding("tiled", levels=2, features=8, coarsest=128, growth=1.0, dims=2), (128, 128),
        None, 0.25, 0.5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_levels_have_the_published_sizes(name: str) -> None:
    encoding, resolutions, first_hashed, largest, total = TABLES[name]
    table = encoding.table
    assert tuple(level.resolution for level in table) == resolutions
    hashed = [n for n, level in enumerate(table) if level.hashed]
    assert hashed == ([] if first_hashed is None else list(range(first_hashed, len(table))))
    sizes = [2 * encoding.features * level.entries / MIB for level in table]
    assert max(sizes) == pytest.approx(largest, abs=0.005)
    assert encoding.size_bytes() / MIB == pytest.approx(total, abs=0.05)
    assert encoding.size_bytes() == round(sum(sizes) * MIB)


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), st.integers(0, 15))
def test_weights_of_corners_add_up_to_one(point: list[float], number: int) -> None:
    cells, fractions = GOLDEN.table[number].cells(np.array([point], np.float32))
    found = weights(fractions)
    assert found.sum() == pytest.approx(1, abs=1e-6) and (found >= 0).all()
    vertex = (found[0] @ corners(cells)[0]) - cells[0]  # corners meet at the point itself
    assert vertex == pytest.approx(fractions[0], abs=1e-6 * GOLDEN.table[number].resolution)


def test_a_linear_field_on_a_dense_level_is_interpolated_exactly() -> None:
    level, slope = GOLDEN.table[3], np.array([0.5, -2.0, 3.0])
    points = np.random.default_rng(1).random((1000, 3), np.float32)
    cells, fractions = level.cells(points)
    side = level.resolution + 1
    vertices = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3)
    # the entry of a vertex beyond the last belongs to another: look at those inside
    inside = (vertices < level.resolution).all(axis=1)
    table = np.zeros(level.entries)
    table[level.indices(vertices[inside])] = vertices[inside] @ slope
    whole = (cells + 1 < level.resolution).all(axis=1)
    found = (table[level.indices(corners(cells))] * weights(fractions)).sum(axis=1)
    expected = (level.scale * points + 0.5) @ slope
    assert found[whole] == pytest.approx(expected[whole], abs=1e-4)


def test_entries_of_dense_levels_are_of_one_vertex_each() -> None:
    level = Level(15.0, 16, 4096, False)
    vertices = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"), -1).reshape(-1, 3)
    assert sorted(level.indices(vertices)) == list(range(4096))


def test_parity_puts_the_corners_of_a_cell_into_different_banks() -> None:
    points = np.random.default_rng(2).random((500, 3), np.float32)
    for level in Encoding(parity=True).table[5:]:
        entries = level.indices(corners(level.cells(points)[0]))
        assert (np.sort(entries & 7, axis=1) == np.arange(8)).all()
        assert entries.max() < level.entries


@pytest.mark.parametrize("name", TABLES)
def test_an_encoding_is_told_as_text(name: str) -> None:
    encoding = TABLES[name][0]
    assert Encoding.parse(encoding.text) == encoding
    assert Encoding.parse(Encoding(parity=True).text).parity
    assert Encoding.parse(GOLDEN.text) == GOLDEN


@pytest.mark.parametrize("text", ["hash", "hash levels=16", "hash levels=inf parity=0", "", "x y"])
def test_a_text_of_no_encoding_is_refused(text: str) -> None:
    words = "encoding: must be a grid's name and its numbers, as 'hash levels=16 features=2 "
    with pytest.raises(InputError, match=words):
        Encoding.parse(text)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"grid": "octree"}, "encoding: grid: must be one of hash, dense, tiled, not 'octree'"),
        ({"levels": 0}, "encoding: levels: must be a whole number from 1 to 32, not 0"),
        ({"features": 2.5}, "encoding: features: must be a whole number from 1 to 16, not 2.5"),
        ({"dims": 4}, "encoding: dims: must be a whole number from 2 to 3, not 4"),
        ({"log2_table": 60}, "encoding: log2_table: must be a whole number from 3 to 28, not 60"),
        ({"growth": float("nan")}, "encoding: growth: must be a number from 1 to 4, not nan"),
        (
            {"growth": 3.0},
            "encoding: growth: must make fewer than 65,536 cells an axis, not 229582512",
        ),
    ],
)  # fmt: skip
def test_an_encoding_out_of_bounds_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as caught:
        Encoding(**given)  # type: ignore[arg-type]
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([[0.5, 0.5]], "positions: must be numbers of shape [n, 3], not 'float64 [1, 2]'"),
        ([["a", "b", "c"]], "positions: must be numbers of shape [n, 3], not '<U1 [1, 3]'"),
        ([[0, 0, 0], [0, np.nan, 0]], "positions: row 1: must be from 0 to 1, not [0.0, nan, 0.0]"),
        ([[0, 0, 1.5]], "positions: row 0: must be from 0 to 1, not [0.0, 0.0, 1.5]"),
    ],
)
def test_positions_outside_the_cube_are_refused(positions: object, words: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_positions(positions, 3)
    assert str(caught.value) == words
