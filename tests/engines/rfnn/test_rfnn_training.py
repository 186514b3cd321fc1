"""Training: PyTorch's meshes are NumPy's, and the same recipe gives the same network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from archsim.engines.rfnn import images, trained
from archsim.engines.rfnn.cell import Drive
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.layer import program
from archsim.engines.rfnn.mesh import Phases, layout
from archsim.engines.rfnn.network import VARIANTS, Variant, scores
from archsim.engines.rfnn.tensor_train import Form
from archsim.engines.rfnn.training import Recipe, Settings, train, transfer


@pytest.mark.parametrize("mesh", ["clements", "reck"])
@pytest.mark.parametrize("drive", ["one_arm", "differential"])
@pytest.mark.parametrize("modes", [2, 5, 8])
def test_meshes_are_those_of_numpy(mesh: MeshKind, drive: Drive, modes: int) -> None:
    where = layout(mesh, modes)
    rng = np.random.default_rng(modes)
    theta, phi = rng.uniform(0, 7, (2, 3, where.cells))
    wanted = Phases(where, theta, phi, np.zeros((3, modes))).matrix(drive)
    found = transfer(where, torch.from_numpy(theta), torch.from_numpy(phi), drive)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-12)
    single = transfer(where, torch.from_numpy(theta).float(), torch.from_numpy(phi).float(), drive)
    assert single.dtype == torch.complex64
    np.testing.assert_allclose(single.numpy(), wanted, atol=2e-6)


def test_slopes_are_those_of_small_steps() -> None:
    where = layout("clements", 4)
    rng = np.random.default_rng(1)
    theta, phi = (torch.from_numpy(rng.uniform(0, 6, where.cells)) for _ in range(2))
    theta.requires_grad_()
    wanted = torch.from_numpy(rng.normal(size=(4, 4)))

    def power() -> Any:
        return (transfer(where, theta, phi) * wanted).sum().abs() ** 2

    power().backward()
    with torch.no_grad():
        for cell in range(where.cells):
            ends = []
            for step in (1e-6, -1e-6):
                theta[cell] += step
                ends.append(float(power()))
                theta[cell] -= step
            assert float(theta.grad[cell]) == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-5)


@pytest.mark.parametrize("form", ["full", "ttm", "tt3"])
@pytest.mark.parametrize("readout", ["iq", "mag"])
def test_the_network_is_what_was_trained(form: Form, readout: Any) -> None:
    """Cores, put together without torch, give the scores that the loss saw."""
    recipe = Recipe(form=form, rank=3, readout=readout, hidden=(12,))
    net = Settings(recipe, 64, torch.Generator().manual_seed(3))
    x = np.random.default_rng(0).random((5, 64), np.float32)
    with torch.no_grad():
        wanted = net.scores(torch.from_numpy(x)).numpy()
    found = scores(readout, net.network().weights, x.T)
    np.testing.assert_allclose(4 * found.T, wanted, atol=1e-4)


def test_settings_are_a_device_that_can_be_built() -> None:
    """What training calls a matrix, two meshes with amplitudes between them do."""
    net = Settings(Recipe(hidden=(8,)), 8, torch.Generator().manual_seed(0))
    matrix = net.matrices()[0][0].detach().numpy().astype(np.complex128)
    np.testing.assert_allclose(program(matrix).matrix(), matrix, atol=1e-12)


@pytest.fixture(scope="module")
def few() -> images.Images:
    digits = images.digits()
    return replace(digits, train=digits.train[:128], train_labels=digits.train_labels[:128])


@pytest.mark.parametrize("training", ["nominal", "noise", "sam"])
def test_the_same_recipe_gives_the_same_network(training: Any, few: images.Images) -> None:
    recipe = Recipe(training, "ttm", rank=2, epochs=2)
    one, two = train(recipe, few), train(recipe, few)
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    other = train(replace(recipe, seed=1), few)
    assert np.abs(other.weights[0] - one.weights[0]).max() > 1e-3


def test_training_learns_and_robust_objectives_differ(few: images.Images) -> None:
    recipe = Recipe(epochs=20, hidden=(16,), rate=0.03)
    nets = [train(replace(recipe, training=t), few) for t in ("nominal", "noise", "sam")]
    for net in nets:
        assert net.accuracy_percent(few.train, few.train_labels) > 40  # by chance: 10
    assert np.abs(nets[0].weights[0] - nets[1].weights[0]).max() > 1e-3
    assert np.abs(nets[0].weights[0] - nets[2].weights[0]).max() > 1e-3


def test_recipes_of_variants() -> None:
    assert len(VARIANTS) == 24
    assert trained.recipe(Variant("sam", "tt3", 8, "mag")) == Recipe("sam", "tt3", 8, "mag")
    assert trained.recipe(Variant("nominal", "full", 0, "iq")) == Recipe()
