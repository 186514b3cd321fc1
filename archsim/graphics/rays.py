"""Rays of a picture, and the cube of cells that says where there is something to see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.graphics.scenes import Density, Floats, Scene

Ints = NDArray[np.int64]

CELLS = 128  # of the occupancy grid, along an axis
STEP = np.sqrt(3) / 1024  # of marching rays
THIN = 0.01  # extinction in a step below which a cell is empty
RUN = 64  # neighbours of a row that are looked at together, where not all pixels are
GOLDEN = (np.sqrt(5) - 1) / 2
UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True, slots=True)
class Rays:
    """Rays from a camera through pixels, row by row from the top.

    Parameters
    ----------
    eye
        [3]
    directions
        Of length 1: [n, 3]
    first, last
        Distances at which rays enter the unit cube and leave it; those that miss it have
        ``first > last``: [n].
    """

    width: int
    height: int
    eye: Floats
    directions: Floats
    first: Floats
    last: Floats

    @classmethod
    def of(cls, scene: Scene, width: int, height: int) -> Rays:
        """Return the rays through the middles of a picture's pixels."""
        return cls.through(scene, pixels(width, height), width, height)

    @classmethod
    def through(cls, scene: Scene, points: Floats, width: int, height: int) -> Rays:
        """Return the rays through points of a picture, x and y from 0 to 1: [n, 2]."""
        eye = np.array(scene.eye)
        ahead = np.array(scene.target) - eye
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, UP)
        right /= np.linalg.norm(right)
        reach = np.tan(np.radians(scene.view_degrees) / 2)
        x, y = ((points.astype(np.float64) * 2 - 1) * (reach, -reach * height / width)).T
        directions = ahead + x[:, None] * right + y[:, None] * np.cross(right, ahead)
        directions /= np.linalg.norm(directions, axis=1)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = np.stack([(0 - eye) / directions, (1 - eye) / directions])
        first = np.nanmax(sides.min(axis=0), axis=1)
        last = np.nanmin(sides.max(axis=0), axis=1)
        return cls(width, height, eye, directions, np.maximum(first, 0), last)

    def __len__(self) -> int:
        return len(self.directions)

    def at(self, rays: Ints, distance: Floats) -> Floats:
        """Return the places of rays at distances, inside the cube: [n, 3]."""
        return np.asarray(np.clip(self.eye + distance[:, None] * self.directions[rays], 0, 1))


def pixels(width: int, height: int) -> Floats:
    """Return the middles of a picture's pixels, row by row: [width height, 2] from 0 to 1."""
    y, x = np.divmod(np.arange(width * height), width)
    return np.stack([(x + 0.5) / width, (y + 0.5) / height], axis=1)


def runs(width: int, height: int, most: int) -> Floats:
    """Return the middles of at most so many of a picture's pixels: short runs, evenly spread.

    Neighbours in a run are neighbours in the picture, and all of it is looked at. Runs start
    further right from row to row, by the golden ratio, so that they do not stand in columns.
    """
    if width * height <= most:
        return pixels(width, height)
    run = min(RUN, width)
    across = max(round(np.sqrt(most / run * width / height / run)), 1)
    across = min(across, width // run)
    down = min(max(most // (across * run), 1), height)
    row, place = np.divmod(np.arange(across * down), across)
    room = width / across - run  # that a run may move in
    left = np.floor((place + (row * GOLDEN) % 1 * room * across / width) * width / across)
    x = np.minimum(left, width - run)[:, None] + np.arange(run)
    y = np.repeat(np.floor((row + 0.5) * height / down)[:, None], run, axis=1)
    return np.stack([(x.ravel() + 0.5) / width, (y.ravel() + 0.5) / height], axis=1)


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Which cells of the unit cube are not empty.

    Parameters
    ----------
    cells
        By x, y and z: [128, 128, 128].
    """

    cells: NDArray[np.bool_]

    @classmethod
    def of(cls, scene: Scene, density: Density) -> Occupancy:
        """Return the cells where a scene may be dense enough: at the end nearest to a surface."""
        middles = (np.arange(CELLS, dtype=np.float32) + 0.5) / CELLS
        grid = np.stack(np.meshgrid(middles, middles, middles, indexing="ij"), -1)
        distance = np.concatenate([scene.distance(x.reshape(-1, 3)) for x in grid])
        nearest = distance - np.sqrt(3) / (2 * CELLS)
        return cls((density(nearest) * STEP > THIN).reshape((CELLS,) * 3))

    @property
    def share(self) -> float:
        """Cells that are not empty, of all."""
        return float(self.cells.mean())

    def holds(self, places: Floats) -> NDArray[np.bool_]:
        """Return whether the cells of places are not empty: [n, 3] to [n]."""
        x, y, z = np.minimum((places * CELLS).astype(np.int64), CELLS - 1).T
        found: NDArray[np.bool_] = self.cells[x, y, z]
        return found


def to_next_cell(places: Floats, directions: Floats) -> Floats:
    """Return how far it is to where rays leave the cells that they are in: [n]."""
    scaled = places * CELLS
    edge = np.floor(scaled + 0.5 + 0.5 * np.sign(directions))
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (edge - scaled) / directions
    return np.asarray(np.nanmin(np.where(directions == 0, np.inf, along), axis=1) / CELLS)
