"""Networks on devices that differ: how often each of many drawn devices is right.

A device is drawn by an error for every phase shifter, on top of what its code rounds. Its meshes
become the matrix of each layer, and that is applied to all images at once, so that nearly all of
the time goes into matrix products. Errors of a pass (`RfnnSpec.dynamic_phase_deg`) are drawn once a
device, too. Single precision throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

BLOCK = 20  # devices of one generator
WIDE = 100  # devices and tiles that waves pass together: arithmetic runs along so many, or more
PART = 1000  # images in a product: its results stay there, too

Floats = NDArray[Any]  # float32, where a device is drawn
Complexes = NDArray[np.complex64]
Rngs = Sequence[np.random.Generator]  # each draws as many devices


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

    def weights(self, errors: Errors, rngs: Rngs, draws: int) -> list[Complexes]:
        """Return the matrix of each layer on devices of each rng: [devices, outputs, inputs]."""
        found = []
        for layer in self.layers:
            if len(layer) == 1:  # a matrix as it is
                found.append(drawn(layer[0], self.drive, errors, rngs, draws)[:, 0])
                continue
            inputs = layer[0].stage.before * layer[0].stage.inputs * layer[0].stage.after
            state = np.eye(inputs, dtype=np.complex64)[None]
            for settings in layer:
                matrices = drawn(settings, self.drive, errors, rngs, draws)
                state = _applied(settings.stage, matrices, state)
            found.append(state.reshape(draws * len(rngs), -1, inputs))
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
    settings: StageSettings, drive: Drive, errors: Errors, rngs: Rngs, draws: int
) -> Complexes:
    """Return the matrices of a stage on drawn devices: [devices, copies, outputs, inputs].

    Devices are the innermost axis while waves pass: arithmetic runs along it. Waves go forward from
    the inputs that are used or backward from the outputs, whichever are fewer.
    """
    tiles, devices = settings.levels.shape[1], draws * len(rngs)
    lead = (tiles, settings.copies, devices)

    def coded(nominal: Floats) -> Floats:
        bits = errors.phase_bits
        angle = nominal if bits is None else quantised(nominal, bits)
        return angle[..., None, None].astype(np.float32)

    def moved(nominal: Floats) -> Floats:
        angle = coded(nominal)
        if not errors.sigma_rad:
            return np.broadcast_to(angle, (len(angle), *lead))
        found = np.empty((len(angle), *lead), np.float32)
        for part, rng in zip(np.split(found, len(rngs), axis=-1), rngs, strict=True):
            normal = rng.standard_normal(part.shape, np.float32)
            normal *= np.float32(errors.sigma_rad)
            np.add(normal, angle, out=part)
        return found

    def mesh(angles: Angles) -> tuple[Layout, Callable[[slice], Any]]:
        theta, phi = moved(angles.theta), moved(angles.phi)
        return angles.layout, lambda at: np.moveaxis(cell(theta[at], phi[at], drive), 0, -3)

    stage, first, last = settings.stage, settings.first, settings.last
    assert last.output is not None
    way = [mesh(first)]  # errors are drawn in the order in which waves meet them forward
    level = moved(settings.levels)
    passed: Any = np.sin(level / 2)
    if drive == "one_arm":  # what a level without errors turns a wave by, U turns back
        passed = passed * wave((level - coded(settings.levels)) / 2)
    passed = passed * np.float32(settings.scale)
    way.append(mesh(last))
    output = wave(moved(last.output))
    modes = last.layout.modes, first.layout.modes
    outputs, inputs = min(stage.outputs, modes[0]), min(stage.inputs, modes[1])
    backward = outputs < inputs
    if backward:
        way.reverse()

    def entering(mesh: Layout, used: int) -> Complexes:
        return np.zeros((mesh.modes, used, *lead), np.complex64)

    used = np.arange(min(outputs, inputs))
    waves = entering(way[0][0], len(used))
    waves[used, used] = output[used] if backward else 1
    propagate(*way[0], waves.transpose(2, 3, 4, 0, 1), backward)
    between = entering(way[1][0], len(used))
    np.multiply(passed[:, None], waves[: len(passed)], out=between[: len(passed)])
    propagate(*way[1], between.transpose(2, 3, 4, 0, 1), backward)
    if backward:
        between = between.swapaxes(0, 1)
    else:
        between *= output[:, None]
    rows, cols = settings.tiles
    whole = between.reshape(*between.shape[:2], rows, cols, *lead[1:])
    whole = whole.transpose(5, 4, 2, 0, 3, 1)  # devices, copies, rows of tiles, rows, ...
    whole = whole.reshape(devices, settings.copies, rows * len(between), -1)
    return whole[..., : stage.outputs, : stage.inputs]


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

    Images are sorted by their classes.

    Attributes
    ----------
    parts
        Vectors [pixels, images].
    of_class
        Each class and where its images are.
    """

    def __init__(self, images: Any, labels: Any) -> None:
        classes = np.asarray(labels, np.int64)
        order = np.argsort(classes, kind="stable")
        pixels = np.asarray(images, np.float32)[order]
        self.images = len(classes)
        starts = range(0, self.images, PART)
        self.parts = [np.ascontiguousarray(pixels[i : i + PART].T) for i in starts]
        names, counts = np.unique(classes, return_counts=True)
        ends = np.cumsum(counts)
        self.of_class = [*zip(names, map(slice, ends - counts, ends), strict=True)]

    def right(self, readout: Readout, weights: Sequence[Complexes]) -> int:
        """Return how many images have their own class as the one largest output."""
        planes = [_real(readout, w) for w in weights]
        outputs = np.empty((len(weights[-1]), self.images), np.float32)
        room = [np.empty((len(plane), PART), np.float32) for plane in planes]
        dark = np.zeros((max(map(len, planes)), PART), np.float32)  # to a scalar, maximum is slow
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
                    np.maximum(state, dark[: len(state), :n], out=state)
            if readout == "mag":
                outputs[:, at : at + n] = state
        own = np.empty(self.images, np.float32)
        for name, where in self.of_class:
            own[where] = outputs[name, where]
            outputs[name, where] = -np.inf
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
    tiles = min(s.levels.shape[1] * s.copies for layer in programmed.layers for s in layer)
    together = BLOCK * max(1, WIDE // (BLOCK * tiles))
    for start in range(0, draws, together):
        blocks = range(start, min(start + together, draws), BLOCK)
        rngs = [np.random.default_rng([seed, block]) for block in blocks]
        weights = programmed.weights(errors, rngs, BLOCK)
        for device in range(min(together, draws - start)):
            yield [w[device] for w in weights]


def spread_rad(*sigmas_deg: float) -> float:
    """Return the spread of a sum of independent errors, in radians."""
    return float(np.radians(sqrt(sum(s * s for s in sigmas_deg))))
