"""Drawn devices: their matrices are those of the physics, their accuracies repeat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archsim.engines.rfnn import monte_carlo
from archsim.engines.rfnn.cell import Drive
from archsim.engines.rfnn.counts import MeshKind
from archsim.engines.rfnn.errors import expected_error, quantised, rounding_rad
from archsim.engines.rfnn.layer import program
from archsim.engines.rfnn.mesh import Phases
from archsim.engines.rfnn.monte_carlo import Errors, Hardware, Judge, put, spread_rad
from archsim.engines.rfnn.network import Network, scores
from archsim.engines.rfnn.tensor_train import Form, TensorTrain, decompose

RNG = np.random.default_rng(11)


def network(form: Form, readout: Any = "iq", rank: int = 3) -> Network:
    sides = ((12, 16), (10, 12)) if form == "full" else ()
    if form == "full":
        trains = [decompose(RNG.normal(size=s), form, (s[0],), (s[1],), 1)[0] for s in sides]
    else:
        trains = [
            decompose(RNG.normal(size=(12, 16)), form, (3, 4), (4, 4), rank)[0],
            decompose(RNG.normal(size=(10, 12)) * np.exp(1j), form, (2, 5), (3, 4), rank)[0],
        ]
    return Network(readout, tuple(trains))


# ---------------------------------------------------------------------------------------- matrices


@pytest.mark.parametrize("form", ["full", "ttm", "tt3"])
@pytest.mark.parametrize("modes", [None, 4, 8, 20])
def test_devices_without_errors_are_the_network(form: Form, modes: int | None) -> None:
    """Whatever the meshes are: tiles, one for all, or copies for every vector."""
    net = network(form)
    found = put(net, Hardware(modes)).weights(Errors(), [np.random.default_rng(0)], 3)
    for wanted, drawn in zip(net.weights, found, strict=True):
        assert drawn.shape == (3, *wanted.shape) and drawn.dtype == np.complex64
        np.testing.assert_allclose(drawn, np.broadcast_to(wanted, drawn.shape), atol=2e-5)


@pytest.mark.parametrize("mesh", ["clements", "reck"])
@pytest.mark.parametrize("drive", ["one_arm", "differential"])
@pytest.mark.parametrize("bits", [None, 4])
def test_codes_are_the_physics(mesh: MeshKind, drive: Drive, bits: int | None) -> None:
    """A tile is its two meshes at rounded phases, with rounded cells as attenuators between."""
    matrix = RNG.normal(size=(8, 8)) + 1j * RNG.normal(size=(8, 8))
    net = Network("iq", (TensorTrain("full", (8,), (8,), (matrix,)),))
    (found,) = put(net, Hardware(8, mesh, drive)).weights(Errors(bits), [RNG], 1)
    layer = program(matrix, mesh, drive)

    def rounded(angle: Any) -> Any:
        return angle if bits is None else quantised(angle, bits)

    def mesh_of(phases: Phases) -> Any:
        angles = (rounded(phases.theta), rounded(phases.phi), rounded(phases.output))
        return Phases(phases.layout, *angles).matrix(drive)

    level = 2 * np.arcsin(layer.passed)
    passed = np.sin(rounded(level) / 2)
    wanted = layer.scale * mesh_of(layer.u) * passed @ mesh_of(layer.vh)
    np.testing.assert_allclose(found[0], wanted, atol=2e-5)


@pytest.mark.parametrize("drive", ["one_arm", "differential"])
def test_errors_follow_the_law(drive: Drive) -> None:
    """Of a unitary: both meshes' errors, and half of one of the attenuators between them."""
    sigma, modes = 0.02, 16
    unitary = np.linalg.qr(RNG.normal(size=(modes, modes)))[0]
    net = Network("iq", (TensorTrain("full", (modes,), (modes,), (unitary,)),))
    (found,) = put(net, Hardware(modes, "clements", drive)).weights(Errors(None, sigma), [RNG], 400)
    miss = np.linalg.norm(found - unitary, axis=(1, 2)) / np.sqrt(modes)
    mesh = expected_error(sigma, modes, drive) ** 2
    attenuators = (sigma / 2) ** 2 if drive == "one_arm" else 0.0
    first = mesh - sigma**2  # without shifters at its outputs
    assert np.sqrt(np.mean(miss**2)) == pytest.approx(np.sqrt(mesh + first + attenuators), rel=0.03)


def test_rounding_counts_as_noise_of_its_spread() -> None:
    net = network("full")
    exact = net.weights[0]
    rngs = [np.random.default_rng(0)]
    programmed = put(net, Hardware(8))
    noisy = programmed.weights(Errors(None, rounding_rad(6)), rngs, 200)[0]
    rounded = programmed.weights(Errors(6), rngs, 1)[0]

    def miss(drawn: Any) -> float:
        return float(np.sqrt(np.mean(np.abs(drawn - exact) ** 2)))

    assert miss(rounded) == pytest.approx(miss(noisy), rel=0.25)


def test_copies_differ_from_each_other() -> None:
    """Where every vector has meshes of its own, so have their errors."""
    net = network("ttm")
    (stage, *_), _ = put(net, Hardware(None)).layers
    assert stage.copies == stage.stage.vectors > 1
    drawn = monte_carlo.drawn(stage, "one_arm", Errors(None, 0.1), [np.random.default_rng(0)], 2)
    assert drawn.shape == (2, stage.copies, stage.stage.outputs, stage.stage.inputs)
    assert np.abs(drawn[0, 0] - drawn[0, 1]).max() > 1e-3
    assert np.abs(drawn[0, 0] - drawn[1, 0]).max() > 1e-3


# ---------------------------------------------------------------------------------------- accuracy


@pytest.mark.parametrize("readout", ["iq", "mag"])
def test_a_judge_counts_as_scores_say(readout: Any) -> None:
    net = network("full", readout)
    images, labels = RNG.random((monte_carlo.PART + 37, 16)), RNG.integers(0, 10, 1037)
    judge = Judge(images, labels)
    assert [part.shape[1] for part in judge.parts] == [1000, 37] and judge.images == 1037
    found = judge.right(readout, [w.astype(np.complex64) for w in net.weights])
    wanted = scores(readout, net.weights, images.T).argmax(axis=0) == labels
    assert abs(found - int(wanted.sum())) <= 1
    assert net.accuracy_percent(images, labels) == pytest.approx(100 * wanted.mean())


def test_a_dark_device_is_never_right() -> None:
    """Equal outputs name no class, not even by accident the first one."""
    judge = Judge(np.ones((4, 2)), np.zeros(4))
    assert judge.right("iq", [np.zeros((10, 2), np.complex64)]) == 0


def test_devices_do_not_depend_on_how_many_are_drawn() -> None:
    programmed, judge = put(network("full"), Hardware(8)), Judge(RNG.random((50, 16)), [0] * 50)
    errors = Errors(5, 0.2)
    many = monte_carlo.accuracies_percent(programmed, errors, judge, 45, seed=3)
    few = monte_carlo.accuracies_percent(programmed, errors, judge, 7, seed=3)
    assert len(many) == 45
    np.testing.assert_array_equal(many[:7], few)
    other = monte_carlo.accuracies_percent(programmed, errors, judge, 45, seed=4)
    assert (other != many).any()


def test_spreads_add_as_squares() -> None:
    assert spread_rad(3, 4) == pytest.approx(np.radians(5))
    assert spread_rad() == 0
