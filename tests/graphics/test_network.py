from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archsim.graphics.apps import APPS
from archsim.graphics.encoding import Encoding, corners, weights
from archsim.graphics.network import Lookup, Network, spherical_harmonics

SMALL = Encoding(levels=3, features=2, log2_table=6, coarsest=4, growth=1.6)


def points(count: int, dims: int = 3, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((count, dims), np.float32)


def towards(count: int) -> np.ndarray:
    found = np.random.default_rng(2).normal(size=(count, 3))
    return found / np.linalg.norm(found, axis=1)[:, None]


def test_features_are_sums_of_corners_level_by_level() -> None:
    network = Network.random(APPS["nsdf"], SMALL)
    at = points(7)
    features = network.forward(Lookup.of(SMALL, at), None)[0].inputs[0]
    first = 0
    for number, level in enumerate(SMALL.table):
        cells, places = level.cells(at)
        entries, shares = level.indices(corners(cells)), weights(places)
        for row in range(len(at)):
            own = sum(
                share * network.tables[first + entry]
                for entry, share in zip(entries[row], shares[row], strict=True)
            )
            assert features[row, 2 * number : 2 * number + 2] == pytest.approx(own, abs=1e-9)
        first += level.entries


def test_a_query_of_nerf_goes_through_two_networks() -> None:
    network = Network.random(APPS["nerf"], SMALL)
    at, where = points(5), towards(5)
    features = network.forward(Lookup.of(SMALL, at), spherical_harmonics(where))[0].inputs[0]
    (a, b), (c, d, e) = network.heads
    density = np.maximum(features @ a, 0) @ b
    both = np.concatenate([density, spherical_harmonics(where)], axis=1)
    colour = np.maximum(np.maximum(both @ c, 0) @ d, 0) @ e
    found = network(at, where)
    assert found[:, :3] == pytest.approx(colour, rel=1e-4, abs=1e-9)
    assert found[:, 3] == pytest.approx(density[:, 0], rel=1e-4, abs=1e-9)
    assert [m.shape for m in network.heads[1]] == [(32, 64), (64, 64), (64, 3)]


@pytest.mark.parametrize("app", APPS)
def test_slopes_are_those_of_differences(app: str) -> None:
    encoding = replace(SMALL, dims=APPS[app].dims)
    network = Network.random(APPS[app], encoding)
    rng = np.random.default_rng(4)
    # in double width, and away from zero, where differences say something
    wide = Network(
        encoding, rng.normal(size=network.tables.shape),
        tuple(tuple(m.astype(np.float64) for m in head) for head in network.heads),
    )  # fmt: skip
    lookup = Lookup.of(encoding, points(9, encoding.dims))
    harmonics = spherical_harmonics(towards(9)) if app == "nerf" else None
    passes = wide.forward(lookup, harmonics)
    share = rng.normal(size=passes[-1].answers.shape)
    gradients = wide.backward(lookup, passes, share)
    tables = np.zeros_like(wide.tables)
    tables[gradients.rows] = gradients.tables
    slopes = (tables, *(slope for head in gradients.heads for slope in head))
    for own, slope in zip(wide.parameters, slopes, strict=True):
        for _ in range(6):
            place = tuple(rng.integers(extent) for extent in own.shape)
            if not slope[place]:
                continue
            kept, ends = own[place], []
            for step in (1e-5, -1e-5):
                own[place] = kept + step
                ends.append((wide.forward(lookup, harmonics)[-1].answers * share).sum())
            own[place] = kept
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope[place], rel=1e-3, abs=1e-4)


def test_harmonics_are_orthonormal() -> None:
    rng = np.random.default_rng(1)
    found = rng.normal(size=(200_000, 3))
    found /= np.linalg.norm(found, axis=1)[:, None]
    values = spherical_harmonics(found).astype(np.float64)
    assert 4 * np.pi * values.T @ values / len(values) == pytest.approx(np.eye(16), abs=0.03)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_rounded_tables_have_as_many_values_as_bits_allow(bits: int) -> None:
    network = Network.random(APPS["nsdf"], SMALL)
    first = 0
    rounded = network.quantised(bits)
    for level in SMALL.table:
        part = slice(first, first + level.entries)
        found = rounded.tables[part]
        assert len(np.unique(found)) <= (1 << bits) - 1
        step = np.abs(network.tables[part]).max() / ((1 << bits - 1) - 1)
        assert np.abs(found - network.tables[part]).max() <= step / 2 * 1.0001
        first += level.entries
