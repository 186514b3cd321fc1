"""Networks on devices that differ: how often each of many drawn devices is right.

A device is drawn by an error for every phase shifter, on top of what its code rounds. Its meshes
become the matrix of each layer, and that is applied to all images at once, so that nearly all of
the time goes into matrix products. Errors of a pass (`RfnnSpec.dynamic_phase_deg`) are drawn once a
device, too. Single precision throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines.rfnn.cell import Drive, cell, wave
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.errors import quantised
from archsim.engines.rfnn.layer import program
from archsim.engines.rfnn.mesh import Layout, propagate
from archsim.engines.rfnn.network import Network
from archsim.engines.rfnn.spec import Readout
from archsim.engines.rfnn.tensor_train import Stage

BLOCK = 20  # devices drawn together: their waves stay in a core's cache
PART = 1000  # images in a product: its results stay there, too

Floats = NDArray[Any]  # float32, where a device is drawn
Complexes = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Hardware:
    """Meshes that a network is put on.

    Parameters
    ----------
    modes
        Ports of a mesh; the matrices of stages are cut into tiles of that size. None: meshes as
        large as a stage's matrix, and a copy of them for every vector (`RfnnSpec.cores` spatial).
    """

    modes: int | None = 8
    mesh: MeshKind = "clements"
    drive: Drive = "one_arm"


@dataclass(frozen=True, slots=True)
class Errors:
    """What phases suffer: codes of so many bits (None: exact), and a normal spread in radians."""

    phase_bits: int | None = None
    sigma_rad: float = 0.0


# ---------------------------------------------------------------------------------------- settings


@dataclass(frozen=True, slots=True, eq=False)
class Angles:
    """Nominal phases of meshes of one layout: [cells, meshes]; of outputs [modes, meshes]."""

    layout: Layout
    theta: Floats
    phi: Floats
    output: Floats | None  # None: without shifters at the outputs


@dataclass(frozen=True, slots=True, eq=False)
class StageSettings:
    """A stage on meshes: two for each of its tiles, those at the input first.

    Parameters
    ----------
    levels
        Phases of the cells between the two, of which one way is used [attenuators, tiles]: they
        pass sin(level / 2).
    scale
        The digital gain: one for all tiles, as their results are added before it.
    copies
        Of the meshes: one for every vector, or a single one.
    """

    stage: Stage
    tiles: tuple[int, int]
    first: Angles
    last: Angles
    levels: Floats
    scale: float
    copies: int


@dataclass(frozen=True)
class Programmed:
    """A network on hardware: the settings of every layer's stages."""

    readout: Readout
    drive: Drive
    layers: tuple[tuple[StageSettings, ...], ...]

    def weights(self, errors: Errors, rng: np.random.Generator, draws: int) -> list[Complexes]:
        """Return the matrix of each layer on drawn devices: [draws, outputs, inputs]."""
        found = []
        for layer in self.layers:
            if len(layer) == 1:  # a matrix as it is
                found.append(drawn(layer[0], self.drive, errors, rng, draws)[:, 0])
                continue
            inputs = layer[0].stage.before * layer[0].stage.inputs * layer[0].stage.after
            state = np.eye(inputs, dtype=np.complex64)[None]
            for settings in layer:
                matrices = drawn(settings, self.drive, errors, rng, draws)
                state = _applied(settings.stage, matrices, state)
            found.append(state.reshape(draws, -1, inputs))
        return found


def put(network: Network, hardware: Hardware) -> Programmed:
    """Return the settings with which hardware does a network, its phases not yet rounded."""
    layers = tuple(
        tuple(
            _stage(stage, matrix, hardware)
            for stage, matrix in zip(layer.stages(), layer.matrices(), strict=True)
        )
        for layer in network.layers
    )
    return Programmed(network.readout, hardware.drive, layers)


def _stage(stage: Stage, matrix: Any, hardware: Hardware) -> StageSettings:
    if hardware.modes is None:
        rows = cols = 1
        tiles = matrix[None].astype(np.complex128)
    else:
        modes = hardware.modes
        rows, cols = stage.tiles(modes)
        padded = np.zeros((rows * modes, cols * modes), np.complex128)
        padded[: stage.outputs, : stage.inputs] = matrix
        tiles = padded.reshape(rows, modes, cols, modes).swapaxes(1, 2).reshape(-1, modes, modes)
    set_to = [program(tile, hardware.mesh, hardware.drive) for tile in tiles]
    gain = max(s.scale for s in set_to) or 1.0

    def column(values: Sequence[Any]) -> Floats:
        return np.stack(values, axis=-1)

    def angles(meshes: Sequence[Any], output: bool) -> Angles:
        return Angles(
            meshes[0].layout,
            column([m.theta for m in meshes]),
            column([m.phi for m in meshes]),
            column([m.output for m in meshes]) if output else None,
        )

    return StageSettings(
        stage,
        (rows, cols),
        angles([s.vh for s in set_to], output=False),
        angles([s.u for s in set_to], output=True),
        2 * np.arcsin(np.minimum(column([s.passed * s.scale for s in set_to]) / gain, 1)),
        gain,
        1 if hardware.modes is not None else stage.vectors,
    )


# ---------------------------------------------------------------------------------------- devices


def drawn(
    settings: StageSettings, drive: Drive, errors: Errors, rng: np.random.Generator, draws: int
) -> Complexes:
    """Return the matrices of a stage on drawn devices: [draws, copies, outputs, inputs].

    Devices are the innermost axis while waves pass: arithmetic runs along it.
    """
    lead = (settings.levels.shape[1], settings.copies, draws)  # tiles, copies, devices

    def coded(nominal: Floats) -> Floats:
        bits = errors.phase_bits
        angle = nominal if bits is None else quantised(nominal, bits)
        return angle[..., None, None].astype(np.float32)

    def moved(nominal: Floats) -> Floats:
        angle = coded(nominal)
        found = np.empty((len(angle), *lead), np.float32)
        if errors.sigma_rad:
            rng.standard_normal(dtype=np.float32, out=found)
            found *= np.float32(errors.sigma_rad)
        else:
            found[...] = 0
        found += angle
        return found

    def through(angles: Angles, waves: Any) -> None:
        cells = cell(moved(angles.theta), moved(angles.phi), drive)  # [cells, *lead, 2, 2]
        propagate(angles.layout, np.moveaxis(cells, 0, -3), waves.transpose(2, 3, 4, 0, 1))

    first, last = settings.first, settings.last
    inputs, attenuators = first.layout.modes, len(settings.levels)
    waves = np.zeros((inputs, inputs, *lead), np.complex64)
    waves[np.arange(inputs), np.arange(inputs)] = 1
    through(first, waves)
    between = np.zeros((last.layout.modes, inputs, *lead), np.complex64)
    level = moved(settings.levels)
    passed: Any = np.sin(level / 2)
    if drive == "one_arm":  # what a level without errors turns a wave by, U turns back
        passed = passed * wave((level - coded(settings.levels)) / 2)
    passed *= np.float32(settings.scale)
    np.multiply(passed[:, None], waves[:attenuators], out=between[:attenuators])
    through(last, between)
    assert last.output is not None
    between *= wave(moved(last.output))[:, None]
    rows, cols = settings.tiles
    whole = between.reshape(*between.shape[:2], rows, cols, *lead[1:])
    whole = whole.transpose(5, 4, 2, 0, 3, 1)  # devices, copies, rows of tiles, rows, ...
    whole = whole.reshape(draws, settings.copies, rows * len(between), cols * inputs)
    return whole[..., : settings.stage.outputs, : settings.stage.inputs]


def _applied(stage: Stage, matrices: Complexes, state: Complexes) -> Complexes:
    """Return what a stage makes of words [devices or 1, words, vectors]."""
    vectors = state.shape[-1]
    if matrices.shape[1] == 1:  # one matrix for all vectors
        seen = state.reshape(len(state), stage.before, stage.inputs, stage.after * vectors)
        return (matrices @ seen).reshape(len(matrices), -1, vectors)
    seen = state.reshape(len(state), stage.before, stage.inputs, stage.after, vectors)
    each = matrices.reshape(-1, stage.before, stage.after, *matrices.shape[2:])
    after = each @ seen.swapaxes(2, 3)  # [devices, before, after, outputs, vectors]
    return after.swapaxes(2, 3).reshape(len(matrices), -1, vectors)


# ---------------------------------------------------------------------------------------- accuracy


class Judge:
    """Images [n, pixels] to judge networks by, in parts whose results stay in a core's cache.

    Attributes
    ----------
    parts
        Vectors [pixels, images].
    own
        Where the output of each image's own class lies in [classes, n], flat.
    """

    def __init__(self, images: Any, labels: Any) -> None:
        pixels, classes = np.asarray(images, np.float32), np.asarray(labels, np.int64)
        self.images = len(classes)
        starts = range(0, self.images, PART)
        self.parts = [np.ascontiguousarray(pixels[i : i + PART].T) for i in starts]
        self.own = classes * self.images + np.arange(self.images)

    def right(self, readout: Readout, weights: Sequence[Complexes]) -> int:
        """Return how many images have their own class as the one largest output."""
        planes = [_real(readout, w) for w in weights]
        outputs = np.empty((len(weights[-1]), self.images), np.float32)
        room = [np.empty((len(plane), PART), np.float32) for plane in planes]
        for number, part in enumerate(self.parts):
            at, n = number * PART, part.shape[1]
            spaces = [space[:, :n] for space in room]
            if readout == "iq":
                spaces[-1] = outputs[:, at : at + n]
            state = part
            for plane, space in zip(planes, spaces, strict=True):
                state = np.matmul(plane, state, out=space)
                if readout == "mag":
                    state = _magnitude(state)
                elif plane is not planes[-1]:
                    np.maximum(state, 0, out=state)
            if readout == "mag":
                outputs[:, at : at + n] = state
        own = outputs.take(self.own)
        outputs.put(self.own, -np.inf)
        return int(np.count_nonzero(own > outputs.max(axis=0)))


def _real(readout: Readout, weights: Complexes) -> NDArray[np.float32]:
    """Return the real matrix of what is read of each output: its real part, or both parts."""
    if readout == "iq":
        return np.ascontiguousarray(weights.real)
    return np.concatenate((weights.real, weights.imag))


def _magnitude(parts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return magnitudes [n, images] of real parts over imaginary ones [2 n, images], in place."""
    np.multiply(parts, parts, out=parts)
    real, imag = np.split(parts, 2)
    real += imag
    return np.sqrt(real, out=real)


def accuracies_percent(
    programmed: Programmed, errors: Errors, judge: Judge, draws: int, seed: int = 0
) -> NDArray[np.float64]:
    """Return the share of images that each drawn device gets right: [draws].

    Devices do not depend on how many are drawn.
    """
    found = [judge.right(programmed.readout, w) for w in devices(programmed, errors, draws, seed)]
    return 100 * np.array(found) / judge.images


def devices(
    programmed: Programmed, errors: Errors, draws: int, seed: int = 0
) -> Iterator[list[Complexes]]:
    """Yield the matrices of each layer on one drawn device after the other."""
    for block in range(0, draws, BLOCK):
        rng = np.random.default_rng([seed, block])
        weights = programmed.weights(errors, rng, BLOCK)
        for device in range(min(BLOCK, draws - block)):
            yield [w[device] for w in weights]


def spread_rad(*sigmas_deg: float) -> float:
    """Return the spread of a sum of independent errors, in radians."""
    return float(np.radians(sqrt(sum(s * s for s in sigmas_deg))))
