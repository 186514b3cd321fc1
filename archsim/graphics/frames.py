"""What a frame asks: the queries of an application in a scene, found with the scene itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from archsim.graphics.marching import march, raster, trace_spheres, track
from archsim.graphics.rays import Occupancy, Rays, runs
from archsim.graphics.scenes import DENSITIES, SCENES, Density, Floats
from archsim.graphics.stream import Stream

RAYS = 320 * 180  # of a frame that are followed


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame to be rendered.

    Parameters
    ----------
    app, scene, density
        Names: of `APPS`, `SCENES` and `DENSITIES`.
    width, height
        Pixels.
    majorant
        Extinction of NVR's volume where it is densest.
    seed
        Of what is drawn: starts of rays, lengths of flights.
    """

    app: str
    scene: str = "objects"
    width: int = 1920
    height: int = 1080
    density: str = "soft"
    majorant: float = 60.0
    seed: int = 1

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def queries(self, rays: int = RAYS) -> Stream:
        """Return the queries of at most so many of the frame's rays, as they are issued."""
        return self.asked(runs(self.width, self.height, rays))

    def asked(self, points: Floats) -> Stream:
        """Return the queries of the rays through points of the picture, [n, 2] from 0 to 1.

        The scene answers them; colours, which change no query, are left out.
        """
        if self.app == "gia":
            return raster(_no_colour, points, len(points), 1).stream
        scene = SCENES[self.scene]
        seen = Rays.through(scene, points, self.width, self.height)
        if self.app == "nsdf":
            return trace_spheres(scene.distance, _no_colour, seen).stream
        if self.app == "nvr":
            volume = Density(self.majorant, DENSITIES[self.density].width)
            return track(
                lambda at: (_no_colour(at), volume(scene.distance(at))), seen,
                occupancy(self.scene, self.density), self.majorant, self.seed,
            ).stream  # fmt: skip
        dense = DENSITIES[self.density]
        return march(
            lambda at, towards: (_no_colour(at), dense(scene.distance(at))), seen,
            occupancy(self.scene, self.density), frame_pixels=self.pixels, seed=self.seed,
        ).stream  # fmt: skip


@lru_cache(maxsize=8)
def occupancy(scene: str, density: str) -> Occupancy:
    """Return which cells of a scene are not empty."""
    return Occupancy.of(SCENES[scene], DENSITIES[density])


def _no_colour(at: Floats, towards: Floats | None = None) -> Floats:
    return np.zeros((len(at), 3))
