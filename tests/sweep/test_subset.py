"""Subsets of a sweep: nested, seeded, and better spread than chance."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from archsim.sweep.sample import Point
from archsim.sweep.subset import spread


def grid(*sizes: int) -> list[tuple[Point, str]]:
    every = itertools.product(*map(range, sizes))
    return [({f"axis{i}": v for i, v in enumerate(p)}, "-".join(map(str, p))) for p in every]


def unevenness(points: list[tuple[Point, str]], rows: Any, sizes: tuple[int, ...]) -> float:
    """Return the largest deviation of a value's share from its fair one, over all axes."""
    worst = 0.0
    for axis, size in enumerate(sizes):
        values = [points[row][0][f"axis{axis}"] for row in rows]
        share = np.bincount(values, minlength=size) / len(values)
        worst = max(worst, float(abs(share - 1 / size).max() * size))
    return worst


@pytest.mark.parametrize("points", [grid(5, 4, 3), grid(7), grid(1, 1), grid(2, 2, 2, 2)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_has_every_point_once(points: list[tuple[Point, str]], seed: int) -> None:
    assert sorted(spread(points, seed)) == list(range(len(points)))


@pytest.mark.parametrize("sizes", [(8, 8, 4, 5), (2,) * 10, (16, 16, 4, 10)])
@pytest.mark.parametrize("count", [16, 64, 200])
def test_every_beginning_covers_each_axis_more_evenly_than_chance(
    sizes: tuple[int, ...], count: int
) -> None:
    points = grid(*sizes)
    chance = [
        unevenness(points, random.Random(seed).sample(range(len(points)), count), sizes)
        for seed in range(20)
    ]
    for seed in range(3):
        assert unevenness(points, spread(points, seed)[:count], sizes) < np.median(chance)


def test_it_depends_on_the_seed_and_not_on_the_order_of_the_points() -> None:
    points = grid(6, 5, 4)
    first = [points[row][1] for row in spread(points, 1)]
    assert first != [points[row][1] for row in spread(points, 2)]
    turned = points[::-1]
    assert first == [turned[row][1] for row in spread(turned, 1)]


def test_sparse_samples_and_values_without_an_order_have_their_place() -> None:
    draw = random.Random(3)
    points: list[tuple[Point, str]] = [
        ({"a": draw.random(), "b": draw.choice(["os", "ws"]), "c": [draw.randrange(3)]}, str(i))
        for i in range(300)
    ]
    points += [({"a": 0.5}, "conditional")]
    order = spread(points)
    assert sorted(order) == list(range(301))
    half = [points[row][0]["a"] for row in order[:30]]
    assert np.histogram(half, 3, (0, 1))[0].min() >= 5
