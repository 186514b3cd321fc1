"""Queries per pixel are held to counts that were measured on scenes of the same kinds.

Those scenes' exact solids are not known, so ours stand within 8 % of each count.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from archsim.graphics.marching import (
    MOST_EVENTS,
    NORMAL_QUERIES,
    SURFACE,
    march,
    raster,
    trace_spheres,
    track,
)
from archsim.graphics.rays import CELLS, RUN, STEP, Occupancy, Rays, pixels, runs, to_next_cell
from archsim.graphics.scenes import DENSITIES, SCENES, Density, Floats, Part, Scene, box

WIDTH, HEIGHT, FHD = 160, 90, 1920 * 1080
WITHIN = 0.08


def white(at: Floats, towards: Floats | None = None) -> Floats:
    return np.ones((len(at), 3))


@cache
def cells(scene: str, density: str) -> Occupancy:
    return Occupancy.of(SCENES[scene], DENSITIES[density])


@cache
def rays(scene: str) -> Rays:
    return Rays.of(SCENES[scene], WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("scene", "least", "most"), [("objects", 0.09, 0.11), ("room", 0.34, 0.36)]
)
def test_as_many_cells_are_occupied_as_measured(scene: str, least: float, most: float) -> None:
    assert least <= cells(scene, "crisp").share <= most


@pytest.mark.parametrize(
    ("scene", "density", "measured"),
    [
        ("objects", "crisp", 12.8),
        pytest.param("objects", "soft", 22.3, marks=pytest.mark.slow),
        pytest.param("room", "crisp", 29.8, marks=pytest.mark.slow),
        pytest.param("room", "soft", 49.3, marks=pytest.mark.slow),
    ],
)
def test_nerf_asks_as_often_as_measured(scene: str, density: str, measured: float) -> None:
    dense, solid = DENSITIES[density], SCENES[scene]
    picture = march(
        lambda at, towards: (white(at), dense(solid.distance(at))), rays(scene),
        cells(scene, density), frame_pixels=FHD,
    )  # fmt: skip
    assert picture.stream.per_pixel == pytest.approx(measured, rel=WITHIN)


@pytest.mark.parametrize(("scene", "measured"), [("objects", 9.3), ("room", 16.0)])
def test_nsdf_asks_as_often_as_measured(scene: str, measured: float) -> None:
    picture = trace_spheres(SCENES[scene].distance, white, rays(scene))
    stream = picture.stream
    struck = (picture.colours == 1).all(axis=2).sum()
    along = len(stream) - NORMAL_QUERIES * struck
    assert along / stream.pixels == pytest.approx(measured, rel=WITHIN)


@pytest.mark.parametrize(("majorant", "measured"), [(20, 1.7), (60, 3.4), (150, 5.9)])
def test_nvr_asks_as_often_as_measured(majorant: int, measured: float) -> None:
    dense, solid = Density(majorant, DENSITIES["soft"].width), SCENES["objects"]
    picture = track(
        lambda at: (white(at), dense(solid.distance(at))), rays("objects"),
        cells("objects", "soft"), majorant,
    )  # fmt: skip
    assert picture.stream.per_pixel == pytest.approx(measured, rel=WITHIN)


def test_gia_asks_once_a_pixel_row_by_row() -> None:
    picture = raster(lambda at: np.repeat(at[:, :1], 3, axis=1), pixels(4, 3), 4, 3)
    assert picture.stream.per_pixel == 1
    assert picture.stream.positions[1].tolist() == pytest.approx([3 / 8, 1 / 6])
    assert picture.colours[2, 3] == pytest.approx([7 / 8] * 3)


def wall(at: float) -> Scene:
    """Return a wall across the whole cube that begins at a z, looked at along z."""
    solid = Part(box((-1, -1, at), (2, 2, 2)), (1, 1, 1), (1, 1, 1), 1)
    return Scene("wall", (solid,), (0.5, 0.5, -1.0), (0.5, 0.5, 1.0), 10.0)


def test_a_sample_lies_in_an_occupied_cell_at_every_step_until_the_ray_is_dark() -> None:
    scene, dense = wall(0.5), Density(500.0, 0.002)
    occupancy = Occupancy.of(scene, dense)
    picture = march(
        lambda at, towards: (white(at), dense(scene.distance(at))), Rays.of(scene, 1, 1),
        occupancy, frame_pixels=1 << 30,
    )  # fmt: skip
    z = picture.stream.positions[:, 2]
    assert occupancy.holds(picture.stream.positions).all()
    assert np.diff(z) == pytest.approx(STEP, rel=1e-3)
    first = np.flatnonzero(occupancy.cells[64, 64])[0] / CELLS
    assert first <= z[0] < first + STEP
    depth = np.cumsum(dense(scene.distance(picture.stream.positions))) * STEP
    assert depth[-2] < np.log(100) <= depth[-1]  # a hundredth of the light is left


def test_spheres_go_by_0_95_of_the_distance_and_stop_at_the_surface() -> None:
    scene = wall(0.5)
    picture = trace_spheres(scene.distance, white, Rays.of(scene, 1, 1))
    z = picture.stream.positions[:, 2].astype(np.float64)
    left = 0.5 - z[:-NORMAL_QUERIES]
    assert left[1] == pytest.approx(0.05 * left[0], rel=1e-3)
    assert (left > SURFACE).sum() == 3  # 0.5, 0.025, 0.00125, then below
    # dropped after 1, 1 + 2 or 1 + 2 + 4 steps: it is asked on, though it ended at the fourth
    assert len(left) == 7


def test_a_solid_as_dense_as_its_majorant_needs_one_event() -> None:
    scene = wall(0.0)
    occupancy = Occupancy.of(scene, Density(20.0, 0.001))
    picture = track(
        lambda at: (white(at), np.full(len(at), 40.0)), Rays.of(scene, 40, 40), occupancy, 40.0
    )
    z = picture.stream.positions[:, 2]
    assert np.bincount(picture.stream.rays, minlength=1600).max() == 1
    assert z.mean() == pytest.approx(1 / 40, rel=0.1)  # the mean free path
    thin = track(
        lambda at: (white(at), np.full(len(at), 0.01)), Rays.of(scene, 8, 8), occupancy, 400.0
    )
    assert np.bincount(thin.stream.rays).max() == MOST_EVENTS


def test_rays_that_miss_the_cube_ask_nothing() -> None:
    scene = Scene("away", SCENES["objects"].parts, (0.5, 0.5, -1.0), (0.5, 0.5, -2.0), 20.0)
    found = trace_spheres(scene.distance, white, Rays.of(scene, 4, 4))
    assert len(found.stream) == 0 and found.stream.records.shape == (0, 3)


def test_the_way_to_the_next_cell_ends_at_its_border() -> None:
    rng = np.random.default_rng(3)
    places, towards = rng.random((200, 3)), rng.normal(size=(200, 3))
    towards[0] = (1, 0, 0)
    towards /= np.linalg.norm(towards, axis=1)[:, None]
    gap = to_next_cell(places, towards)
    inside = np.floor((places + 0.999 * gap[:, None] * towards) * CELLS)
    beyond = np.floor((places + 1.001 * gap[:, None] * towards) * CELLS)
    here = np.floor(places * CELLS)
    assert (inside == here).all()
    assert (np.abs(beyond - here).sum(axis=1) >= 1).all()


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (7680, 4320), (300, 5000), (70, 9000)])
def test_runs_of_pixels_are_spread_over_the_picture(width: int, height: int) -> None:
    points = runs(width, height, 57_600)
    assert 0.9 * 57_600 < len(points) <= 57_600
    at = np.round(points * (width, height) - 0.5).astype(int)
    assert (at >= 0).all() and (at < (width, height)).all()
    assert len(np.unique(at, axis=0)) == len(at)
    beside = np.diff(at.reshape(-1, RUN, 2), axis=1)
    assert (beside == (1, 0)).all()
    assert np.histogram2d(*points.T, bins=4, range=[(0, 1)] * 2)[0].min() > 0.5 * len(points) / 16


def test_a_small_picture_is_looked_at_whole() -> None:
    assert (runs(16, 9, 144) == pixels(16, 9)).all()
