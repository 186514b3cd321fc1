"""Networks of RF layers, and the trained ones that come with archsim.

A network is linear layers without biases. Between them stands what the readout gives: with ``iq``
the real part and a digital ReLU, with ``mag`` the magnitude, which costs nothing. The class is the
output with the largest real part, or magnitude.

`digits_64_64_10` reads scikit-learn's 8 x 8 digits: 64 inputs, 64 hidden units, 10 classes. Its
weights ship as they were trained: nominal, with phase noise, or sharpness-aware, as whole matrices
or tensor trains of either format and several ranks. ``python -m archsim.engines.rfnn.training``
trains all of them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from archsim.arrays import read_arrays
from archsim.engines.rfnn.images import DIGIT_MOST
from archsim.engines.rfnn.lowering import factored
from archsim.engines.rfnn.spec import Readout
from archsim.engines.rfnn.tensor_train import Form, TensorTrain, core_shapes
from archsim.errors import InputError

Training = Literal["nominal", "noise", "sam"]
Factors = tuple[tuple[int, ...], tuple[int, ...]]

NAME = "digits_64_64_10"
PACKAGE = "archsim.engines.rfnn"
WEIGHTS, PROVENANCE, IMAGES = f"{NAME}.npz", f"{NAME}.json", "digits_test.npz"
WIDTHS = (64, 64, 10)
RANKS = (2, 4, 8)  # that trains ship with


def layer_factors(form: Form, outputs: int, inputs: int) -> Factors:
    """Return the extents of a layer's cores, as the engine factors them."""
    return ((outputs,), (inputs,)) if form == "full" else factored(outputs, inputs)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers as cores, and what stands between them."""

    readout: Readout
    layers: tuple[TensorTrain, ...]

    @property
    def weights(self) -> tuple[NDArray[Any], ...]:
        """The matrix of each layer: [outputs, inputs]."""
        return tuple(layer.dense() for layer in self.layers)

    def accuracy_percent(self, images: Any, labels: Any) -> float:
        """Return the share of images [n, pixels] that an ideal device gets right."""
        found = scores(self.readout, self.weights, np.asarray(images).T)
        return 100 * float(np.mean(found.argmax(axis=0) == labels))


def scores(readout: Readout, weights: Sequence[Any], x: Any) -> NDArray[Any]:
    """Return the outputs of a network for vectors [inputs, n]: [classes, n]."""
    for number, matrix in enumerate(weights):
        z = matrix @ x
        if readout == "mag":
            x = np.abs(z)
        else:
            x = z.real if number == len(weights) - 1 else np.maximum(z.real, 0)
    return np.asarray(x)


# ---------------------------------------------------------------------------------------- files

_FORMS: Mapping[int, Form] = {2: "full", 3: "tt3", 4: "ttm"}  # by the axes of a core
MAX_LAYERS, MAX_CORES = 64, 64


def arrays_of(network: Network, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return a network as plain arrays, by names that begin with a prefix."""
    arrays: dict[str, NDArray[Any]] = {f"{prefix}readout": np.array(network.readout)}
    for number, layer in enumerate(network.layers):
        arrays[f"{prefix}{number}.outputs"] = np.array(layer.outputs)
        arrays[f"{prefix}{number}.inputs"] = np.array(layer.inputs)
        for at, core in enumerate(layer.cores):
            arrays[f"{prefix}{number}.{at}"] = core
    return arrays


def network_of(arrays: Mapping[str, NDArray[Any]], where: str, prefix: str = "") -> Network:
    """Return the network that arrays hold.

    Raises
    ------
    InputError
        If they hold none.
    """
    readout = str(arrays.get(f"{prefix}readout"))
    if readout not in get_args(Readout):
        raise InputError(f"{where}: {prefix}readout", "must be iq or mag", readout)
    layers: list[TensorTrain] = []
    while (name := f"{prefix}{len(layers)}") + ".0" in arrays and len(layers) < MAX_LAYERS:
        cores: list[NDArray[Any]] = []
        while (core := f"{name}.{len(cores)}") in arrays and len(cores) < MAX_CORES:
            cores.append(arrays[core])
        sides = [arrays.get(f"{name}.{side}", np.zeros(0)) for side in ("outputs", "inputs")]
        layers.append(_layer(f"{where}: layer {name}", cores, sides))
    if not layers:
        raise InputError(where, "must have layers", sorted(arrays)[:MAX_CORES])
    for before, after in pairwise(layers):
        if prod(before.outputs) != prod(after.inputs):
            raise InputError(
                where, f"a layer must take the {prod(before.outputs):,} outputs before it",
                prod(after.inputs),
            )  # fmt: skip
    return Network(readout, tuple(layers))  # type: ignore[arg-type]


def _layer(where: str, cores: Sequence[NDArray[Any]], sides: Sequence[NDArray[Any]]) -> TensorTrain:
    form = _FORMS.get(cores[0].ndim)
    if form is None or any(side.ndim != 1 or side.dtype.kind != "i" for side in sides):
        raise InputError(where, "must have cores of 2, 3 or 4 axes, and whole numbers as sides")
    outputs, inputs = (tuple(side.tolist()) for side in sides)
    if not (outputs and inputs) or min(*outputs, *inputs) < 1:
        raise InputError(where, "must have sides of 1 or more", (outputs, inputs))
    try:
        ranks = [core.shape[-1] for core in cores[:-1]] or 1
        shapes = core_shapes(form, outputs, inputs, ranks)
    except (ValueError, IndexError) as fault:
        raise InputError(where, f"must be a chain of cores: {fault}") from None
    found = [core.shape for core in cores]
    if found != [*shapes] or not all(core.dtype.kind in "fc" for core in cores):
        raise InputError(where, f"must have cores of numbers, of shapes {[*shapes]}", found)
    if not all(np.isfinite(core).all() for core in cores):
        raise InputError(where, "must have finite numbers")
    return TensorTrain(form, outputs, inputs, tuple(cores))


def read(file: Path) -> Network:
    """Return a network that `training` wrote.

    Raises
    ------
    InputError
        If the file holds none.
    """
    return network_of(read_arrays(file), str(file))


# ---------------------------------------------------------------------------------------- shipped


@dataclass(frozen=True, slots=True, order=True)
class Variant:
    """One of the trained networks that ship: a training, and the form of the layers."""

    training: Training
    form: Form
    rank: int  # 0 of ``full``
    readout: Readout

    @property
    def name(self) -> str:
        return f"{self.form}{self.rank or ''}_{self.readout}_{self.training}"


_SHAPES: tuple[tuple[Form, int], ...] = (
    ("full", 0), *(("ttm", rank) for rank in RANKS), *(("tt3", rank) for rank in RANKS),
)  # fmt: skip
# a magnitude has no place between the stages of a train
VARIANTS = tuple(
    Variant(training, form, rank, readout)
    for readout in get_args(Readout)
    for form, rank in _SHAPES
    if readout == "iq" or form == "full"
    for training in get_args(Training)
)


@cache
def shipped_arrays(file: str) -> Mapping[str, NDArray[Any]]:
    """Return the arrays of a file that comes with archsim."""
    with (files(PACKAGE) / file).open("rb") as stream, np.load(stream) as kept:
        return dict(kept)


@cache
def shipped(variant: Variant) -> Network:
    """Return a trained network that comes with archsim."""
    return network_of(shipped_arrays(WEIGHTS), WEIGHTS, f"{variant.name}/")


def judged() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the images [450, 64] that shipped networks are judged by, and their classes."""
    kept = shipped_arrays(IMAGES)
    return (kept["pixels"] / DIGIT_MOST).astype(np.float32), kept["labels"].astype(np.int64)
