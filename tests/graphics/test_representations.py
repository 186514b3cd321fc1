from __future__ import annotations

import numpy as np
import pytest

from archsim.graphics.representations import REPRESENTATIONS, SMALL_SIDE, Tally, query_of


def test_tensorf_reads_1152_values_of_planes_and_lines() -> None:
    found = query_of("tensorf")
    assert dict((v, n) for n, v in found.reads) == {16: 3 * 4 + 3 * 2, 48: 3 * 4 + 3 * 2}
    assert found.read_values == 1152
    assert found.layers == ((144, 27), (150, 128), (128, 128), (128, 3))
    assert found.macs == 144 * 27 + 150 * 128 + 128 * 128 + 128 * 3 + 3 * 64
    assert 2 * found.values / 1e6 == pytest.approx(34.6, abs=0.15)  # MB at two bytes: planes, lines


@pytest.mark.parametrize("ranks", [2, 4, 6, 8, 12])
def test_reads_and_products_shrink_with_ranks_and_the_network_does_not(ranks: int) -> None:
    whole, cut = query_of("tensorf"), query_of("tensorf", ranks)
    assert cut.read_values == whole.read_values * ranks // 16
    assert cut.layers[1:] == whole.layers[1:]
    assert cut.layers[0] == (9 * ranks, 27)
    assert cut.values == whole.values * ranks // 16


@pytest.mark.parametrize(
    ("name", "reads", "values", "macs"),
    [
        ("pvd_hash", 112, 224, 9088),
        ("pvd_mlp", 0, 0, 500_000),
        ("pvd_vm", 36, 1152, 8432 + 192),
        ("pvd_plenoxel", 8, 8 * 28, 27),
    ],
)
def test_the_four_of_pvd_take_what_their_code_says(
    name: str, reads: int, values: int, macs: int
) -> None:
    found = query_of(name)
    assert sum(entries for entries, _ in found.reads) == reads
    assert found.read_values == values
    assert found.macs == pytest.approx(macs, rel=0.01 if name == "pvd_mlp" else 1e-9)
    assert (found.values == 0) == (name == "pvd_mlp")


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_a_representation_answers_with_colour_and_density(name: str) -> None:
    at, towards = np.random.default_rng(1).random((5, 3)), np.eye(3)[[0, 1, 2, 0, 1]]
    found = REPRESENTATIONS[name](Tally(), at, towards, 16)
    assert found.shape == (5, 4) and np.isfinite(found).all()


def test_between_entries_lies_what_is_linear() -> None:
    tally, at = Tally(), np.random.default_rng(1).random((50, 3))
    grid = np.indices((SMALL_SIDE,) * 3).reshape(3, -1)[::-1].T / (SMALL_SIDE - 1)  # x fastest
    found = tally.interpolated(grid @ np.array([[1.0], [2.0], [-3.0]]), at)
    assert found[:, 0] == pytest.approx(at @ [1.0, 2.0, -3.0])
    assert tally.reads == [(8, 1)]
