"""Training of RF networks: the phases themselves, on meshes that PyTorch can differentiate.

What is trained are the settings of the device: phases of every cell, amplitudes between the two
meshes of each matrix, one digital gain a stage. A layer's stages are cut into matrices of
``modes x modes``, each of two meshes, as the engine cuts them. Three objectives:

- ``nominal``: the loss as it is.
- ``noise``: every step sees phases with fresh errors (normal, of one spread).
- ``sam``: sharpness-aware: the gradient is taken where the loss is highest nearby, one step of a
  given length up the slope of all phases.

Errors grow to their full size over the first half of the epochs. The latter two are robust training
in the sense of RTT-RFNN; that paper's own objective was not obtainable: these are ours. PyTorch is
imported when something is trained, nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from archsim.engines.rfnn.cell import Drive
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.images import CLASSES, Images
from archsim.engines.rfnn.mesh import Layout, layout
from archsim.engines.rfnn.network import Network, Training, layer_factors
from archsim.engines.rfnn.spec import Readout
from archsim.engines.rfnn.tensor_train import Form, Stage, TensorTrain, core_shapes, stages
from archsim.errors import MissingExtra

Tensor = Any  # torch.Tensor, where torch is not imported
LOGIT_GAIN = 4.0  # outputs are amplitudes of about one; the loss wants larger numbers
RAMP = 0.5  # share of the epochs in which errors grow: trains learn little if all come at once
MAGNITUDE_FLOOR = 1e-12  # of a power: a root has no slope at zero


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    form, rank
        Of every layer.
    readout
        ``iq``: real parts, with a ReLU between layers; ``mag``: magnitudes, at the end as well.
    hidden
        Widths between the layers.
    sigma_deg
        Spread of the phase errors that ``noise`` trains with.
    rho
        Length of the step that ``sam`` goes up, as a root mean square over all phases, in radians.
    """

    training: Training = "nominal"
    form: Form = "full"
    rank: int = 4
    readout: Readout = "iq"
    hidden: tuple[int, ...] = (64,)
    modes: int = 8
    mesh: MeshKind = "clements"
    drive: Drive = "one_arm"
    epochs: int = 30
    batch: int = 64
    rate: float = 5e-3
    sigma_deg: float = 6.0
    rho: float = 0.005
    seed: int = 0


# ---------------------------------------------------------------------------------------- meshes


def transfer(where: Layout, theta: Tensor, phi: Tensor, drive: Drive = "one_arm") -> Tensor:
    """Return the matrices of square meshes, output phases apart; `mesh.transfer` for torch.

    Parameters
    ----------
    theta, phi
        Phases in radians [..., cells].

    Returns
    -------
    matrices
        [..., modes, modes].
    """
    import torch  # noqa: PLC0415

    sine, cosine, common = torch.sin(theta / 2), torch.cos(theta / 2), 1j
    if drive == "one_arm":
        common = 1j * torch.exp(0.5j * theta)
    before = torch.exp(1j * phi)
    cells = torch.stack(
        (-common * sine * before, common * cosine, common * cosine * before, common * sine), -1
    )
    elements = cells[..., None].unbind(-2)  # of all cells: [..., cells, 1], four times
    waves = torch.eye(where.modes, dtype=cells.dtype).expand(*theta.shape[:-1], -1, -1)
    at = 0
    for first, count in where.columns:
        a, b, c, d = (element[..., at : at + count, :] for element in elements)
        at, last = at + count, first + 2 * count
        upper, lower = waves[..., first:last, :].unflatten(-2, (count, 2)).unbind(-2)
        mixed = torch.stack((a * upper + b * lower, c * upper + d * lower), -2)
        waves = torch.cat((waves[..., :first, :], mixed.flatten(-3, -2), waves[..., last:, :]), -2)
    return waves


@dataclass(frozen=True, slots=True)
class Layer:
    """The shape of a layer: the factors of its extents, and the stages that it runs as."""

    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    stages: tuple[Stage, ...]


class Settings:
    """Layers in training: a pair of meshes for each of their matrices, all in one batch.

    Attributes
    ----------
    theta, phi
        Phases of cells [2, matrices, cells]; the meshes at the input first.
    output
        Phases after the meshes at the output [matrices, modes].
    levels
        Amplitudes between the two meshes [matrices, modes].
    gains
        Digital factors [stages].
    """

    def __init__(self, recipe: Recipe, pixels: int, seed: Any) -> None:
        import torch  # noqa: PLC0415

        self.recipe, self.where = recipe, layout(recipe.mesh, recipe.modes)
        widths = pairwise((pixels, *recipe.hidden, CLASSES))
        shapes = [layer_factors(recipe.form, n, k) for k, n in widths]
        self.layers = [Layer(*s, stages(recipe.form, *s, recipe.rank)) for s in shapes]
        tiles = [s.tiles(recipe.modes) for layer in self.layers for s in layer.stages]
        matrices = sum(rows * cols for rows, cols in tiles)

        def drawn(most: float, *shape: int) -> Tensor:
            return (most * torch.rand(*shape, generator=seed)).requires_grad_()

        self.theta = drawn(math.pi, 2, matrices, self.where.cells)
        self.phi = drawn(2 * math.pi, 2, matrices, self.where.cells)
        self.output = drawn(2 * math.pi, matrices, recipe.modes)
        self.levels = drawn(1.0, matrices, recipe.modes)
        self.gains = torch.tensor([2 / math.sqrt(cols) for _, cols in tiles], requires_grad=True)

    @property
    def phases(self) -> list[Tensor]:
        """What has errors."""
        return [self.theta, self.phi, self.output]

    def matrices(self, errors: Sequence[Tensor] | None = None) -> list[list[Tensor]]:
        """Return the matrices of each layer's stages [outputs, inputs]; errors add to phases."""
        import torch  # noqa: PLC0415

        phases = self.phases
        if errors is not None:
            phases = [phase + error for phase, error in zip(phases, errors, strict=True)]
        theta, phi, output = phases
        first, last = transfer(self.where, theta, phi, self.recipe.drive)
        tiles = torch.exp(1j * output)[..., None] * (last @ (self.levels[..., None] * first))
        found: list[list[Tensor]] = []
        at = number = 0
        for layer in self.layers:
            found.append([])
            for stage in layer.stages:
                rows, cols = stage.tiles(self.recipe.modes)
                own = tiles[at : at + rows * cols].unflatten(0, (rows, cols)).transpose(1, 2)
                whole = self.gains[number] * own.flatten(2, 3).flatten(0, 1)
                found[-1].append(whole[: stage.outputs, : stage.inputs])
                at, number = at + rows * cols, number + 1
        return found

    def scores(self, x: Tensor, errors: Sequence[Tensor] | None = None) -> Tensor:
        """Return the scores of images [n, pixels]: [n, classes]."""
        import torch  # noqa: PLC0415

        magnitude = self.recipe.readout == "mag"
        matrices = self.matrices(errors)
        for number, layer in enumerate(self.layers):
            z = x.to(torch.complex64)
            for stage, matrix in zip(layer.stages, matrices[number], strict=True):
                z = matrix @ z.reshape(-1, stage.inputs, stage.after)
            z = z.reshape(len(x), -1)
            last = layer is self.layers[-1]
            if magnitude:
                x = torch.sqrt(z.real**2 + z.imag**2 + MAGNITUDE_FLOOR)
            else:
                x = z.real if last else torch.relu(z.real)
        return LOGIT_GAIN * x

    def network(self) -> Network:
        """Return the layers as cores.

        Of whole matrices that are read by their real parts only these are kept: the rest would pass
        the meshes for nothing but its errors.
        """
        form, found = self.recipe.form, []
        for layer, matrices in zip(self.layers, self.matrices(), strict=True):
            shapes = core_shapes(form, layer.outputs, layer.inputs, self.recipe.rank)
            arrays = [m.detach().numpy() for m in reversed(matrices)]  # in the chain's order
            if form == "full" and self.recipe.readout == "iq":
                arrays = [a.real for a in arrays]
            cores = tuple(a.reshape(shape) for a, shape in zip(arrays, shapes, strict=True))
            found.append(TensorTrain(form, layer.outputs, layer.inputs, cores))
        return Network(self.recipe.readout, tuple(found))


# ---------------------------------------------------------------------------------------- training


def train(recipe: Recipe, images: Images) -> Network:
    """Return a trained network; the same for the same recipe, images and versions.

    Raises
    ------
    MissingExtra
        If PyTorch is not installed.
    """
    try:
        import torch  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("torch", "rf") from None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums of several threads differ in their last bits
    try:
        return _train(recipe, images)
    finally:
        torch.set_num_threads(threads)


def _train(recipe: Recipe, images: Images) -> Network:
    import torch  # noqa: PLC0415

    seed = torch.Generator().manual_seed(recipe.seed)
    net = Settings(recipe, images.pixels, seed)
    x, labels = torch.from_numpy(images.train), torch.from_numpy(images.train_labels)
    optimiser = torch.optim.Adam([*net.phases, net.levels, net.gains], recipe.rate)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs)
    spread = math.radians(recipe.sigma_deg)
    length = recipe.rho * math.sqrt(sum(p.numel() for p in net.phases))

    def slopes(batch: Tensor, errors: Sequence[Tensor] | None = None) -> None:
        optimiser.zero_grad()
        found = net.scores(x[batch], errors)
        torch.nn.functional.cross_entropy(found, labels[batch]).backward()

    for epoch in range(recipe.epochs):
        ramp = min(1.0, epoch / (RAMP * recipe.epochs))
        for batch in torch.randperm(len(x), generator=seed).split(recipe.batch):
            if recipe.training == "noise":
                drawn = [torch.randn(p.shape, generator=seed) for p in net.phases]
                slopes(batch, [ramp * spread * errors for errors in drawn])
            else:
                slopes(batch)
            if recipe.training == "sam":
                up = [p.grad.clone() for p in net.phases]
                steepest = math.sqrt(sum(float((g**2).sum()) for g in up)) or 1.0
                slopes(batch, [ramp * length / steepest * g for g in up])
            optimiser.step()
        slower.step()
    return net.network()
