"""Fitting a field to a scene: tables and matrices by Adam, on the scene's own answers.

The field learns what the scene says at positions that a frame asks about, so that its picture is of
something. It is no training from photographs: poses, views and noise have no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from archsim.graphics.apps import APPS
from archsim.graphics.encoding import Encoding
from archsim.graphics.frames import Frame, occupancy
from archsim.graphics.marching import Picture, march, raster, trace_spheres, track
from archsim.graphics.network import Floats, Gradients, Lookup, Network, spherical_harmonics
from archsim.graphics.rays import Rays, pixels
from archsim.graphics.scenes import DENSITIES, SCENES, Density, Scene
from archsim.graphics.stream import Ints

PICTURE = (128, 72)  # of which quality is told
LOG_THIN = -3.0  # logarithm of the least extinction that a field tells from nothing
NEAR_SURFACE = 0.02  # spread of the positions that distances are also fitted at
CLOSE = 0.01  # distance below which distances are known equally well
RATES = (0.01, 0.005)  # of tables and matrices
FINE_RATES = (0.003, 0.003)  # of distances, of which rays and normals need the last digits
DECAY = 0.03  # what is left of a rate at the end
BETAS, EPSILON = (0.9, 0.99), 1e-15


@dataclass(frozen=True, slots=True)
class Fit:
    """How long to fit.

    Parameters
    ----------
    positions
        That are learnt from.
    batch, steps
        Positions of a step, and steps.
    """

    positions: int = 1 << 16
    batch: int = 1 << 12
    steps: int = 300
    seed: int = 1


DEFAULT = Fit()


def scene_picture(frame: Frame) -> Picture:
    """Render a scene as an application does, with the scene itself to answer its queries."""
    return _render(frame, _scene_field(frame))


def field_picture(frame: Frame, network: Network) -> Picture:
    """Render what a network has learnt, by the same rules."""
    return _render(frame, lambda at, towards=None: network(at, towards))


def psnr_db(picture: Floats, truth: Floats) -> float:
    """Return the peak signal-to-noise ratio of a picture, in dB: 100 if there is no difference."""
    error = float(np.mean((picture.astype(np.float64) - truth) ** 2))
    return float(min(-10 * np.log10(max(error, 1e-10)), 100.0))


@lru_cache(maxsize=64)
def quality_db(
    app: str,
    scene: str,
    encoding: Encoding,
    feature_bits: int = 16,
    how: Fit = DEFAULT,
    size: tuple[int, int] = PICTURE,
) -> float:
    """Return the PSNR of a fitted field's picture against the scene's own, in dB.

    Parameters
    ----------
    feature_bits
        Of the tables, rounded after the fit: each level on a scale of its own.
    size
        Width and height of the picture.
    """
    frame = Frame(app, scene, *size)
    network = fitted(frame, encoding, how).quantised(feature_bits)
    return psnr_db(field_picture(frame, network).colours, _truth(frame))


@lru_cache(maxsize=16)
def _truth(frame: Frame) -> Floats:
    return scene_picture(frame).colours


@lru_cache(maxsize=16)
def fitted(frame: Frame, encoding: Encoding, how: Fit = DEFAULT) -> Network:
    """Return a network fitted to a frame's scene; the same arguments give the same network."""
    positions, directions = _asked(frame, how)
    targets = _scene_field(frame)(positions, directions).astype(np.float32)
    loss = LOSSES[frame.app](targets)
    network = Network.random(APPS[frame.app], encoding, how.seed)
    lookup = Lookup.of(encoding, positions)
    harmonics = spherical_harmonics(directions) if len(network.heads) > 1 else None
    rng = np.random.default_rng(how.seed)
    adam = Adam(network, FINE_RATES if frame.app == "nsdf" else RATES)
    for step in range(how.steps):
        rows = rng.integers(len(positions), size=how.batch)
        part = lookup.take(rows)
        passes = network.forward(part, None if harmonics is None else harmonics[rows])
        slopes = loss(rows, passes[-1].answers) / np.float32(how.batch)
        adam.step(network.backward(part, passes, slopes), DECAY ** (step / how.steps))
    return network


class Adam:
    """Adam over a network's parameters, which it changes in place.

    Rows whose slopes are zero are left as they are, as entries are in instant-ngp.
    """

    def __init__(self, network: Network, rates: tuple[float, float]) -> None:
        self._rates = rates
        self._parameters = network.parameters
        self._means = [np.zeros_like(x) for x in self._parameters]
        self._squares = [np.zeros_like(x) for x in self._parameters]
        self._step = 0

    def step(self, gradients: Gradients, pace: float) -> None:
        self._step += 1
        self._move(0, gradients.rows, gradients.tables, self._rates[0] * pace)
        slopes = (slope for head in gradients.heads for slope in head)
        for number, slope in enumerate(slopes, 1):
            self._move(number, np.arange(len(slope)), slope, self._rates[1] * pace)

    def _move(self, number: int, rows: Ints, slope: Floats, rate: float) -> None:
        moved = slope.any(axis=1)
        rows, slope = rows[moved], slope[moved]
        (first, second), parameter = BETAS, self._parameters[number]
        mean = first * self._means[number][rows] + (1 - first) * slope
        square = second * self._squares[number][rows] + (1 - second) * slope * slope
        self._means[number][rows], self._squares[number][rows] = mean, square
        rate *= np.sqrt(1 - second**self._step) / (1 - first**self._step)
        parameter[rows] -= (rate * mean / (np.sqrt(square) + EPSILON)).astype(np.float32)


# ---------------------------------------------------------------------------------------- answers


def _scene_field(frame: Frame) -> Callable[..., Floats]:
    """Return what a network should answer, as a function of positions and directions."""
    scene = SCENES[frame.scene]
    if frame.app == "gia":
        return lambda at, towards=None: _photograph(scene, at, frame)
    if frame.app == "nsdf":
        return lambda at, towards=None: scene.distance(at)[:, None]
    if frame.app == "nvr":
        volume = Density(1.0, DENSITIES[frame.density].width)
        return lambda at, towards=None: np.column_stack(
            [scene.colour(at), volume(scene.distance(at))]
        )
    dense = DENSITIES[frame.density]
    return lambda at, towards=None: np.column_stack(
        [scene.colour(at), np.log(np.maximum(dense(scene.distance(at)), np.exp(LOG_THIN)))]
    )


def _photograph(scene: Scene, points: Floats, frame: Frame) -> Floats:
    """Return the colours of the scene's picture at points of it: [n, 2] to [n, 3]."""
    seen = Rays.through(scene, points, frame.width, frame.height)
    picture = trace_spheres(scene.distance, lambda at, _: scene.colour(at), seen)
    return picture.colours.reshape(-1, 3)


def _render(frame: Frame, field: Callable[..., Floats]) -> Picture:
    scene = SCENES[frame.scene]
    points = pixels(frame.width, frame.height)
    if frame.app == "gia":
        return raster(field, points, frame.width, frame.height)
    seen = Rays.of(scene, frame.width, frame.height)
    if frame.app == "nsdf":
        return trace_spheres(lambda at: field(at)[:, 0], scene.lit, seen)
    cells = occupancy(frame.scene, frame.density)
    if frame.app == "nvr":

        def volume(at: Floats) -> tuple[Floats, Floats]:
            found = field(at)
            return found[:, :3], np.clip(found[:, 3], 0, 1) * frame.majorant

        return track(volume, seen, cells, frame.majorant, frame.seed)

    def radiance(at: Floats, towards: Floats) -> tuple[Floats, Floats]:
        found = field(at, towards)
        return np.clip(found[:, :3], 0, 1), np.exp(np.minimum(found[:, 3], 8.0))

    return march(radiance, seen, cells, seed=frame.seed)


# ---------------------------------------------------------------------------------------- learning


def _asked(frame: Frame, how: Fit) -> tuple[Floats, Floats]:
    """Return positions to learn from, and directions: of rays through any points of the picture."""
    rng = np.random.default_rng(how.seed)
    if frame.app == "gia":
        points = rng.random((how.positions, 2)).astype(np.float32)
        return points, points
    stream = frame.asked(rng.random((how.positions // 4, 2)))
    rows = rng.integers(len(stream), size=how.positions)
    found = stream.positions[rows]
    if frame.app == "nsdf":  # a ray that misses what it should hit asks where no ray should be
        aside = rng.normal(0, NEAR_SURFACE, found.shape) * (rng.random((len(found), 1)) < 0.5)
        found = np.clip(found + aside, 0, 1).astype(np.float32)
    return found, stream.records[rows, 4:7] if frame.app == "nerf" else found


Loss = Callable[[Ints, Floats], Floats]  # rows of targets, answers: slopes


def _squares(*shares: float) -> Callable[[Floats], Loss]:
    """Return a loss of squares, each answer with its share."""
    weight = 2 * np.array(shares, np.float32)
    return lambda targets: lambda rows, answers: weight * (answers - targets[rows])


def _relative(targets: Floats) -> Loss:
    """Return a loss of errors in proportion to distances: what is near must be known better."""
    weight = 1 / (np.abs(targets) + CLOSE)
    return lambda rows, answers: weight[rows] * np.sign(answers - targets[rows])


LOSSES: Mapping[str, Callable[[Floats], Loss]] = MappingProxyType(
    {
        "gia": _squares(1, 1, 1),
        "nsdf": _relative,
        "nvr": _squares(1, 1, 1, 1),
        "nerf": _squares(1, 1, 1, 0.1),
    }
)
