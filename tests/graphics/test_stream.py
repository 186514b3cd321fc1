from __future__ import annotations

import numpy as np
import pytest

from archsim.graphics.stream import BLOCK, ORDERS, Stream, morton


def stream(count: int, dims: int = 3) -> Stream:
    rng = np.random.default_rng(count)
    steps = np.sort(rng.integers(0, 9, count))
    return Stream(
        rng.random((count, 7), np.float32), rng.integers(0, 50, count), steps, dims, pixels=100
    )


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_keeps_every_query(order: str) -> None:
    issued = stream(5000)
    found = issued.ordered(order)
    assert sorted(map(bytes, found.records)) == sorted(map(bytes, issued.records))
    assert found.per_pixel == 50


def test_rays_are_in_order_and_each_steps_on() -> None:
    found = stream(5000).ordered("ray")
    assert (np.diff(found.rays) >= 0).all()
    same = np.diff(found.rays) == 0
    assert (np.diff(found.steps)[same] >= 0).all()


def test_morton_goes_through_halves_of_halves() -> None:
    cells = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    numbers = morton(cells)
    assert sorted(numbers) == list(range(64))
    assert morton(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [3, 3, 3]])).tolist() == [1, 2, 4, 63]
    found = stream(5000).ordered("morton").positions
    octant = (found >= 0.5) @ np.array([1, 2, 4])
    assert (np.diff(octant) >= 0).all()


def test_a_sample_is_of_blocks_in_a_row_over_the_whole() -> None:
    whole = stream(50_000)
    found = whole.sample(10 * BLOCK)
    assert len(found) == 10 * BLOCK
    assert (found.records[:BLOCK] == whole.records[:BLOCK]).all()
    assert (found.records[-BLOCK:] == whole.records[-BLOCK:]).all()
    assert whole.sample(len(whole)) is whole
