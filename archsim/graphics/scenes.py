"""Scenes that need no download: solids in the unit cube as distances, colours, and a camera."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # of the width that came in
Vector = tuple[float, float, float]
Solid = Callable[[Floats], Floats]  # signed distances of positions: [n, 3] to [n]

SLOPE_STEP = 1e-3  # of differences between distances, for normals
LIGHT = np.array([0.45, 0.8, -0.4]) / np.linalg.norm([0.45, 0.8, -0.4])
AMBIENT = 0.35
SKY = (0.72, 0.82, 0.95)


def sphere(centre: Vector, radius: float) -> Solid:
    return lambda at: _length(at - np.asarray(centre, at.dtype)) - radius


def torus(centre: Vector, ring: float, tube: float) -> Solid:
    """Return a ring that lies flat: its axis is y."""

    def distance(at: Floats) -> Floats:
        x, y, z = (at - np.asarray(centre, at.dtype)).T
        return np.asarray(np.hypot(np.hypot(x, z) - ring, y) - tube)

    return distance


def box(low: Vector, high: Vector) -> Solid:
    middle, half = (np.add(high, low)) / 2, (np.subtract(high, low)) / 2

    def distance(at: Floats) -> Floats:
        beyond = np.abs(at - middle.astype(at.dtype)) - half.astype(at.dtype)
        inside = np.minimum(beyond.max(axis=1), 0)
        return np.asarray(_length(np.maximum(beyond, 0)) + inside)

    return distance


def hollow(solid: Solid) -> Solid:
    """Return all that is outside of a solid."""
    return lambda at: -solid(at)


def lattice(pitch: float, radius: float, shift: Vector) -> Solid:
    """Return equal spheres, one in the middle of every cube of a lattice."""

    def distance(at: Floats) -> Floats:
        place = at - np.asarray(shift, at.dtype)
        return _length(place - pitch * (np.floor(place / pitch) + at.dtype.type(0.5))) - radius

    return distance


def _length(vectors: Floats) -> Floats:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)))


@dataclass(frozen=True, slots=True)
class Part:
    """A solid of a scene, with the two colours of its checks and their size."""

    solid: Solid
    light: Vector
    dark: Vector
    check: float


@dataclass(frozen=True, slots=True)
class Scene:
    """Solids in the unit cube and who looks at them.

    Parameters
    ----------
    eye, target, view_degrees
        Camera: its place, what it looks at, and its horizontal angle of view.
    """

    name: str
    parts: tuple[Part, ...]
    eye: Vector
    target: Vector
    view_degrees: float

    def distance(self, at: Floats) -> Floats:
        """Return how far positions are from the next surface, below 0 inside: [n, 3] to [n]."""
        found = self.parts[0].solid(at)
        for part in self.parts[1:]:
            found = np.minimum(found, part.solid(at))
        return found

    def colour(self, at: Floats) -> Floats:
        """Return colours of the nearest surfaces, lit from above: [n, 3] to [n, 3] from 0 to 1."""
        return self.lit(at, self.normal(at))

    def lit(self, at: Floats, normals: Floats) -> Floats:
        """Return colours of the nearest surfaces under the light that normals make."""
        nearest = np.argmin([part.solid(at) for part in self.parts], axis=0)
        sizes = np.array([part.check for part in self.parts])[nearest]
        odd = np.floor(at / sizes[:, None] + 1e-4).sum(axis=1).astype(np.int64) & 1
        colours = np.array([(part.light, part.dark) for part in self.parts])
        shade = AMBIENT + (1 - AMBIENT) * np.clip(normals @ LIGHT, 0, 1)
        return np.asarray(colours[nearest, odd] * shade[:, None])

    def normal(self, at: Floats) -> Floats:
        """Return directions away from the nearest surfaces, by differences: [n, 3] to [n, 3]."""
        steps = np.eye(3, dtype=at.dtype) * at.dtype.type(SLOPE_STEP)
        slopes = [self.distance(at + step) - self.distance(at - step) for step in steps]
        found = np.stack(slopes, axis=1)
        return found / np.maximum(_length(found), 1e-12)[:, None]


@dataclass(frozen=True, slots=True)
class Density:
    """How dense a solid is, and how soft its surface: ``most / (1 + exp(distance / width))``.

    Parameters
    ----------
    most
        Extinction per unit length, deep inside.
    width
        Distance in which it rises.
    """

    most: float
    width: float

    def __call__(self, distance: Floats) -> Floats:
        return self.most / (1 + np.exp(np.clip(distance / self.width, -80, 80)))


DENSITIES: Mapping[str, Density] = MappingProxyType(
    {"crisp": Density(800.0, 0.003), "soft": Density(200.0, 0.006)}
)

_WHITE, _GREY, _MOSS = (0.92, 0.9, 0.86), (0.35, 0.37, 0.42), (0.55, 0.62, 0.55)
_SAND, _SEA = (0.95, 0.7, 0.35), (0.3, 0.75, 0.8)

SCENES: Mapping[str, Scene] = MappingProxyType(
    {
        scene.name: scene
        for scene in (
            Scene(
                "objects",
                (
                    Part(box((0.12, 0.17, 0.12), (0.88, 0.2, 0.88)), _WHITE, _GREY, 0.095),
                    Part(sphere((0.38, 0.46, 0.56), 0.18), (0.85, 0.25, 0.2), _SAND, 0.09),
                    Part(torus((0.64, 0.3, 0.36), 0.16, 0.055), (0.15, 0.45, 0.75), _SEA, 0.08),
                ),
                (0.5, 0.9, -0.91), (0.5, 0.37, 0.5), 45.0,
            ),
            Scene(
                "room",
                (
                    Part(hollow(box((0.031,) * 3, (0.969,) * 3)), _WHITE, _MOSS, 0.11),
                    Part(lattice(0.313, 0.06, (0.031,) * 3), (0.85, 0.35, 0.25), _SAND, 0.04),
                ),
                (0.62, 0.68, 0.1), (0.67, 0.63, 0.9), 70.0,
            ),
        )
    }
)  # fmt: skip
